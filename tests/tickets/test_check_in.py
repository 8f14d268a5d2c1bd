"""Checking in: one scan lets one person in, and everything else is told apart."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import update
from sqlmodel import col, select

import app.tickets.actions as acting
from app.admin import invariants
from app.core import clock
from app.core.activity import Activity
from app.core.db import Database, changed, reading, writing
from app.core.errors import Refused
from app.events.models import Event
from app.tickets import queries
from app.tickets.models import CheckIn, Ticket
from app.tickets.rules import named_shortly, read
from tests.tickets.doors import evening


async def test_a_valid_ticket_is_admitted_once(database: Database) -> None:
    tonight = await evening()
    first = await tonight.scan(tonight.codes[0], gate="Main door")
    assert (first.word, first.holder, first.entry) == ("admit", "Ada Bianchi", "Standard")
    again = await tonight.scan(tonight.codes[0], gate="Balcony")
    assert (again.word, again.gate, again.by, again.at) == ("again", "Main door", "Erin", first.at)
    assert await tonight.inside() == (1, 2)
    assert await invariants.broken() == []


@pytest.mark.parametrize("how", ["address", "code", "short code", "without its line", "in small letters"])
async def test_a_ticket_is_known_however_its_code_arrives(sqlite_database: Database, how: str) -> None:
    tonight = await evening()
    code, short = tonight.codes[0], (await tonight.ticket(tonight.codes[0])).short_code
    typed = {
        "address": f" https://tickets.example.org/tickets/{code}#sig ",
        "code": code,
        "short code": short,
        "without its line": short.replace("-", ""),
        "in small letters": short.lower(),
    }
    assert (await tonight.scan(typed[how])).word == "admit"


async def test_tickets_that_do_not_open_this_door_say_why(database: Database) -> None:
    tonight, other = await evening(), await evening(title="Late Show")
    assert (await tonight.scan(other.codes[0])).word == "other_event"
    assert (await tonight.scan(other.codes[0])).title == "Late Show"
    assert (await tonight.scan("x" * 22)).word == "unknown"
    assert (await tonight.scan("hello")).word == "unknown"
    await voided(tonight.codes[1])
    assert (await tonight.scan(tonight.codes[1])).word == "void"
    assert await tonight.inside() == (0, 1)


async def test_a_void_ticket_is_called_void_and_not_used(database: Database) -> None:
    """Validity comes before use: who was in and gave the ticket back is not let in again."""
    tonight = await evening()
    await tonight.scan(tonight.codes[0])
    await voided(tonight.codes[0])
    assert (await tonight.scan(tonight.codes[0])).word == "void"


async def test_whoever_has_not_paid_is_told_apart_from_a_stranger(sqlite_database: Database) -> None:
    from app.accounts.models import Visitor
    from app.bookings import actions as bookings
    from tests import world

    tonight = await evening()
    async with writing() as tx:
        kind = await world.only_type(tx, tonight.event)
        booking = await bookings.hold(tx, tonight.event, {kind.id or 0: 1}, by=Visitor(key="late"), now=clock.now())
    assert (await tonight.scan(booking.reference)).word == "unpaid"


async def test_after_the_event_and_after_it_was_called_off_nobody_gets_in(
    database: Database, moment: time_machine.Traveller
) -> None:
    tonight = await evening(ends_at=clock.now() + timedelta(hours=3), starts_at=clock.now())
    moment.shift(timedelta(hours=4, minutes=59))
    assert (await tonight.scan(tonight.codes[0])).word == "admit"
    moment.shift(timedelta(minutes=1))
    assert (await tonight.scan(tonight.codes[1])).word == "over"
    async with writing() as tx:
        await tx.exec(update(Event).where(col(Event.id) == tonight.event.id).values(state="called_off"))
    assert (await tonight.scan(tonight.codes[1])).word == "called_off"


async def test_people_go_out_and_back_in_where_the_event_lets_them(database: Database) -> None:
    tonight = await evening()
    await tonight.scan(tonight.codes[0])
    assert (await tonight.scan(tonight.codes[0], way="out")).word == "no_exit"
    async with writing() as tx:
        await acting.let_out(tx, tonight.event, may=True, by=tonight.alice)
    assert (await tonight.scan(tonight.codes[0], way="out")).word == "out"
    assert (await tonight.scan(tonight.codes[0], way="out")).word == "left"
    assert await tonight.inside() == (0, 2)
    assert (await tonight.scan(tonight.codes[0])).word == "admit"
    assert (await tonight.scan(tonight.codes[0])).word == "again"
    assert await invariants.broken() == []


async def test_sending_the_same_scan_twice_admits_once_and_says_so_twice(
    database: Database, moment: time_machine.Traveller
) -> None:
    tonight = await evening()
    assert (await tonight.scan(tonight.codes[0], nonce="a" * 32)).word == "admit"
    assert (await tonight.scan(tonight.codes[0], nonce="a" * 32)).word == "admit"
    # A page of before, from the history of the browser: another guest, and later the same ticket in another hand.
    assert (await tonight.scan(tonight.codes[1], nonce="a" * 32)).word == "admit"
    moment.shift(timedelta(minutes=2))
    assert (await tonight.scan(tonight.codes[0], nonce="a" * 32)).word == "again"
    assert await rows() == Counter({"in": 2})


async def test_every_check_in_is_written_down(database: Database) -> None:
    tonight = await evening()
    verdict = await tonight.scan(tonight.codes[0])
    await tonight.undo(verdict.scan)
    async with reading() as db:
        kinds = (await db.exec(select(Activity.kind).where(Activity.by_user_id == tonight.erin).order_by(col(Activity.id)))).all()
    assert list(kinds) == ["ticket.checked_in", "ticket.undone"]


# ---------- undoing ----------


async def test_a_scan_is_undone_and_the_ticket_opens_the_door_again(database: Database) -> None:
    tonight = await evening()
    scan = (await tonight.scan(tonight.codes[0])).scan
    assert (await tonight.undo(scan)).word == "undone"
    assert await tonight.inside() == (0, 2)
    with pytest.raises(Refused):
        await tonight.undo(scan)
    assert (await tonight.scan(tonight.codes[0])).word == "admit"
    assert await invariants.broken() == []


async def test_helpers_undo_their_own_scans_for_ten_minutes_and_managers_any(
    database: Database, moment: time_machine.Traveller
) -> None:
    tonight = await evening()
    scan = (await tonight.scan(tonight.codes[0])).scan
    with pytest.raises(Refused):
        await tonight.undo(scan, by=tonight.alice)
    moment.shift(timedelta(minutes=10, seconds=1))
    with pytest.raises(Refused):
        await tonight.undo(scan)
    assert (await tonight.undo(scan, by=tonight.alice, any_of=True)).word == "undone"


async def test_there_is_nothing_to_undo_where_nothing_was_scanned(sqlite_database: Database) -> None:
    tonight = await evening()
    with pytest.raises(Refused, match="nothing to undo"):
        await tonight.undo("x" * 22)


async def test_a_ticket_that_became_void_between_the_look_and_the_guard_is_void(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    tonight, look = await evening(), queries.at_door

    async def too_early(tx: Any, event: Event, scanned: Any) -> Any:
        seen = await look(tx, event, scanned)
        await changed(tx, update(Ticket).where(col(Ticket.code) == tonight.codes[0]).values(state="void", voided_at=clock.now()))
        return seen

    monkeypatch.setattr(queries, "at_door", too_early)
    assert (await tonight.scan(tonight.codes[0])).word == "void"
    assert await tonight.inside() == (0, 1)


async def test_the_same_scan_on_two_ways_at_once_is_one(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second looks for the first before that is kept, and finds it only after the guard."""
    tonight, look, looks = await evening(), queries.by_nonce, Counter[str]()
    first = await tonight.scan(tonight.codes[0], nonce="e" * 32)

    async def too_early(tx: Any, nonce: str, *, ticket_id: int) -> CheckIn | None:
        looks[nonce] += 1
        return None if looks[nonce] == 1 else await look(tx, nonce, ticket_id=ticket_id)

    monkeypatch.setattr(queries, "by_nonce", too_early)
    again = await tonight.scan(tonight.codes[0], nonce="e" * 32)
    assert (again.word, again.scan) == ("admit", first.scan)
    assert await tonight.inside() == (1, 2)


