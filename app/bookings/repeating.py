"""Further dates of an event are made, with the codes of their pre-sales: a few at once, many as a job."""

from collections.abc import Sequence
from datetime import date, datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings import actions
from app.core import clock, jobs
from app.core.db import writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.core.jobs import Job
from app.events import dates
from app.events.actions import repeating
from app.events.models import Event
from app.events.rules.repeating import AT_ONCE

JOB = "events.repeated"
TITLE = lazy("%(title)s on further dates")


async def make(tx: AsyncSession, event: Event, days: Sequence[date], *, quiet: bool, by: int, now: datetime) -> int:
    """The event on each of the days, and how many there are now that were not there before. Of the first that is made
    people are told, unless all is to be `quiet`. Raises Refused when the event cannot be repeated."""
    count = 0
    for day in days:
        made = await repeating.repeat(tx, event, day, quiet=quiet or count > 0, by=by, now=now)
        if made:
            await actions.copy_codes(tx, event, made.types, by=by)
            count += 1
    return count


async def make_later(tx: AsyncSession, event: Event, days: Sequence[date], *, by: int) -> Job:
    """The same as a job."""
    wish = {"days": [day.isoformat() for day in days]}
    about, back = f"event:{event.id}", f"/manager/events/{event.slug}"
    return await jobs.start(tx, JOB, about=about, by=by, title=TITLE, name=event.title, wish=wish, total=len(days), back=back)


async def work(job: Job) -> None:
    """A batch of the days of such a job."""
    at, days = int(job.cursor.get("at", 0)), [date.fromisoformat(day) for day in job.wish["days"]]
    batch = days[at : at + AT_ONCE]
    async with writing() as tx:
        event = await tx.get(Event, int(job.about.removeprefix("event:")))
        if not event or not await dates.may_still_change(tx, event, job.by_user_id):
            raise Refused(_("The event is gone, or whoever started this may not change it any more."))
        await make(tx, event, batch, quiet=at > 0, by=job.by_user_id, now=clock.now())
        reached = at + len(batch)
        await jobs.advance(tx, job, cursor={"at": reached}, done=len(batch), over=reached >= len(days))
