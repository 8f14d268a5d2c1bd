"""Waiting for a sold-out ticket type: joining, the place in line, leaving, and what ends it."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select, update

from app.accounts.models import Visitor
from app.bookings import actions, flows, queries, waiting
from app.bookings.models import Booking, WaitingEntry
from app.core import clock
from app.core.db import Database, reading, writing
from app.core.errors import NotFound, Refused
from app.events import queries as events
from app.events.models import Event, Quota, TicketType
from app.notifications.models import Notification
from app.payments.flows.checkout import checkout
from app.payments.flows.release import release
from app.payments.flows.sweeps import wind_down
from app.tickets import actions as tickets
from app.worker import Worker
from tests import invariants, world
from tests.payments.story import tickets_of


async def sold_out(*, capacity: int = 2, price_minor: int = 0, **overrides: Any) -> tuple[Event, Booking]:
    """All places of an event are Bob's, who has paid."""
    async with writing() as tx:
        event = await world.event(tx, capacity=capacity, price_minor=price_minor, **overrides)
        kind = await world.only_type(tx, event)
        booking = await actions.hold(tx, event, {kind.id or 0: capacity}, by=Visitor(key="bobs"), now=clock.now())
        booking = await tx.get_one(Booking, booking.id)
        await actions.fill_in(tx, booking, event, email="bob@example.com", name="Bob", by=Visitor())
        await tickets.settle(tx, booking, now=clock.now())
    return event, booking


async def waits(event: Event, who: str, qty: int = 1, *, by: Visitor | None = None) -> WaitingEntry:
    async with writing() as tx:
        [kind] = await events.ticket_types(tx, event.id)
        email = f"{who}@example.com"
        return await waiting.join(tx, event.slug, kind.code, email=email, qty=qty, by=by or Visitor(), now=clock.now())


async def gives_back(booking: Booking, number: int = 1) -> None:
    """So many of the booking's tickets, whose places are free again."""
    valid = [view.ticket for view in await tickets_of(booking) if view.ticket.is_valid]
    async with writing() as tx:
        present = await tx.get_one(Booking, booking.id)
        for ticket in valid[:number]:
            await tickets.take_back_one(tx, present, ticket, now=clock.now())


async def line_of(event: Event) -> list[tuple[str, str]]:
    """Who is where, in the order in which they came; the invariants hold."""
    async with reading() as db:
        assert await invariants.broken(db) == []
        entries = select(WaitingEntry).where(WaitingEntry.event_id == event.id).order_by(WaitingEntry.id)  # type: ignore[arg-type]
        return [(entry.email.split("@")[0], entry.state) for entry in (await db.exec(entries)).all()]


async def offers_of(event: Event) -> list[tuple[str, int, str]]:
    """The offers there have been: to whom, how many places, and what became of them."""
    async with reading() as db:
        of_event = select(Booking).where(Booking.event_id == event.id, Booking.kind == "offer").order_by(Booking.id)  # type: ignore[arg-type]
        bookings = (await db.exec(of_event)).all()
    return [(one.email.split("@")[0], await places(one), one.state) for one in bookings]


async def places(booking: Booking) -> int:
    async with reading() as db:
        return sum(line.qty for line in await queries.lines(db, booking.id or 0))


async def kind_of(event: Event) -> TicketType:
    async with reading() as db:
        return await world.only_type(db, event)


async def told(email: str) -> list[str]:
    """What somebody was told, in that order."""
    while await Worker().react():
        pass
    async with reading() as db:
        rows = select(Notification.kind).where(Notification.email == email).order_by(Notification.id)  # type: ignore[arg-type]
        return list((await db.exec(rows)).all())


async def offer_to(event: Event, who: str) -> Booking:
    async with reading() as db:
        own = select(Booking).where(Booking.event_id == event.id, Booking.email == f"{who}@example.com", Booking.kind == "offer")
        return (await db.exec(own)).one()


# ---------- in line ----------


