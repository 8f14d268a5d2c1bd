"""The steps that the pages of an event's form share: who may write it, and how they answer."""

from typing import Any

from litestar import Request, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import Visitor
from app.core.db import reading
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.events import queries, reviews
from app.events.actions.revising import Overtaken
from app.events.models import Event
from app.events.pages.writing.fields import Watched
from app.web.looks import note_look
from app.web.page import page


async def editable(db: AsyncSession, slug: str, visitor: Visitor) -> Event:
    """The event, if the visitor may change it now. An admin may open everybody's, and the log keeps that."""
    event = await queries.event_of(db, slug, visitor)
    if event.manager_id != visitor.user_id:
        await note_look(visitor, "form", about=f"event:{event.id}")
    if not event.is_editable:
        raise Refused(_("This event cannot be changed now."))
    return event


async def to_change(tx: AsyncSession, slug: str, visitor: Visitor) -> Event:
    """The same inside a writing block."""
    event = await queries.event_of(tx, slug, visitor)
    if not event.is_editable:
        raise Refused(_("This event cannot be changed now."))
    return event


async def saved(slug: str, visitor: Visitor) -> str:
    """What is said after saving: whether a change waits for an admin now."""
    async with reading() as db:
        change = await reviews.waiting(db, await queries.event_of(db, slug, visitor))
    return _("Saved. Another date, place or price waits for an admin.") if change else _("Saved.")


def insist(form: Watched, fresh: Watched) -> None:
    """Raises Overtaken when somebody else has saved what the visitor was writing."""
    if form.overtaken_by(fresh):
        raise Overtaken(_("Somebody else has saved this meanwhile."))


def written(request: Request[Any, Any, Any], template: str, form: Watched, event: Event, **context: Any) -> Response[str]:
    """A page of the form with what was typed, and beside it what somebody else has saved."""
    around = {"section": "", "wished": "", "desk": f"/manager/events/{event.slug}"}
    return page(request, template, status=form.status, form=form, event=event, **(around | context))
