"""What happens to events by the clock."""

from app.core import clock
from app.core.db import reading, writing
from app.events import queries
from app.events.actions import deciding


async def publish_due() -> None:
    """Publishes approved events whose moment has come, each in a transaction of its own."""
    now = clock.now()
    async with reading() as db:
        due = await queries.due_for_publishing(db, now=now)
    for event_id in due:
        async with writing() as tx:
            await deciding.publish(tx, event_id, now=now)
