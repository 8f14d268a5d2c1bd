"""Somebody who got into a desk would send money out: more refunds in a day than usual sound an alarm, once."""

from datetime import timedelta

from app.core import alarms, clock
from app.core.db import reading, writing
from app.payments import queries, rules

DAY, WEEKS = timedelta(days=1), timedelta(days=28)


async def watch_refunds() -> None:
    """Compares what people asked to go back in 24 hours with a usual day of the four weeks before, in each currency."""
    now = clock.now()
    async with reading() as db:
        lately = await queries.refunded(db, since=now - DAY, until=now)
        before = await queries.refunded(db, since=now - DAY - WEEKS, until=now - DAY)
    for currency, (count, minor) in lately.items():
        usual_count, usual_minor = (value / WEEKS.days for value in before.get(currency, (0, 0)))
        if not rules.is_unusual(count, minor, usual_count=usual_count, usual_minor=usual_minor):
            continue
        async with writing() as tx:
            # Looked at and settled: the same day does not ring again.
            if not await alarms.sounded_since(tx, "refunds_unusual", about=currency, since=now - DAY):
                await alarms.sound(tx, "refunds_unusual", about=currency, count=count, minor=minor)
