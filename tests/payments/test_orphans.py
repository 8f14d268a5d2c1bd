"""Sessions of this shop at Stripe that no payment of ours knows, as after a restore: no money stays with them."""

from typing import Any

import pytest
from sqlmodel import select

from app.core import clock
from app.core.activity import Activity
from app.core.db import reading, writing
from app.core.settings import settings
from app.payments import stripe
from app.payments.actions import orphans as actions
from app.payments.flows import lists, orphans
from app.payments.models import Orphan
from app.sandbox.app import Sandbox
from app.sandbox.stripe_shapes import StripeError
from tests.payments.story import alarms_of, held, listen, payment_of, pays, sent_back, sessions_at
from tests.stage import booking

ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def session_of(fake: Sandbox, *, shop: str = "", payment_id: str = "forgotten") -> str:
    """A session that this shop made, and does not know any more; or that another shop made."""
    marks = {"shop": shop or settings().base_url, "payment_id": payment_id}
    made = fake.stripe.create_session(booking(expires_at=int(clock.now().timestamp()) + 3600, metadata=marks))
    return str(made["id"])


async def outcomes() -> list[tuple[str, str]]:
    async with reading() as db:
        return [(orphan.state, orphan.outcome) for orphan in (await db.exec(select(Orphan))).all()]


def intent_of(fake: Sandbox, session_id: str) -> str:
    return str(fake.stripe.session(session_id, {})["payment_intent"])


async def test_an_open_one_is_closed(fake: Sandbox) -> None:
    session_id = session_of(fake)
    await lists.compare_new_sessions()
    assert await outcomes() == [("found", "")]
    await orphans.close_orphans()
    await lists.compare_new_sessions()
    assert await outcomes() == [("closed", "expired")]
    with pytest.raises(StripeError):
        fake.stripe.pay(session_id, "paid")
    assert await alarms_of("orphan") == []


async def test_money_that_came_through_one_goes_back_and_a_person_hears_of_it(fake: Sandbox) -> None:
    session_id = session_of(fake)
    fake.stripe.pay(session_id, "paid")
    await lists.compare_new_sessions()
    await orphans.close_orphans()
    await orphans.close_orphans()
    assert await outcomes() == [("closed", "refunded")]
    assert sent_back(fake, intent_of(fake, session_id)) == 3700
    assert await alarms_of("orphan") == [f"session:{session_id}"]
    await listen()
    await lists.compare_new_sessions()
    await lists.compare_balance()
    assert await alarms_of("ledger") == []


async def test_one_that_is_paid_before_it_is_closed_is_refunded_too(fake: Sandbox) -> None:
    session_id = session_of(fake)
    await lists.compare_new_sessions()
    fake.stripe.pay(session_id, "paid")
    await orphans.close_orphans()
    assert sent_back(fake, intent_of(fake, session_id)) == 3700
    assert await alarms_of("orphan") == [f"session:{session_id}"]


