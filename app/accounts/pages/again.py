"""Who is it? Asked again before something that matters, when the last answer is older than ten minutes."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromQuery
from sqlmodel.ext.asyncio.session import AsyncSession
from wtforms import HiddenField, PasswordField
from wtforms.validators import Length

from app.accounts import flows, proofs, queries, rules
from app.accounts.actions import attempts, second, sessions
from app.accounts.actions.second import Proof
from app.accounts.models import Visitor
from app.accounts.pages.common import own_path, user_id_of, wrong
from app.core import clock
from app.core.db import writing
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.web.forms import BaseForm, no_control_characters, read, text
from app.web.page import page, see_other
from app.web.visitor import Db, Who, login_cookie, signed_in


class AgainForm(BaseForm):
    """One of the two is filled: the page shows a form for each."""

    password = PasswordField(lazy("Password"), [no_control_characters, Length(max=rules.MOST)])
    code = text(lazy("Code from your app"), most=40)
    next = HiddenField()


@get("/login/again")
async def new(request: Request[Any, Any, Any], db: Db, visitor: Who, next: FromQuery[str] = "") -> Response[str]:
    return await _shown(request, db, visitor, AgainForm(data={"next": own_path(request, next)}))


@post("/login/again")
async def create(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    form = await read(AgainForm, request)
    if not form.errors and not form.code.data and not form.password.data:
        form.password.errors = [_("Enter your password")]
    if form.rejected:
        return await _shown(request, db, visitor, form, status=form.status)
    try:
        proof = await _proved(visitor, form)
        async with writing() as tx:
            if proof:
                await second.use(tx, user_id_of(visitor), proof, now=clock.now())
            await attempts.forget(tx, visitor.email)
            has_second = proof is not None
            session_id = await sessions.rotate(tx, visitor.session_hash, now=clock.now(), proved=True, has_second=has_second)
    except (flows.WrongPassword, second.WrongCode) as refused:
        wrong(form.code if isinstance(refused, second.WrongCode) else form.password, refused)
        return await _shown(request, db, visitor, form, status=refused.status)
    response = see_other(request, own_path(request, form.next.data) or rules.HOME[visitor.role])
    response.set_cookie(login_cookie(session_id, visitor.role))
    return response


async def _proved(visitor: Visitor, form: AgainForm) -> Proof | None:
    """The app's code that fits, or None after the right password. Raises WrongCode or WrongPassword."""
    if form.code.data:
        return await proofs.by_app(user_id_of(visitor), form.code.data)
    await flows.prove_again(user_id_of(visitor), form.password.data or "")
    return None


async def _shown(
    request: Request[Any, Any, Any], db: AsyncSession, visitor: Visitor, form: AgainForm, *, status: int = 200
) -> Response[str]:
    user_id = user_id_of(visitor)
    user, app = await queries.by_id(db, user_id), await queries.authenticator(db, user_id)
    has_app = bool(app and app.confirmed_at)
    context: dict[str, Any] = {
        "has_app": has_app,
        "has_passkey": bool(await queries.passkeys_of(db, user_id)),
        "has_password": bool(user and user.password_hash) and not (visitor.lacks_second and has_app),
    }
    return page(request, "accounts/again.html", status=status, form=form, **context)


router = Router("/", guards=[signed_in], route_handlers=[new, create])