async def test_a_gate_is_taken_away_once_and_its_check_ins_keep_its_name(sqlite_database: Database) -> None:
    tonight = await evening()
    async with writing() as tx:
        await acting.add_gate(tx, tonight.event, "Garden", by=tonight.alice)
    await tonight.scan(tonight.codes[0], gate="Garden")
    async with reading() as db:
        [gate] = await queries.gates(db, tonight.event.id or 0)
    async with writing() as tx:
        assert await acting.remove_gate(tx, tonight.event, gate.code, by=tonight.alice)
        assert not await acting.remove_gate(tx, tonight.event, gate.code, by=tonight.alice)
    assert (await tonight.scan(tonight.codes[0])).gate == "Garden"


async def test_letting_people_out_is_written_down_when_it_changes(sqlite_database: Database) -> None:
    tonight = await evening()
    for _time in range(2):
        async with writing() as tx:
            await acting.let_out(tx, tonight.event, may=True, by=tonight.alice)
    async with reading() as db:
        noted = (await db.exec(select(Activity).where(Activity.kind == "event.exit_changed"))).all()
    assert [activity.details["may"] for activity in noted] == [True]


async def test_a_scan_is_not_undone_from_under_a_later_one(database: Database) -> None:
    tonight = await evening(has_exit=True)
    first = (await tonight.scan(tonight.codes[0])).scan
    await tonight.scan(tonight.codes[0], way="out")
    await tonight.scan(tonight.codes[0])
    with pytest.raises(Refused):
        await tonight.undo(first)
    assert await invariants.broken() == []


