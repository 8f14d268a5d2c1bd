"""An event takes place on further dates: each is an event of its own, and all of them are one series."""

from datetime import date, datetime

from sqlalchemy import delete, exists, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import activity
from app.core.db import changed
from app.core.errors import Refused
from app.events import dates
from app.events.actions import copying, deciding, waiting
from app.events.actions.copying import Copied
from app.events.models import Event
from app.events.rules import proposing, repeating
from app.events.series import Series


async def repeat(tx: AsyncSession, event: Event, day: date, *, quiet: bool, by: int, now: datetime) -> Copied | None:
    """The event once more, on another day at the same time on the wall; None when its series has that date already.

    A draft's date is a draft, to be sent together with it. What was let out is sent at once, and out at once where `by` needs no
    review. `quiet`: nobody is told of it, because they were of another date. Raises Refused when that cannot be.
    """
    # Whoever presses the button twice waits here, and finds the dates made.
    await waiting.lock(tx, event)
    await tx.refresh(event)
    if closed := repeating.may_repeat(event):
        raise Refused(closed)
    [planned] = repeating.planned(event, [day], await dates.starts_of(tx, event))
    if planned.is_there:
        return None
    series = await _series(tx, event, now)
    publish_at = event.publish_at if event.publish_at and now < event.publish_at < planned.starts_at else None
    columns = {"series_id": series.id, "publish_at": publish_at, "saved_sections": event.saved_sections}
    made = await copying.copy(tx, event, days=(day - repeating.day_of(event)).days, by=by, now=now, **columns)
    await activity.record(tx, "event.repeated", about=f"event:{made.event.id}", by=by, source=event.id)
    if event.state != "draft":
        await deciding.submit(tx, made.event, quiet=quiet, by=by, now=now)
    return made


async def drop_if_empty(tx: AsyncSession, series_id: int | None) -> None:
    """A series goes with its last date."""
    unused = ~exists().where(col(Event.series_id) == series_id)
    await changed(tx, delete(Series).where(col(Series.id) == series_id, unused))


async def _series(tx: AsyncSession, event: Event, now: datetime) -> Series:
    """The event's series, begun with it when it has none."""
    if found := await dates.series_of(tx, event):
        return found
    slug = proposing.slug_of(event.title)
    like = select(Series.slug).where(col(Series.slug).startswith(slug, autoescape=True))
    slug = proposing.free_slug(slug, set((await tx.exec(like)).all()))
    series = Series(slug=slug, title=event.title, manager_id=event.manager_id, created_at=now)
    tx.add(series)
    await tx.flush()
    await changed(tx, update(Event).where(col(Event.id) == event.id).values(series_id=series.id))
    await tx.refresh(event)
    return series
