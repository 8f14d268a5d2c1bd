"""Erasing a person: nothing names or reaches them afterwards, and the books still hold."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select, update

from app.accounts.models import User, Visitor
from app.bookings import actions as bookings
from app.bookings.models import Booking, BuyerLimit
from app.core import clock, jobs
from app.core.activity import Activity
from app.core.db import Database, disconnect, reading, writing
from app.core.errors import Refused
from app.core.settings import settings
from app.events.models import Event, Favourite
from app.notifications.actions import tell
from app.notifications.models import Notification
from app.payments.models import Payment, Refund
from app.privacy import flows, ledger, queries, rules
from app.privacy.actions import erasing
from app.privacy.models import KeptName
from app.sandbox.app import Sandbox
from app.tables import metadata
from tests import invariants, world
from tests.notifications.scenes import bought, bought_by_guest, held
from tests.privacy import canary
from tests.privacy.canary import CANARY, EMAIL, LEGAL, found_everywhere, found_in_files, found_in_tables, lives_here

ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


class Undo(Exception):
    """Takes a writing block back."""


async def sound() -> None:
    async with reading() as db:
        assert await invariants.broken(db) == []


# ---------- everything, and nothing left ----------


@pytest.mark.asvs("V14.2.4")
async def test_nothing_is_left_but_the_name_on_paid_receipts(
    fake: Sandbox, database: Database, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    user = await lives_here(fake)
    before = await found_everywhere()
    assert len(before) > 15, before
    await flows.erase_account(user.id or 0)
    assert await found_everywhere() == LEGAL
    await sound()
    out, err = capfd.readouterr()
    assert CANARY not in (out + err + caplog.text).lower()


@ON_SQLITE
@pytest.mark.parametrize(("secure_delete", "left"), [("on", set()), ("off", {"test.db"})])
async def test_the_file_of_the_database_does_not_remember(fake: Sandbox, secure_delete: str, left: set[str]) -> None:
    """Its free pages, and the log beside it. The second case is the negative control."""
    async with writing() as tx:
        await (await tx.connection()).exec_driver_sql(f"PRAGMA secure_delete={secure_delete}")
    user = await lives_here(fake)
    await flows.erase_account(user.id or 0)
    async with writing() as tx:
        await tx.exec(update(KeptName).values(name="Nobody"))
    await disconnect()
    assert found_in_files(settings().data) == left


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_every_step_is_needed(fake: Sandbox, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: whichever step is left out, the search finds what it would have taken."""
    user = await lives_here(fake)
    all_steps, left = erasing.STEPS, dict[str, set[str]]()
    async with reading() as db:
        lists = await jobs.files(db)
    for step in all_steps:
        monkeypatch.setattr(erasing, "STEPS", tuple(other for other in all_steps if other is not step))
        with pytest.raises(Undo):
            async with writing() as tx:
                person = await queries.person_of_user(tx, user.id or 0, now=clock.now())
                await erasing.erase(tx, person, origin="person", by=user.id, now=clock.now())
                likes = (await tx.exec(select(Favourite))).all()
                files = {"a copy"} if await queries.export_files(tx) else set()
                files |= {"a list"} if await jobs.files(tx) & lists else set()
                left[step.__name__] = (await found_in_tables(tx) - LEGAL) | files | ({"favourites"} if likes else set())
                raise Undo
    assert {name for name, found in left.items() if not found} == set(), left
    assert (left["_forget_exports"], left["_forget_files"]) == ({"a copy"}, {"a list"})
    assert {"users.email"} & set().union(*left.values()) == set()


def test_every_table_has_a_treatment() -> None:
    """Whoever adds a table says what an erasure does to it."""
    assert set(rules.TREATMENT) == set(metadata.tables)


@pytest.mark.asvs("V14.1.1", "V14.1.2")
def test_every_table_that_points_to_an_account_is_taken_care_of() -> None:
    pointing = {
        table.name
        for table in metadata.sorted_tables
        for key in table.foreign_keys
        if key.target_fullname == "users.id" and key.parent.name == "user_id"
    }
    assert {name for name in pointing if rules.TREATMENT[name] == "none"} == set()


