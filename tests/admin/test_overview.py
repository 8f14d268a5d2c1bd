"""What waits for an admin: proposals first, then what the shop could not do by itself."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import time_machine
from sqlalchemy import update
from sqlmodel import col, select

from app.accounts.actions import applications
from app.accounts.models import User
from app.admin import queries, queues
from app.bookings.models import Booking
from app.core import activity, alarms, clock, db, jobs
from app.core.jobs import Job
from app.core.templates import ROOT
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
        [queue] = await queues.waiting(reader, now=now)
    assert [(event.title, manager.name) for event, manager in waiting.events] == [("Older", "Alice"), ("Younger", "Alice")]
    assert (queue.name, queue.count, queue.waited(now)) == ("events", 2, timedelta(hours=2))


async def test_long_lists_are_cut_and_their_numbers_are_not(database: db.Database) -> None:
    async with db.writing() as tx:
        for number in range(queries.SHOWN + 2):
            await world.event(tx, title=f"Evening {number}", state="submitted")
    async with db.reading() as reader:
        waiting = await queries.waiting(reader, now=clock.now())
        [queue] = await queues.waiting(reader, now=clock.now())
    assert (len(waiting.events), queue.count) == (queries.SHOWN, queries.SHOWN + 2)


async def test_what_failed_waits_too(database: db.Database) -> None:
    await something_failed()
    async with db.reading() as reader:
        waiting = await queries.waiting(reader, now=clock.now())
        found = await queues.waiting(reader, now=clock.now())
    assert [notification.email for _delivery, notification in waiting.deliveries] == ["gone@example.com"]
    assert [(refund.amount_minor, booking.reference) for refund, booking, _event in waiting.refunds] == [(1800, "7K2M-9QXD")]
    assert [notice.id for notice in waiting.notices] == ["evt_old"]
    assert {queue.name: queue.count for queue in found} == {"mails": 1, "refunds": 1, "notices": 1}


async def test_the_longest_wait_stands_first_and_leads_to_where_it_ends(
    client: httpx.AsyncClient, sign_in: SignIn, moment: time_machine.Traveller
) -> None:
    async with db.writing() as tx:
        dora, erin = await world.dora(tx), await world.person(tx, "Erin")
        await world.event(tx, state="submitted", submitted_at=clock.now() - timedelta(hours=5))
        long_ago = clock.now() - timedelta(days=3)
        await applications.apply(tx, erin, organisation="Club Erin", website="", why="Jazz.", now=long_ago)
    await sign_in(client, dora)
    shown = (await client.get("/admin")).text
    assert shown.index("the oldest waits for 3 days") < shown.index("the oldest waits for 5 hours")
    for path in ("/admin/managers", "/admin/events"):
        assert f'<a class="btn btn--small" href="{path}">' in shown


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


async def test_long_jobs_wait_and_a_failed_one_is_begun_again(
    client: httpx.AsyncClient, sign_in: SignIn, moment: time_machine.Traveller
) -> None:
    async with db.writing() as tx:
        dora, alice = await world.dora(tx), await world.alice(tx)
        given: dict[str, Any] = {"about": "event:1", "by": alice.id or 0, "wish": {}, "total": 500}
        for title in ("At work", "Given up", "Forgotten", "Done"):
            await jobs.start(tx, "people.listed", title=title, **given)
    now = clock.now()
    ended = {"Given up": ("failed", now), "Forgotten": ("failed", now - timedelta(days=8)), "Done": ("done", now)}
    async with db.writing() as tx:
        for title, (state, at) in ended.items():
            await tx.exec(
                update(Job).where(col(Job.sentence) == title).values(state=state, ended_at=at, error="OSError: disk full")
            )
    await sign_in(client, dora)
    shown = (await client.get("/admin")).text
    assert shown.index("Given up") < shown.index("At work")
    assert "OSError: disk full" in shown
    assert "Forgotten" not in shown
    assert "<strong>Done" not in shown
    async with db.reading() as reader:
        assert {queue.name: queue.count for queue in await queues.waiting(reader, now=now)} == {"failed_jobs": 1, "jobs": 1}
    [again] = re.findall(r'action="(/manager/jobs/[^"]+/again)"', shown)
    await client.post(again)
    shown = (await client.get("/admin")).text
    assert "/again" not in shown
    async with db.reading() as reader:
        assert {queue.name: queue.count for queue in await queues.waiting(reader, now=now)} == {"jobs": 2}


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


# ---------- alarms ----------

KINDS = (
    "invariant",
    "orphan",
    "dispute",
    "refund_stuck",
    "amount_differs",
    "unknown_session",
    "bad_signatures",
    "ledger",
    "stripe_down",
    "refund_unknown",
    "job_failed",
    "refunds_unusual",
)


async def test_an_alarm_says_what_it_means_and_leads_to_its_booking(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    await something_failed()
    async with db.writing() as tx:
        dora = await world.dora(tx)
        booking = (await tx.exec(select(Booking))).one()
        await alarms.sound(tx, "dispute", about="payment:x", booking=booking.id)
        await alarms.sound(tx, "dispute", about="payment:x", booking=booking.id)
        await alarms.sound(tx, "amount_differs", about=f"booking:{booking.id}")
        await alarms.sound(tx, "orphan", about="cs_live_1", booking="of another shop")
    await sign_in(client, dora)
    shown = (await client.get("/admin")).text
    assert "A buyer’s bank asks for the money back." in shown
    assert "2 times" in shown
    assert shown.count(f'href="/bookings/{booking.code}"') == 2
    assert "A payment at Stripe has no booking here." in shown


async def test_every_kind_of_alarm_has_a_sentence(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    async with db.writing() as tx:
        dora = await world.dora(tx)
        for kind in KINDS:
            await alarms.sound(tx, kind, about="it")
    await sign_in(client, dora)
    shown = (await client.get("/admin")).text
    assert [kind for kind in KINDS if f"<strong>{kind}</strong>" in shown] == []
    assert shown.count("Settled") == len(KINDS)


def test_every_kind_that_sounds_is_known_here() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "app").rglob("*.py"))
    sounded = set(re.findall(r"alarms\.(?:sound|calm)\(\s*tx,\s*\"(\w+)\"", sources))
    assert "invariant" in sounded
    assert sounded - set(KINDS) == set()


async def test_who_has_seen_to_an_alarm_settles_it_once(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    async with db.writing() as tx:
        dora = await world.dora(tx)
        await alarms.sound(tx, "stripe_down", about="stripe")
        number = (await alarms.open_ones(tx))[0].id
    await sign_in(client, dora)
    assert (await client.post(f"/admin/alarms/{number}/settle")).headers["location"] == "/admin"
    async with db.reading() as reader:
        assert await alarms.open_ones(reader) == []
        assert (await reader.exec(select(alarms.Alarm.settled_by_user_id))).one() == dora.id
        assert (await reader.exec(select(activity.Activity.by_user_id).where(activity.Activity.kind == "alarm.settled"))).one()
    assert (await client.post(f"/admin/alarms/{number}/settle")).status_code == 404