async def test_people_wait_in_the_order_in_which_they_came(database: Database) -> None:
    event, _booking = await sold_out()
    carol, dave = await waits(event, "carol", 2), await waits(event, "dave")
    async with reading() as db:
        assert (await waiting.ahead(db, carol), await waiting.ahead(db, dave)) == (0, 1)
    assert (await kind_of(event)).waiting == 3
    assert await line_of(event) == [("carol", "waiting"), ("dave", "waiting")]
    assert await told("carol@example.com") == ["waiting_joined"]


async def test_nobody_waits_twice(database: Database) -> None:
    """Carol asks again and stays where she is; she is told so once more."""
    event, _booking = await sold_out()
    await waits(event, "carol")
    await waits(event, "dave")
    await waits(event, "carol", 2)
    assert await line_of(event) == [("carol", "waiting"), ("dave", "waiting")]
    assert (await kind_of(event)).waiting == 2
    assert await told("carol@example.com") == ["waiting_joined", "waiting_joined"]


async def test_nobody_waits_while_there_are_places(database: Database) -> None:
    async with writing() as tx:
        event = await world.event(tx, capacity=2)
    with pytest.raises(Refused, match="not sold out"):
        await waits(event, "carol")
    assert await line_of(event) == []


async def test_a_full_quota_is_sold_out_too(database: Database) -> None:
    event, _booking = await sold_out()
    async with writing() as tx:
        tx.add(quota := Quota(event_id=event.id or 0, name="House", capacity=2, sold=2))
        await tx.flush()
        await tx.exec(update(TicketType).values(quota_id=quota.id, capacity=50))
    await waits(event, "carol")
    assert await line_of(event) == [("carol", "waiting")]


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"is_waiting_list_open": False}, "closed"),
        ({"per_buyer": 1}, "one ticket"),
    ],
)
async def test_some_lists_cannot_be_joined(database: Database, overrides: dict[str, Any], sentence: str) -> None:
    event, _booking = await sold_out()
    async with writing() as tx:
        await tx.exec(update(Event).values(**overrides))
    with pytest.raises(Refused, match=sentence):
        await waits(event, "carol", 2)
    assert await line_of(event) == []


async def test_a_sale_that_is_over_has_no_line(database: Database) -> None:
    event, _booking = await sold_out()
    async with writing() as tx:
        await tx.exec(update(TicketType).values(sale_to=clock.now() - timedelta(minutes=1)))
    with pytest.raises(Refused, match="not on sale now"):
        await waits(event, "carol")


async def test_whoever_leaves_is_out_of_the_line_and_the_next_ones_move_up(database: Database) -> None:
    event, _booking = await sold_out()
    carol, dave = await waits(event, "carol", 2), await waits(event, "dave")
    async with writing() as tx:
        assert await waiting.leave(tx, carol, now=clock.now())
    async with writing() as tx:
        assert not await waiting.leave(tx, carol, now=clock.now())
    async with reading() as db:
        assert await waiting.ahead(db, dave) == 0
    assert (await kind_of(event)).waiting == 1
    assert await line_of(event) == [("carol", "left"), ("dave", "waiting")]


async def test_a_place_that_comes_back_is_not_for_everybody_while_somebody_waits(database: Database) -> None:
    """Three come back and one is waited for: two are free for everybody, the last one is not."""
    event, booking = await sold_out(capacity=4)
    await waits(event, "carol")
    await gives_back(booking, 3)
    kind = await kind_of(event)
    assert kind.left == 2
    for browser, wanted in (("eve", 2), ("mallory", 1)):
        async with writing() as tx:
            if browser == "mallory":
                with pytest.raises(Refused):
                    await actions.hold(tx, event, {kind.id or 0: wanted}, by=Visitor(key=browser), now=clock.now())
            else:
                await actions.hold(tx, event, {kind.id or 0: wanted}, by=Visitor(key=browser), now=clock.now())
    await flows.pass_on()
    assert await offers_of(event) == [("carol", 1, "held")]


async def test_an_event_called_off_ends_the_wait_and_says_so(database: Database) -> None:
    event, _booking = await sold_out()
    await waits(event, "carol", 2)
    async with writing() as tx:
        await tx.exec(update(Event).values(state="called_off", called_off_reason="Rain.", called_off_at=clock.now()))
    await flows.pass_on()
    assert await line_of(event) == [("carol", "lapsed")]
    assert await told("carol@example.com") == ["waiting_joined", "waiting_ended"]
    assert (await kind_of(event)).waiting == 0


