"""Money goes back, once."""

import pytest
import stripe

from app.sandbox.stripe_shapes import StripeError
from tests.sandbox.conftest import paid
from tests.stage import SDK_SENDS_DATA, World, booking, eventually

pytestmark = pytest.mark.filterwarnings(SDK_SENDS_DATA)


async def test_a_payment_is_refunded_in_parts_and_not_beyond(world: World) -> None:
    intent = await paid(world)
    first = await world.client.v1.refunds.create_async({"payment_intent": intent, "amount": 1850, "metadata": {"refund": "r1"}})
    assert (first.status, first.amount, first.currency, first.metadata["refund"]) == ("succeeded", 1850, "eur", "r1")

    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount") as refused:
        await world.client.v1.refunds.create_async({"payment_intent": intent, "amount": 1851})
    assert refused.value.param == "amount"

    rest = await world.client.v1.refunds.create_async({"payment_intent": intent})
    assert rest.amount == 1850
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await world.client.v1.refunds.create_async({"payment_intent": intent, "amount": 1})
    assert refused.value.code == "charge_already_refunded"

    listed = await world.client.v1.refunds.list_async({"payment_intent": intent})
    assert [refund.id for refund in listed.data] == [rest.id, first.id]
    assert (await world.client.v1.refunds.retrieve_async(first.id)).amount == 1850
    await eventually(lambda: world.shop.kinds().count("refund.created") == 2)


async def test_the_same_key_refunds_once(world: World) -> None:
    intent = await paid(world)
    params, options = {"payment_intent": intent, "amount": 1000}, {"idempotency_key": "re:1:1"}
    first = await world.client.v1.refunds.create_async(params, options)
    assert (await world.client.v1.refunds.create_async(params, options)).id == first.id
    assert len((await world.client.v1.refunds.list_async({"payment_intent": intent})).data) == 1


async def test_what_was_not_paid_cannot_be_refunded(world: World) -> None:
    session = await world.client.v1.checkout.sessions.create_async(booking())
    await world.browser.post(session.url, data={"act": "never"})
    intent = str((await world.client.v1.checkout.sessions.retrieve_async(session.id)).payment_intent)
    with pytest.raises(stripe.InvalidRequestError, match="successful charge"):
        await world.client.v1.refunds.create_async({"payment_intent": intent})
    with pytest.raises(stripe.InvalidRequestError, match="No such payment_intent"):
        await world.client.v1.refunds.create_async({"payment_intent": "pi_nothing"})


async def test_a_refund_can_fail_after_it_succeeded_and_be_made_again(world: World) -> None:
    intent = await paid(world)
    refund = await world.client.v1.refunds.create_async({"payment_intent": intent})
    world.sandbox.stripe.change_refund(refund.id, status="failed")
    await eventually(lambda: "refund.failed" in world.shop.kinds())
    assert (await world.client.v1.refunds.retrieve_async(refund.id)).status == "failed"
    assert (await world.client.v1.refunds.create_async({"payment_intent": intent})).amount == 3700


async def test_a_refund_in_the_dashboard_is_heard_and_counts(world: World) -> None:
    intent = await paid(world)
    made = world.sandbox.stripe.refund_elsewhere(intent, 700)
    await eventually(lambda: {"refund.created", "charge.refunded"} <= set(world.shop.kinds()))
    told = {event.type: event.data.object for event in world.shop.events}
    assert (told["refund.created"].id, told["refund.created"].payment_intent) == (made["id"], intent)
    assert told["refund.created"].metadata.to_dict() == {}
    assert (told["charge.refunded"].payment_intent, told["charge.refunded"].amount_refunded) == (intent, 700)

    (listed,) = (await world.client.v1.refunds.list_async({"payment_intent": intent})).data
    assert listed.id == made["id"]
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount"):
        await world.client.v1.refunds.create_async({"payment_intent": intent, "amount": 3001})
    assert (await world.client.v1.refunds.create_async({"payment_intent": intent})).amount == 3000
    with pytest.raises(StripeError, match="already been refunded"):
        world.sandbox.stripe.refund_elsewhere(intent)


@pytest.mark.parametrize(("status", "event", "left"), [("succeeded", "refund.updated", 2700), ("failed", "refund.failed", 3700)])
async def test_a_bank_takes_its_time_with_a_refund(world: World, status: str, event: str, left: int) -> None:
    intent = await paid(world)
    world.sandbox.faults.refunds_start = "pending"
    refund = await world.client.v1.refunds.create_async({"payment_intent": intent, "amount": 1000})
    assert (refund.status, refund.balance_transaction) == ("pending", None)
    world.sandbox.stripe.change_refund(refund.id, status="failed" if status == "failed" else "succeeded")
    await eventually(lambda: event in world.shop.kinds())
    assert (await world.client.v1.refunds.retrieve_async(refund.id)).status == status

    world.sandbox.faults.refunds_start = "succeeded"
    rest = await world.client.v1.refunds.create_async({"payment_intent": intent})
    assert (rest.status, rest.amount) == ("succeeded", left)


async def test_a_refund_that_failed_stays_so(world: World) -> None:
    refund = world.sandbox.stripe.refund_elsewhere(await paid(world))
    world.sandbox.stripe.change_refund(refund["id"], status="failed")
    with pytest.raises(StripeError, match="stays so"):
        world.sandbox.stripe.change_refund(refund["id"], status="succeeded")
