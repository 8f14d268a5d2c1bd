"""Telling: everybody whom it concerns once, nobody else, and mails only where they are wanted."""

from datetime import timedelta

import pytest

from app.accounts.models import MailedLink
from app.bookings.models import Booking
from app.core import clock
from app.core.activity import Activity
from app.core.db import Database, writing
from app.events.models import Favourite
from app.notifications import actions
from app.notifications.actions import TOLD
from app.notifications.rules import KINDS
from tests import world
from tests.notifications.scenes import bought, bought_by_guest, deliveries, happened, held, kinds, told


async def test_a_buyer_is_told_once_however_often_the_reaction_runs(database: Database) -> None:
    async with writing() as tx:
        bob, event = await world.bob(tx), await world.event(tx)
    booking = await bought(event, bob)
    activity = await happened("booking.paid", f"booking:{booking.id}")
    async with writing() as tx:
        await actions.tell(tx, activity)
    (notification,) = await told()
    assert (notification.kind, notification.recipient, notification.in_panel) == ("booking_paid", f"user:{bob.id}", True)
    assert notification.facts["title"] == event.title
    assert notification.facts["places"] == 2
    assert [delivery.state for delivery in await deliveries()] == ["queued"]


async def test_a_guest_is_told_by_mail_only(database: Database) -> None:
    async with writing() as tx:
        event = await world.event(tx)
    booking = await bought_by_guest(event, "gast@example.com")
    await happened("booking.paid", f"booking:{booking.id}")
    (notification,) = await told()
    assert (notification.recipient, notification.user_id, notification.in_panel) == ("mail:gast@example.com", None, False)


async def test_followers_of_the_category_or_the_event_are_told_once_and_its_manager_only_as_such(database: Database) -> None:
    async with writing() as tx:
        alice, bob, carol, mallory = [await person(tx) for person in (world.alice, world.bob, world.carol, world.mallory)]
        event = await world.event(tx, manager=alice)
        for user in (alice, bob, carol):
            tx.add(Favourite(user_id=user.id, category_id=event.category_id, created_at=clock.now()))
        tx.add(Favourite(user_id=bob.id, event_id=event.id, created_at=clock.now()))
    await happened("event.published", f"event:{event.id}")
    assert sorted(await kinds()) == [
        ("event_published", f"user:{alice.id}"),
        ("new_event", f"user:{bob.id}"),
        ("new_event", f"user:{carol.id}"),
    ]
    assert mallory.id


async def test_a_topic_switched_off_is_in_the_panel_and_in_no_mail(database: Database) -> None:
    async with writing() as tx:
        bob, carol, event = await world.bob(tx), await world.carol(tx), await world.event(tx)
        for user in (bob, carol):
            tx.add(Favourite(user_id=user.id, category_id=event.category_id, created_at=clock.now()))
        await actions.set_preferences(tx, f"user:{bob.id}", {"favourites": False}, by=bob.id)
    await happened("event.published", f"event:{event.id}")
    new = {n.id: n.recipient for n in await told() if n.kind == "new_event"}
    assert set(new.values()) == {f"user:{bob.id}", f"user:{carol.id}"}
    assert [new[d.notification_id] for d in await deliveries() if d.notification_id in new] == [f"user:{carol.id}"]


async def test_money_and_evening_cannot_be_switched_off(database: Database) -> None:
    async with writing() as tx:
        bob, event = await world.bob(tx), await world.event(tx)
        await actions.set_preferences(
            tx, f"user:{bob.id}", dict.fromkeys(("favourites", "reminders", "presales"), False), by=bob.id
        )
    booking = await bought(event, bob)
    await happened("booking.paid", f"booking:{booking.id}")
    assert len(await deliveries()) == 1


@pytest.mark.parametrize(("changed", "count"), [(["title", "description"], 0), (["venue"], 1), (["starts_at", "ends_at"], 1)])
async def test_buyers_hear_of_a_new_date_or_place_and_of_no_other_change(
    database: Database, changed: list[str], count: int
) -> None:
    async with writing() as tx:
        bob, event = await world.bob(tx), await world.event(tx)
    await bought(event, bob, 1)
    await bought(event, bob, 1)
    await happened("event.revised", f"event:{event.id}", changed=changed)
    assert await kinds() == [("event_changed", f"user:{bob.id}")] * count


