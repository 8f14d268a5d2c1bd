"""What happens to events by the clock, and what is done to many dates of a series in one act."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import clock, formats, jobs
from app.core.db import reading, writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.jobs import Job
from app.events import queries, reminders
from app.events.actions import deciding, finding, reminding
from app.events.models import Event
from app.events.rules.repeating import AT_ONCE
from app.events.rules.reviewing import Said

# Does something to one date. The last argument says whether nobody is to be told, because they were of another one.
Verb = Callable[[AsyncSession, Event, bool], Awaitable[None]]


@dataclass(frozen=True)
class Done:
    """To how many dates something was done, and a sentence about each to which it was not."""

    count: int
    refused: Sequence[str]


async def publish_due() -> None:
    """Publishes approved events whose moment has come, each in a transaction of its own. Of a series people are told once."""
    now = clock.now()
    told: set[int | None] = set()
    async with reading() as db:
        due = await queries.due_for_publishing(db, now=now)
    for event_id, series_id in due:
        async with writing() as tx:
            if await deciding.publish(tx, event_id, now=now, quiet=series_id in told) and series_id:
                told.add(series_id)


async def open_sales() -> None:
    """Tells whoever waits for it that a sale has opened, each event in a transaction of its own and each opening once."""
    now = clock.now()
    async with reading() as db:
        due = await reminders.due(db, now=now)
    for event_id, phase, since in due:
        async with writing() as tx:
            await reminding.open_sale(tx, event_id, phase, since, now=now)


async def find_anew(job: Job) -> None:
    """A batch of the events of a category or a venue: the search looks into the new name."""
    wanted = {"category": Event.category_id, "venue": Event.venue_id}
    [(kind, number)] = job.wish.items()
    after = job.cursor.get("event", 0)
    async with reading() as db:
        found = select(Event.id).where(wanted[kind] == number, col(Event.id) > after).order_by(col(Event.id))
        ids = [event_id for event_id in (await db.exec(found.limit(jobs.BATCH))).all() if event_id]
    async with writing() as tx:
        await finding.index(tx, ids)
        cursor = {"event": ids[-1]} if ids else job.cursor
        await jobs.advance(tx, job, cursor=cursor, done=len(ids), over=len(ids) < jobs.BATCH)


async def submit_dates(dates: Sequence[Event], *, by: int) -> Done:
    """Sends the drafts of a series."""

    async def submit(tx: AsyncSession, event: Event, quiet: bool) -> None:
        if event.state != "draft":
            # L10N: "It" is a date of a series, which stands before with a colon.
            raise Refused(_("It was sent before."))
        await deciding.submit(tx, event, by=by, now=clock.now(), quiet=quiet)

    return await _each(dates, submit)


async def approve_dates(dates: Sequence[Event], *, by: int) -> Done:
    """Lets out those dates of a series that are as they were read; each is an act of its own in the log."""

    async def approve(tx: AsyncSession, event: Event, quiet: bool) -> None:
        await deciding.approve(tx, event, by=by, now=clock.now(), quiet=quiet)

    return await _each(dates, _as_read(dates, approve))


async def return_dates(dates: Sequence[Event], said: Said, *, by: int) -> Done:
    """Gives those back that are as they were read."""

    async def give_back(tx: AsyncSession, event: Event, quiet: bool) -> None:
        await deciding.return_for_changes(tx, event, said, by=by, now=clock.now(), quiet=quiet)

    return await _each(dates, _as_read(dates, give_back))


def _as_read(dates: Sequence[Event], verb: Verb) -> Verb:
    """The verb, if the date is still the one that was sent when the admin's page was made."""
    seen: Mapping[int | None, datetime | None] = {date.id: date.submitted_at for date in dates}

    async def checked(tx: AsyncSession, event: Event, quiet: bool) -> None:
        if event.submitted_at != seen[event.id]:
            raise Refused(_("The manager has sent another version meanwhile. Look at it before you decide."))
        await verb(tx, event, quiet)

    return checked


async def each_of(tx: AsyncSession, dates: Sequence[Event], verb: Verb, *, told: bool) -> Done:
    """Does something to a few dates in one transaction, each in whole or not at all: one that refuses spoils none of the others.

    `told`: people were told of another date of this act already.
    """
    count, refused = 0, []
    # A refusal lets the session forget what it has read.
    for event_id, day in [(date.id, formats.list_date(date.starts_at, date.zone)) for date in dates]:
        try:
            async with tx.begin_nested():
                event = await tx.get(Event, event_id, populate_existing=True)
                if not event:
                    # L10N: "It" is a date of a series, which stands before with a colon.
                    raise Refused(_("It is gone."))
                await verb(tx, event, told or count > 0)
        except Refused as refusal:
            refused.append(_("%(label)s: %(value)s") % {"label": day, "value": refusal.sentence})
        else:
            count += 1
    return Done(count, refused)


async def _each(dates: Sequence[Event], verb: Verb) -> Done:
    """The same to any number of dates, a few in a transaction, so that sales go on between them."""
    count, refused = 0, list[str]()
    for start in range(0, len(dates), AT_ONCE):
        async with writing() as tx:
            done = await each_of(tx, dates[start : start + AT_ONCE], verb, told=count > 0)
        count, refused = count + done.count, [*refused, *done.refused]
    return Done(count, refused)
