"""The activity log as an admin reads it: every act in one plain sentence, with what it was before."""

import ast
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import time_machine
from sqlmodel import select

from app.accounts.actions import details as account_details
from app.accounts.actions import managers, opening, suspending
from app.accounts.models import User
from app.admin import actions as desk
from app.admin.log import GROUPS
from app.admin.rewordings import FIELDS
from app.admin.sentences import SENTENCES
from app.bookings import actions as bookings
from app.bookings.models import STATES
from app.core import activity, alarms, clock
from app.core.activity import Activity
from app.core.db import Database, reading, writing
from app.events.actions import deciding, drafting, revising, ticket_types
from app.events.models import TicketType
from app.events.pages.writing.sections import FORMS
from app.events.rules.proposing import Place, TypeWish
from app.events.rules.reviewing import Said
from app.payments.actions import asking
from app.payments.models import REFUND_STATES, Payment, Refund
from tests import world
from tests.admin.logbook import said
from tests.bookings.test_presale import presale
from tests.events.forms import type_wish
from tests.payments.refund_story import an_event, paid, valid_tickets

ROOT = Path(__file__).parents[2]
SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]

# Kinds that are put together while the program runs: what stands in the braces can only be one of these.
PUT_TOGETHER = {
    "booking.{to}": {f"booking.{state}" for state in STATES} - {"booking.paying", "booking.processing"},
    "refund.{state}": {f"refund.{state}" for state in REFUND_STATES} - {"refund.requested"},
    "dispute.{found.status}": {"dispute.won", "dispute.lost"},
    "ticket.{done}": {"ticket.checked_in", "ticket.let_out", "ticket.undone", "ticket.conflicted", "ticket.conflict_seen"},
}


