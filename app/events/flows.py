"""What happens to events by the clock."""

from sqlmodel import col, select

from app.core import clock, jobs
from app.core.db import reading, writing
from app.core.jobs import Job
from app.events import queries
from app.events.actions import arranging, deciding
from app.events.models import Event


async def publish_due() -> None:
    """Publishes approved events whose moment has come, each in a transaction of its own."""
    now = clock.now()
    async with reading() as db:
        due = await queries.due_for_publishing(db, now=now)
    for event_id in due:
        async with writing() as tx:
            await deciding.publish(tx, event_id, now=now)


async def find_anew(job: Job) -> None:
    """A batch of the events of a category or a venue: the search looks into the new name."""
    wanted = {"category": Event.category_id, "venue": Event.venue_id}
    [(kind, number)] = job.wish.items()
    after = job.cursor.get("event", 0)
    async with reading() as db:
        found = select(Event.id).where(wanted[kind] == number, col(Event.id) > after).order_by(col(Event.id))
        ids = [event_id for event_id in (await db.exec(found.limit(jobs.BATCH))).all() if event_id]
    async with writing() as tx:
        await arranging.write_search_text(tx, ids)
        cursor = {"event": ids[-1]} if ids else job.cursor
        await jobs.advance(tx, job, cursor=cursor, done=len(ids), over=len(ids) < jobs.BATCH)
