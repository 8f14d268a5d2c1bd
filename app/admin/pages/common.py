"""What several desks of the operator share."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeAlias

from litestar import Request, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import queries as accounts
from app.accounts.actions import suspending
from app.accounts.models import User
from app.core import clock
from app.core.db import writing
from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.web.forms import BaseForm, text
from app.web.page import see_other

# Who is meant by a code, and what is done to them in the block that writes.
Find: TypeAlias = Callable[[AsyncSession, str], Awaitable[User]]
Verb: TypeAlias = Callable[[AsyncSession, User], Awaitable[object]]


class SuspendForm(BaseForm):
    reason = text(lazy("Reason"), most=500, missing=lazy("Say why, in words that the person will read"))


class EraseForm(BaseForm):
    typed = text(lazy("Email address"), most=254, missing=lazy("Type the address to say that you mean it"))

    def check(self, address: str) -> None:
        """Whoever means somebody else than they typed goes no further."""
        if not self.errors and (self.typed.data or "").lower() != address:
            self.typed.errors = [_("This is not the address of this person.")]


async def act(request: Request[Any, Any, Any], find: Find, code: str, verb: Verb, said: str, *, back: str = "") -> Response[str]:
    """Does something to the person whom `find` finds by the code, and leads back: to their page, if nothing else is named.

    `said` may hold their address as %(email)s.
    """
    async with writing() as tx:
        user = await find(tx, code)
        await verb(tx, user)
    return see_other(request, back or request.url.path.partition(code)[0] + code, flash=said % {"email": user.email})


def suspension(form: SuspendForm, by: int) -> Verb:
    """Closes the login of a person who reads the reason of the form."""
    return partial(suspending.suspend, reason=form.reason.data, by=by, now=clock.now())


async def user_of(db: AsyncSession, code: str) -> User:
    """Whose account it is. Raises NotFound, also for an account that was erased."""
    user = await accounts.by_code(db, code)
    if not user or user.is_erased:
        raise NotFound(_("There is no such account."))
    return user


async def manager_of(db: AsyncSession, code: str) -> User:
    """Raises NotFound for anyone who is no manager."""
    user = await accounts.by_code(db, code)
    if not user or user.role != "manager":
        raise NotFound(_("There is no such manager."))
    return user
