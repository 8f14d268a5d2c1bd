"""The buyer asks the bank for the money instead of the shop."""

import pytest
import stripe

from app.sandbox.stripe_shapes import StripeError
from tests.sandbox.conftest import paid
from tests.stage import SDK_SENDS_DATA, World, booking, eventually

pytestmark = pytest.mark.filterwarnings(SDK_SENDS_DATA)


async def test_a_dispute_is_heard_and_takes_the_money_at_once(world: World) -> None:
    intent = await paid(world)
    made = world.sandbox.stripe.dispute(intent)
    await eventually(lambda: "charge.dispute.created" in world.shop.kinds())
    heard = next(event.data.object for event in world.shop.events if event.type == "charge.dispute.created")
    assert (heard.object, heard.id, heard.payment_intent, heard.amount) == ("dispute", made["id"], intent, 3700)

    found = await world.client.v1.disputes.retrieve_async(made["id"], {"expand": ["charge"]})
    assert isinstance(found, stripe.Dispute)
    assert isinstance(found.charge, stripe.Charge)
    assert (found.status, found.currency, found.charge.disputed, found.charge.payment_intent) == (
        "needs_response",
        "eur",
        True,
        intent,
    )
    (line,) = (await world.client.v1.balance_transactions.list_async({"type": "adjustment"})).data
    assert (line.amount, line.source) == (-3700, made["id"])


@pytest.mark.parametrize(("won", "status", "moved"), [(True, "won", 0), (False, "lost", -3700)])
async def test_the_bank_decides(world: World, won: bool, status: str, moved: int) -> None:
    intent = await paid(world)
    dispute = world.sandbox.stripe.dispute(intent)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await world.client.v1.refunds.create_async({"payment_intent": intent})
    assert refused.value.code == "charge_disputed"

    world.sandbox.stripe.close_dispute(dispute["id"], won=won)
    await eventually(lambda: "charge.dispute.closed" in world.shop.kinds())
    assert (await world.client.v1.disputes.retrieve_async(dispute["id"])).status == status
    lines = await world.client.v1.balance_transactions.list_async({"source": dispute["id"]})
    assert sum(line.amount for line in lines.data) == moved
    if won:
        assert (await world.client.v1.refunds.create_async({"payment_intent": intent})).amount == 3700
    else:
        with pytest.raises(stripe.InvalidRequestError, match="charged back"):
            await world.client.v1.refunds.create_async({"payment_intent": intent})
    with pytest.raises(StripeError, match="already closed"):
        world.sandbox.stripe.close_dispute(dispute["id"], won=won)


async def test_only_money_that_is_there_can_be_disputed(world: World) -> None:
    intent = await paid(world)
    world.sandbox.stripe.refund_elsewhere(intent, 700)
    assert world.sandbox.stripe.dispute(intent)["amount"] == 3000
    with pytest.raises(StripeError, match="charged back"):
        world.sandbox.stripe.dispute(intent)

    session = await world.client.v1.checkout.sessions.create_async(booking())
    unpaid = world.sandbox.stripe.pay(session.id, "never")["payment_intent"]
    with pytest.raises(StripeError, match="successful charge"):
        world.sandbox.stripe.dispute(unpaid)