def calls() -> Iterator[ast.expr]:
    """The kind of every activity that some line of the program writes down."""
    for path in sorted((ROOT / "app").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr == "record" and len(node.args) >= 2:
                yield node.args[1]
            elif node.func.attr == "recorded" and node.args:
                yield node.args[0]


def kinds() -> set[str]:
    found: set[str] = set()
    for kind in calls():
        if isinstance(kind, ast.JoinedStr):
            found |= PUT_TOGETHER[ast.unparse(kind)[2:-1]]
        else:
            assert isinstance(kind, ast.Constant), ast.unparse(kind)
            found.add(kind.value)
    return found


# ---------- every kind ----------


def test_every_kind_that_is_written_down_has_a_sentence() -> None:
    assert len(kinds()) > 60
    assert kinds() - SENTENCES.keys() == set()


def test_there_is_no_sentence_for_what_never_happens() -> None:
    assert SENTENCES.keys() - kinds() == set()


def test_every_kind_is_in_one_group() -> None:
    starts = [start for starts in GROUPS.values() for start in starts]
    assert {kind for kind in SENTENCES if sum(kind.startswith(start) for start in starts) != 1} == set()


def test_every_column_of_a_wish_has_a_name_for_people() -> None:
    made_by_us = {"position"}
    columns = {name for form in FORMS.values() for name in form.same} | {field.name for field in fields(TypeWish)}
    columns |= {"category_id", "venue_id", "starts_at", "ends_at", "doors_at", "publish_at", "refund_fee_minor", "picture"}
    assert columns - made_by_us - FIELDS.keys() == set()


# What activities of a kind are about, where it is not what its first word says.
ABOUT = {
    "account": "user:1",
    "guest": "booking:1",
    "preferences": "user:1",
    "manager": "user:1",
    "event": "event:1",
    "presale": "ticket_type:1",
    "reminder": "event:1",
    "code": "event:1",
    "sale": "ticket_type:1",
    "payment": "booking:1",
    "refund": "booking:1",
    "dispute": "booking:1",
    "orphan": "session:cs_1",
    "category": "category:1",
    "venue": "venue:1",
    "settings": "settings:shop",
    "text": "text:imprint",
    "reports": "csp_reports",
    "admin": "event:1",
    "booking": "booking:1",
    "ticket": "ticket:1",
    "alarm": "alarm:1",
    "delivery": "delivery:1",
    "job": "job:1",
    "people": "event:1",
    "announcement": "event:1",
    "helper": "helper:1",
    "gate": "event:1",
    "waiting": "ticket_type:1",
    "question": "event:1",
    "quota": "event:1",
}
DETAILS = {
    "admin.looked": {"page": "sales"},
    "code.vouchers_made": {"codes": 2, "places": 6},
    "waiting.list_set": {"hours": 12, "open": True},
    "booking.sold_at_door": {"provider": "card"},
    **{f"quota.{done}": {"types": [{"type": 1, "done": "put_in", "fields": {}}]} for done in ("added", "changed", "removed")},
    "question.changed": {"fields": {"label": [12, 15]}},
    "question.moved": {"places": [2, 1]},
    "presale.places_moved": {"places": 2, "to": "general"},
    "presale.code_replaced": {"codes": [True, False]},
    "booking.tickets_returned": {"places": 1, "minor": 100, "kept": [200, 100]},
    "booking.money_returned": {"minor": 100, "kept": [200, 100]},
}


@pytest.mark.parametrize("kind", sorted(SENTENCES))
@pytest.mark.parametrize("is_there", [True, False], ids=["there", "gone"])
async def test_every_sentence_can_be_said(sqlite_database: Database, kind: str, is_there: bool) -> None:
    """Also when what it is about is gone, and by a row that holds no more than the first version of the log did."""
    if is_there:
        await paid(await an_event())
    about = ABOUT[kind.partition(".")[0]]
    async with writing() as tx:
        await activity.record(tx, kind, about=about, by=1 if is_there else None, **DETAILS.get(kind, {}))
    made = (await said())[-1]
    assert made.endswith((".", "“imprint”.")), made
    assert "%(" not in made
    assert not re.search(r"\b(None|event:|booking:|ticket_type:)", made), made


async def test_a_kind_of_a_later_version_is_shown_all_the_same(sqlite_database: Database) -> None:
    async with writing() as tx:
        await activity.record(tx, "moon.landed", about="moon:1", by=None)
    assert await said() == ["“moon.landed” happened to moon:1."]


# ---------- what managers and admins do ----------


@pytest.mark.asvs("V16.2.1")
async def test_what_becomes_of_an_event(sqlite_database: Database, moment: time_machine.Traveller) -> None:
    async with writing() as tx:
        alice, dora = await world.alice(tx), await world.dora(tx)
        event = await world.event(tx, state="draft", published_at=None)
        await deciding.submit(tx, event, by=alice.id or 0, now=clock.now())
        await deciding.return_for_changes(tx, event, Said("Louder."), by=dora.id or 0, now=clock.now())
        await deciding.submit(tx, event, by=alice.id or 0, now=clock.now())
        await deciding.approve(tx, event, by=dora.id or 0, now=clock.now())
        await deciding.call_off(tx, event, reason="Rain.", by=alice.id or 0, now=clock.now())
    by_alice, by_dora = "Alice (alice@example.com)", "Dora (dora@example.com)"
    assert await said() == [
        f"{by_alice} sent “Nine Pianos”, a draft until then, to the admins.",
        f"{by_dora} gave “Nine Pianos” back for changes: it was submitted and is a draft again.",
        f"{by_alice} sent “Nine Pianos”, a draft until then, to the admins.",
        f"{by_dora} approved “Nine Pianos”: it was submitted and is published.",
        f"{by_dora} published “Nine Pianos”, which was submitted before.",
        f"{by_alice} called “Nine Pianos” off, which was published.",
    ]


@pytest.mark.asvs("V16.2.1", "V16.2.5")
async def test_a_changed_event_says_what_it_was(sqlite_database: Database, moment: time_machine.Traveller) -> None:
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx)
        # What somebody changes who needs no review is live at once.
        alice.trusted_at = clock.now()
        act: dict[str, Any] = {"by": alice.id or 0, "now": clock.now()}
        wanted = {"summary": "Ten pianists.", "starts_at": event.starts_at + timedelta(minutes=30), "refund_hours": 24}
        place = Place("Teatro Colosseo", "", "Turin")
        await revising.revise(tx, event, wanted, section="basics", place=place, booked=False, **act)
        kind = await world.only_type(tx, event)
        wish = type_wish(kind, price_minor=2050, capacity=120, note="At the back")
        await ticket_types.change_type(tx, event, kind, wish, **act)
        await ticket_types.add_type(tx, event, type_wish(kind, name="Gallery", note="", price_minor=900, capacity=20), **act)
    made = " ".join(await said())
    for phrase in (
        "Alice (alice@example.com) changed “Nine Pianos”: ",
        "summary rewritten, 40 letters before and 13 now",
        "start from Mon 14 Dec, 13:00 (Europe/Rome) to Mon 14 Dec, 13:30 (Europe/Rome)",
        "venue from “Teatro Baretti” to “Teatro Colosseo”",
        "hours before the start in which tickets can be given back set to 24",
        "ticket type “Standard”: note rewritten, 0 letters before and 11 now, ",
        "price from €18.00 to €20.50, capacity from 100 to 120",
        "ticket type “Gallery” added, 20 places at €9.00",
    ):
        assert phrase in made, made
    async with reading() as db:
        kept = str([row.details for row in (await db.exec(select(Activity))).all()])
    assert "Ten" not in kept
    assert "back" not in kept


