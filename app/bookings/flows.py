"""Holds whose time is over end here, a few hundred at a time, each in its own short transaction."""

from app.bookings import actions, queries
from app.core import clock
from app.core.db import reading, retried, writing

BATCH = 200


@retried
async def expire_due() -> None:
    """Ends lapsed holds and puts their places back on sale. Nothing depends on it being quick: the guards decide."""
    now = clock.now()
    async with reading() as db:
        ids = await queries.lapsed(db, now=now, most=BATCH)
    for booking_id in ids:
        async with writing() as tx:
            booking = await queries.by_id(tx, booking_id)
            if booking:
                await actions.expire(tx, booking, now=now)