async def test_the_end_of_the_sale_ends_the_wait(database: Database) -> None:
    event, booking = await sold_out()
    await waits(event, "carol")
    async with writing() as tx:
        await tx.exec(update(TicketType).values(sale_to=clock.now() - timedelta(minutes=1)))
    await gives_back(booking)
    await flows.pass_on()
    assert await line_of(event) == [("carol", "lapsed")]
    assert await offers_of(event) == []
    assert await told("carol@example.com") == ["waiting_joined", "waiting_ended"]


# ---------- whose turn it is ----------


async def test_a_place_that_comes_back_is_offered_to_the_first_for_twelve_hours(database: Database) -> None:
    event, booking = await sold_out()
    await waits(event, "carol")
    await waits(event, "dave")
    await gives_back(booking)
    assert await flows.pass_on()
    assert await line_of(event) == [("carol", "offered"), ("dave", "waiting")]
    offer = await offer_to(event, "carol")
    assert offer.held_until - offer.created_at == timedelta(hours=12)
    assert (offer.state, offer.user_id, offer.buyer_key) == ("held", None, "mail:carol@example.com")
    assert await told("carol@example.com") == ["waiting_joined", "waiting_offered"]
    assert not await flows.pass_on()


async def test_an_offer_ends_with_the_sale(database: Database) -> None:
    event, booking = await sold_out()
    await waits(event, "carol")
    ends = clock.now() + timedelta(hours=3)
    async with writing() as tx:
        await tx.exec(update(TicketType).values(sale_to=ends))
        await tx.exec(update(Event).values(offer_hours=24))
    await gives_back(booking)
    await flows.pass_on()
    assert (await offer_to(event, "carol")).held_until == ends


async def test_fewer_places_than_the_first_wishes_for_are_offered_to_the_first_all_the_same(database: Database) -> None:
    """Strictly in order: Dave would be glad of one, but Carol came first. Her wish ends with the offer."""
    event, booking = await sold_out(capacity=6)
    await waits(event, "carol", 4)
    await waits(event, "dave")
    await gives_back(booking, 2)
    await flows.pass_on()
    assert await offers_of(event) == [("carol", 2, "held")]
    assert await line_of(event) == [("carol", "offered"), ("dave", "waiting")]
    assert (await kind_of(event)).waiting == 1
    await gives_back(booking, 1)
    await flows.pass_on()
    assert await offers_of(event) == [("carol", 2, "held"), ("dave", 1, "held")]


async def test_an_offer_that_is_declined_goes_to_the_next(database: Database) -> None:
    event, booking = await sold_out()
    await waits(event, "carol")
    await waits(event, "dave")
    await gives_back(booking)
    await flows.pass_on()
    await release((await offer_to(event, "carol")).id or 0)
    await flows.pass_on()
    assert await offers_of(event) == [("carol", 1, "released"), ("dave", 1, "held")]
    assert await line_of(event) == [("carol", "left"), ("dave", "offered")]


async def test_an_offer_that_lapses_goes_to_the_next_and_its_owner_is_told(database: Database) -> None:
    event, booking = await sold_out()
    await waits(event, "carol")
    await waits(event, "dave")
    await gives_back(booking)
    await flows.pass_on()
    async with writing() as tx:
        await tx.exec(update(Booking).where(Booking.kind == "offer").values(held_until=clock.now()))  # type: ignore[arg-type]
    await flows.expire_due()
    await flows.pass_on()
    assert await line_of(event) == [("carol", "lapsed"), ("dave", "offered")]
    assert await told("carol@example.com") == ["waiting_joined", "waiting_offered", "booking_lapsed"]


async def test_taking_an_offer_is_an_ordinary_checkout(database: Database) -> None:
    event, booking = await sold_out()
    await waits(event, "carol")
    await gives_back(booking)
    await flows.pass_on()
    offer = await offer_to(event, "carol")
    await checkout(offer.id or 0, email="carol@example.com", name="Carol", by=Visitor())
    assert await line_of(event) == [("carol", "taken")]
    assert await offers_of(event) == [("carol", 1, "paid")]
    assert (await kind_of(event)).sold == 2


