"""What several desks of the operator share."""

from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import queries as accounts
from app.accounts.models import User
from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.web.forms import BaseForm, text


class SuspendForm(BaseForm):
    reason = text(lazy("Reason"), most=500, missing=lazy("Say why, in words that the person will read"))


class EraseForm(BaseForm):
    typed = text(lazy("Email address"), most=254, missing=lazy("Type the address to say that you mean it"))

    def check(self, address: str) -> None:
        """Whoever means somebody else than they typed goes no further."""
        if not self.errors and (self.typed.data or "").lower() != address:
            self.typed.errors = [_("This is not the address of this person.")]


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
