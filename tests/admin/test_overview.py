"""What waits for an admin: proposals first, then what the shop could not do by itself."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import time_machine

from app.accounts.models import User
from app.admin import queries
from app.bookings.models import Booking
from app.core import activity, clock, db
from app.notifications.models import Delivery, Notification
from app.payments.models import Notice, Payment, Refund
from tests import world

SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]


async def test_an_empty_desk_says_so(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    async with db.writing() as tx:
        dora = await world.dora(tx)
    await sign_in(client, dora)
    assert "Nothing waits" in (await client.get("/admin")).text


async def test_submitted_events_wait_oldest_first(database: db.Database) -> None:
    now = clock.now()
    async with db.writing() as tx:
        await world.event(tx, title="Younger", state="submitted", submitted_at=now - timedelta(hours=1))
        await world.event(tx, title="Older", state="submitted", submitted_at=now - timedelta(hours=2))
        await world.event(tx, title="On sale")
    async with db.reading() as reader:
        waiting = await queries.waiting(reader, now=now)
    assert [(event.title, manager.name) for event, manager in waiting.events] == [("Older", "Alice"), ("Younger", "Alice")]
    assert waiting.event_count == 2
    assert not waiting.is_nothing


async def test_long_lists_are_cut_and_their_numbers_are_not(database: db.Database) -> None:
    async with db.writing() as tx:
        for number in range(queries.SHOWN + 2):
            await world.event(tx, title=f"Evening {number}", state="submitted")
    async with db.reading() as reader:
        waiting = await queries.waiting(reader, now=clock.now())
    assert (len(waiting.events), waiting.event_count) == (queries.SHOWN, queries.SHOWN + 2)


async def test_what_failed_waits_too(database: db.Database) -> None:
    await something_failed()
    async with db.reading() as reader:
        waiting = await queries.waiting(reader, now=clock.now())
    assert [notification.email for _delivery, notification in waiting.deliveries] == ["gone@example.com"]
    assert [(refund.amount_minor, booking.reference) for refund, booking in waiting.refunds] == [(1800, "7K2M-9QXD")]
    assert [notice.id for notice in waiting.notices] == ["evt_old"]
    assert (waiting.delivery_count, waiting.refund_count, waiting.notice_count) == (1, 1, 1)


async def test_the_page_shows_all_of_it(client: httpx.AsyncClient, sign_in: SignIn, moment: time_machine.Traveller) -> None:
    await something_failed()
    async with db.writing() as tx:
        dora = await world.dora(tx)
        event = await world.event(tx, title="Waiting <b>Room</b>", slug="waiting-room", state="submitted")
    await sign_in(client, dora)
    shown = (await client.get("/admin")).text
    assert f'href="/admin/events/{event.slug}"' in shown
    assert "Waiting &lt;b&gt;Room&lt;/b&gt;" in shown
    assert "€18.00" in shown
    assert "7K2M-9QXD" in shown
    assert "gone@example.com" in shown
    assert "checkout.session.completed" in shown


async def something_failed() -> None:
    """One delivery and one refund that were given up, one notice that is stuck, and one that is only young."""
    now = clock.now()
    async with db.writing() as tx:
        event = await world.event(tx)
        row = await activity.record(tx, "booking.paid", about="booking:1", by=None)
        told = Notification(
            activity_id=row.id, kind="booking_paid", recipient="mail:gone@example.com", email="gone@example.com", created_at=now
        )
        booking = Booking(
            event_id=event.id,
            reference="7K2M-9QXD",
            state="refunded",
            buyer_key="mail:gone@example.com",
            held_until=now,
            total_minor=1800,
            currency="EUR",
            created_at=now,
        )
        tx.add_all([told, booking])
        await tx.flush()
        tx.add(Delivery(notification_id=told.id, state="failed", created_at=now, next_try_at=now, error="550 no such mailbox"))
        payment = Payment(
            booking_id=booking.id,
            state="captured",
            amount_minor=1800,
            captured_minor=1800,
            currency="EUR",
            created_at=now,
            pay_until=now,
            next_try_at=now,
        )
        tx.add(payment)
        await tx.flush()
        tx.add(
            Refund(payment_id=payment.id, amount_minor=1800, state="failed", reason="called_off", created_at=now, next_try_at=now)
        )
        for name, age in (("evt_old", 11), ("evt_young", 9)):
            received = now - timedelta(minutes=age)
            tx.add(Notice(id=name, kind="checkout.session.completed", received_at=received, next_try_at=now, attempts=3))
