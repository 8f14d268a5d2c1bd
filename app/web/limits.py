"""How often something may be asked for, and the guards that count it.

Limits that belong to a story rather than to a request, such as mails to one person, stand with the story.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import structlog
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import Visitor
from app.core import clock, limits
from app.core.db import Database, database
from app.core.errors import TooMany
from app.core.limits import Allowance
from app.core.settings import settings
from app.web.security import SAFE, SECRET_PATHS, client_address

log = structlog.get_logger()

MINUTE, HOUR = 60, 3600

Connection = ASGIConnection[Any, Any, Any, Any]
Guard = Callable[[Connection, BaseRouteHandler], Awaitable[None]]


@dataclass(frozen=True)
class Limit:
    """At most so often in so many seconds, for each `per`:

    an address (of IPv6 a /64), a person (the account, without one the address), a buyer (the account, without one the
    browser), or a thing (what the page's address names).
    """

    most: int | Callable[[], int]
    seconds: int
    per: str = "address"


# Writing is counted in the database, so all processes share what is left.
LIMITS = {
    # Accounts. Beside these, each e-mail address has limits of its own (app/accounts/flows.py).
    "login": Limit(20, 5 * MINUTE),
    "register": Limit(5, HOUR),
    "forgot": Limit(10, HOUR),
    "link": Limit(20, HOUR),
    "sign-in link": Limit(10, HOUR),
    # Each look at the login page asks for a question already.
    "passkey": Limit(60, 5 * MINUTE),
    "identity provider": Limit(30, 5 * MINUTE),
    # A code of the second factor counts for the account that it belongs to (app/accounts/proofs.py).
    "apply": Limit(5, HOUR, per="person"),
    # Buying. Some networks put a university behind one address, so the operator may widen that one.
    "hold": Limit(lambda: settings().holds_per_minute, MINUTE),
    "hold by buyer": Limit(10, MINUTE, per="buyer"),
    # Beside this one, each e-mail address has a limit of its own: whoever joins is sent a mail.
    "waiting list": Limit(20, HOUR),
    "reminder": Limit(20, HOUR),
    "pay": Limit(20, MINUTE),
    "pay for booking": Limit(6, MINUTE, per="thing"),
    "refund": Limit(30, MINUTE, per="person"),
    # Codes that are short enough to be guessed, and secrets in addresses, which are not: who misses often waits for an hour.
    "access code": Limit(10, MINUTE),
    "wrong access code": Limit(20, HOUR),
    "refund code": Limit(10, MINUTE),
    "wrong refund code": Limit(20, HOUR),
    "wrong address": Limit(20, HOUR),
    # A hand scanner is quick, and so is a queue of people.
    "door": Limit(1200, MINUTE, per="person"),
    "door list": Limit(60, MINUTE, per="person"),
    # Desks, files and reports.
    "desk": Limit(120, MINUTE, per="person"),
    "trial": Limit(20, HOUR, per="person"),
    "upload": Limit(10, HOUR, per="person"),
    "export": Limit(10, HOUR, per="person"),
    "paper": Limit(30, HOUR, per="thing"),
    "policy report": Limit(60, MINUTE),
}

# Reading is counted by each process for itself: a write for each look would cost more than the look.
# Pages that are kept for everybody (app/web/kept.py) come without being counted.
LOOKS = {
    "list": Limit(lambda: settings().looks_per_minute, MINUTE, per="person"),
    # Not by address alone: buyers of one hot sale share networks, and each page asks for itself while somebody pays.
    "secret": Limit(60, MINUTE, per="thing"),
}


def allowance(connection: Connection, name: str) -> Allowance:
    """What this request may use up of a limit."""
    limit = LIMITS.get(name) or LOOKS[name]
    most = limit.most if isinstance(limit.most, int) else limit.most()
    return Allowance(f"{name}:{_whose(connection, limit.per)}", most, limit.seconds)


async def count(connection: Connection, *names: str) -> None:
    """Counts this request. Raises TooMany."""
    await limits.count_all([allowance(connection, name) for name in names])


async def check(db: AsyncSession, connection: Connection, name: str) -> None:
    """Counts nothing; raises TooMany for whoever has used a limit up, such as that of wrong codes."""
    await limits.check(db, allowance(connection, name))


def at_most(*names: str) -> Guard:
    """Guard: every request counts."""

    async def guard(connection: Connection, _handler: BaseRouteHandler) -> None:
        await count(connection, *names)

    return guard


def writes_at_most(*names: str) -> Guard:
    """Guard for a whole desk: what may change something counts. A form that is only checked changes nothing."""

    async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        method = connection.scope.get("method")
        if method not in SAFE and "check" not in connection.query_params and not handler.opt.get("changes_nothing"):
            await count(connection, *names)

    return guard


def looks_at_most(name: str) -> Guard:
    """Guard for pages that are read."""

    async def guard(connection: Connection, _handler: BaseRouteHandler) -> None:
        _memory().count(allowance(connection, name))

    return guard


async def no_guessing(connection: Connection, _handler: BaseRouteHandler) -> None:
    """Guard of the whole app: who has often asked for secret addresses that nobody has is told nothing for a while."""
    if connection.scope["path"].startswith(SECRET_PATHS):
        _memory().check(allowance(connection, "wrong address"))


class CountGuesses:
    """ASGI wrapper that counts secret addresses that led nowhere.

    The counter is shared, but only a miss looks at it: each process refuses from the first miss on that it sees beyond the
    limit. So all the other pages with a secret in their address cost nothing, and a guesser gains one guess per process.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if str(scope["type"]) != "http" or not scope["path"].startswith(SECRET_PATHS):
            await self.app(scope, receive, send)
            return

        async def send_and_count(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 404:
                await _missed(ASGIConnection(scope))
            await send(message)

        await self.app(scope, receive, send_and_count)


async def _missed(connection: Connection) -> None:
    allowed = allowance(connection, "wrong address")
    _memory().note(allowed)
    try:
        await limits.count_all([allowed])
    except TooMany:
        _memory().fill(allowed)
    except (SQLAlchemyError, OSError):
        # The answer is on its way, and it is the right one also when nobody could count it.
        log.exception("a guess could not be counted")


class _Memory:
    """Counters of this process, one set for each length of a period; a new period begins with empty ones."""

    def __init__(self) -> None:
        self._counters: dict[int, tuple[int, Counter[str]]] = {}

    def count(self, allowed: Allowance) -> None:
        """Counts one look. Raises TooMany."""
        self.check(allowed)
        self.note(allowed)

    def check(self, allowed: Allowance) -> None:
        """Counts nothing. Raises TooMany when everything is used up."""
        if self._counter(allowed)[allowed.key] >= allowed.most:
            raise allowed.refusal(clock.now())

    def note(self, allowed: Allowance) -> None:
        """Counts, and says nothing."""
        self._counter(allowed)[allowed.key] += 1

    def fill(self, allowed: Allowance) -> None:
        """Everything counts as used up."""
        self._counter(allowed)[allowed.key] = allowed.most

    def _counter(self, allowed: Allowance) -> Counter[str]:
        present = allowed.period(clock.now())
        period, counter = self._counters.get(allowed.seconds, (present, Counter[str]()))
        if period != present or allowed.seconds not in self._counters:
            counter = Counter()
            self._counters[allowed.seconds] = present, counter
        return counter


# A process has one database; tests have one after the other, and none of them remembers the last.
_memories: WeakKeyDictionary[Database, _Memory] = WeakKeyDictionary()


def _memory() -> _Memory:
    return _memories.setdefault(database(), _Memory())


def _whose(connection: Connection, per: str) -> str:
    visitor = connection.scope.get("visitor")
    known = visitor if isinstance(visitor, Visitor) else Visitor()
    match per:
        case "thing":
            return "/".join(str(value) for value in connection.path_params.values())
        case "person" if known.is_signed_in:
            return f"account {known.user_id}"
        case "buyer":
            return f"account {known.user_id}" if known.is_signed_in else f"browser {known.key}"
    return client_address(connection)
