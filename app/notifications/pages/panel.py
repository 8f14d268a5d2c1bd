"""The panel of notifications, what a user wants to be mailed about, and unsubscribing from a mail."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from wtforms import BooleanField

from app.core.db import writing
from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.notifications import actions, queries, rules
from app.notifications.models import OPTIONAL_TOPICS
from app.web import asked
from app.web.forms import BaseForm, read
from app.web.page import page, see_other, shown
from app.web.visitor import Db, Who, signed_in

Asked = Request[Any, Any, Any]


class PreferencesForm(BaseForm):
    """One box per optional topic."""

    favourites = BooleanField(lazy("New events in your favourite categories"))
    saved = BooleanField(lazy("Events you saved: when their sale opens, when they move or are called off"))
    presales = BooleanField(lazy("Your pre-sale bookings: before they run out, and when they are over"))
    reminders = BooleanField(lazy("A reminder the day before your event"))


@get("/me/notifications", guards=[signed_in])
async def index(request: Asked, db: Db, visitor: Who) -> Response[str]:
    number = asked.page_number(request)
    lines, pages = await queries.panel(db, visitor.user_id or 0, number)
    unread = await queries.unread_count(db, visitor.user_id or 0)
    return page(
        request,
        "notifications/index.html",
        fragment="more",
        lines=lines,
        unread=unread,
        number=number,
        pages=pages,
        url_for_page=lambda wanted: f"/me/notifications?page={wanted}",
    )


@get("/me/notifications/unread", guards=[signed_in])
async def unread(request: Asked, db: Db, visitor: Who) -> Response[str]:
    return page(request, "notifications/unread.html", count=await queries.unread_count(db, visitor.user_id or 0))


@post("/me/notifications/{code:str}/read", guards=[signed_in])
async def mark_read(request: Asked, visitor: Who, code: FromPath[str]) -> Response[str]:
    user_id = visitor.user_id or 0
    async with writing() as tx:
        if not await actions.mark_read(tx, user_id, code):
            raise NotFound(_("There is no such notification."))
        line, count = await queries.panel_line(tx, user_id, code), await queries.unread_count(tx, user_id)
    also = ("notifications/_unread_oob.html",)
    return shown(request, "/me/notifications", "notifications/_item.html", fragment="item", also=also, line=line, count=count)


@post("/me/notifications/read-all", guards=[signed_in])
async def mark_all_read(request: Asked, visitor: Who) -> Response[str]:
    async with writing() as tx:
        await actions.mark_all_read(tx, visitor.user_id or 0)
    return see_other(request, "/me/notifications", flash=_("All notifications are marked as read."))


@get("/me/notifications/preferences", guards=[signed_in])
async def preferences(request: Asked, db: Db, visitor: Who) -> Response[str]:
    wanted = await queries.preferences(db, f"user:{visitor.user_id}")
    return page(request, "notifications/preferences.html", form=PreferencesForm(data=wanted))


@post("/me/notifications/preferences", guards=[signed_in])
async def save_preferences(request: Asked, visitor: Who) -> Response[str]:
    form = await read(PreferencesForm, request)
    if form.rejected:
        return page(request, "notifications/preferences.html", status=form.status, form=form)
    async with writing() as tx:
        wanted = {topic: bool(form[topic].data) for topic in OPTIONAL_TOPICS}
        await actions.set_preferences(tx, f"user:{visitor.user_id}", wanted, by=visitor.user_id)
    return see_other(request, "/me/notifications/preferences", flash=_("Saved your choice of e-mails."))


@get("/unsubscribe/{token:str}")
async def unsubscribing(request: Asked, db: Db, token: FromPath[str]) -> Response[str]:
    recipient, topic = _unsigned(token)
    wanted = (await queries.preferences(db, recipient))[topic]
    return page(request, "notifications/unsubscribe.html", token=token, topic=topic, wanted=wanted, is_answer=False)


@post("/unsubscribe/{token:str}", opt={"proves_itself": True})
async def unsubscribe(request: Asked, token: FromPath[str]) -> Response[str]:
    """The button of the page, and what mail programs send by themselves (RFC 8058): they follow no redirect."""
    recipient, topic = _unsigned(token)
    wanted = (await request.form()).get("wanted") == "yes"
    async with writing() as tx:
        await actions.set_preferences(tx, recipient, {topic: wanted}, by=None)
    return page(request, "notifications/unsubscribe.html", token=token, topic=topic, wanted=wanted, is_answer=True)


def _unsigned(token: str) -> tuple[str, str]:
    found = rules.unsubscribed(token)
    if not found or found[1] not in OPTIONAL_TOPICS:
        raise NotFound(_("This link is not complete. Copy the whole address from the e-mail."))
    return found


router = Router(
    "/",
    route_handlers=[index, unread, mark_read, mark_all_read, preferences, save_preferences, unsubscribing, unsubscribe],
)
