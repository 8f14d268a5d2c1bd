"""Pre-sale: earlier, for accounts, with a code where one is asked for, kept until a minute that is said."""

from datetime import timedelta

import pytest
import time_machine
from sqlmodel import select

from app.accounts.models import Visitor
from app.bookings import actions, flows
from app.bookings.models import AccessCode, Booking
from app.bookings.rules import SoldOut
from app.core import clock
from app.core.activity import Activity
from app.core.db import Database, reading, writing
from app.core.errors import NotYours, Refused
from app.events.models import Event, TicketType
from app.events.rules import offering
from app.notifications import flows as notifications
from app.tickets.actions import settle
from tests import world
from tests.bookings.test_hold import guest, signed_in, stock


async def presale(
    *, places: int | None = None, needs_code: bool = False, **overrides: object
) -> tuple[Event, TicketType, Visitor]:
    """An event whose pre-sale opened an hour ago and whose general sale opens in a day, and Bob, signed in."""
    now = clock.now()
    async with writing() as tx:
        event = await world.event(tx, capacity=10, **overrides)  # type: ignore[arg-type]
        kind = (await tx.exec(select(TicketType).where(TicketType.event_id == event.id))).one()
        kind.presale_from, kind.sale_from, kind.presale_places, kind.needs_code = (
            now - timedelta(hours=1),
            now + timedelta(days=1),
            places,
            needs_code,
        )
        return event, kind, signed_in(await world.bob(tx))


async def hold(event: Event, kind: TicketType, qty: int, by: Visitor, code: str = "") -> Booking:
    async with writing() as tx:
        return await actions.hold(tx, event, {kind.id or 0: qty}, by=by, access_code=code, now=clock.now())


async def test_a_presale_place_is_kept_until_its_pay_by_time(database: Database, moment: time_machine.Traveller) -> None:
    event, kind, bob = await presale(presale_hours=48)
    async with writing() as tx:
        booking = await actions.hold(tx, event, {kind.id or 0: 2}, by=bob, now=clock.now())
    assert booking.kind == "presale"
    assert booking.held_until == clock.now() + timedelta(hours=48)


async def test_it_is_never_kept_beyond_the_beginning_of_the_event(
    sqlite_database: Database, moment: time_machine.Traveller
) -> None:
    soon = clock.now() + timedelta(days=1, hours=6)
    event, kind, bob = await presale(presale_hours=48, starts_at=soon)
    async with writing() as tx:
        booking = await actions.hold(tx, event, {kind.id or 0: 1}, by=bob, now=clock.now())
    assert booking.held_until == soon


async def test_a_presale_needs_an_account(sqlite_database: Database) -> None:
    event, kind, _bob = await presale()
    with pytest.raises(NotYours, match="Sign in"):
        await hold(event, kind, 1, guest())


async def test_the_presale_takes_no_more_than_its_places(database: Database, moment: time_machine.Traveller) -> None:
    event, kind, bob = await presale(places=2)
    await hold(event, kind, 2, bob)
    async with writing() as tx:
        carol = signed_in(await world.carol(tx))
    with pytest.raises(SoldOut) as refusal:
        await hold(event, kind, 1, carol)
    assert refusal.value.left == {kind.id: 0}
    moment.shift(timedelta(days=1))
    await hold(event, kind, 3, carol)
    assert await stock(kind) == (5, 0)


async def test_a_type_that_asks_for_a_code_opens_only_with_it(database: Database) -> None:
    event, kind, bob = await presale(needs_code=True)
    async with writing() as tx:
        tx.add(AccessCode(ticket_type_id=kind.id or 0, code="NINEPIANOS"))
    for wrong in ("", "EIGHTPIANOS"):
        with pytest.raises(Refused, match="access code"):
            await hold(event, kind, 1, bob, wrong)
    await hold(event, kind, 1, bob, " ninepianos ")
    assert await stock(kind) == (1, 0)


async def test_a_code_is_used_as_often_as_it_may(database: Database) -> None:
    event, kind, bob = await presale(needs_code=True)
    async with writing() as tx:
        tx.add(AccessCode(ticket_type_id=kind.id or 0, code="ONCE", max_uses=1))
        carol = signed_in(await world.carol(tx))
    async with writing() as tx:
        booking = await actions.hold(tx, event, {kind.id or 0: 1}, by=bob, access_code="ONCE", now=clock.now())
    with pytest.raises(Refused, match="access code"):
        await hold(event, kind, 1, carol, "ONCE")
    async with writing() as tx:
        await actions.release(tx, booking, now=clock.now())
    await hold(event, kind, 1, carol, "ONCE")
    assert await stock(kind) == (1, 0)


async def test_presale_and_general_places_are_booked_separately(sqlite_database: Database) -> None:
    event, kind, bob = await presale()
    async with writing() as tx:
        general = await world.ticket_type(tx, event, name="Balcony")
    with pytest.raises(Refused, match="separately"):
        async with writing() as tx:
            await actions.hold(tx, event, {kind.id or 0: 1, general.id or 0: 1}, by=bob, now=clock.now())


async def test_a_presale_booking_does_not_replace_another(database: Database) -> None:
    event, kind, bob = await presale(per_buyer=4)
    await hold(event, kind, 1, bob)
    await hold(event, kind, 1, bob)
    assert await stock(kind) == (2, 0)


# ---------- how many a buyer gets ----------


async def test_the_presale_can_allow_a_buyer_fewer_than_the_event(database: Database, moment: time_machine.Traveller) -> None:
    event, kind, bob = await presale(per_buyer=4, presale_per_buyer=2)
    await hold(event, kind, 2, bob)
    with pytest.raises(Refused):
        await hold(event, kind, 1, bob)
    moment.shift(timedelta(days=1))
    assert (await hold(event, kind, 2, bob)).kind == "purchase"
    with pytest.raises(Refused):
        await hold(event, kind, 3, bob)