async def test_the_limit_per_buyer_counts_at_the_offer(database: Database) -> None:
    """Bob waits for a third place although two are the most that one buyer gets; he is told, and Dave is next."""
    event, _booking = await sold_out(per_buyer=2)
    async with writing() as tx:
        await tx.exec(update(TicketType).values(capacity=3, sold=2, held=0))
        other = await actions.hold(
            tx, event, {(await world.only_type(tx, event)).id or 0: 1}, by=Visitor(key="x"), now=clock.now()
        )
    await waits(event, "bob")
    await waits(event, "dave")
    await release(other.id or 0)
    await flows.pass_on()
    assert await line_of(event) == [("bob", "lapsed"), ("dave", "offered")]
    assert "waiting_ended" in await told("bob@example.com")


async def test_an_event_called_off_takes_offers_back(database: Database) -> None:
    event, booking = await sold_out()
    await waits(event, "carol")
    await gives_back(booking)
    await flows.pass_on()
    async with writing() as tx:
        await tx.exec(update(Event).values(state="called_off", called_off_reason="Rain.", called_off_at=clock.now()))
    await wind_down()
    assert await offers_of(event) == [("carol", 1, "called_off")]
    assert await line_of(event) == [("carol", "lapsed")]


async def test_two_types_of_one_quota_share_one_line(database: Database) -> None:
    """One place of the quota comes back; whoever came first gets it, of whichever type."""
    event, booking = await sold_out()
    async with writing() as tx:
        balcony = await world.ticket_type(tx, event, name="Balcony", capacity=50, price_minor=0)
        tx.add(quota := Quota(event_id=event.id or 0, name="House", capacity=2, sold=2))
        await tx.flush()
        await tx.exec(update(TicketType).values(quota_id=quota.id))
        for kind, who in ((balcony, "carol"), ((await events.ticket_types(tx, event.id))[0], "dave")):
            email = f"{who}@example.com"
            await waiting.join(tx, event.slug, kind.code, email=email, qty=1, by=Visitor(), now=clock.now())
    await gives_back(booking)
    async with writing() as tx:
        with pytest.raises(Refused):
            await actions.hold(tx, event, {balcony.id or 0: 1}, by=Visitor(key="m"), now=clock.now())
    await flows.pass_on()
    assert await line_of(event) == [("carol", "offered"), ("dave", "waiting")]


async def test_places_that_the_manager_adds_go_to_whoever_waits(database: Database) -> None:
    event, _booking = await sold_out()
    await waits(event, "carol", 2)
    kind = await kind_of(event)
    async with writing() as tx:
        await waiting.add_places(tx, kind, 3, by=event.manager_id)
    await flows.pass_on()
    assert await offers_of(event) == [("carol", 2, "held")]
    assert (await kind_of(event)).left == 1


async def test_nobody_gets_more_places_than_a_ticket_type_can_have(sqlite_database: Database) -> None:
    event, _booking = await sold_out()
    async with writing() as tx:
        with pytest.raises(Refused, match="at most 1,000,000 places"):
            await waiting.add_places(tx, await kind_of(event), 1_000_000, by=event.manager_id)
    assert (await kind_of(event)).capacity == 2


async def test_there_is_no_line_for_what_the_event_does_not_sell(sqlite_database: Database) -> None:
    event, _booking = await sold_out()
    async with writing() as tx:
        with pytest.raises(NotFound):
            await waiting.join(tx, event.slug, "balcony", email="c@example.com", qty=1, by=Visitor(), now=clock.now())


async def test_nothing_is_left_of_an_offer_that_came_too_late(database: Database) -> None:
    """A place comes back in the last minute of the sale, and the next minute nobody may have it any more."""
    event, booking = await sold_out()
    await waits(event, "carol")
    await gives_back(booking)
    async with writing() as tx:
        assert await waiting.offer_next(tx, event.slug, most=10, now=(await kind_of(event)).sale_to) == 0
    assert await line_of(event) == [("carol", "waiting")]
    assert await offers_of(event) == []
