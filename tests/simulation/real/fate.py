"""Where the process may die, what it hears of Stripe, and everything else that a seed decides.

Nothing in the application knows of this. From outside it is given a writing block and a connection to Stripe that may end in
death, dice in place of the system's randomness, one clock, and databases without threads, so that a seed always tells the same
story.
"""

import asyncio
import random
import secrets
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import aiosqlite.core
import circuitbreaker  # type: ignore[import-untyped]
import stripe as sdk
import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import clock, db, group, plain
from app.core.errors import Refused
from app.payments import stripe
from app.sandbox.stripe_shapes import StripeError

CRASHES, OVERTAKEN = 0.02, 0.04

SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.4"},
    "http_version": "1.1",
    "scheme": "http",
    "root_path": "",
    "server": ("shop.local", 80),
    "client": ("127.0.0.1", 9),
}


class Crash(BaseException):
    """The process dies here; what was committed stays. Not an Exception, so that no flow can go on after it."""


EXPECTED = (Crash, Refused, stripe.StripeSilent, stripe.StripeRefused, StripeError)


class Fate:
    """Decides when the process dies and when another one does something meanwhile."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.is_kind = True
        self.is_dead = False
        self.repetitions = 2
        self.blocks = 0
        self.tally = Counter[str]()
        self.troubles: list[BaseException] = []
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    def may_die(self) -> None:
        if self.is_dead:
            raise Crash
        if not self.is_kind and self.rng.random() < CRASHES:
            self.is_dead = True
            self.tally["crashes"] += 1
            raise Crash

    async def let_others_run(self) -> None:
        """While one process waits for Stripe, another does something; that one is not interrupted again."""
        if self.meanwhile and not self.is_kind and self.rng.random() < OVERTAKEN:
            others, self.meanwhile = self.meanwhile, None
            try:
                await others()
            finally:
                self.meanwhile = others

    def start_again(self) -> None:
        """A new process: what it had in memory is gone."""
        if self.is_dead:
            self.is_dead = False
            stripe._breaker.cache_clear()

    def heard(self, _logger: Any, _name: str, entry: Any) -> Any:
        """Flows go on after an item that fails and write it into the log; here nothing may fail that nobody foresaw."""
        error = entry.get("exc_info")
        error = sys.exc_info()[1] if error is True else error
        if isinstance(error, BaseException) and not isinstance(error, EXPECTED):
            self.troubles.append(error)
        raise structlog.DropEvent


class Inline:
    """A queue of aiosqlite's that does at once what is put into it."""

    def put_nowait(self, item: tuple[asyncio.Future[Any], Callable[[], Any]]) -> None:
        future, call = item
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            future.set_exception(error)


class NoThread:
    daemon = True

    def __init__(self, **_values: Any) -> None:
        """Nothing to start."""

    def start(self) -> None:
        """Nothing to start."""


class AtOnce(Executor):
    def __init__(self, **_values: Any) -> None:
        """No threads."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            done.set_exception(error)
        return done


class ToStripe(sdk.HTTPXClient):
    """The SDK's way to Stripe, without a wire: the process may die before a request is out, and after it has had its effect."""

    def __init__(self, fate: Fate, app: Any) -> None:
        super().__init__(verify_ssl_certs=False)
        self.fate, self._app = fate, app

    def _should_retry(self, response: Any, error: Any, num_retries: int, max_network_retries: int | None) -> bool:
        most = min(max_network_retries or 0, self.fate.repetitions)
        again: bool = super()._should_retry(response, error, num_retries, most)
        return again

    def sleep_async(self, _seconds: float) -> Awaitable[None]:
        return asyncio.sleep(0)

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        self.fate.may_die()
        self.fate.tally["requests"] += 1
        try:
            return await self._answer(method, url, headers, (post_data or "").encode())
        except Exception as broken:  # noqa: BLE001 - an answer that breaks in the middle, as the SDK tells it
            self._handle_request_error(broken)
        finally:
            # Whoever waits for Stripe is overtaken, or dies, after the call has had its effect.
            await self.fate.let_others_run()
            self.fate.may_die()

    async def _answer(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """One request to the ASGI app."""
        address = urlsplit(url)
        scope = SCOPE | {
            "method": method.upper(),
            "path": address.path,
            "raw_path": address.path.encode(),
            "query_string": address.query.encode(),
            "headers": [(name.lower().encode(), str(value).encode()) for name, value in headers.items()],
            "state": {},
        }
        said: list[Any] = []
        bodies = [body]

        async def receive() -> dict[str, Any]:
            if not bodies:
                # Nobody hangs up before the answer is there.
                await asyncio.get_running_loop().create_future()
            return {"type": "http.request", "body": bodies.pop(), "more_body": False}

        async def send(message: Any) -> None:
            said.append(message)

        await self._app(scope, receive, send)
        start, *parts = said
        heard = {name.decode().lower(): value.decode() for name, value in start["headers"]}
        return b"".join(part.get("body", b"") for part in parts), start["status"], heard


@contextmanager
def in_force(fate: Fate, stripe_app: Any) -> Iterator[None]:
    """Puts all of it between the application and the world, and takes it away again."""
    seeded, to_stripe = random.Random(fate.rng.getrandbits(64)), ToStripe(fate, stripe_app)
    changes: list[tuple[Any, str, Any]] = [
        (secrets, "token_bytes", lambda count=32: seeded.randbytes(count)),
        (secrets, "randbelow", seeded.randrange),
        (circuitbreaker, "monotonic", lambda: clock.now().timestamp()),
        (aiosqlite.core, "SimpleQueue", Inline),
        (aiosqlite.core, "Thread", NoThread),
        (plain, "ThreadPoolExecutor", AtOnce),
        (group.GroupCommit, "do", _mortal_group(fate)),
        (stripe, "_connections", lambda: to_stripe),
    ]
    writing = _mortal_writing(fate)
    holders = [found for name, found in sys.modules.items() if name.startswith(("app.", "tests.simulation.real"))]
    changes += [(found, "writing", writing) for found in holders if getattr(found, "writing", None) is db.writing]
    before = structlog.get_config()
    for made in (stripe._client, stripe._breaker, stripe._pace):
        made.cache_clear()
    with ExitStack() as stack:
        for holder, name, value in changes:
            stack.enter_context(patch.object(holder, name, value))
        structlog.configure(processors=[fate.heard])
        try:
            yield
        finally:
            structlog.configure(**before)
            stripe._client.cache_clear()


def _mortal_writing(fate: Fate) -> Any:
    """A writing block with three places to die: before it, before its commit, and right after."""
    writing = db.writing

    @asynccontextmanager
    async def mortal() -> AsyncIterator[AsyncSession]:
        fate.may_die()
        async with writing() as tx:
            yield tx
            fate.may_die()
        fate.blocks += 1
        fate.may_die()

    return mortal


def _mortal_group(fate: Fate) -> Any:
    do = group.GroupCommit.do

    async def mortal(self: group.GroupCommit, *args: Any, **kwargs: Any) -> Any:
        fate.may_die()
        fate.blocks += 1
        done = await do(self, *args, **kwargs)
        fate.may_die()
        return done

    return mortal