async def test_a_lapsed_booking_gives_places_and_both_limits_back(database: Database, moment: time_machine.Traveller) -> None:
    event, kind, bob = await presale(places=2, per_buyer=2, presale_per_buyer=2, presale_hours=3)
    await hold(event, kind, 2, bob)
    moment.shift(timedelta(hours=3))
    await flows.expire_due()
    assert await stock(kind) == (0, 0)
    await hold(event, kind, 2, bob)
    assert await stock(kind) == (2, 0)


# ---------- from one sale to the other ----------


async def test_the_general_sale_opens_by_itself_at_its_minute(database: Database, moment: time_machine.Traveller) -> None:
    event, kind, bob = await presale()
    moment.shift(timedelta(days=1) - timedelta(seconds=1))
    with pytest.raises(NotYours):
        await hold(event, kind, 1, guest())
    assert (await hold(event, kind, 1, bob)).kind == "presale"
    moment.shift(timedelta(seconds=1))
    assert (await hold(event, kind, 1, guest())).kind == "purchase"
    assert (await hold(event, kind, 1, bob)).kind == "purchase"


async def test_places_of_the_presale_stay_kept_after_the_general_sale_has_opened(
    database: Database, moment: time_machine.Traveller
) -> None:
    event, kind, bob = await presale(presale_hours=48)
    await hold(event, kind, 4, bob)
    moment.shift(timedelta(hours=47, minutes=59))
    with pytest.raises(SoldOut) as refusal:
        await hold(event, kind, 6, guest()) and await hold(event, kind, 1, guest("carols-browser"))
    assert refusal.value.left == {kind.id: 0}
    moment.shift(timedelta(minutes=1))
    await hold(event, kind, 4, guest("carols-browser"))


async def test_an_earlier_general_sale_takes_nothing_from_who_booked_before(
    database: Database, moment: time_machine.Traveller
) -> None:
    event, kind, bob = await presale(presale_hours=48)
    booking = await hold(event, kind, 4, bob)
    async with writing() as tx:
        alice = await world.alice(tx)
        await actions.open_general_sale(tx, kind, at=clock.now(), by=alice.id or 0, now=clock.now())
    moment.shift(timedelta(hours=47))
    await flows.expire_due()
    async with reading() as db:
        kept = await db.get_one(Booking, booking.id)
    assert (kept.state, kept.held_until) == ("held", booking.held_until)


# ---------- what is said ----------


def a_type(**columns: object) -> TicketType:
    now = clock.now()
    given = {"presale_from": now - timedelta(hours=1), "sale_from": now + timedelta(days=1), "presale_places": 2} | columns
    return TicketType(
        id=1, event_id=1, name="Gallery", price_minor=1800, capacity=10, sale_to=now + timedelta(days=9), per_booking=6, **given
    )


@pytest.mark.parametrize(
    ("columns", "state"),
    [
        ({}, "open"),
        ({"needs_code": True}, "locked"),
        ({"presale_taken": 2, "held": 2}, "later"),
        ({"presale_places": None, "presale_taken": 10, "sold": 10}, "sold_out"),
    ],
)
def test_a_full_presale_is_not_sold_out(moment: time_machine.Traveller, columns: dict[str, object], state: str) -> None:
    event = Event(state="published", ends_at=clock.now() + timedelta(days=10), slug="x", manager_id=1, category_id=1, title="x")
    (offer,) = offering.offers(event, [a_type(**columns)], now=clock.now())
    assert offer.state == state


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({}, "Pre-sale"),
        ({"presale_taken": 2, "held": 2}, "On sale Tue 17 Nov, 13:00"),
        ({"presale_places": None, "presale_taken": 10, "held": 10}, "All held for now"),
        ({"presale_places": None, "presale_taken": 10, "sold": 10}, "Sold out"),
    ],
)
def test_a_card_says_when_a_full_presale_goes_on(moment: time_machine.Traveller, columns: dict[str, object], said: str) -> None:
    badge = offering.badge([a_type(**columns)], called_off=False, zone="Europe/Rome", now=clock.now())
    assert badge and badge.text == said


async def reminders() -> list[str]:
    async with reading() as db:
        return list((await db.exec(select(Activity.about).where(Activity.kind == "booking.lapses_soon"))).all())


@pytest.mark.parametrize(("hours", "reminded_after"), [(1, 30), (2, 60), (24, 18 * 60)])
async def test_the_buyer_is_reminded_once_however_short_the_time(
    sqlite_database: Database, moment: time_machine.Traveller, hours: int, reminded_after: int
) -> None:
    """Six hours before, but not before half of the time is over. The worker looks every quarter of an hour."""
    event, kind, bob = await presale(presale_hours=hours)
    booking = await hold(event, kind, 1, bob)
    for _look in range(hours * 4):
        before = await reminders()
        await notifications.remind()
        assert len(await reminders()) <= 1
        if len(await reminders()) > len(before):
            assert clock.now() - booking.created_at == timedelta(minutes=reminded_after)
        moment.shift(timedelta(minutes=15))
    assert await reminders() == [f"booking:{booking.id}"]


async def test_who_has_paid_is_not_reminded(sqlite_database: Database, moment: time_machine.Traveller) -> None:
    event, kind, bob = await presale(presale_hours=2)
    booking = await hold(event, kind, 1, bob)
    async with writing() as tx:
        await settle(tx, booking, now=clock.now())
    moment.shift(timedelta(hours=1, minutes=30))
    await notifications.remind()
    assert await reminders() == []
