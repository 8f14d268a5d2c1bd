"""The sixteen invariants: a shop at work keeps them, and whatever is spoilt in its books is named."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from app import worker
from app.accounts.models import User
from app.admin import flows, invariants, queries
from app.core import clock
from app.core.db import Database, reading, writing
from app.payments.actions import money
from app.payments.models import Payment, Refund
from tests import world
from tests.admin.books import kept, spoil
from tests.tampering import disarm

SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]

STOCK = "ticket_types ck_ticket_types_stock"
OLD = timedelta(hours=1)

# The invariant, what is done to the books, what stands in its way on PostgreSQL, and the name that is found.
SPOILT = [
    ("I1", "UPDATE ticket_types SET capacity = 1 WHERE id = 1", STOCK, "ticket_type:1"),
    ("I1", "UPDATE quotas SET capacity = 1 WHERE id = 1", "quotas ck_quotas_stock", "quota:1"),
    ("I2", "UPDATE ticket_types SET held = held + 1 WHERE id = 1", "", "ticket_type:1"),
    ("I2", "UPDATE quotas SET held = held - 1 WHERE id = 1", "", "quota:1"),
    ("I2", "UPDATE bookings SET state = 'expired' WHERE id = 1", "", "ticket_type:1"),
    ("I2", "UPDATE ticket_types SET waiting = waiting - 1 WHERE id = 3", "", "ticket_type:3"),
    ("I2", "UPDATE waiting_entries SET state = 'left' WHERE state = 'offered'", "", "booking:8"),
    ("I2", "UPDATE bookings SET kind = 'purchase' WHERE id = 8", "", "waiting_entry:1"),
    ("I3", "UPDATE ticket_types SET sold = sold - 1 WHERE id = 1", "", "ticket_type:1"),
    ("I3", "UPDATE quotas SET sold = sold + 1 WHERE id = 1", "", "quota:1"),
    ("I3", "UPDATE ticket_types SET presale_taken = 3 WHERE id = 2", "", "ticket_type:2"),
    ("I4", "UPDATE tickets SET state = 'void', voided_at = issued_at WHERE id = 1", "", "line:3"),
    ("I4", "UPDATE tickets SET state = 'valid' WHERE id = 5", "", "line:5"),
    ("I4", "UPDATE tickets SET booking_id = 1 WHERE id = 1", "", "ticket:1"),
    ("I5", "UPDATE payments SET state = 'expired' WHERE state = 'open'", "", "booking:2"),
    ("I6", "UPDATE payments SET reserved_minor = 0 WHERE reserved_minor > 0", "", "payment:"),
    ("I6", "UPDATE payments SET returned_minor = 5 WHERE booking_id = 3", "", "payment:"),
    ("I6", "UPDATE payments SET captured_minor = 5 WHERE state = 'open'", "", "payment:"),
    ("I7", "UPDATE bookings SET kept_minor = kept_minor - 1 WHERE id = 3", "", "booking:3"),
    ("I7", "UPDATE bookings SET kept_minor = 1 WHERE id = 1", "", "booking:1"),
    ("I8", "UPDATE payments SET captured_minor = 1, reserved_minor = 0 WHERE booking_id = 3", "", "booking:3"),
    ("I8", "UPDATE payments SET state = 'failed' WHERE booking_id = 3", "", "booking:3"),
    ("I9", "UPDATE bookings SET held_until = :old WHERE id = 1", "", "booking:1"),
    ("I9", "UPDATE payments SET pay_until = :old WHERE state = 'open'", "", "payment:"),
    ("I9", "UPDATE payments SET state = 'creating', created_at = :old WHERE state = 'open'", "", "payment:"),
    ("I9", "UPDATE refunds SET next_try_at = :old", "", "refund:"),
    ("I9", "UPDATE notices SET received_at = :old", "", "notice:evt_1"),
    ("I9", "UPDATE activity_work SET next_try_at = :old", "", "activity:"),
    ("I10", "UPDATE activities SET kind = 'booking.other' WHERE kind = 'booking.paid' AND about = 'booking:3'", "", "booking:3"),
    ("I10", "UPDATE activities SET about = 'booking:3' WHERE kind = 'booking.paid' AND about = 'booking:4'", "", "booking:3"),
    ("I11", "UPDATE access_codes SET used = used + 1", "", "access_code:1"),
    ("I12", "UPDATE buyer_limits SET qty = qty + 1 WHERE buyer_key = 'mail:petra@example.com'", "", "event:1"),
    ("I12", "DELETE FROM buyer_limits WHERE buyer_key = 'mail:petra@example.com'", "", "event:1"),
    ("I12", "UPDATE buyer_limits SET qty = qty + 1 WHERE buyer_key LIKE 'presale:%'", "", "event:2"),
    ("I13", "UPDATE tickets SET voided_at = issued_at WHERE id = 1", "", "ticket:1"),
    ("I14", "UPDATE booking_lines SET unit_minor = unit_minor + 1 WHERE booking_id = 3", "", "booking:3"),
    ("I14", "UPDATE events SET currency = 'USD' WHERE id = 2", "", "booking:6"),
    ("I14", "UPDATE payments SET currency = 'USD' WHERE state = 'open'", "", "payment:"),
    ("I15", "UPDATE refunds SET payment_id = 'nobody'", "", "refund:"),
    (
        "I15",
        "INSERT INTO orphans SELECT session_id, '', 0, '', 'found', '', 1, created_at, NULL FROM payments WHERE booking_id = 3",
        "",
        "orphan:cs_captured_3",
    ),
    (
        "I16",
        "UPDATE activity_work SET activity_id = 999 WHERE activity_id = (SELECT MIN(activity_id) FROM activity_work)",
        "",
        "activity:999",
    ),
]


async def test_a_shop_at_work_keeps_all_of_them(database: Database) -> None:
    await kept()
    assert await invariants.broken(but=()) == []


@pytest.mark.parametrize("name, statement, without, about", SPOILT, ids=[each[0] for each in SPOILT])
async def test_what_is_spoilt_is_named(database: Database, name: str, statement: str, without: str, about: str) -> None:
    await kept()
    await disarm()
    await spoil(database, statement, without=without, **({"old": clock.now() - OLD} if ":old" in statement else {}))
    invariant = next(check for check in invariants.CHECKS if check.id == name)
    found = await invariants.look(invariant, now=clock.now())
    assert found.broken >= 1
    assert any(example.startswith(about) for example in found.examples), found.examples


@pytest.mark.parametrize("waits", ["provider = 'cash'", "dispute = 'open'"])
async def test_a_refund_that_waits_for_somebody_else_is_not_late(database: Database, waits: str) -> None:
    await kept()
    await spoil(database, "UPDATE refunds SET next_try_at = :old", old=clock.now() - OLD)
    await spoil(database, f"UPDATE payments SET {waits}")
    found = await invariants.look(invariants.CHECKS[8], now=clock.now())
    assert (invariants.CHECKS[8].id, found.broken) == ("I9", 0)


def test_every_invariant_has_been_spoilt() -> None:
    assert {name for name, *_rest in SPOILT} == {check.id for check in invariants.CHECKS}


async def test_two_payments_of_one_booking_and_two_tickets_with_one_code(postgresql_database: Database) -> None:
    """Only unique indexes stand against these, and SQLite does not part with its own."""
    await kept()
    await spoil(postgresql_database, "DROP INDEX ix_payments_one_active")
    await spoil(postgresql_database, "UPDATE payments SET state = 'open' WHERE state = 'expired'")
    await spoil(postgresql_database, "UPDATE tickets SET code = 'x' WHERE id < 3", without="tickets uq_tickets_code")
    assert await invariants.broken() == ["I4", "I5"]


async def test_a_constraint_that_was_never_validated_is_named(postgresql_database: Database) -> None:
    statement = "ALTER TABLE tickets ADD CONSTRAINT later CHECK (n > 0) NOT VALID"
    await spoil(postgresql_database, statement)
    found = await invariants.look(invariants.CHECKS[15], now=clock.now())
    assert found.examples == ["constraint:later"]


async def test_a_row_that_points_nowhere_is_named(sqlite_database: Database) -> None:
    await kept()
    await spoil(sqlite_database, "UPDATE bookings SET event_id = 77 WHERE id = 1")
    found = await invariants.look(invariants.CHECKS[15], now=clock.now())
    assert found.examples == ["bookings:1"]


async def test_a_large_file_is_not_read_as_a_whole(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invariants, "LARGE_FILE_BYTES", 1)
    assert (await invariants.look(invariants.CHECKS[15], now=clock.now())).broken == 0


async def test_the_first_twenty_are_named_and_all_are_counted(sqlite_database: Database) -> None:
    async with writing() as tx:
        event = await world.event(tx)
        for number in range(24):
            await world.ticket_type(tx, event, name=f"Row {number}")
    await spoil(sqlite_database, "UPDATE ticket_types SET held = 1")
    found = await invariants.look(invariants.CHECKS[1], now=clock.now())
    assert (found.broken, len(found.examples)) == (25, invariants.SHOWN)


# ---------- money that is on its way ----------


async def test_a_refund_that_failed_just_now_explains_a_difference_for_a_while(database: Database) -> None:
    await kept()
    async with writing() as tx:
        refund = (await tx.exec(select(Refund))).one()
        await money.unreserve(tx, refund)
        refund.state, refund.ended_at = "failed", clock.now()
    now = clock.now()
    money_rule = next(check for check in invariants.CHECKS if check.id == "I7")
    assert (await invariants.look(money_rule, now=now)).broken == 0
    assert (await invariants.look(money_rule, now=now + timedelta(minutes=16))).broken == 1


async def test_a_dispute_that_is_open_explains_a_difference(database: Database) -> None:
    await kept()
    async with writing() as tx:
        payment = (await tx.exec(select(Payment).where(Payment.booking_id == 3))).one()
        payment.dispute = "open"
    await spoil(database, "UPDATE bookings SET kept_minor = 0 WHERE id = 3")
    assert await invariants.broken() == []


# ---------- the look every five minutes ----------


async def test_the_look_writes_down_what_it_found_and_sounds_an_alarm_until_it_holds_again(database: Database) -> None:
    await kept()
    await flows.check_invariants()
    assert {name: row.broken for name, row in (await _results()).items()} == dict.fromkeys(
        [check.id for check in invariants.CHECKS], 0
    )
    await spoil(database, "UPDATE ticket_types SET held = held + 1 WHERE id = 2")
    await flows.check_invariants()
    await flows.check_invariants()
    result = (await _results())["I2"]
    assert (result.broken, result.examples) == (1, "ticket_type:2")
    assert [(each.alarm.about, each.alarm.times, each.path) for each in await _alarms()] == [("I2", 2, "/admin/invariants")]
    await spoil(database, "UPDATE ticket_types SET held = held - 1 WHERE id = 2")
    await flows.check_invariants()
    assert await _alarms() == []


async def test_one_that_cannot_be_asked_sounds_an_alarm_and_the_others_are_asked(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = invariants.look

    async def look(invariant: invariants.Invariant, **more: Any) -> invariants.Found:
        if invariant.id == "I7":
            raise OperationalError("SELECT", {}, Exception("too slow"))
        return await asked(invariant, **more)

    monkeypatch.setattr(invariants, "look", look)
    await flows.check_invariants()
    assert [(each.alarm.about, each.alarm.details) for each in await _alarms()] == [("I7", {"error": "OperationalError"})]
    assert set(await _results()) == {check.id for check in invariants.CHECKS} - {"I7"}


async def test_after_a_long_look_the_worker_leaves_the_machine_to_buyers(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    long, idle = {"I7": 2000}, list[float]()

    async def look(invariant: invariants.Invariant, **more: Any) -> invariants.Found:
        return invariants.Found(0, [], long.get(invariant.id, 3))

    async def sleep(seconds: float) -> None:
        idle.append(seconds)

    monkeypatch.setattr(invariants, "look", look)
    monkeypatch.setattr(flows.asyncio, "sleep", sleep)
    await worker.check_invariants()
    assert idle == [6]
    # Whoever presses the button waits for the answer.
    await flows.check_invariants()
    assert idle == [6]


async def test_the_limit_of_a_connection_is_what_it_was(postgresql_database: Database) -> None:
    await invariants.look(invariants.CHECKS[0], now=clock.now())
    async with postgresql_database.reader.connect() as connection:
        assert (await connection.exec_driver_sql("SHOW statement_timeout")).scalar_one() == "5s"


# ---------- the page ----------


async def test_the_page_names_all_of_them_and_its_button_looks_now(
    client: httpx.AsyncClient, sign_in: SignIn, sqlite_database: Database, moment: time_machine.Traveller
) -> None:
    await kept()
    async with writing() as tx:
        dora = await world.dora(tx)
    await sign_in(client, dora)
    before = (await client.get("/admin/invariants")).text
    assert before.count("Not yet") == len(invariants.CHECKS) == 16
    answer = await client.post("/admin/invariants/check")
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/invariants")
    after = (await client.get("/admin/invariants")).text
    assert "All of them hold." in after
    assert after.count("Holds") == 16
    await spoil(sqlite_database, "UPDATE ticket_types SET held = held + 1 WHERE id = 1")
    await client.post("/admin/invariants/check")
    spoilt = (await client.get("/admin/invariants")).text
    assert "1 sentence does not hold." in spoilt
    assert "ticket_type:1" in spoilt


async def _results() -> dict[str, Any]:
    async with reading() as db:
        return await queries.results(db)


async def _alarms() -> list[queries.Sounding]:
    async with reading() as db:
        return await queries.open_alarms(db)