@pytest.mark.asvs("V16.2.1")
async def test_what_is_done_to_a_sale(sqlite_database: Database, moment: time_machine.Traveller) -> None:
    _event, kind, _bob = await presale(places=8)
    opens = kind.sale_from + timedelta(hours=2)
    async with writing() as tx:
        alice = (await world.alice(tx)).id or 0
        await bookings.move_places(tx, kind, 3, to="general", by=alice, now=clock.now())
        await bookings.open_general_sale(tx, kind, at=opens, by=alice, now=clock.now())
        await bookings.share_code(tx, kind, "friends", max_uses=5, by=alice, now=clock.now())
        await bookings.make_codes(tx, kind, 2, by=alice, now=clock.now())
        await bookings.replace_code(tx, kind.id or 0, was="", code="family", by=alice)
        await bookings.withdraw_code(tx, kind, "friends", by=alice)
        await bookings.withdraw_unused(tx, kind, by=alice)
    who, sale = "Alice (alice@example.com)", "“Standard”, “Nine Pianos”"
    assert await said() == [
        f"{who} moved places of {sale}, to the general sale: the pre-sale had 8 and has 5.",
        f"{who} moved the start of the general sale of {sale}, from Tue 17 Nov, 13:00 (Europe/Rome) "
        "to Tue 17 Nov, 15:00 (Europe/Rome).",
        f"{who} shared a code for the pre-sale of {sale}, for 5 bookings.",
        f"{who} made 2 codes for the pre-sale of {sale}.",
        f"{who} gave the pre-sale of {sale}, a code; it had none.",
        f"{who} withdrew a code of the pre-sale of {sale}.",
        f"{who} withdrew 2 unused codes of the pre-sale of {sale}.",
    ]
    async with reading() as db:
        found = str([row.details for row in (await db.exec(select(Activity))).all()]).lower()
    assert "friends" not in found
    assert "family" not in found


@pytest.mark.asvs("V16.2.1")
async def test_who_gave_money_back(sqlite_database: Database, moment: time_machine.Traveller) -> None:
    booking = await paid(await an_event())
    tickets = await valid_tickets(booking)
    async with writing() as tx:
        dora = (await world.dora(tx)).id or 0
        given = {"by": dora, "now": clock.now(), "note": "A singer is ill."}
        await asking.return_tickets(tx, booking, [tickets[0].id or 0], reason="admin", fee_minor_each=100, **given)
        await asking.refund_money(tx, booking, 500, out_of_minor=1950, reason="admin", **given)
    who, where = "Dora (dora@example.com)", f"booking {booking.reference}"
    [*_before, voided, returned, asked, money, again] = await said()
    assert voided == f"A ticket of {where}, “Nine Pianos”, is void."
    assert returned == (
        f"{who} gave 1 ticket of {where}, “Nine Pianos”, back: €17.50 go back, the shop kept €37.00 and keeps €19.50."
    )
    assert asked == f"{who} asked for €17.50 of {where} to go back."
    assert money == f"{who} sent €5.00 of {where}, “Nine Pianos”, back: the shop kept €19.50 and keeps €14.50."
    assert again == f"{who} asked for €5.00 of {where} to go back."
    async with reading() as db:
        assert "singer" not in str([row.details for row in (await db.exec(select(Activity))).all()])


