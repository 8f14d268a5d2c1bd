"""What Stripe tells us is written down once, although it tells us twice in the same moment."""

import asyncio

from sqlmodel import select

from app.core import clock
from app.core.db import Database, reading, writing
from app.payments.actions import notices
from app.payments.at_stripe import Told
from app.payments.models import Notice

TOLD = Told(id="evt_1", kind="checkout.session.completed", object_id="cs_1", payment_intent="", live=False)


async def hear() -> bool:
    async with writing() as tx:
        return await notices.note(tx, TOLD, now=clock.now())


async def test_eight_copies_at_once_make_one_notice(database: Database) -> None:
    heard = await asyncio.gather(*(hear() for _copy in range(8)))
    assert sorted(heard) == [False] * 7 + [True]
    async with reading() as db:
        assert len((await db.exec(select(Notice))).all()) == 1
