"""What a buyer may give back, and until when: under the rule of the day on which it was bought, and only by the buyer."""

import asyncio
from datetime import timedelta

import pytest
import time_machine
from sqlmodel import col, select, update

from app.bookings import actions as bookings
from app.bookings.models import Booking
from app.core import clock
from app.core.db import Database, reading, writing
from app.core.errors import Refused, TooMany
from app.core.settings import settings
from app.events.models import Event
from app.payments import queries, rules, stripe
from app.payments.flows import refunds as refund_flows
from app.payments.flows.converge import converge
from app.payments.flows.give_back import WrongCode, give_back, send_code
from app.payments.models import RefundCode
from app.payments.rules import RefundOffer
from app.sandbox.app import Sandbox
from tests import world
from tests.payments.refund_story import GUEST, an_event, codes, given, paid, returned, valid_tickets
from tests.payments.story import card_is_charged, held, now_is, payment_of, pays, refunds_of


async def offer_of(booking: Booking, *, disputed: bool = False) -> RefundOffer:
    async with reading() as db:
        present = await db.get_one(Booking, booking.id)
        event = await db.get_one(Event, booking.event_id)
        return rules.refund_offer(present, await queries.places(db, booking.id or 0), event, disputed=disputed, now=clock.now())


# ---------- what a buyer is offered ----------


async def test_a_buyer_gets_the_price_less_the_fee(database: Database, moment: time_machine.Traveller) -> None:
    offer = await offer_of(await paid(await an_event()))
    assert offer.is_open
    assert [(choice.price_minor, choice.fee_minor, choice.back_minor) for choice in offer.choices] == [(1850, 200, 1650)] * 2
    assert offer.back_minor(offer.choices) == 3300


async def test_the_fee_is_at_most_the_price(database: Database) -> None:
    offer = await offer_of(await paid(await an_event(refund_fee_minor=5000)))
    assert [choice.back_minor for choice in offer.choices] == [0, 0]


async def test_after_a_goodwill_refund_no_more_comes_back_than_is_left(database: Database) -> None:
    booking = await paid(await an_event())
    await given(booking, 3000)
    offer = await offer_of(booking)
    assert offer.back_minor(offer.choices) == 700
    assert await returned(booking, await valid_tickets(booking)) == 700
    assert [refund.amount_minor for refund in await refunds_of(booking)] == [3000, 700]
    assert (await now_is(booking)).kept_minor == 0


async def test_the_offer_ends_at_its_minute(database: Database, moment: time_machine.Traveller) -> None:
    event = await an_event()
    booking = await paid(event)
    moment.move_to(event.starts_at - timedelta(hours=48, seconds=1))
    assert (await offer_of(booking)).is_open
    moment.move_to(event.starts_at - timedelta(hours=48))
    late = await offer_of(booking)
    assert (late.choices, late.refusal) == ((), "The time in which tickets for this event could be given back is over.")


async def test_the_rule_of_the_day_of_the_booking_counts(database: Database) -> None:
    event = await an_event()
    booking = await paid(event)
    async with writing() as tx:
        changed = await tx.get_one(Event, event.id)
        changed.refund_hours, changed.refund_fee_minor = None, 1000
    assert (await offer_of(booking)).back_minor((await offer_of(booking)).choices) == 3300


@pytest.mark.parametrize("price_minor", [1850, 0])
async def test_without_a_rule_only_free_tickets_go_back_and_until_the_start(
    database: Database, moment: time_machine.Traveller, price_minor: int
) -> None:
    event = await an_event(refund_hours=None, price_minor=price_minor)
    booking = await paid(event)
    moment.move_to(event.starts_at - timedelta(seconds=1))
    offer = await offer_of(booking)
    assert offer.is_open is (price_minor == 0)
    assert bool(offer.refusal) is (price_minor > 0)
    moment.move_to(event.starts_at)
    assert (await offer_of(booking)).refusal == "The event has begun, so tickets cannot be given back any more."