# ---------- devices that were offline ----------


async def test_what_was_admitted_offline_counts_and_sending_it_again_changes_nothing(
    database: Database, moment: time_machine.Traveller
) -> None:
    tonight = await evening()
    at = clock.now()
    moment.shift(timedelta(minutes=40))
    for _time in range(2):
        assert (await tonight.scan(tonight.codes[0], at=at, nonce="b" * 32)).word == "admit"
    assert await rows() == Counter({"in": 1})
    async with reading() as db:
        row = (await db.exec(select(CheckIn))).one()
    assert (row.source, row.at, row.noted_at) == ("offline", at, clock.now())


async def test_a_ticket_used_twice_offline_is_a_conflict_that_somebody_sees_to(database: Database) -> None:
    tonight = await evening()
    await tonight.scan(tonight.codes[0], at=clock.now())
    for _time in range(2):
        assert (await tonight.scan(tonight.codes[0], at=clock.now(), nonce="c" * 32)).word == "again"
    async with reading() as db:
        (conflict,) = await queries.conflicts(db, tonight.event.id or 0, most=9)
    assert await tonight.inside() == (1, 2)
    with pytest.raises(Refused):
        await tonight.undo(conflict.scan.check_in.code)
    assert (await tonight.undo(conflict.scan.check_in.code, any_of=True)).word == "seen"
    with pytest.raises(Refused, match="undone already"):
        await tonight.undo(conflict.scan.check_in.code, any_of=True)
    async with reading() as db:
        assert await queries.conflicts(db, tonight.event.id or 0, most=9) == []
    assert await tonight.inside() == (1, 2)
    assert await invariants.broken() == []


async def test_a_conflict_says_when_and_at_which_gates(database: Database, moment: time_machine.Traveller) -> None:
    """The check-in before it counts, not one that was undone, and not the one after the holder had gone out."""
    tonight = await evening(has_exit=True)
    wrong = await tonight.scan(tonight.codes[0], gate="Cellar")
    await tonight.undo(wrong.scan)
    moment.shift(timedelta(minutes=1))
    first = await tonight.scan(tonight.codes[0], gate="Main door")
    moment.shift(timedelta(minutes=1))
    copied = clock.now()
    moment.shift(timedelta(minutes=1))
    await tonight.scan(tonight.codes[0], way="out")
    await tonight.scan(tonight.codes[0], gate="Garden")
    await tonight.scan(tonight.codes[0], gate="Balcony", at=copied)
    async with reading() as db:
        (conflict,) = await queries.conflicts(db, tonight.event.id or 0, most=9)
    assert conflict.first and (conflict.first.gate, conflict.first.at, conflict.first_by) == ("Main door", first.at, "Erin")
    assert (conflict.scan.check_in.gate, conflict.scan.check_in.at) == ("Balcony", copied)


async def test_who_was_refused_stands_among_the_last_scans(database: Database, moment: time_machine.Traveller) -> None:
    """The newest first, and of another event's ticket or a stranger's code nothing but that there was one."""
    tonight, other = await evening(), await evening(title="Late Show")
    await voided(tonight.codes[1])
    for code in (tonight.codes[0], tonight.codes[0], tonight.codes[1], other.codes[0], "hello"):
        await tonight.scan(code, gate="Main door")
        moment.shift(timedelta(seconds=1))
    shown = await last_scans(tonight.event)
    assert shown == [
        ("unknown", ""),
        ("other_event", ""),
        ("void", "Ada Bianchi"),
        ("again", "Ada Bianchi"),
        ("in", "Ada Bianchi"),
    ]
    assert await last_scans(other.event) == []


