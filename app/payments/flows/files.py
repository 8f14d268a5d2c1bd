"""Files about payments, written a batch at a time."""

from app.core import jobs
from app.core.db import reading
from app.core.jobs import BATCH, Job
from app.payments import listed


async def list_payments(job: Job) -> None:
    """The next rows of the payments that the job's wish names."""
    async with reading() as db:
        rows, reached = await listed.rows(db, listed.meant(job.wish), after=job.cursor.get("after"), most=BATCH)
    await jobs.append_rows(job, listed.head(), rows, reached=reached, over=len(rows) < BATCH)
