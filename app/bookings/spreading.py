"""What was changed at one date is taken over to the coming dates of its series: a few at once, many as a job."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings import actions, queries
from app.core import clock, jobs
from app.core.db import changed, writing
from app.core.errors import NotFound, Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.core.jobs import Job
from app.events import dates, drafts, flows, reviews
from app.events import queries as event_queries
from app.events.actions import revising, ticket_types
from app.events.flows import Done
from app.events.models import Event, TicketType
from app.events.rules import spreading
from app.events.rules.repeating import AT_ONCE
from app.events.rules.spreading import Change
from app.events.series import Series

JOB = "events.spread"
TITLE = lazy("%(title)s: a change for all dates")


async def spread(tx: AsyncSession, event: Event, targets: Sequence[Event], change: Change, *, by: int, now: datetime) -> Done:
    """Takes the change over to other dates, each in whole or not at all; those that refuse it are named.

    What waits for an admin at the event is asked for at each of the dates, as the same verb decides there.
    """
    source = await reviews.as_wanted(tx, event)
    kind = await _kind(tx, event, change)
    # A refusal lets the session forget its rows, so these are copies that no session keeps.
    source, kind = Event(**source.model_dump()), kind and TicketType(**kind.model_dump())
    series_id = event.series_id

    async def take_over(tx: AsyncSession, target: Event, _quiet: bool) -> None:
        if change.fields:
            columns = spreading.columns_for(source, target, change, now=now)
            booked = bool(await queries.booked_types(tx, target.id or 0))
            await revising.revise(tx, target, columns, section=change.section, by=by, booked=booked, now=now)
        if kind:
            await _take_over_type(tx, source, kind, target, change, by=by, now=now)

    done = await flows.each_of(tx, targets, take_over, told=False)
    if "title" in change.fields:
        await changed(tx, update(Series).where(col(Series.id) == series_id).values(title=source.title))
    return done


async def spread_later(tx: AsyncSession, event: Event, targets: Sequence[Event], change: Change, *, by: int) -> Job:
    """The same as a job, at the dates as they are when it comes to them."""
    wish = {"targets": [target.id for target in targets], "change": asdict(change)}
    about, back = f"event:{event.id}", f"/manager/events/{event.slug}"
    return await jobs.start(tx, JOB, about=about, by=by, title=TITLE, name=event.title, wish=wish, total=len(targets), back=back)


async def work(job: Job) -> None:
    """A batch of the dates of such a job."""
    at, ids = int(job.cursor.get("at", 0)), list(job.wish["targets"])
    batch = ids[at : at + AT_ONCE]
    async with writing() as tx:
        event = await tx.get(Event, int(job.about.removeprefix("event:")))
        if not event or not await dates.may_still_change(tx, event, job.by_user_id):
            raise Refused(_("The event is gone, or whoever started this may not change it any more."))
        found = select(Event).where(col(Event.id).in_(batch), Event.series_id == event.series_id)
        targets = (await tx.exec(found.order_by(col(Event.starts_at)))).all()
        done = await spread(tx, event, targets, _change(job.wish["change"]), by=job.by_user_id, now=clock.now())
        reached = at + len(batch)
        await jobs.advance(tx, job, cursor={"at": reached}, done=len(batch), said=done.refused, over=reached >= len(ids))


def _change(stored: dict[str, Any]) -> Change:
    return Change(tuple(stored["fields"]), stored["code"], tuple(stored["type_fields"]), stored["was"])


async def _kind(tx: AsyncSession, event: Event, change: Change) -> TicketType | None:
    """The ticket type that the change is about, as its manager last wanted it; none when it is gone."""
    if not change.code:
        return None
    try:
        return await reviews.type_as_wanted(tx, event, await drafts.type_of(tx, event, change.code))
    except NotFound:
        raise Refused(_("This event has no such ticket type.")) from None


async def _take_over_type(
    tx: AsyncSession, source: Event, kind: TicketType, target: Event, change: Change, *, by: int, now: datetime
) -> None:
    """Types of two dates are the same when their names are, before the change or after it."""
    if source.currency != target.currency:
        # L10N: "It" is a date of a series, which stands before with a colon.
        raise Refused(_("It sells in another currency."))
    present = {there.name: there for there in await event_queries.ticket_types(tx, target.id)}
    there = present.get(change.was) or present.get(kind.name)
    if there:
        wish = spreading.wish_for(source, kind, target, ticket_types.wish_of(there), change)
        await ticket_types.change_type(tx, target, there, wish, by=by, now=now)
        if wish.needs_code and not await queries.codes_of(tx, there.id or 0):
            await actions.copy_codes(tx, source, [(kind, there)], by=by)
    elif change.was:
        # L10N: "It" is a date of a series, which stands before with a colon.
        raise Refused(_("It has no ticket type %(name)s.") % {"name": change.was})
    else:
        added = await ticket_types.add_type(tx, target, spreading.wish_for(source, kind, target, None, change), by=by, now=now)
        if added:
            await actions.copy_codes(tx, source, [(kind, added)], by=by)