async def test_a_refused_scan_that_is_sent_again_is_one(database: Database) -> None:
    tonight = await evening()
    for _time in range(2):
        await tonight.scan("hello", at=clock.now(), nonce="d" * 32)
    assert await last_scans(tonight.event) == [("unknown", "")]


async def test_whoever_tries_the_door_of_a_draft_leaves_nothing_behind(sqlite_database: Database) -> None:
    tonight = await evening()
    async with writing() as tx:
        await tx.exec(update(Event).values(state="draft", published_at=None))
    assert (await tonight.scan("hello")).word == "unknown"
    assert await last_scans(tonight.event) == []


async def last_scans(event: Event) -> list[tuple[str, str]]:
    async with reading() as db:
        found = await queries.last_scans(db, event.id or 0, most=9)
    return [(scan.refusal.word if isinstance(scan, queries.TurnedAway) else scan.check_in.kind, scan.holder) for scan in found]


async def test_a_void_ticket_admitted_offline_is_a_conflict_and_is_not_in(database: Database) -> None:
    tonight = await evening()
    await voided(tonight.codes[0])
    assert (await tonight.scan(tonight.codes[0], at=clock.now())).word == "void"
    async with reading() as db:
        assert len(await queries.conflicts(db, tonight.event.id or 0, most=9)) == 1
    assert not (await tonight.ticket(tonight.codes[0])).inside


async def test_the_clock_of_a_device_cannot_run_ahead_of_ours(sqlite_database: Database, moment: time_machine.Traveller) -> None:
    tonight = await evening()
    await tonight.scan(tonight.codes[0], at=clock.now() + timedelta(days=1))
    async with reading() as db:
        assert (await db.exec(select(CheckIn.at))).one() == clock.now()


# ---------- many gates ----------

SCANNERS, TICKETS = 50, 200


async def many_gates(tickets: int, scanners: int) -> Counter[str]:
    """Every scanner reads every ticket; how often which ticket was admitted comes out right or not."""
    tonight = await evening(tickets)
    admitted: Counter[str] = Counter()

    async def gate(number: int) -> None:
        for code in tonight.codes[number::scanners] + tonight.codes[: max(1, tickets // scanners)]:
            verdict = await tonight.scan(code, gate=str(number))
            admitted[code] += verdict.word == "admit"

    await asyncio.gather(*(gate(number) for number in range(scanners)))
    assert set(admitted) == set(tonight.codes)
    assert (await tonight.inside())[0] == len([code for code in admitted if admitted[code]])
    return Counter(admitted.values())


async def test_fifty_scanners_admit_each_of_two_hundred_tickets_once(database: Database) -> None:
    assert await many_gates(TICKETS, SCANNERS) == Counter({1: TICKETS})
    assert await invariants.broken() == []


async def test_without_the_guard_a_ticket_gets_two_people_in(
    postgresql_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control. Inside SQLite's one writing transaction nothing races, so it runs where something can."""

    def unguarded(ticket: Ticket, way: str) -> object:
        return update(Ticket).where(col(Ticket.id) == ticket.id).values(inside=way == "in")

    monkeypatch.setattr(acting, "_moved", unguarded)
    assert (await many_gates(8, 8)).keys() != {1}


# ---------- what a code may look like ----------


def test_letters_that_look_alike_are_none_of_ours() -> None:
    assert read("7K2M-9QXD").short_code == "7K2M-9QXD"
    assert not read("OIL0-1111").short_code
    assert not read("/tickets/short").code
    assert read("https://x/tickets/" + "a" * 22).code == "a" * 22
    assert not read("https://x/tickets/" + "a" * 23).code


def test_a_device_learns_a_first_name_and_an_initial() -> None:
    assert [named_shortly(name) for name in ("Ada Bianchi", "Ada", "", "Ana Maria Ruiz")] == ["Ada B.", "Ada", "", "Ana R."]


async def voided(code: str) -> None:
    async with writing() as tx:
        await tx.exec(update(Ticket).where(col(Ticket.code) == code).values(state="void", voided_at=clock.now()))


async def rows() -> Counter[str]:
    async with reading() as db:
        return Counter((await db.exec(select(CheckIn.kind))).all())