async def test_every_refusal_says_why(database: Database) -> None:
    event = await an_event()
    booking = await paid(event)
    assert "Your bank is looking into this payment." in (await offer_of(booking, disputed=True)).refusal
    async with writing() as tx:
        kind = await world.only_type(tx, event)
        held = await bookings.hold(tx, event, {kind.id or 0: 1}, by=GUEST, now=clock.now())
    assert (await offer_of(held)).refusal == "This booking is not paid, so nothing can be given back."
    await returned(booking, await valid_tickets(booking))
    assert (await offer_of(booking)).refusal == "This booking has no valid tickets any more."
    async with writing() as tx:
        (await tx.get_one(Event, event.id)).state = "called_off"
    assert "Everything that was paid goes back by itself." in (await offer_of(booking)).refusal


# ---------- the buyer, with and without an account ----------


async def test_the_owner_gives_a_ticket_back_and_pays_the_fee(database: Database) -> None:
    booking = await paid(await an_event())
    async with writing() as tx:
        bob = await world.bob(tx)
    first, second = await codes(booking)
    assert await give_back(booking, [first], by=bob.id, reason="buyer", code="") == 1650
    assert await codes(booking) == [second]


async def test_the_rule_is_asked_again_in_the_moment_of_giving_back(database: Database, moment: time_machine.Traveller) -> None:
    event = await an_event()
    booking = await paid(event)
    async with writing() as tx:
        bob = await world.bob(tx)
    wanted = await codes(booking)
    with pytest.raises(Refused, match="given back already"):
        await give_back(booking, [*wanted, "AAAA-AAAA"], by=bob.id, reason="buyer", code="")
    moment.move_to(event.starts_at - timedelta(hours=48))
    with pytest.raises(Refused, match="is over"):
        await give_back(booking, wanted, by=bob.id, reason="buyer", code="")
    assert await codes(booking) == wanted


async def digits_of(booking: Booking) -> str:
    """What the guest reads in the mail."""
    async with reading() as db:
        code = await queries.live_code(db, booking.id or 0, now=clock.now())
    assert code
    return rules.code_digits(settings().secret_key, booking.id or 0, code.nonce)


async def test_a_guest_gives_tickets_back_with_the_mailed_code_once(database: Database) -> None:
    booking = await paid(await an_event(), qty=3)
    await send_code(booking)
    digits = await digits_of(booking)
    wanted = await codes(booking)
    assert await give_back(booking, wanted[:1], by=None, reason="buyer", code=f" {digits[:4]} {digits[4:]} ") == 1650
    with pytest.raises(WrongCode, match="has ended"):
        await give_back(booking, wanted[1:2], by=None, reason="buyer", code=digits)
    assert await codes(booking) == wanted[1:]


@pytest.mark.asvs("V6.5.1", "V15.4.2")
async def test_two_who_send_the_code_together_use_it_once(database: Database) -> None:
    booking = await paid(await an_event())
    await send_code(booking)
    digits = await digits_of(booking)
    wanted = await codes(booking)
    asked = await asyncio.gather(
        *(give_back(booking, [one], by=None, reason="buyer", code=digits) for one in wanted), return_exceptions=True
    )
    assert sum(isinstance(answer, Refused) for answer in asked) == 1
    assert len(await codes(booking)) == 1


@pytest.mark.asvs("V6.6.3")
async def test_after_five_wrong_codes_even_the_right_one_is_refused(database: Database) -> None:
    booking = await paid(await an_event())
    await send_code(booking)
    digits = await digits_of(booking)
    wrong = "00000000" if digits != "00000000" else "00000001"
    for _try in range(5):
        with pytest.raises(WrongCode, match="not the code"):
            await give_back(booking, await codes(booking), by=None, reason="buyer", code=wrong)
    with pytest.raises(WrongCode, match="has ended"):
        await give_back(booking, await codes(booking), by=None, reason="buyer", code=digits)
    await send_code(booking)
    assert await give_back(booking, await codes(booking), by=None, reason="buyer", code=await digits_of(booking)) == 3300


