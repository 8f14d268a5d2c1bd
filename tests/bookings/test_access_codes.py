"""Access codes: one word for many, or a code for one booking each; used as often as they may, withdrawn for good."""

import asyncio
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select, update

from app.accounts.models import Visitor
from app.bookings import actions, flows, queries
from app.bookings.models import AccessCode, Booking, BookingLine
from app.bookings.rules import MOST_CODES, new_codes
from app.core import clock
from app.core.activity import Activity
from app.core.db import Database, reading, retried, writing
from app.core.errors import Refused
from app.events.models import Event, TicketType
from tests import world
from tests.bookings.test_hold import signed_in, stock
from tests.bookings.test_presale import hold, presale


async def codes(kind: TicketType) -> dict[str, tuple[int, int | None]]:
    """Uses and most uses by code."""
    async with reading() as db:
        found = await db.exec(select(AccessCode).where(AccessCode.ticket_type_id == kind.id).order_by(AccessCode.code))
        return {code.code: (code.used, code.max_uses) for code in found.all()}


async def alice_id() -> int:
    async with writing() as tx:
        return (await world.alice(tx)).id or 0


async def shared(kind: TicketType, word: str, *, max_uses: int | None = None) -> None:
    async with writing() as tx:
        alice = await world.alice(tx)
        await actions.share_code(tx, kind, word, max_uses=max_uses, by=alice.id or 0, now=clock.now())


async def made(kind: TicketType, number: int) -> list[str]:
    async with writing() as tx:
        alice = await world.alice(tx)
        await actions.make_codes(tx, kind, number, by=alice.id or 0, now=clock.now())
    async with reading() as db:
        return [code.code for code in await queries.single_codes(db, kind.id or 0)]


async def test_the_first_code_closes_the_presale_to_everybody_else(database: Database) -> None:
    event, kind, bob = await presale()
    await shared(kind, " friends of the house ")
    with pytest.raises(Refused, match="access code"):
        await hold(event, kind, 1, bob)
    await hold(event, kind, 1, bob, "Friends of the House")
    assert await codes(kind) == {"FRIENDS OF THE HOUSE": (1, None)}


async def test_a_shared_code_may_end_after_so_many_bookings(database: Database) -> None:
    event, kind, bob = await presale()
    await shared(kind, "TWICE", max_uses=2)
    for _number in range(2):
        await hold(event, kind, 1, bob, "TWICE")
    with pytest.raises(Refused, match="access code"):
        await hold(event, kind, 1, bob, "TWICE")
    assert await stock(kind) == (2, 0)


async def test_the_same_word_twice_is_refused(sqlite_database: Database) -> None:
    _event, kind, _bob = await presale()
    await shared(kind, "FRIENDS")
    with pytest.raises(Refused, match="has the code FRIENDS already"):
        await shared(kind, "friends")


async def test_codes_for_one_booking_are_all_different_and_written_down(database: Database) -> None:
    _event, kind, _bob = await presale()
    found = await made(kind, 500)
    assert len(set(found)) == 500
    assert all(len(code) == 9 and code == code.upper() for code in found)
    async with reading() as db:
        written = (await db.exec(select(Activity).where(Activity.kind == "presale.codes_made"))).one()
    assert written.about == f"ticket_type:{kind.id}"
    assert written.details["codes"] == 500
    assert not set(found) & {str(value) for value in written.details.values()}


def test_nobody_gets_more_codes_than_can_be_looked_through() -> None:
    assert len(new_codes(3, taken={"A"})) == 3
    with pytest.raises(Refused, match="at most 5,000 codes"):
        new_codes(1, taken={str(number) for number in range(MOST_CODES)})


@pytest.mark.parametrize("moved", [{"presale_from": None}, {"sale_from": "an hour ago"}])
async def test_there_are_no_codes_without_a_presale_or_after_it(sqlite_database: Database, moved: dict[str, object]) -> None:
    _event, kind, _bob = await presale()
    columns = {name: clock.now() - timedelta(minutes=30) if value else None for name, value in moved.items()}
    async with writing() as tx:
        await tx.exec(update(TicketType).where(col(TicketType.id) == kind.id).values(**columns))
    with pytest.raises(Refused, match="has no pre-sale, or it is over"):
        await made(kind, 1)
    with pytest.raises(Refused, match="has no pre-sale, or it is over"):
        await shared(kind, "LATE")


# ---------- one code, one booking ----------


async def two_at_once(event: Event, kind: TicketType, people: list[Visitor], code: str) -> int:
    """How many of them got a place with the same code."""

    @retried
    async def book(visitor: Visitor) -> bool:
        try:
            await hold(event, kind, 1, visitor, code)
        except Refused:
            return False
        return True

    return sum(await asyncio.gather(*(book(visitor) for visitor in people)))


async def everybody() -> list[Visitor]:
    async with writing() as tx:
        return [signed_in(await world.person(tx, name)) for name in ("Bob", "Carol", "Erik", "Fay", "Gus", "Hana")]


@pytest.mark.asvs("V2.3.4")
async def test_of_six_with_the_same_code_exactly_one_gets_a_place(database: Database) -> None:
    event, kind, _bob = await presale()
    for code in await made(kind, 5):
        assert await two_at_once(event, kind, await everybody(), code) == 1
    assert await stock(kind) == (5, 0)


async def test_without_the_guard_several_get_in_with_one_code(database: Database) -> None:
    """The negative control: read, compare in Python, then write."""
    _event, kind, _bob = await presale()
    (code,) = await made(kind, 1)
    all_have_looked = asyncio.Barrier(6)

    async def look_then_use() -> bool:
        async with reading() as db:
            found = (await db.exec(select(AccessCode).where(AccessCode.code == code))).one()
        await all_have_looked.wait()
        if found.used >= 1:
            return False
        async with writing() as tx:
            await tx.exec(update(AccessCode).where(col(AccessCode.id) == found.id).values(used=1))
        return True

    assert sum(await asyncio.gather(*(look_then_use() for _number in range(6)))) > 1