@ON_SQLITE
async def test_one_that_is_paid_while_it_is_closed(fake: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    session_id = session_of(fake)
    await lists.compare_new_sessions()

    async def pays_first(_session_id: str) -> None:
        fake.stripe.pay(session_id, "paid")
        raise stripe.StripeRefused("not open", "")

    monkeypatch.setattr(stripe, "expire_session", pays_first)
    await orphans.close_orphans()
    assert sent_back(fake, intent_of(fake, session_id)) == 3700


@ON_SQLITE
async def test_a_part_that_somebody_refunded_is_not_sent_again(fake: Sandbox) -> None:
    session_id = session_of(fake)
    fake.stripe.pay(session_id, "paid")
    fake.stripe.refund_elsewhere(intent_of(fake, session_id), 1000)
    await lists.compare_new_sessions()
    await orphans.close_orphans()
    assert sent_back(fake, intent_of(fake, session_id)) == 3700


@ON_SQLITE
@pytest.mark.parametrize("heard_by", ["events", "balance"])
async def test_what_the_bank_sends_back_days_later_is_sent_again(fake: Sandbox, heard_by: str) -> None:
    session_id = session_of(fake)
    fake.stripe.pay(session_id, "paid")
    await lists.compare_new_sessions()
    await orphans.close_orphans()
    await orphans.close_orphans()
    (refund,) = fake.stripe.refunds({"payment_intent": intent_of(fake, session_id), "limit": 10})["data"]
    fake.stripe.change_refund(refund["id"], status="failed")
    assert sent_back(fake, intent_of(fake, session_id)) == 0
    await (listen() if heard_by == "events" else lists.compare_balance())
    assert await outcomes() == [("found", "")]
    await orphans.close_orphans()
    await orphans.close_orphans()
    assert sent_back(fake, intent_of(fake, session_id)) == 3700
    # Hearing of it again changes nothing: everything has gone back.
    await lists.compare_balance()
    await listen()
    assert await outcomes() == [("closed", "refunded")]
    assert await alarms_of("orphan") == [f"session:{session_id}"]


async def test_two_who_hear_of_money_sent_back_sound_one_alarm(fake: Sandbox) -> None:
    session_id = session_of(fake)
    fake.stripe.pay(session_id, "paid")
    await lists.compare_new_sessions()
    await orphans.close_orphans()
    await orphans.close_orphans()
    async with reading() as db:
        seen_by_both = await db.get_one(Orphan, session_id)
    for _process in range(2):
        async with writing() as tx:
            await actions.found_again(tx, seen_by_both, 3700)
    async with reading() as db:
        told = (await db.exec(select(Activity.kind).where(Activity.kind == "orphan.found"))).all()
    assert (await outcomes(), len(told)) == ([("found", "")], 2)


async def test_it_is_closed_only_when_the_bank_has_sent_the_money(fake: Sandbox) -> None:
    fake.faults.refunds_start = "pending"
    session_id = session_of(fake)
    fake.stripe.pay(session_id, "paid")
    await lists.compare_new_sessions()
    for _turn in range(2):
        await orphans.close_orphans()
    assert await outcomes() == [("found", "")]
    (refund,) = fake.stripe.refunds({"payment_intent": intent_of(fake, session_id)})["data"]
    fake.stripe.change_refund(refund["id"], status="failed")
    fake.faults.refunds_start = "succeeded"
    async with writing() as tx:
        (orphan,) = (await tx.exec(select(Orphan))).all()
        # The answer under the first key is the refund that has failed.
        await actions.try_with_new_key(tx, orphan)
    for _turn in range(2):
        await orphans.close_orphans()
    assert await outcomes() == [("closed", "refunded")]


@ON_SQLITE
@pytest.mark.parametrize("trouble", [{"status": 500}, {"status": 500, "done": True}, {"lost": True}, {"unheard": True}])
async def test_no_trouble_on_the_line_sends_it_twice(fake: Sandbox, trouble: dict[str, Any]) -> None:
    session_id = session_of(fake)
    fake.stripe.pay(session_id, "paid")
    await lists.compare_new_sessions()
    fake.faults.next("refund", times=3, **trouble)
    for _turn in range(3):
        await orphans.close_orphans()
    assert await outcomes() == [("closed", "refunded")]
    assert sent_back(fake, intent_of(fake, session_id)) == 3700


@ON_SQLITE
async def test_a_refund_that_stripe_refuses_stays_on_the_desk(fake: Sandbox) -> None:
    session_id = session_of(fake)
    fake.stripe.pay(session_id, "paid")
    fake.stripe.dispute(intent_of(fake, session_id))
    await lists.compare_new_sessions()
    await orphans.close_orphans()
    assert await outcomes() == [("found", "")]
    assert await alarms_of("orphan") == [f"session:{session_id}"]


@ON_SQLITE
async def test_a_bank_that_thinks_is_waited_for(fake: Sandbox) -> None:
    fake.stripe.settle_after = 3600
    session_id = session_of(fake)
    fake.stripe.pay(session_id, "never")
    await lists.compare_new_sessions()
    await orphans.close_orphans()
    assert await outcomes() == [("found", "")]
    fake.stripe.state.remind(session_id, at=0, what="never")
    fake.stripe.tick()
    await orphans.close_orphans()
    assert await outcomes() == [("closed", "unpaid")]


@ON_SQLITE
async def test_a_second_session_for_the_same_payment_is_nobodys(fake: Sandbox) -> None:
    bobs = await held()
    await pays(bobs)
    payment = await payment_of(bobs)
    second = session_of(fake, payment_id=payment.id)
    await lists.compare_new_sessions()
    await orphans.close_orphans()
    assert sessions_at(fake, status="open") == [payment.session_id]
    assert fake.stripe.session(second, {})["status"] == "expired"


@ON_SQLITE
async def test_a_session_of_another_shop_on_the_account_is_left_alone(fake: Sandbox) -> None:
    session_id = session_of(fake, shop="https://another.example")
    await lists.compare_new_sessions()
    fake.stripe.expire_session(session_id, {})
    await listen()
    assert await outcomes() == []
