"""What passes between a manager and the admins: wishes at the sections, what has changed since, rejection, and trust."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from sqlalchemy import update
from sqlmodel import col, select

from app.accounts.actions import managers
from app.core import clock
from app.core.activity import Activity
from app.core.db import Database, changed, reading, writing
from app.core.errors import Refused
from app.events import flows, queries, reviews
from app.events.actions import deciding, drafting
from app.events.decisions import Revision, WishedChange
from app.events.models import SECTIONS, Event, TicketType
from app.events.rules import reviewing, snapshots
from app.events.rules.reviewing import Said
from app.notifications.models import Notification
from app.worker import Worker
from tests import world
from tests.events.forms import seen

Client = httpx.AsyncClient
SignIn = Callable[[Client, Any], Awaitable[None]]
Verb = Callable[[Any, Event], Awaitable[object]]
pytestmark = pytest.mark.usefixtures("moment")

UNSENT = {"published_at": None, "submitted_at": None}


async def submitted(**columns: Any) -> Event:
    async with writing() as tx:
        await world.dora(tx)
        return await world.event(tx, **({"state": "submitted", "published_at": None} | columns))


async def now_is(event: Event) -> Event:
    async with reading() as db:
        found = await queries.by_slug(db, event.slug)
    assert found
    return found


async def done(verb: Verb, event: Event) -> None:
    async with writing() as tx:
        await verb(tx, await tx.get_one(Event, event.id))


async def by(tx: Any, name: str) -> int:
    return (await getattr(world, name)(tx)).id or 0


async def submits(tx: Any, event: Event) -> None:
    await deciding.submit(tx, event, by=await by(tx, "alice"), now=clock.now())


async def withdraws(tx: Any, event: Event) -> None:
    await deciding.withdraw(tx, event, by=await by(tx, "alice"))


async def approves(tx: Any, event: Event) -> None:
    await deciding.approve(tx, event, by=await by(tx, "dora"), now=clock.now())


async def returns(tx: Any, event: Event) -> None:
    await deciding.return_for_changes(tx, event, Said("Shorter."), by=await by(tx, "dora"), now=clock.now())


async def rejects(tx: Any, event: Event) -> None:
    await deciding.reject(tx, event, Said("No."), by=await by(tx, "dora"), now=clock.now())


async def kinds() -> list[str]:
    async with reading() as db:
        rows = (await db.exec(select(Activity).order_by(col(Activity.id)))).all()
    return [row.kind.removeprefix("event.") for row in rows if row.about.startswith("event:")]


# ---------- wishes at the sections ----------


async def test_an_admin_wishes_changes_where_they_belong(client: Client, open_browser: Any, sign_in: SignIn) -> None:
    event = await submitted()
    async with writing() as tx:
        alice, dora = await world.alice(tx), await world.dora(tx)
    await sign_in(client, dora)
    wished = await seen(event.slug, basics="Two dates are named.", page_reasons="links", tickets="", access="")
    assert (await client.post(f"/admin/events/{event.slug}/return", data=wished)).status_code == 303
    async with reading() as db:
        wishes = {"basics": "Two dates are named.", "page": "Take out links to other ticket shops."}
        assert await reviews.wishes(db, event) == wishes
    alices = await open_browser()
    await sign_in(alices, alice)
    page = (await alices.get(f"/manager/events/{event.slug}")).text
    for words in ("An admin asks for changes", "Two dates are named.", "Take out links to other ticket shops."):
        assert words in page
    await Worker().react()
    async with reading() as db:
        mail = (await db.exec(select(Notification).where(Notification.kind == "event_returned"))).one()
    assert mail.facts["wishes"] == wishes
    assert (await alices.post(f"/manager/events/{event.slug}/submit")).status_code == 303
    async with reading() as db:
        assert await reviews.wishes(db, event) == {}


async def test_chosen_words_are_put_into_the_fields_to_be_edited(client: Client, sign_in: SignIn) -> None:
    event = await submitted()
    async with writing() as tx:
        dora = await world.dora(tx)
    await sign_in(client, dora)
    wanted = await seen(event.slug, do="fill", page="Shorter.", page_reasons="links")
    answer = await client.post(f"/admin/events/{event.slug}/return", data=wanted)
    assert answer.status_code == 200
    assert "Take out links to other ticket shops.\nShorter.</textarea>" in answer.text
    assert (await now_is(event)).state == "submitted"
    # Sent as it is then, the sentence comes once.
    again = reviewing.in_words("page", ["links"], "Take out links to other ticket shops.\nShorter.")
    assert again == "Take out links to other ticket shops.\nShorter."


@pytest.mark.parametrize("verb", ["return", "reject"])
async def test_something_must_be_said(client: Client, sign_in: SignIn, verb: str) -> None:
    event = await submitted()
    async with writing() as tx:
        dora = await world.dora(tx)
    await sign_in(client, dora)
    answer = await client.post(f"/admin/events/{event.slug}/{verb}", data=await seen(event.slug))
    assert answer.status_code == 422
    assert "Say what should change, here or at a section" in answer.text
    assert (await now_is(event)).state == "submitted"


# ---------- what has changed since ----------


async def test_the_admin_sees_what_was_changed_since_the_draft_went_back(client: Client, sign_in: SignIn) -> None:
    event = await submitted()
    await done(returns, event)
    async with writing() as tx:
        present = await tx.get_one(Event, event.id)
        present.summary = "Ten pianists, nine pianos, one evening."
        kind = await world.only_type(tx, event)
        kind.price_minor = 2000
        await world.ticket_type(tx, event, name="Gallery", price_minor=900)
        dora = await world.dora(tx)
    await done(submits, event)
    await sign_in(client, dora)
    page = (await client.get(f"/admin/events/{event.slug}")).text
    assert "Changed since it was given back" in page
    assert "<del>Nine </del>pianists, nine pianos, one evening." in page
    assert "<ins>Ten </ins>pianists, nine pianos, one evening." in page
    for words in ("Ticket type Standard", "€18.00", "€20.00", "Ticket type Gallery is new", "€9.00"):
        assert words in page
    await done(withdraws, event)
    await done(submits, event)
    assert "Ten </ins>" in (await client.get(f"/admin/events/{event.slug}")).text, "it is still compared with what went back"


def test_a_type_that_is_gone_and_a_moment_are_written_out() -> None:
    start = "2026-12-12T19:30:00+00:00"
    before = {"event": {"zone": "Europe/Rome", "currency": "EUR", "starts_at": start}, "types": {"a": {"name": "Stalls"}}}
    after = {"event": before["event"] | {"starts_at": "2026-12-13T19:30:00+00:00", "later_field": "x"}, "types": {}}
    found = snapshots.differences(before, after)
    assert [(each.label, each.before, each.after) for each in found.fields] == [
        ("Starts", "Saturday 12 December 2026, 20:30", "Sunday 13 December 2026, 20:30")
    ]
    assert [(each.name, each.done) for each in found.types] == [("Stalls", "removed")]
    assert not snapshots.differences(before, before)


def test_texts_are_compared_word_by_word_and_what_stayed_is_cut() -> None:
    stays = "the keys of nine pianos " * 20
    before, after = f"One {stays}end.", f"Two {stays}end!"
    found = snapshots.pieces(before, after)
    assert [piece.what for piece in found] == ["gone", "new", "same", "gone", "new"]
    assert len(found[2].text) < 150
    assert (found[0].text, found[1].text, found[3].text, found[4].text) == ("One ", "Two ", "end.", "end!")
    assert snapshots.pieces("same", "same") == [("same", "same")]


def test_hostile_texts_are_compared_quickly() -> None:
    for before, after in (("a b " * 5000, "b b a " * 3000), ("a b\n" * 5000, "b b a\n" * 3000), ("x" * 20_000, "y" * 20_000)):
        started = time.process_time()
        assert snapshots.pieces(before, after)
        assert time.process_time() - started < 3


def test_every_column_of_an_event_is_shown_or_named_as_none_of_the_managers_words() -> None:
    """Whoever adds a column to an event or a ticket type says here how an admin sees that it was changed."""
    of_event = set(Event.__table__.columns.keys())  # type: ignore[attr-defined]
    assert of_event == (set(snapshots.EVENT_FIELDS) - {"category", "venue"}) | snapshots.UNSHOWN
    of_type = set(TicketType.__table__.columns.keys())  # type: ignore[attr-defined]
    assert of_type == set(snapshots.TYPE_FIELDS) | snapshots.UNSHOWN_OF_TYPE
    assert {shown.section for shown in snapshots.EVENT_FIELDS.values()} == set(SECTIONS)


# ---------- taken back, rejected, trusted ----------


async def test_a_manager_takes_a_submitted_event_back(client: Client, sign_in: SignIn) -> None:
    event = await submitted()
    async with writing() as tx:
        alice = await world.alice(tx)
    await sign_in(client, alice)
    assert (await client.post(f"/manager/events/{event.slug}/withdraw")).status_code == 303
    assert (await now_is(event)).state == "draft"
    assert (await client.get(f"/manager/events/{event.slug}/edit")).status_code == 200
    assert (await client.post(f"/manager/events/{event.slug}/withdraw")).status_code == 409


async def test_a_rejected_draft_is_read_and_deleted_and_nothing_else(client: Client, open_browser: Any, sign_in: SignIn) -> None:
    event = await submitted()
    async with writing() as tx:
        alice, dora = await world.alice(tx), await world.dora(tx)
    await sign_in(client, dora)
    said = await seen(event.slug, reason="We sell no fireworks.", access="Nobody is let near.")
    assert (await client.post(f"/admin/events/{event.slug}/reject", data=said)).status_code == 303
    await Worker().react()
    async with reading() as db:
        assert (await db.exec(select(Notification.kind).where(Notification.user_id == alice.id))).all() == ["event_rejected"]
    alices = await open_browser()
    await sign_in(alices, alice)
    page = (await alices.get(f"/manager/events/{event.slug}")).text
    for words in ("Rejected", "We sell no fireworks.", "Nobody is let near.", "Delete this draft"):
        assert words in page
    assert "Send for approval" not in page
    assert (await alices.get(f"/manager/events/{event.slug}/edit")).status_code == 409
    assert (await alices.post(f"/manager/events/{event.slug}/submit")).status_code == 409
    assert (await alices.post(f"/manager/events/{event.slug}/delete")).status_code == 303
    async with reading() as db:
        for table in (Event, Revision, WishedChange):
            assert (await db.exec(select(table))).first() is None


@pytest.mark.parametrize(("publish_in", "state"), [(None, "published"), (timedelta(days=2), "approved")])
async def test_a_trusted_manager_publishes_without_a_review(database: Database, publish_in: timedelta | None, state: str) -> None:
    async with writing() as tx:
        alice, dora = await world.alice(tx), await world.dora(tx)
        await managers.trust(tx, alice, by=dora.id or 0, now=clock.now())
        at = clock.now() + publish_in if publish_in else None
        event = await world.event(tx, state="draft", publish_at=at, **UNSENT)
    await done(submits, event)
    assert (await now_is(event)).state == state
    assert await kinds() == ["trusted", "published"][: 1 if publish_in else 2]
    async with reading() as db:
        assert [revision.state for revision in (await db.exec(select(Revision))).all()] == ["approved"]


async def test_the_trust_of_this_moment_counts(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        alice, dora = await world.alice(tx), await world.dora(tx)
        await managers.trust(tx, alice, by=dora.id or 0, now=clock.now())
        event = await world.event(tx, state="draft", **UNSENT)
    await sign_in(client, alice)
    assert "You can publish without a review." in (await client.get(f"/manager/events/{event.slug}")).text
    async with writing() as tx:
        await managers.untrust(tx, await world.alice(tx), by=dora.id or 0)
    assert (await client.post(f"/manager/events/{event.slug}/submit")).status_code == 303
    assert (await now_is(event)).state == "submitted"


async def test_what_is_in_the_queue_says_how_long_it_has_waited(client: Client, sign_in: SignIn) -> None:
    await submitted(title="Younger", submitted_at=clock.now() - timedelta(minutes=90))
    await submitted(title="Older", submitted_at=clock.now() - timedelta(days=3))
    async with writing() as tx:
        dora = await world.dora(tx)
    await sign_in(client, dora)
    page = (await client.get("/admin/events")).text
    assert page.index("Alice sent it 3 days ago") < page.index("Alice sent it 90 minutes ago")
    assert reviewing.ago(clock.now() - timedelta(hours=30), clock.now()) == "30 hours ago"


# ---------- races ----------


async def meet(event: Event, *verbs: Verb) -> list[bool]:
    """Everybody has read the event before anybody acts; who of them went through."""
    read = asyncio.Barrier(len(verbs))

    async def one(verb: Verb) -> bool:
        async with reading() as db:
            mine = await db.get_one(Event, event.id)
            db.expunge(mine)
        await read.wait()
        try:
            async with writing() as tx:
                await verb(tx, mine)
        except Refused:
            return False
        return True

    return list(await asyncio.gather(*(one(verb) for verb in verbs)))


PAIRS = [(approves, withdraws), (approves, returns), (approves, approves), (rejects, withdraws), (returns, rejects)]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0].__name__} and {pair[1].__name__}")
async def test_of_two_who_decide_at_once_one_goes_through(database: Database, pair: tuple[Verb, Verb]) -> None:
    assert sorted(await meet(await submitted(), *pair)) == [False, True]


async def test_without_the_guard_both_go_through(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""

    async def unguarded(tx: Any, event: Event, source: str, **values: Any) -> None:
        await changed(tx, update(Event).where(col(Event.id) == event.id).values(**values))

    monkeypatch.setattr(deciding, "guarded", unguarded)
    assert await meet(await submitted(), approves, withdraws) == [True, True]


async def resends(event: Event, moment: time_machine.Traveller) -> None:
    """Alice takes it back, changes the price of the evening, and sends it again."""
    await done(withdraws, event)
    moment.shift(timedelta(minutes=1))
    async with writing() as tx:
        (await world.only_type(tx, event)).price_minor = 99_900
    await done(submits, event)


async def test_an_admin_approves_only_what_they_have_read(database: Database, moment: time_machine.Traveller) -> None:
    event = await submitted()
    as_read = await now_is(event)
    await resends(event, moment)
    with pytest.raises(Refused, match="moved on"):
        async with writing() as tx:
            await approves(tx, as_read)
    assert (await now_is(event)).state == "submitted"
    # The control: a guard that knows only states lets it through.
    as_read.submitted_at = (await now_is(event)).submitted_at
    async with writing() as tx:
        await approves(tx, as_read)
    assert (await now_is(event)).state == "published"


async def test_a_page_that_shows_an_older_version_decides_nothing(
    client: Client, sign_in: SignIn, moment: time_machine.Traveller
) -> None:
    event = await submitted()
    async with writing() as tx:
        dora = await world.dora(tx)
    await sign_in(client, dora)
    old = await seen(event.slug, reason="Louder.")
    await resends(event, moment)
    for verb in ("approve", "return", "reject"):
        answer = await client.post(f"/admin/events/{event.slug}/{verb}", data=old)
        assert answer.status_code == 409
        assert "another version" in answer.text
    assert (await now_is(event)).state == "submitted"
    assert (await client.post(f"/admin/events/{event.slug}/approve", data=await seen(event.slug))).status_code == 303


async def test_its_time_passes_while_an_admin_decides(database: Database, moment: time_machine.Traveller) -> None:
    event = await submitted(publish_at=clock.now() + timedelta(hours=1))
    moment.shift(timedelta(hours=2))
    await flows.publish_due()
    assert (await now_is(event)).state == "submitted", "nobody has approved it"
    await done(approves, event)
    assert (await now_is(event)).state == "published"
    await flows.publish_due()
    assert await kinds() == ["approved", "published"]


async def test_a_draft_that_was_sent_meanwhile_is_not_deleted(database: Database) -> None:
    async with writing() as tx:
        event = await world.event(tx, state="draft", **UNSENT)

    async def deletes(tx: Any, found: Event) -> None:
        await drafting.delete_draft(tx, found, by=await by(tx, "alice"))

    await done(submits, event)
    with pytest.raises(Refused, match="Only a draft"):
        await done(deletes, event)
    assert (await now_is(event)).state == "submitted"
