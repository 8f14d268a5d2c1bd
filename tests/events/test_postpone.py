"""An event is postponed: its sale pauses, everybody is told, tickets stay valid or go back whole, and a new date comes."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from sqlmodel import col, select

from app.accounts.models import Visitor
from app.bookings import actions as bookings
from app.bookings import stock
from app.bookings.models import Booking
from app.core import clock
from app.core.db import Database, reading, writing
from app.core.errors import Refused
from app.events import queries
from app.events.actions import deciding, postponing
from app.events.models import Event
from app.notifications import queries as notification_queries
from app.notifications.models import Notification
from app.payments import queries as payment_queries
from app.payments import rules
from app.payments.flows import sweeps
from app.payments.flows.checkout import checkout
from app.payments.flows.give_back import give_back
from app.payments.rules import RefundOffer
from app.tickets import queries as ticket_queries
from app.worker import Worker
from tests import world
from tests.events.revising import dated
from tests.payments.refund_story import again, an_event, bobs, codes, paid, valid_tickets
from tests.payments.story import now_is, refunds_of

Client = httpx.AsyncClient
SignIn = Callable[[Client, Any], Awaitable[None]]
pytestmark = pytest.mark.usefixtures("moment")

LATER = timedelta(days=60)


async def postpone(event: Event, *, return_days: int = 14) -> None:
    async with writing() as tx:
        alice, present = await world.alice(tx), await tx.get_one(Event, event.id)
        told = {"reason": "The pianos are stuck.", "return_days": return_days, "by": alice.id or 0}
        await postponing.postpone(tx, present, now=clock.now(), **told)


async def set_date(event: Event, later: timedelta = LATER) -> None:
    """Dora writes the new date into the form; what an admin changes needs no review."""
    async with writing() as tx:
        dora = await world.dora(tx)
        await dated(tx, await tx.get_one(Event, event.id), later=later, by=dora.id or 0)


async def event_now(event: Event) -> Event:
    async with reading() as db:
        return await db.get_one(Event, event.id)


async def offer_of(booking: Booking) -> RefundOffer:
    async with reading() as db:
        present, event = await db.get_one(Booking, booking.id), await db.get_one(Event, booking.event_id)
        places = await payment_queries.places(db, booking.id or 0)
    return rules.refund_offer(present, places, event, disputed=False, now=clock.now())


async def hold(event: Event, key: str = "carols-browser") -> Booking:
    async with writing() as tx:
        kind = await world.only_type(tx, event)
        return await bookings.hold(tx, event, {kind.id or 0: 1}, by=Visitor(key=key), now=clock.now())


async def told() -> list[tuple[str, str]]:
    await Worker().react()
    async with reading() as db:
        rows = (await db.exec(select(Notification).order_by(col(Notification.id)))).all()
    return [(row.kind, row.email) for row in rows if row.kind.startswith("event_")]


# ---------- what it does ----------


async def test_the_sale_pauses_until_the_new_date_is_known(database: Database) -> None:
    event = await an_event()
    await postpone(event)
    with pytest.raises(Refused, match="This event is postponed"):
        await hold(event)
    await set_date(event)
    assert (await hold(event)).state == "held"


async def test_what_is_held_can_be_paid_all_the_same(database: Database) -> None:
    event = await an_event(price_minor=0)
    booking = await hold(event)
    await postpone(event)
    await checkout(booking.id or 0, email="carol@example.com", name="Carol", by=Visitor(key="carols-browser"))
    assert (await again(booking)).is_paid


async def test_a_postponed_event_is_never_over(database: Database, moment: time_machine.Traveller) -> None:
    event = await an_event()
    _bob, booking = await bobs(event)
    await postpone(event)
    moment.move_to(event.ends_at + timedelta(days=3))
    present = await event_now(event)
    assert not present.is_over(clock.now())
    assert not present.has_started(clock.now())
    assert (await offer_of(booking)).is_open
    async with reading() as db:
        assert len(await ticket_queries.of_user(db, booking.user_id or 0, now=clock.now(), past=False)) == 2
        assert await ticket_queries.of_user(db, booking.user_id or 0, now=clock.now(), past=True) == []
    await set_date(event, LATER)
    assert await valid_tickets(booking), "the tickets are valid for the new date"


async def test_nobody_is_reminded_of_the_old_date(database: Database, moment: time_machine.Traveller) -> None:
    event = await an_event()
    booking = await paid(event)
    moment.move_to(event.starts_at - timedelta(hours=12))
    async with reading() as db:
        assert await notification_queries.unreminded_of_event(db, now=clock.now(), most=9) == [booking.id]
    await postpone(event)
    async with reading() as db:
        assert await notification_queries.unreminded_of_event(db, now=clock.now(), most=9) == []


async def test_it_is_postponed_once_and_only_when_public_and_ahead(database: Database, moment: time_machine.Traveller) -> None:
    event = await an_event()
    await postpone(event)
    with pytest.raises(Refused, match="moved on"):
        await postpone(event)
    await set_date(event)
    await postpone(event)
    async with writing() as tx:
        draft = await world.event(tx, title="Draft", state="draft", published_at=None)
    over = await an_event(title="Over", starts_at=clock.now() - timedelta(days=1))
    for other in (draft, over):
        with pytest.raises(Refused, match="still ahead"):
            await postpone(other)


async def test_a_postponed_event_is_called_off_and_all_money_goes_back(
    database: Database, moment: time_machine.Traveller
) -> None:
    event = await an_event()
    booking = await paid(event)
    await postpone(event)
    moment.move_to(event.ends_at + timedelta(days=3))
    async with writing() as tx:
        alice = await world.alice(tx)
        await deciding.call_off(tx, await tx.get_one(Event, event.id), reason="Never.", by=alice.id or 0, now=clock.now())
    await sweeps.wind_down()
    assert (await now_is(booking)).state == "called_off"
    assert [refund.amount_minor for refund in await refunds_of(booking)] == [3700]


# ---------- giving back ----------


@pytest.mark.parametrize("refund_hours", [48, None])
async def test_everything_goes_back_whole_whatever_the_rule_says(database: Database, refund_hours: int | None) -> None:
    event = await an_event(refund_hours=refund_hours, refund_fee_minor=200 if refund_hours else 0)
    booking = await paid(event)
    await postpone(event)
    offer = await offer_of(booking)
    assert (offer.rule.is_whole, offer.rule.until, offer.back_minor(offer.choices)) == (True, None, 3700)
    async with writing() as tx:
        bob = await world.bob(tx)
    assert await give_back(booking, (await codes(booking))[:1], by=bob.id, reason="buyer", code="") == 1850
    assert (await now_is(booking)).kept_minor == 1850


async def test_after_the_new_date_is_known_the_days_are_counted(database: Database, moment: time_machine.Traveller) -> None:
    event = await an_event(refund_hours=None)
    booking = await paid(event)
    moment.shift(timedelta(hours=1))
    await postpone(event, return_days=3)
    moment.shift(timedelta(days=30))
    await set_date(event)
    known = clock.now()
    assert (await offer_of(booking)).rule.until == known + timedelta(days=3)
    moment.move_to(known + timedelta(days=3, seconds=-1))
    assert (await offer_of(booking)).back_minor((await offer_of(booking)).choices) == 3700
    moment.move_to(known + timedelta(days=3))
    assert not (await offer_of(booking)).is_open


async def test_afterwards_the_bookings_own_rule_counts_again(database: Database, moment: time_machine.Traveller) -> None:
    event = await an_event()
    booking = await paid(event)
    moment.shift(timedelta(hours=1))
    await postpone(event, return_days=1)
    await set_date(event)
    moment.shift(timedelta(days=2))
    offer = await offer_of(booking)
    assert (offer.rule.is_whole, offer.back_minor(offer.choices)) == (False, 3300)
    assert offer.rule.until == (await event_now(event)).starts_at - timedelta(hours=48)


async def test_who_buys_for_the_new_date_has_the_ordinary_rule(database: Database, moment: time_machine.Traveller) -> None:
    event = await an_event(refund_hours=None)
    await postpone(event)
    await set_date(event)
    moment.shift(timedelta(minutes=1))
    assert not (await offer_of(await paid(event))).is_open


async def test_the_rule_is_asked_again_in_the_moment_of_giving_back(database: Database, moment: time_machine.Traveller) -> None:
    event = await an_event(refund_hours=None)
    booking = await paid(event)
    moment.shift(timedelta(hours=1))
    await postpone(event, return_days=1)
    wanted = await codes(booking)
    await set_date(event)
    moment.shift(timedelta(days=2))
    async with writing() as tx:
        dora = await world.dora(tx)
    with pytest.raises(Refused, match="cannot be given back"):
        await give_back(booking, wanted, by=dora.id, reason="admin", code="")
    assert await codes(booking) == wanted


# ---------- who is told ----------


async def test_everybody_who_booked_is_told_twice_and_once_each(database: Database, moment: time_machine.Traveller) -> None:
    event = await an_event()
    booking = await paid(event, email="bob@example.com")
    await paid(event, by=Visitor(key="x"), email="guest@example.com")
    moment.shift(timedelta(hours=1))
    await postpone(event)
    assert await told() == [("event_postponed", "bob@example.com"), ("event_postponed", "guest@example.com")]
    await set_date(event)
    moment.shift(timedelta(minutes=1))
    await paid(event, by=Visitor(key="y"), email="later@example.com")
    assert (await told())[2:] == [("event_redated", "bob@example.com"), ("event_redated", "guest@example.com")]
    async with reading() as db:
        first = (await db.exec(select(Notification).where(Notification.kind == "event_redated"))).first()
    assert first
    assert first.facts["returns_until"] == (await event_now(event)).returns_until.isoformat()  # type: ignore[union-attr]
    assert first.facts["booking"] == booking.code


# ---------- pages ----------


async def test_a_manager_postpones_with_a_reason(client: Client, open_browser: Any, sign_in: SignIn) -> None:
    event = await an_event()
    booking = await paid(event)
    async with writing() as tx:
        alice = await world.alice(tx)
    await sign_in(client, alice)
    path = f"/manager/events/{event.slug}/postpone"
    asked = (await client.get(path)).text
    for words in ("Postpone Nine Pianos?", "1 booking is paid. Its tickets stay valid", 'value="14"'):
        assert words in asked
    wrong = await client.post(path, data={"reason": "", "return_days": "0"})
    assert wrong.status_code == 422
    assert "Say why" in wrong.text
    assert "Enter 1 to 365 days" in wrong.text
    assert (await client.post(path, data={"reason": "The pianos are stuck.", "return_days": "10"})).status_code == 303
    assert (await client.post(path, data={"reason": "Again.", "return_days": "10"})).status_code == 409
    assert "This event is postponed, and its sale is paused." in (await client.get(f"/manager/events/{event.slug}")).text

    bobs = await open_browser()
    page = (await bobs.get(f"/events/{event.slug}")).text
    for words in ("This event is postponed.", "The pianos are stuck.", "The sale is paused", "Sale paused"):
        assert words in page
    assert "Continue" not in page
    facts = json.loads(re.findall(r"ld\+json\">(.*?)</script>", page, re.DOTALL)[0])
    assert facts["eventStatus"] == "https://schema.org/EventPostponed"
    assert "offers" not in facts
    assert "Postponed" in (await bobs.get("/events")).text
    assert "Or give them back for their full price." in (await bobs.get(f"/bookings/{booking.code}")).text
    refund = (await bobs.get(f"/bookings/{booking.code}/refund")).text
    assert "so you can give your tickets back for their full price" in refund
    assert "€18.50 back" in refund
    ticket = (await valid_tickets(booking))[0]
    assert "Postponed" in (await bobs.get(f"/tickets/{ticket.code}")).text
    assert "STATUS:TENTATIVE" in (await bobs.get(f"/tickets/{ticket.code}.ics")).text
    kind = await _kind(event)
    assert (await bobs.post(f"/events/{event.slug}/hold", data={f"q-{kind}": "1"})).status_code == 422


async def _kind(event: Event) -> str:
    async with reading() as db:
        return (await world.only_type(db, event)).code


async def test_a_new_date_is_said_where_the_old_one_stood(client: Client, moment: time_machine.Traveller) -> None:
    event = await an_event()
    booking = await paid(event)
    moment.shift(timedelta(hours=1))
    await postpone(event)
    await set_date(event)
    said = (await client.get(f"/bookings/{booking.code}")).text
    assert "This event has a new date: Friday 12 February 2027, 13:00." in said
    assert "Or give them back for their full price until Monday 30 November 2026, 14:00." in said
    page = (await client.get(f"/events/{event.slug}")).text
    assert "EventRescheduled" in page
    assert "postponed" not in page.lower()


# ---------- races ----------


async def race(database: Database, event: Event) -> tuple[list[Booking], Event]:
    """Many hold while Alice postpones; the bookings that came to be, and the event afterwards."""

    async def one(number: int) -> Booking | None:
        try:
            return await hold(event, key=f"browser-{number}")
        except Refused:
            return None

    found = await asyncio.gather(
        *(one(number) for number in range(4)), postpone(event), *(one(number) for number in range(4, 12))
    )
    return [booking for booking in found if booking], await event_now(event)


async def test_whoever_comes_after_the_postponing_holds_nothing(database: Database) -> None:
    event = await an_event()
    held, present = await race(database, event)
    assert present.is_postponed
    async with reading() as db:
        kind = await world.only_type(db, event)
    assert kind.held == len(held)
    with pytest.raises(Refused, match="postponed"):
        await hold(event, key="late")


async def test_the_guard_alone_keeps_places_of_a_postponed_event(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has looked at the event: then the statement itself refuses. Without its condition it would not."""
    event = await an_event()
    await postpone(event)
    monkeypatch.setattr(Event, "is_postponed", False)
    with pytest.raises(Refused):
        await hold(event)
    careless = {sale: sql.replace("AND events.postponed_at IS NULL ", "") for sale, sql in stock._TAKES.items()}
    monkeypatch.setattr(stock, "_TAKES", careless)
    assert (await hold(event)).state == "held"


async def test_two_who_postpone_at_once_do_it_once(database: Database) -> None:
    event = await an_event()
    done = await asyncio.gather(postpone(event), postpone(event), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["NoneType", "Refused"]
    async with reading() as db:
        assert (await queries.by_slug(db, event.slug)).postponed_at  # type: ignore[union-attr]
