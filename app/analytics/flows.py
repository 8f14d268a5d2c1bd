"""Files of people, written a batch at a time."""

from app.analytics import people
from app.analytics.people import Wish
from app.core import jobs
from app.core.db import reading
from app.core.jobs import BATCH, Job
from app.events.models import Event


async def list_people(job: Job) -> None:
    """The next rows of a file of bookings or attendees: what `job.wish` names as `what`, `event`, `type` and `state`."""
    wish, after = Wish(type_id=job.wish["type"], state=job.wish["state"]), int(job.cursor.get("after", 0))
    async with reading() as db:
        event = await db.get_one(Event, job.wish["event"])
        asked = await people.questions(db, event.id or 0)
        rows, reached = await people.rows(db, event, job.wish["what"], wish, asked, after=after, most=BATCH)
    head = people.head(job.wish["what"], asked)
    await jobs.append_rows(job, head, rows, reached=reached, over=len(rows) < BATCH)
