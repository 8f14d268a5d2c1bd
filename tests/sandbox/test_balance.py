"""Every movement of money is a line in the balance, and every line leads to what moved it."""

from datetime import UTC, datetime, timedelta

import pytest
import stripe
import time_machine

from tests.sandbox.conftest import paid
from tests.stage import SDK_SENDS_DATA, World, booking, eventually

pytestmark = pytest.mark.filterwarnings(SDK_SENDS_DATA)


async def test_charges_and_refunds_lead_to_their_payment(world: World) -> None:
    intent = await paid(world)
    refund = await world.client.v1.refunds.create_async({"payment_intent": intent, "amount": 1000, "metadata": {"refund": "r1"}})
    listed = await world.client.v1.balance_transactions.list_async({"expand": ["data.source"]})
    out, into = listed.data
    assert (into.type, into.amount, into.net, into.currency) == ("charge", 3700, 3620, "eur")
    assert isinstance(into.source, stripe.Charge)
    assert (into.source.payment_intent, into.source.metadata["payment"]) == (intent, "p1")
    assert (into.source.amount, into.source.amount_refunded) == (3700, 1000)
    assert (out.type, out.amount) == ("refund", -1000)
    assert isinstance(out.source, stripe.Refund)
    assert (out.source.id, out.source.payment_intent, out.source.metadata["refund"]) == (refund.id, intent, "r1")

    plain = await world.client.v1.balance_transactions.list_async({"type": "charge"})
    assert [line.source for line in plain.data] == [into.source.id]
    found = await world.client.v1.balance_transactions.retrieve_async(refund.balance_transaction)
    assert found.source == refund.id


async def test_a_charge_is_found_from_its_payment_and_back(world: World) -> None:
    intent = await world.client.v1.payment_intents.retrieve_async(await paid(world), {"expand": ["latest_charge.payment_intent"]})
    assert intent.metadata["payment"] == "p1"
    charge = await world.client.v1.charges.retrieve_async(intent.latest_charge.id)
    assert (charge.payment_intent, charge.paid, charge.refunded, charge.metadata["payment"]) == (intent.id, True, False, "p1")
    assert intent.latest_charge.payment_intent.id == intent.id


async def test_money_that_a_bank_confirms_later_is_in_the_balance_later(world: World) -> None:
    session = await world.client.v1.checkout.sessions.create_async(booking())
    world.sandbox.stripe.pay(session.id, "later")
    assert (await world.client.v1.balance_transactions.list_async()).data == []
    await eventually(lambda: "checkout.session.async_payment_succeeded" in world.shop.kinds())
    (line,) = (await world.client.v1.balance_transactions.list_async()).data
    assert line.amount == 3700


async def test_a_refund_moves_money_when_it_succeeds_and_back_when_it_fails(world: World) -> None:
    intent, fake = await paid(world), world.sandbox.stripe
    world.sandbox.faults.refunds_start = "pending"
    first, second = fake.refund_elsewhere(intent, 1000), fake.refund_elsewhere(intent, 500)
    assert [line["type"] for line in fake.balance_transactions({})["data"]] == ["charge"]
    fake.change_refund(first["id"], status="succeeded")
    fake.change_refund(second["id"], status="failed")
    fake.change_refund(first["id"], status="failed")
    lines = await world.client.v1.balance_transactions.list_async()
    assert [(line.type, line.amount) for line in lines.data] == [("refund_failure", 1000), ("refund", -1000), ("charge", 3700)]
    failed = await world.client.v1.refunds.retrieve_async(first["id"], {"expand": ["failure_balance_transaction"]})
    assert failed.failure_balance_transaction.id == lines.data[0].id


async def test_the_balance_is_read_by_day_and_by_page(world: World) -> None:
    begin = datetime(2026, 12, 12, 20, 0, tzinfo=UTC)
    with time_machine.travel(begin, tick=False) as clock:
        for _day in range(3):
            await paid(world)
            clock.shift(timedelta(days=1))
    since = {"gte": int((begin + timedelta(days=1)).timestamp())}
    page = await world.client.v1.balance_transactions.list_async({"created": since, "limit": 1})
    assert page.has_more
    assert [line.created for line in page.data] == [int((begin + timedelta(days=2)).timestamp())]
    assert len([line async for line in page.auto_paging_iter()]) == 2


@pytest.mark.parametrize(("params", "param"), [({"expand": ["source"]}, "expand"), ({"currency": "eur"}, "currency")])
async def test_what_the_stand_in_cannot_do_is_refused(world: World, params: dict[str, object], param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await world.client.v1.balance_transactions.list_async(params)
    assert refused.value.param == param
