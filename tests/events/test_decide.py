"""From the draft to the stage: submit, approve, publish, return, delete, call off."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import col, select

from app.core import clock
from app.core.activity import Activity
from app.core.db import reading, writing
from app.core.errors import Refused
from app.events import flows, queries
from app.events.actions import deciding, favourites
from app.events.models import Event, TicketType
from app.events.rules.reviewing import Said
from tests import world
from tests.events.forms import propose, seen

Client = httpx.AsyncClient
SignIn = Callable[[Client, Any], Awaitable[None]]
pytestmark = pytest.mark.usefixtures("moment")


async def _draft(tx: Any, **columns: Any) -> Event:
    return await world.event(tx, state="draft", published_at=None, submitted_at=None, **columns)


async def _state(slug: str) -> str:
    async with reading() as db:
        event = await queries.by_slug(db, slug)
        return event.state if event else "gone"


async def _kinds() -> list[str]:
    async with reading() as db:
        rows = (await db.exec(select(Activity).order_by(col(Activity.id)))).all()
    return [row.kind for row in rows if row.about.startswith("event:")]


async def test_a_proposal_goes_all_the_way(client: Client, open_browser: Any, sign_in: SignIn) -> None:
    async with writing() as tx:
        alice, dora, _kind = await world.alice(tx), await world.dora(tx), await world.category(tx)
    await sign_in(client, alice)
    assert (await propose(client)).status_code == 303
    assert (await client.post("/manager/events/ete-a-turin/submit")).status_code == 303
    assert await _state("ete-a-turin") == "submitted"
    assert (await client.get("/events/ete-a-turin")).status_code == 404

    doras = await open_browser()
    await sign_in(doras, dora)
    assert "Été à Turin" in (await doras.get("/admin/events")).text
    review = await doras.get("/admin/events/ete-a-turin")
    for words in ("Approve", "Ask for changes", "Piazza Carignano 6", "Lift at the side entrance", "€18.50"):
        assert words in review.text
    assert (await doras.post("/admin/events/ete-a-turin/approve", data=await seen("ete-a-turin"))).status_code == 303
    assert await _state("ete-a-turin") == "published"
    assert await _kinds() == ["event.drafted", *["event.revised"] * 4, "event.submitted", "event.approved", "event.published"]
    assert "Été à Turin" in (await (await open_browser()).get("/events?q=ete")).text


async def test_an_incomplete_draft_is_not_sent(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        alice, event = await world.alice(tx), await _draft(tx, summary="")
        event.venue_id = None
    await sign_in(client, alice)
    assert "Write the summary" in (await client.get(f"/manager/events/{event.slug}")).text
    answer = await client.post(f"/manager/events/{event.slug}/submit")
    assert answer.status_code == 409
    assert "Write the summary that stands on the card. Say where it takes place." in answer.text
    assert await _state(event.slug) == "draft"


async def test_a_return_needs_a_reason_and_the_manager_reads_it(client: Client, open_browser: Any, sign_in: SignIn) -> None:
    async with writing() as tx:
        alice, dora = await world.alice(tx), await world.dora(tx)
        event = await world.event(tx, state="submitted", published_at=None)
    await sign_in(client, dora)
    empty = await client.post(f"/admin/events/{event.slug}/return", data={"reason": ""})
    assert empty.status_code == 422
    assert "Say what should change" in empty.text
    assert await _state(event.slug) == "submitted"
    said = await seen(event.slug, reason="Name the\npianists.")
    assert (await client.post(f"/admin/events/{event.slug}/return", data=said)).status_code == 303
    alices = await open_browser()
    await sign_in(alices, alice)
    page = await alices.get(f"/manager/events/{event.slug}")
    assert "An admin asks for changes" in page.text
    assert "Name the\npianists." in page.text
    assert "An admin asks for changes." in (await alices.get("/manager")).text
    assert (await alices.post(f"/manager/events/{event.slug}/submit")).status_code == 303
    async with reading() as db:
        again = await queries.by_slug(db, event.slug)
        assert again
        assert (again.state, again.wished_changes) == ("submitted", "")


@pytest.mark.usefixtures("database")
async def test_publishing_waits_for_its_moment(moment: Any) -> None:
    async with writing() as tx:
        dora = await world.dora(tx)
        event = await world.event(tx, state="submitted", published_at=None, publish_at=clock.now() + timedelta(days=2))
        await deciding.approve(tx, event, by=dora.id, now=clock.now())
    await flows.publish_due()
    assert await _state(event.slug) == "approved"
    moment.shift(timedelta(days=2))
    await flows.publish_due()
    await flows.publish_due()
    assert await _state(event.slug) == "published"
    assert await _kinds() == ["event.approved", "event.published"]


@pytest.mark.usefixtures("database")
async def test_an_event_that_has_begun_is_not_approved() -> None:
    async with writing() as tx:
        dora = await world.dora(tx)
        event = await world.event(tx, state="submitted", published_at=None, starts_at=clock.now())
        with pytest.raises(Refused, match="has begun"):
            await deciding.approve(tx, event, by=dora.id, now=clock.now())


@pytest.mark.usefixtures("database")
async def test_two_admins_decide_once() -> None:
    async with writing() as tx:
        dora = await world.dora(tx)
        event = await world.event(tx, state="submitted", published_at=None)
    async with writing() as tx:
        await deciding.return_for_changes(tx, await _again(tx, event), Said("Shorter"), by=dora.id, now=clock.now())
    with pytest.raises(Refused, match="moved on"):
        async with writing() as tx:
            # The page of the second admin still shows the event as submitted.
            await deciding.approve(tx, event, by=dora.id, now=clock.now())
    assert await _state(event.slug) == "draft"


async def _again(tx: Any, event: Event) -> Event:
    found = await queries.by_slug(tx, event.slug)
    assert found
    return found


@pytest.mark.parametrize(("state", "status"), [("draft", 303), ("submitted", 409), ("published", 409), ("called_off", 409)])
async def test_only_drafts_are_deleted(client: Client, sign_in: SignIn, state: str, status: int) -> None:
    async with writing() as tx:
        alice, bob = await world.alice(tx), await world.bob(tx)
        event = await world.event(tx, state=state)
        await favourites.toggle_favourite(tx, bob.id, now=clock.now(), event_id=event.id)
    await sign_in(client, alice)
    assert (await client.post(f"/manager/events/{event.slug}/delete")).status_code == status
    assert await _state(event.slug) == ("gone" if state == "draft" else state)
    async with reading() as db:
        assert bool((await db.exec(select(TicketType))).all()) == (state != "draft")
        assert bool(await queries.favourite_events(db, bob.id)) == (state != "draft")


async def test_a_draft_with_an_access_code_and_a_gate_is_deleted_whole(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        alice, _kind = await world.alice(tx), await world.category(tx)
    await sign_in(client, alice)
    presale = {"types_0_presale_from": "2026-11-18T10:00", "types_0_sale_from": "2026-11-20T10:00"}
    assert (await propose(client, types_0_access_code="NINE", **presale)).status_code == 303
    assert (await client.post("/manager/events/ete-a-turin/checkin/gates", data={"name": "Garden"})).status_code == 303
    assert (await client.post("/manager/events/ete-a-turin/delete")).status_code == 303
    assert await _state("ete-a-turin") == "gone"


async def test_calling_off_asks_first_and_keeps_the_page(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx)
    await sign_in(client, alice)
    asked = await client.get(f"/manager/events/{event.slug}/call-off")
    assert "Call off Nine Pianos?" in asked.text
    assert "Nobody has paid for it yet." in asked.text
    assert (await client.post(f"/manager/events/{event.slug}/call-off", data={"reason": ""})).status_code == 422
    assert await _state(event.slug) == "published"
    assert (
        await client.post(f"/manager/events/{event.slug}/call-off", data={"reason": "The pianist is ill."})
    ).status_code == 303
    assert await _state(event.slug) == "called_off"
    assert "The pianist is ill." in (await client.get(f"/manager/events/{event.slug}")).text
    assert (await client.get(f"/manager/events/{event.slug}/call-off")).status_code == 409
    assert "Nine Pianos" not in (await client.get("/events")).text


async def test_an_admin_calls_off_with_a_reason(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        dora, event = await world.dora(tx), await world.event(tx)
    await sign_in(client, dora)
    assert (await client.post(f"/admin/events/{event.slug}/call-off", data={})).status_code == 422
    assert (await client.post(f"/admin/events/{event.slug}/call-off", data={"reason": "Fire safety"})).status_code == 303
    assert await _state(event.slug) == "called_off"


@pytest.mark.usefixtures("database")
async def test_what_is_over_cannot_be_called_off() -> None:
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx, starts_at=clock.now() - timedelta(days=1))
        with pytest.raises(Refused, match="over"):
            await deciding.call_off(tx, event, reason="Late", by=alice.id, now=clock.now())


async def test_the_admins_desk_is_the_admins(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx, state="submitted", published_at=None)
    await sign_in(client, alice)
    assert (await client.get("/admin/events")).status_code == 403
    assert (await client.get(f"/admin/events/{event.slug}")).status_code == 403
    assert (await client.post(f"/admin/events/{event.slug}/approve")).status_code == 403
    assert await _state(event.slug) == "submitted"


async def test_the_queue_is_oldest_first_and_the_rest_is_filtered(client: Client, sign_in: SignIn) -> None:
    now = clock.now()
    async with writing() as tx:
        dora = await world.dora(tx)
        await world.event(tx, title="Younger", state="submitted", published_at=None, submitted_at=now - timedelta(hours=1))
        await world.event(tx, title="Older", state="submitted", published_at=None, submitted_at=now - timedelta(hours=9))
        await world.event(tx, title="Public")
        await _draft(tx, title="Unsent")
    await sign_in(client, dora)
    page = (await client.get("/admin/events")).text
    assert page.index("Older") < page.index("Younger") < page.index("Public")
    drafts = (await client.get("/admin/events?state=draft")).text
    assert "Unsent" in drafts
    assert "Public</a>" not in drafts
    assert (await client.get("/admin/events?state=%00")).status_code == 200


async def test_the_managers_overview_counts(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        alice = await world.alice(tx)
    await sign_in(client, alice)
    assert "No events yet" in (await client.get("/manager")).text
    assert "No events yet" in (await client.get("/manager/events")).text
    async with writing() as tx:
        await world.event(tx, capacity=1200)
        await _draft(tx, title="Unsent")
    page = (await client.get("/manager")).text
    for words in ("Tickets sold", "in 2 events", "Held right now", "Unsent", "Go on", "0 of 1,200"):
        assert words in page
    listed = (await client.get("/manager/events")).text
    assert "Draft" in listed
    assert "Published" in listed
