"""What nobody needs any more goes by itself, and not a day too early."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from sqlmodel import SQLModel, select, update

from app.accounts.actions import links, sessions
from app.accounts.models import Challenge, LoginSession, MailedLink, Visitor
from app.accounts.rules import session_hash
from app.bookings import actions as bookings
from app.bookings import waiting
from app.bookings.models import Booking, WaitingEntry
from app.core import clock, jobs
from app.core.activity import Activity
from app.core.db import Database, reading, writing
from app.core.jobs import Job
from app.core.settings import settings, use
from app.notifications.models import Delivery, Notification
from app.payments.models import Notice, ReturnNote
from app.privacy import flows, queries
from app.privacy.actions import forgetting
from app.privacy.models import KeptName
from app.sandbox.app import Sandbox
from app.tickets.models import Refusal
from app.worker import SCHEDULE
from tests import invariants, world
from tests.notifications.scenes import bought, bought_by_guest, happened, held
from tests.payments.refund_story import an_event, returned, valid_tickets
from tests.payments.refund_story import paid as settled
from tests.payments.story import paid
from tests.privacy.canary import found_in_tables
from tests.tickets.doors import evening

ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
Scene = Callable[[], Awaitable[type[SQLModel]]]


async def an_ended_session() -> type[SQLModel]:
    async with writing() as tx:
        session_id = await sessions.log_in(tx, await world.bob(tx), device="Firefox", now=clock.now())
        await sessions.log_out(tx, session_hash(session_id), now=clock.now())
    return LoginSession


async def a_used_link() -> type[SQLModel]:
    async with writing() as tx:
        link = await links.new_link(tx, "register", "bob@example.com", now=clock.now(), language="en")
        await links.use_link(tx, "register", link.id, now=clock.now())
    return MailedLink


async def a_challenge() -> type[SQLModel]:
    async with writing() as tx:
        tx.add(Challenge(kind="oidc", expires_at=clock.now()))
    return Challenge


async def a_mail() -> type[SQLModel]:
    async with writing() as tx:
        bob = await world.bob(tx)
    await happened("account.password_changed", f"user:{bob.id}")
    async with writing() as tx:
        await tx.exec(update(Delivery).values(state="sent"))
    return Notification


async def a_notice() -> type[SQLModel]:
    now = clock.now()
    async with writing() as tx:
        tx.add(Notice(id="evt_1", kind="charge.succeeded", received_at=now, done_at=now, next_try_at=now))
    return Notice


async def a_job() -> type[SQLModel]:
    async with writing() as tx:
        alice = (await world.alice(tx)).id or 0
        job = await jobs.start(tx, "listing", about="event:1", by=alice, title="Attendees", wish={}, total=1)
        job.state, job.ended_at = "done", clock.now()
    return Job


async def a_wait() -> type[SQLModel]:
    now = clock.now()
    async with writing() as tx:
        event = await world.event(tx, capacity=1)
        kind = await world.only_type(tx, event)
        await bookings.hold(tx, event, {kind.id or 0: 1}, by=Visitor(key="first"), now=now)
        entry = await waiting.join(tx, event.slug, kind.code, email="carol@example.com", qty=1, by=Visitor(), now=now)
        await waiting.leave(tx, entry, now=now)
    return WaitingEntry


async def a_refused_scan() -> type[SQLModel]:
    await (await evening()).scan("hello")
    return Refusal


@pytest.mark.asvs("V14.2.7", "V14.2.4")
@pytest.mark.parametrize(
    ("scene", "days"),
    [
        (a_wait, 30),
        (a_refused_scan, 30),
        (an_ended_session, 90),
        (a_used_link, 90),
        (a_challenge, 1),
        (a_mail, 400),
        (a_notice, 400),
        (a_job, 90),
    ],
)
@ON_SQLITE
async def test_rows_go_when_their_time_is_over(
    database: Database, moment: time_machine.Traveller, scene: Scene, days: int
) -> None:
    table = await scene()
    for shift, left in ((timedelta(days=days, hours=-1), 1), (timedelta(hours=2), 0)):
        moment.shift(shift)
        await flows.forget()
        async with reading() as db:
            assert len((await db.exec(select(table))).all()) == left
    async with reading() as db:
        assert (await db.exec(select(Delivery))).all() == []


@ON_SQLITE
async def test_a_session_that_nobody_ended_goes_too(database: Database, moment: time_machine.Traveller) -> None:
    async with writing() as tx:
        await sessions.log_in(tx, await world.bob(tx), device="Firefox", now=clock.now())
    moment.shift(timedelta(days=121))
    await flows.forget()
    async with reading() as db:
        assert (await db.exec(select(LoginSession))).all() == []


@ON_SQLITE
async def test_a_mail_that_still_waits_stays(database: Database, moment: time_machine.Traveller) -> None:
    await a_mail()
    async with writing() as tx:
        await tx.exec(update(Delivery).values(state="queued"))
    moment.shift(timedelta(days=401))
    await flows.forget()
    async with reading() as db:
        assert len((await db.exec(select(Notification))).all()) == 1


async def email_of(booking: Booking) -> str:
    async with reading() as db:
        assert await invariants.broken(db) == []
        return (await db.get_one(Booking, booking.id)).email


async def test_a_booking_that_came_to_nothing_forgets_its_buyer(database: Database, moment: time_machine.Traveller) -> None:
    async with writing() as tx:
        bob, event = await world.bob(tx), await world.event(tx, starts_at=clock.now() + timedelta(days=90))
    booking = await held(event, bob)
    async with writing() as tx:
        fresh = await tx.get_one(Booking, booking.id)
        by = Visitor(bob.id, bob.email, bob.name, bob.role)
        await bookings.fill_in(tx, fresh, event, email="bob@example.com", name="Bob", by=by)
        await bookings.release(tx, fresh, now=clock.now())
    moment.shift(timedelta(days=29))
    await flows.forget()
    assert await email_of(booking) == "bob@example.com"
    moment.shift(timedelta(days=2))
    await flows.forget()
    assert await email_of(booking) == ""
    async with reading() as db:
        assert "buyer_limits.buyer_key" not in await found_in_tables(db, "bob@example.com")


@ON_SQLITE
async def test_free_tickets_of_a_guest_are_forgotten_some_time_after_the_evening(
    database: Database, moment: time_machine.Traveller
) -> None:
    async with writing() as tx:
        bob, event = await world.bob(tx), await world.event(tx, price_minor=0)
    guests, bobs = await bought_by_guest(event, "guest@example.com"), await bought(event, bob)
    moment.move_to(event.ends_at + timedelta(days=399))
    await flows.forget()
    assert await email_of(guests) == "guest@example.com"
    moment.shift(timedelta(days=2))
    await flows.forget()
    assert await email_of(guests) == ""
    assert await email_of(bobs) == "bob@example.com", "an account keeps its history"


@ON_SQLITE
async def test_paid_bookings_are_kept_as_long_as_the_books(fake: Sandbox, moment: time_machine.Traveller) -> None:
    booking = await paid(fake)
    moment.move_to("2036-12-31T12:00:00+00:00")
    await flows.forget()
    assert await email_of(booking) == "bob@example.com"
    moment.move_to("2037-01-01T12:00:00+00:00")
    await flows.forget()
    assert await email_of(booking) == ""


@ON_SQLITE
async def test_the_name_on_a_receipt_goes_with_the_books(fake: Sandbox, moment: time_machine.Traveller) -> None:
    booking = await paid(fake)
    use(replace(settings(), accounting_years=2))
    moment.shift(timedelta(days=60))
    await flows.erase_address("bob@example.com")
    async with reading() as db:
        assert await queries.kept_name(db, booking.id or 0) == "Bob Buyer"
    moment.move_to("2028-12-31T12:00:00+00:00")
    await flows.forget()
    async with reading() as db:
        assert len((await db.exec(select(KeptName))).all()) == 1
    moment.move_to("2029-01-01T12:00:00+00:00")
    await flows.forget()
    async with reading() as db:
        assert (await db.exec(select(KeptName))).all() == []


@ON_SQLITE
async def test_many_are_done_in_batches(
    database: Database, moment: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "MOST", 2)
    for _time in range(3):
        await a_used_link()
    moment.shift(timedelta(days=91))
    assert [await flows.forget(), await flows.forget()] == [True, False]


def test_the_worker_does_it() -> None:
    names = {sweep.name for sweep in SCHEDULE}
    assert {"privacy.forget", "privacy.reconcile", "privacy.build_exports", "privacy.remove_strays"} <= names


# ---------- who may read a name that is kept ----------


@pytest.mark.asvs("V14.2.4")
async def test_only_an_admin_reads_the_name_on_a_receipt_of_somebody_who_was_erased(
    client: httpx.AsyncClient, sign_in: Any, moment: time_machine.Traveller
) -> None:
    booking = await settled(await an_event())
    moment.shift(timedelta(days=60))
    await flows.erase_address("bob@example.com")
    path = f"/bookings/{booking.code}/receipts/{booking.reference}-P1"
    assert "Bob Buyer" not in (await client.get(path)).text, "whoever has the old link"
    for name, reads in (("alice", False), ("dora", True)):
        async with writing() as tx:
            user = await getattr(world, name)(tx)
        await sign_in(client, user)
        answer = await client.get(path)
        assert answer.status_code == 200
        assert ("Bob Buyer" in answer.text) is reads, name


@pytest.mark.asvs("V14.1.2")
async def test_the_periods_stand_on_the_pages(client: httpx.AsyncClient, sign_in: Any) -> None:
    use(replace(settings(), retention_days=123, accounting_years=7))
    public = (await client.get("/privacy")).text
    async with writing() as tx:
        bob = await world.bob(tx)
    await sign_in(client, bob)
    own = (await client.get("/me/data")).text
    for page in (public, own):
        assert "123 days" in page
        assert "7 full years" in page
        assert "90 days" in page
    assert 'href="/privacy"' in own


@ON_SQLITE
async def test_what_is_said_about_tickets_given_back_is_not_in_the_activity(database: Database) -> None:
    booking = await settled(await an_event())
    await returned(booking, await valid_tickets(booking))
    async with reading() as db:
        found = (await db.exec(select(Activity).where(Activity.kind == "booking.tickets_returned"))).one()
        assert [note.words for note in (await db.exec(select(ReturnNote))).all()] == ["The singer is ill."]
    assert "singer" not in str(found.details)