async def test_behind_the_guard_the_database_refuses_a_second_use(database: Database) -> None:
    _event, kind, _bob = await presale()
    await made(kind, 1)
    with pytest.raises(IntegrityError):
        async with writing() as tx:
            await tx.exec(update(AccessCode).values(used=2))


async def test_the_use_comes_back_when_the_hold_lapses(database: Database, moment: time_machine.Traveller) -> None:
    event, kind, bob = await presale(presale_hours=2)
    (code,) = await made(kind, 1)
    await hold(event, kind, 1, bob, code)
    assert await codes(kind) == {code: (1, 1)}
    moment.shift(timedelta(hours=2))
    await flows.expire_due()
    assert await codes(kind) == {code: (0, 1)}
    async with writing() as tx:
        carol = signed_in(await world.carol(tx))
    await hold(event, kind, 1, carol, code)
    assert await stock(kind) == (1, 0)


# ---------- withdrawn ----------


async def test_a_withdrawn_code_opens_nothing_and_its_bookings_stay(database: Database) -> None:
    event, kind, bob = await presale()
    await shared(kind, "FRIENDS")
    await hold(event, kind, 1, bob, "FRIENDS")
    async with writing() as tx:
        await actions.withdraw_code(tx, kind, "friends", by=(await world.alice(tx)).id or 0)
    with pytest.raises(Refused, match="access code"):
        await hold(event, kind, 1, bob, "FRIENDS")
    assert await stock(kind) == (1, 0)


async def test_a_use_that_comes_back_does_not_wake_a_withdrawn_code(database: Database) -> None:
    event, kind, bob = await presale()
    await shared(kind, "FRIENDS", max_uses=1)
    booking = await hold(event, kind, 1, bob, "FRIENDS")
    async with writing() as tx:
        await actions.withdraw_code(tx, kind, "FRIENDS", by=(await world.alice(tx)).id or 0)
    async with writing() as tx:
        await actions.release(tx, booking, now=clock.now())
    with pytest.raises(Refused, match="access code"):
        await hold(event, kind, 1, bob, "FRIENDS")
    assert await stock(kind) == (0, 0)


async def test_withdrawing_twice_is_refused(sqlite_database: Database) -> None:
    _event, kind, _bob = await presale()
    by = await alice_id()
    with pytest.raises(Refused, match="withdrawn before"):
        async with writing() as tx:
            await actions.withdraw_code(tx, kind, "NEVER", by=by)


async def test_only_the_codes_that_nobody_uses_are_withdrawn_together(database: Database) -> None:
    event, kind, bob = await presale()
    used, given_back, *_others = await made(kind, 5)
    await shared(kind, "FRIENDS")
    await hold(event, kind, 1, bob, used)
    booking = await hold(event, kind, 1, bob, given_back)
    async with writing() as tx:
        await actions.release(tx, booking, now=clock.now())
    by = await alice_id()
    for gone in (4, 0):
        async with writing() as tx:
            assert await actions.withdraw_unused(tx, kind, by=by) == gone
    assert await codes(kind) == {used: (1, 1), "FRIENDS": (0, None)}
    async with reading() as db:
        assert (await db.exec(select(BookingLine.access_code_id).where(BookingLine.booking_id == booking.id))).one() is None


async def test_a_code_is_used_or_withdrawn_never_both(database: Database) -> None:
    event, kind, _bob = await presale()
    people, by = await everybody(), await alice_id()

    @retried
    async def withdraw() -> int:
        async with writing() as tx:
            return await actions.withdraw_unused(tx, kind, by=by)

    for visitor in people:
        (code,) = await made(kind, 1)
        got, gone = await asyncio.gather(two_at_once(event, kind, [visitor], code), withdraw())
        assert got + gone == 1
        async with writing() as tx:
            for booking in (await tx.exec(select(Booking).where(Booking.state == "held"))).all():
                await actions.release(tx, booking, now=clock.now())
        await withdraw()
    assert await stock(kind) == (0, 0)


# ---------- the one that stands in the event's form ----------


async def test_the_code_in_the_form_becomes_another_and_the_others_stay(database: Database) -> None:
    event, kind, bob = await presale(needs_code=True)
    (single,) = await made(kind, 1)
    for was, code in (("", "FIRST"), ("FIRST", "SECOND")):
        async with writing() as tx:
            await actions.replace_code(tx, kind.id or 0, was=was, code=code, by=None)
    with pytest.raises(Refused):
        await hold(event, kind, 1, bob, "FIRST")
    await hold(event, kind, 1, bob, "SECOND")
    async with writing() as tx:
        await actions.replace_code(tx, kind.id or 0, was="SECOND", code="", by=None)
    with pytest.raises(Refused):
        await hold(event, kind, 1, bob, "SECOND")
    await hold(event, kind, 1, bob, single)
    assert await codes(kind) == {single: (1, 1)}


async def test_a_word_with_a_number_of_uses_becomes_the_one_of_the_form(sqlite_database: Database) -> None:
    _event, kind, _bob = await presale()
    await shared(kind, "FRIENDS", max_uses=3)
    async with writing() as tx:
        await actions.replace_code(tx, kind.id or 0, was="", code="friends", by=None)
        await actions.replace_code(tx, kind.id or 0, was="FRIENDS", code="friends", by=None)
    assert await codes(kind) == {"FRIENDS": (0, None)}
    async with writing() as tx:
        await actions.forget_codes(tx, kind.id or 0)
    assert await codes(kind) == {}