@ON_SQLITE
async def test_what_the_books_need_stays(fake: Sandbox) -> None:
    user = await lives_here(fake)
    async with reading() as db:
        before = [(row.total_minor, row.kept_minor, row.paid_at, row.state) for row in (await db.exec(select(Booking))).all()]
        money = [(row.captured_minor, row.reserved_minor) for row in (await db.exec(select(Payment))).all()]
        back = [(row.amount_minor, row.reason, row.ended_at) for row in (await db.exec(select(Refund))).all()]
        log = [(row.kind, row.details, row.about) for row in (await db.exec(select(Activity))).all()]
    await flows.erase_account(user.id or 0)
    async with reading() as db:
        assert before == [(r.total_minor, r.kept_minor, r.paid_at, r.state) for r in (await db.exec(select(Booking))).all()]
        assert money == [(row.captured_minor, row.reserved_minor) for row in (await db.exec(select(Payment))).all()]
        assert back == [(row.amount_minor, row.reason, row.ended_at) for row in (await db.exec(select(Refund))).all()]
        after = [(row.kind, row.details, row.about) for row in (await db.exec(select(Activity))).all()]
        kept = (await db.exec(select(KeptName))).all()
    # Whoever is erased leaves the lines they waited in, and the log says that too.
    assert after[: len(log)] == log
    assert after[-1][0] == "account.erased"
    assert {row.name for row in kept} == {canary.NAME}
    assert {row.until for row in kept} == {rules.kept_until(clock.now())}
    assert len(kept) == 2, "the two bookings that were paid with money"


@ON_SQLITE
async def test_the_account_is_closed_for_ever(fake: Sandbox) -> None:
    user = await lives_here(fake)
    await flows.erase_account(user.id or 0)
    async with writing() as tx:
        row = await tx.get_one(User, user.id)
        assert (row.name, row.password_hash, row.role, row.is_disabled) == ("", "", "user", True)
        assert row.email.endswith("@erased.invalid")
        news = Activity(id=1, kind="account.password_changed", about=f"user:{user.id}", at=clock.now())
        await tell(tx, news)
        told = (await tx.exec(select(Notification).where(Notification.user_id == user.id))).all()
    assert told == [], "nobody is told any more"


@ON_SQLITE
async def test_others_keep_what_is_theirs(database: Database) -> None:
    async with writing() as tx:
        bob, carol = await world.bob(tx), await world.carol(tx)
        event = await world.event(tx, price_minor=0)
    bobs, carols = await bought(event, bob), await bought(event, carol)
    await bought_by_guest(event, "guest@example.com")
    await over(event)
    await flows.erase_account(bob.id or 0)
    async with reading() as db:
        assert (await db.get_one(Booking, carols.id)).email == "carol@example.com"
        assert (await db.get_one(Booking, bobs.id)).email == ""
        assert (await db.get_one(User, carol.id)).name == "Carol"
        assert len((await db.exec(select(Booking).where(Booking.email == "guest@example.com"))).all()) == 1
    await sound()


async def test_two_who_share_a_limit_are_told_apart(database: Database) -> None:
    """A guest's booking and an account's can count under one key; only one of the two is erased here."""
    async with writing() as tx:
        bob = await world.bob(tx)
        event = await world.event(tx, price_minor=0)
    mine = await bought(event, bob)
    theirs = await bought_by_guest(event, "carol@example.com")
    async with writing() as tx:
        shared = "mail:carol@example.com"
        await tx.exec(update(Booking).where(col(Booking.id) == mine.id).values(buyer_key=shared))
        await tx.exec(update(BuyerLimit).where(col(BuyerLimit.buyer_key) == shared).values(qty=3))
        await tx.exec(update(BuyerLimit).where(col(BuyerLimit.buyer_key) != shared).values(qty=0))
    await over(event)
    await flows.erase_account(bob.id or 0)
    await sound()
    async with reading() as db:
        counts = {row.buyer_key: row.qty for row in (await db.exec(select(BuyerLimit).where(BuyerLimit.qty > 0))).all()}
        keys = {row.id: row.buyer_key for row in (await db.exec(select(Booking))).all()}
    assert counts == {keys[mine.id]: 2, keys[theirs.id]: 1}
    assert "carol" not in keys[mine.id]