async def test_cash_that_was_handed_back(sqlite_database: Database, moment: time_machine.Traveller) -> None:
    booking = await paid(await an_event(), provider="cash")
    async with writing() as tx:
        alice = (await world.alice(tx)).id or 0
        payment = (await tx.exec(select(Payment))).one()
        tx.add(
            refund := Refund(
                payment_id=payment.id, amount_minor=700, reason="manager", created_at=clock.now(), next_try_at=clock.now()
            )
        )
        await tx.flush()
        await asking.hand_back(tx, refund, booking_id=booking.id or 0, by=alice, now=clock.now())
    who = "Alice (alice@example.com)"
    assert (await said())[-1] == f"{who} noted that €7.00 of booking {booking.reference} were handed back."


@pytest.mark.asvs("V16.2.1", "V16.3.3")
async def test_what_is_done_to_people(sqlite_database: Database, moment: time_machine.Traveller) -> None:
    async with writing() as tx:
        dora, bob = await world.dora(tx), await world.bob(tx)
        by = {"by": dora.id, "now": clock.now()}
        await managers.make_manager(tx, "bob@example.com", language="en", **by)
        await managers.make_manager(tx, "new@example.com", language="en", **by)
        await tx.refresh(bob)
        await suspending.suspend(tx, bob, reason="Rest.", **by)
        await tx.refresh(bob)
        await suspending.reinstate(tx, bob, by=dora.id)
        await opening.create_admin(tx, "eve@example.com", "", now=clock.now())
        await account_details.rename(tx, bob.id or 0, "Robert", by=bob.id or 0)
    who = "Dora (dora@example.com)"
    # Names are those of now: the log itself holds none.
    assert await said() == [
        f"{who} changed the role of Robert (bob@example.com) from user to manager.",
        f"{who} invited new@example.com as a manager.",
        f"{who} suspended Robert (bob@example.com), who could sign in before; their events go on selling.",
        f"{who} let Robert (bob@example.com), who was suspended, sign in again.",
        "eve@example.com has an account now, as admin.",
        "Robert (bob@example.com) changed the name of the account.",
    ]
    async with reading() as db:
        rows = (await db.exec(select(Activity))).all()
    assert not re.search("bob|robert|dora|example", str([(row.about, row.details) for row in rows]).lower())


async def test_what_is_done_at_the_desk(sqlite_database: Database) -> None:
    async with writing() as tx:
        dora = await world.dora(tx)
        await desk.save_text(tx, "imprint", "We are us.", by=dora.id, now=clock.now())
        await desk.save_text(tx, "imprint", "", by=dora.id, now=clock.now())
        await alarms.sound(tx, "orphan", about="session:cs_1")
        alarm = (await tx.exec(select(alarms.Alarm))).one()
        await desk.settle_alarm(tx, alarm.id or 0, by=dora.id or 0, now=clock.now())
    who = "Dora (dora@example.com)"
    assert await said() == [
        f"{who} changed the text of the page “imprint”: it had 0 letters of theirs and has 10.",
        f"{who} brought the shop’s own text of the page “imprint” back; theirs had 10 letters.",
        f"{who} settled the alarm “orphan” about session:cs_1.",
    ]


async def test_a_thing_that_came_later_does_not_lend_its_name(sqlite_database: Database, moment: time_machine.Traveller) -> None:
    """SQLite gives the id of a removed draft to the next one."""
    async with writing() as tx:
        alice = await world.alice(tx)
        first = await world.event(tx, title="First", state="draft", created_at=clock.now())
        await activity.record(tx, "event.drafted", about=f"event:{first.id}", by=alice.id)
        await tx.exec(TicketType.__table__.delete())  # type: ignore[attr-defined]
        await drafting.delete_draft(tx, first, by=alice.id or 0)
    moment.shift(timedelta(hours=1))
    async with writing() as tx:
        second = await world.event(tx, title="Second", created_at=clock.now())
    assert second.id == first.id
    assert await said() == [
        "Alice (alice@example.com) drafted an event that is gone.",
        "Alice (alice@example.com) deleted a draft.",
    ]