@pytest.mark.asvs("V6.6.3")
async def test_forty_guesses_at_once_count_as_five(database: Database) -> None:
    booking = await paid(await an_event())
    await send_code(booking)
    wanted = await codes(booking)
    asked = await asyncio.gather(
        *(give_back(booking, wanted, by=None, reason="buyer", code="no") for _guess in range(40)), return_exceptions=True
    )
    assert sum("not the code" in str(answer) for answer in asked) == 5


@pytest.mark.asvs("V6.5.5")
async def test_a_code_lives_fifteen_minutes(database: Database, moment: time_machine.Traveller) -> None:
    booking = await paid(await an_event())
    await send_code(booking)
    digits = await digits_of(booking)
    moment.shift(timedelta(minutes=15))
    with pytest.raises(WrongCode, match="has ended"):
        await give_back(booking, await codes(booking), by=None, reason="buyer", code=digits)


@pytest.mark.asvs("V6.6.2")
async def test_a_code_is_for_one_booking(database: Database) -> None:
    event = await an_event()
    booking, other = await paid(event), await paid(event, email="carol@example.com")
    await send_code(booking)
    await send_code(other)
    with pytest.raises(WrongCode, match="not the code"):
        await give_back(other, await codes(other), by=None, reason="buyer", code=await digits_of(booking))


async def test_only_three_codes_an_hour_are_mailed(database: Database, moment: time_machine.Traveller) -> None:
    booking = await paid(await an_event())
    for _time in range(3):
        await send_code(booking)
    with pytest.raises(TooMany):
        await send_code(booking)
    async with reading() as db:
        assert len((await db.exec(select(RefundCode))).all()) == 1


async def test_a_code_is_used_up_only_when_the_tickets_went_back(database: Database, moment: time_machine.Traveller) -> None:
    booking = await paid(await an_event())
    await send_code(booking)
    digits = await digits_of(booking)
    with pytest.raises(Refused, match="given back already"):
        await give_back(booking, ["AAAA-AAAA"], by=None, reason="buyer", code=digits)
    assert await give_back(booking, await codes(booking), by=None, reason="buyer", code=digits) == 3300


@pytest.mark.asvs("V6.5.4")
def test_digits_are_eight_and_change_with_everything() -> None:
    known = rules.code_digits("key", 1, "n")
    assert len(known) == 8 and known.isdigit()
    others = {rules.code_digits(*changed) for changed in (("other", 1, "n"), ("key", 2, "n"), ("key", 1, "m"))}
    assert known not in others and len(others) == 3
    assert rules.is_code("é", known) is False


# ---------- as Stripe sees it ----------


async def test_each_part_arrives_at_stripe_once_and_the_fee_stays(fake: Sandbox) -> None:
    """The whole way of the money: paid on Stripe's page, given back in two parts, sent by the worker, twice asked for."""
    booking = await held(qty=2)
    async with writing() as tx:
        await tx.exec(update(Booking).where(col(Booking.id) == booking.id).values(refund_hours=48, refund_fee_minor=200))
    await pays(booking)
    await converge(await card_is_charged(fake, booking))
    async with writing() as tx:
        bob = await world.bob(tx)
    for code in await codes(booking):
        await give_back(booking, [code], by=bob.id, reason="buyer", code="")
    for _time in range(2):
        await refund_flows.send_refunds()
    assert [(refund.state, refund.amount_minor) for refund in await refunds_of(booking)] == [("succeeded", 1650)] * 2
    payment = await payment_of(booking)
    found = await stripe.refunds_of(payment.payment_intent or "")
    assert sorted(refund.amount_minor for refund in found) == [1650, 1650]
    present = await now_is(booking)
    assert (present.state, present.kept_minor, payment.kept_minor) == ("refunded", 400, 400)