async def over(event: Event) -> None:
    async with writing() as tx:
        ago = clock.now() - timedelta(days=2)
        await tx.exec(update(Event).where(col(Event.id) == event.id).values(starts_at=ago, ends_at=ago + timedelta(hours=3)))


# ---------- not while something is live ----------


async def refused(user: User) -> str:
    with pytest.raises(Refused) as refusal:
        await flows.erase_account(user.id or 0)
    assert ledger.read() == []
    return refusal.value.sentence


async def test_nobody_is_erased_while_places_are_held(database: Database) -> None:
    async with writing() as tx:
        bob, event = await world.bob(tx), await world.event(tx)
    booking = await held(event, bob)
    assert "held" in await refused(bob)
    async with writing() as tx:
        await bookings.release(tx, booking, now=clock.now())
    await flows.erase_account(bob.id or 0)
    await sound()


async def test_nobody_is_erased_before_their_evening(database: Database) -> None:
    async with writing() as tx:
        bob, event = await world.bob(tx), await world.event(tx, price_minor=0)
    await bought(event, bob)
    assert "tickets" in await refused(bob)
    await over(event)
    await flows.erase_account(bob.id or 0)


@pytest.mark.parametrize(
    ("change", "word"),
    [({"state": "requested"}, "on its way"), ({"state": "pending"}, "on its way"), ({"dispute": "open"}, "disputes")],
)
@ON_SQLITE
async def test_nobody_is_erased_while_money_moves(fake: Sandbox, change: dict[str, str], word: str) -> None:
    user = await lives_here(fake)
    table: Any = Payment if "dispute" in change else Refund
    async with writing() as tx:
        await tx.exec(update(table).values(**change))
    assert word in await refused(user)


@ON_SQLITE
async def test_nobody_is_erased_who_is_owed_money(fake: Sandbox) -> None:
    user = await lives_here(fake)
    async with writing() as tx:
        await tx.exec(update(Booking).where(col(Booking.kept_minor) > 0).values(kept_minor=0))
    assert "on its way" in await refused(user)


@ON_SQLITE
async def test_the_last_admin_stays(database: Database) -> None:
    async with writing() as tx:
        dora = await world.dora(tx)
    assert "only admin" in await refused(dora)
    async with writing() as tx:
        await world.person(tx, "Erin", role="admin")
    await flows.erase_account(dora.id or 0)


@ON_SQLITE
async def test_a_manager_stays_until_the_last_event_is_over(database: Database) -> None:
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx)
    assert "ahead" in await refused(alice)
    await over(event)
    await flows.erase_account(alice.id or 0)


# ---------- guests, by the operator ----------


async def test_a_guest_is_erased_by_address(database: Database) -> None:
    async with writing() as tx:
        event = await world.event(tx, price_minor=0)
    booking = await bought_by_guest(event, EMAIL)
    await over(event)
    async with reading() as db:
        assert await found_in_tables(db)
    await flows.erase_address(f" {EMAIL.upper()}")
    async with reading() as db:
        assert await found_in_tables(db) == set()
        assert (await db.get_one(Booking, booking.id)).state == "paid"
    await sound()
    assert CANARY not in ledger.path().read_text()


@ON_SQLITE
async def test_a_stranger_who_typed_my_address_does_not_take_me_along(database: Database) -> None:
    """Bob asks for a change to Carol's address, never proves it, and has himself erased."""
    from app.accounts.actions import details

    async with writing() as tx:
        bob, event = await world.bob(tx), await world.event(tx, price_minor=0)
        await details.ask_email_change(tx, bob, "carol@example.com", by=bob.id or 0, now=clock.now())
    booking = await bought_by_guest(event, "carol@example.com")
    await flows.erase_account(bob.id or 0)
    async with reading() as db:
        assert (await db.get_one(Booking, booking.id)).email == "carol@example.com"


@ON_SQLITE
async def test_what_a_browser_holds_without_a_name_is_nobodys(database: Database) -> None:
    async with writing() as tx:
        event = await world.event(tx)
        kind = await world.only_type(tx, event)
        await bookings.hold(tx, event, {kind.id or 0: 1}, by=Visitor(key="a-browser"), now=clock.now())
    async with reading() as db:
        assert not await queries.is_known(db, await queries.person(db, EMAIL, now=clock.now()))
