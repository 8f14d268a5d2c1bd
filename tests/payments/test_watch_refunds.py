"""More refunds in a day than usual sound an alarm, once."""

from datetime import timedelta

import pytest
import time_machine
from sqlmodel import select

from app.core import alarms, clock
from app.core.db import Database, reading, writing
from app.payments import rules
from app.payments.flows.watching import watch_refunds
from app.payments.models import Payment, Refund
from tests.payments.refund_story import an_event, paid


async def a_payment() -> str:
    await paid(await an_event())
    async with reading() as db:
        return (await db.exec(select(Payment.id))).one()


async def asked(payment_id: str, many: int, *, ago: timedelta = timedelta(hours=1), reason: str = "manager") -> None:
    at = clock.now() - ago
    async with writing() as tx:
        tx.add_all(
            Refund(payment_id=payment_id, amount_minor=100, reason=reason, created_at=at, next_try_at=at) for _ in range(many)
        )


async def sounding() -> list[tuple[str, dict[str, object]]]:
    async with reading() as db:
        return [(alarm.about, alarm.details) for alarm in await alarms.open_ones(db) if alarm.kind == "refunds_unusual"]


async def test_an_unusual_day_sounds_once(database: Database, moment: time_machine.Traveller) -> None:
    payment = await a_payment()
    await asked(payment, rules.UNUSUAL_FROM - 1)
    await watch_refunds()
    assert await sounding() == []
    await asked(payment, 1)
    await watch_refunds()
    assert await sounding() == [("EUR", {"count": 10, "minor": 1000})]
    async with writing() as tx:
        [alarm] = await alarms.open_ones(tx)
        await alarms.settle(tx, alarm.id or 0, by=1, now=clock.now())
    await watch_refunds()
    assert await sounding() == []


async def test_a_usual_day_is_silent(database: Database, moment: time_machine.Traveller) -> None:
    payment = await a_payment()
    for day in range(2, 30):
        await asked(payment, 3, ago=timedelta(days=day))
    await asked(payment, 10)
    await watch_refunds()
    assert await sounding() == []


async def test_what_goes_back_by_itself_does_not_count(database: Database, moment: time_machine.Traveller) -> None:
    payment = await a_payment()
    await asked(payment, 50, reason="called_off")
    await watch_refunds()
    assert await sounding() == []


@pytest.mark.parametrize(
    ("count", "minor", "usual_count", "usual_minor", "unusual"),
    [(9, 10**9, 0, 0, False), (10, 0, 0, 0, True), (10, 500, 2, 100, False), (11, 500, 2, 100, True), (10, 501, 2, 100, True)],
)
def test_the_rule(count: int, minor: int, usual_count: float, usual_minor: float, unusual: bool) -> None:
    assert rules.is_unusual(count, minor, usual_count=usual_count, usual_minor=usual_minor) is unusual
