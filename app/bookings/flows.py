"""Holds whose time is over end here, each by itself, many in one commit; and what is free again goes to whoever waits for it."""

import asyncio

import structlog

from app.bookings import boxoffice, codes, queries, waiting
from app.core import clock
from app.core.db import reading, retried, writing

log = structlog.get_logger()

BATCH = 200


async def expire_due() -> bool:
    """Ends lapsed holds and puts their places back on sale; whether it did something.

    Nothing depends on it being quick: the guards decide, and a hold that finds nothing left ends them by itself.
    """
    now = clock.now()
    async with reading() as db:
        lapsed = await queries.lapsed(db, now=now, most=BATCH)
    ends = (boxoffice.lapse(booking_id, slug, now=now) for booking_id, slug in lapsed)
    outcomes = await asyncio.gather(*ends, return_exceptions=True)
    for (booking_id, _slug), outcome in zip(lapsed, outcomes, strict=True):
        if isinstance(outcome, Exception):
            log.error("hold could not be ended", booking=booking_id, exc_info=outcome)
    return True in outcomes


async def end_vouchers() -> bool:
    """Vouchers whose time is over give their places back to everybody; whether there were any."""
    now = clock.now()
    async with reading() as db:
        over = await queries.vouchers_over(db, now=now, most=BATCH)
    for voucher in over:
        async with writing() as tx:
            await codes.end_voucher(tx, voucher, now=now)
    return bool(over)


async def pass_on() -> bool:
    """Places that came back are offered to whoever is next in line, and lines of sales that are over end. Whether any did."""
    now = clock.now()
    async with reading() as db:
        free = await waiting.with_room(db, now=now, most=BATCH)
        over = await waiting.over(db, now=now, most=BATCH)
    offers = [await offer_next(slug) for slug in free]
    ended = [await _end_line(slug) for slug in over]
    return any(offers + ended)


@retried
async def offer_next(slug: str) -> int:
    """The same for one event, at most 200 offers in a transaction; gives how many."""
    async with writing() as tx:
        return await waiting.offer_next(tx, slug, most=BATCH, now=clock.now())


@retried
async def _end_line(slug: str) -> int:
    async with writing() as tx:
        return await waiting.end_over(tx, slug, most=BATCH, now=clock.now())
