"""The dates of a series are sent together, and an admin decides about all of them in one act."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from sqlmodel import col, select

from app.core import clock
from app.core.activity import Activity
from app.core.db import Database, reading, writing
from app.events import dates, flows, queries, reviews
from app.events.models import Event, Quota
from app.notifications import mails
from app.notifications.models import Delivery, Notification
from app.worker import Worker
from tests import world
from tests.conftest import NOON
from tests.events.repeating import UNSENT, WEEKS, all_events, mark_in, repeated

Client = httpx.AsyncClient
SignIn = Callable[[Client, Any], Awaitable[None]]
pytestmark = pytest.mark.usefixtures("moment")


@pytest.fixture
async def a_series(client: Client, sign_in: SignIn) -> tuple[Client, Event]:
    """Alice has written an event on four dates, and sent them all; the browser is Dora's."""
    async with writing() as tx:
        alice, dora, event = await world.alice(tx), await world.dora(tx), await world.event(tx, **UNSENT)
    await repeated(event, WEEKS)
    await sign_in(client, alice)
    answer = await client.post(f"/manager/events/{event.slug}/dates/submit")
    assert answer.status_code == 303
    assert {found.state for found in await all_events()} == {"submitted"}
    await sign_in(client, dora)
    return client, event


async def test_an_admin_sees_the_dates_as_one_row_and_approves_them_in_one_act(a_series: tuple[Client, Event]) -> None:
    doras, _event = a_series
    async with reading() as db:
        [pending] = await reviews.queue(db)
    assert (pending.dates, pending.path) == (4, "/admin/series/nine-pianos")
    assert "4 dates of a series" in (await doras.get("/admin/events")).text
    page = await doras.get(pending.path)
    assert "Approve all 4 dates" in page.text
    answer = await doras.post(f"{pending.path}/approve", data={"seen": mark_in(page)})
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/events")
    assert {found.state for found in await all_events()} == {"published"}
    async with reading() as db:
        kinds = (await db.exec(select(Activity.kind).where(col(Activity.kind).startswith("event.")))).all()
    assert [kinds.count(kind) for kind in ("event.submitted", "event.approved", "event.published")] == [4, 4, 4]


async def test_the_page_of_one_date_leads_to_all_that_wait_with_it(a_series: tuple[Client, Event]) -> None:
    doras, event = a_series
    page = (await doras.get(f"/admin/events/{event.slug}")).text
    assert "Decide about all 4 dates of the series" in page
    assert 'href="/admin/series/nine-pianos"' in page


async def test_the_to_do_list_names_a_series_once(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx, **UNSENT)
    await repeated(event, WEEKS)
    await sign_in(client, alice)
    assert (await client.get("/manager")).text.count("A draft that nobody else sees yet") == 1


async def test_one_mail_says_that_it_speaks_for_all_dates(a_series: tuple[Client, Event]) -> None:
    await Worker().run_until_idle()
    async with reading() as db:
        [told] = (await db.exec(select(Notification))).all()
    message = mails.compose(
        Delivery(id=1, notification_id=told.id or 0, created_at=NOON, next_try_at=NOON), told, [], [], now=NOON
    )
    for part in ("plain", "html"):
        assert "It is a date of a series." in " ".join(message.get_body((part,)).get_content().split())  # type: ignore[union-attr]


async def test_an_admin_gives_all_dates_back_with_one_reason(a_series: tuple[Client, Event]) -> None:
    doras, event = a_series
    page = await doras.get("/admin/series/nine-pianos")
    empty = await doras.post("/admin/series/nine-pianos/return", data={"seen": mark_in(page), "reason": ""})
    assert (empty.status_code, "Say what should change" in empty.text) == (422, True)
    await doras.post("/admin/series/nine-pianos/return", data={"seen": mark_in(page), "reason": "Too loud."})
    assert {(found.state, found.wished_changes) for found in await all_events()} == {("draft", "Too loud.")}
    async with reading() as db:
        here = await queries.by_slug(db, event.slug)
        assert here
        assert len(await dates.unsent(db, here)) == 4


async def test_an_admin_does_not_decide_about_dates_that_they_have_not_read(a_series: tuple[Client, Event]) -> None:
    """The control: with the mark of the page as it is now, the same request goes through."""
    doras, event = a_series
    page = await doras.get("/admin/series/nine-pianos")
    async with writing() as tx:
        await deciding_again(tx, event)
    refused = await doras.post("/admin/series/nine-pianos/approve", data={"seen": mark_in(page)})
    assert (refused.status_code, {found.state for found in await all_events()}) == (409, {"submitted"})
    again = await doras.get("/admin/series/nine-pianos")
    assert "Another than the first date: Summary, Ticket types, Quotas, Questions" in again.text
    assert (await doras.post("/admin/series/nine-pianos/approve", data={"seen": mark_in(again)})).status_code == 303


async def deciding_again(tx: Any, event: Event) -> None:
    """One of the dates was taken back, changed and sent anew."""
    one = (await dates.of_series(tx, event.series_id or 1))[2]
    tx.add(Quota(event_id=one.id or 0, name="Hall", capacity=50))
    await world.question(tx, one, "How do you come?")
    (await world.only_type(tx, one)).price_minor = 9900
    one.summary, one.submitted_at, one.version = "Other words.", clock.now() + timedelta(seconds=1), one.version + 1


async def test_a_date_that_lacks_something_stays_a_draft_and_is_named(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx, **UNSENT)
    await repeated(event, WEEKS[:2])
    async with writing() as tx:
        one = (await dates.of_series(tx, (await tx.get_one(Event, event.id)).series_id))[1]
        one.summary = ""
    await sign_in(client, alice)
    answer = await client.post(f"/manager/events/{event.slug}/dates/submit")
    assert answer.status_code == 409
    for words in ("2 dates are sent.", "21 Dec", "Write the summary"):
        assert words in answer.text, words
    assert [found.state for found in await all_events()] == ["submitted", "draft", "submitted"]


async def test_a_series_that_goes_out_at_its_time_tells_followers_once(sqlite_database: Database) -> None:
    async with writing() as tx:
        dora = await world.dora(tx)
        event = await world.event(tx, publish_at=clock.now() + timedelta(hours=1), state="approved", published_at=None)
    await repeated(event, WEEKS, by=dora.id)
    assert {found.state for found in await all_events()} == {"approved"}
    with time_machine.travel(clock.now() + timedelta(hours=2), tick=False):
        await flows.publish_due()
        await Worker().react()
    async with reading() as db:
        assert list((await db.exec(select(Notification.kind))).all()) == ["event_published"]
    assert {found.state for found in await all_events()} == {"published"}