async def test_everybody_who_booked_hears_that_the_event_is_called_off_even_after_the_money_went_back(database: Database) -> None:
    async with writing() as tx:
        bob, carol, mallory, event = [await make(tx) for make in (world.bob, world.carol, world.mallory, world.event)]
    paid, open_hold = await bought(event, bob), await held(event, carol)
    gone = await held(event, mallory)
    now = clock.now()
    async with writing() as tx:
        for booking, state in ((paid, "refunded"), (open_hold, "released"), (gone, "released")):
            fresh = await tx.get_one(Booking, booking.id)
            fresh.state, fresh.ended_at = state, now - timedelta(hours=1) if booking is gone else now + timedelta(minutes=1)
    await happened("event.called_off", f"event:{event.id}")
    assert sorted(await kinds()) == [("event_called_off", f"user:{bob.id}"), ("event_called_off", f"user:{carol.id}")]
    facts = {notification.user_id: notification.facts for notification in await told()}
    assert facts[bob.id]["was_paid"] is True
    assert facts[carol.id]["was_paid"] is False


async def test_a_purchase_given_back_is_no_news_a_presale_booking_is(database: Database) -> None:
    async with writing() as tx:
        bob, carol, event = await world.bob(tx), await world.carol(tx), await world.event(tx)
    purchase, presale = await held(event, bob), await held(event, carol)
    async with writing() as tx:
        (await tx.get_one(Booking, presale.id)).kind = "presale"
    for booking in (purchase, presale):
        await happened("booking.held", f"booking:{booking.id}")
        await happened("booking.expired", f"booking:{booking.id}")
    assert await kinds() == [("presale_held", f"user:{carol.id}"), ("booking_lapsed", f"user:{carol.id}")]


@pytest.mark.asvs("V6.4.1")
async def test_a_mailed_link_goes_to_its_address_and_its_token_is_stored_nowhere(database: Database) -> None:
    now = clock.now()
    async with writing() as tx:
        link = MailedLink(kind="register", email="new@example.com", created_at=now, expires_at=now + timedelta(hours=24))
        tx.add(link)
    await happened("account.registered", f"link:{link.id}")
    (notification,) = await told()
    assert (notification.kind, notification.email, notification.in_panel) == ("verify", "new@example.com", False)
    assert "token" not in str(notification.facts)


@pytest.mark.asvs("V6.3.7")
async def test_a_new_address_is_asked_for_at_both_addresses(database: Database) -> None:
    now = clock.now()
    async with writing() as tx:
        bob = await world.bob(tx)
        link = MailedLink(
            kind="email", email="bob@new.example", user_id=bob.id, created_at=now, expires_at=now + timedelta(hours=24)
        )
        tx.add(link)
    await happened("account.email_asked", f"link:{link.id}", by=bob.id)
    assert [(n.kind, n.email) for n in await told()] == [
        ("email_change", "bob@new.example"),
        ("email_change_asked", "bob@example.com"),
    ]


async def test_every_admin_hears_of_a_submitted_event_and_of_a_refund_that_failed(database: Database) -> None:
    async with writing() as tx:
        dora, bob, event = await world.dora(tx), await world.bob(tx), await world.event(tx)
    booking = await bought(event, bob)
    await happened("event.submitted", f"event:{event.id}")
    await happened("refund.failed", f"booking:{booking.id}", refund="abc", minor=3600)
    assert await kinds() == [("event_submitted", f"user:{dora.id}"), ("refund_failed", f"user:{dora.id}")]
    assert len(await deliveries()) == 1, "a failed refund stands in the panel"


async def test_an_approval_that_publishes_at_once_is_told_as_publication_only(database: Database) -> None:
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx)
        waiting = await world.event(tx, manager=alice, title="Later", state="approved", published_at=None)
    await happened("event.approved", f"event:{event.id}")
    await happened("event.published", f"event:{event.id}")
    await happened("event.approved", f"event:{waiting.id}")
    assert [kind for kind, _recipient in await kinds()] == ["event_published", "event_approved"]


async def test_what_nobody_needs_to_know_is_told_to_nobody(database: Database) -> None:
    async with writing() as tx:
        await actions.tell(tx, Activity(id=1, kind="account.renamed", about="user:1", at=clock.now()))
    assert await told() == []


def test_everything_that_is_told_has_its_kind() -> None:
    # An announcement is told by its job, a batch at a time.
    assert {kind for tellings in TOLD.values() for kind, _finder in tellings} == set(KINDS) - {"announcement"}
