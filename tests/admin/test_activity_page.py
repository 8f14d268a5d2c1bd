"""The page of the activity log: what it shows, what can be taken away, and what an admin's own looks leave behind."""

import csv
import io
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
import time_machine
from sqlalchemy import text, update
from sqlmodel import col, select

from app.accounts.models import User
from app.core import activity, jobs, seals, verify
from app.core.db import reading, writing
from app.core.jobs import OF_EVERYBODY, Job
from app.events.models import Event
from app.worker import work_jobs
from tests import world
from tests.admin.logbook import said
from tests.payments.refund_story import an_event, paid
from tests.reading import words

SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]


@pytest.fixture
async def dora(client: httpx.AsyncClient, sign_in: SignIn) -> User:
    """Dora, signed in."""
    async with writing() as tx:
        user = await world.dora(tx)
    await sign_in(client, user)
    return user


async def text_of(client: httpx.AsyncClient, url: str) -> str:
    answer = await client.get(url)
    assert answer.status_code == 200
    return words(answer.text)


async def test_the_page_shows_fifty_at_a_time_the_newest_first(client: httpx.AsyncClient, dora: User) -> None:
    async with writing() as tx:
        for number in range(120):
            await activity.record(tx, "text.saved", about=f"text:page-{number}", by=dora.id)
    url, seen = "/admin/activity", []
    while url:
        page = (await client.get(url)).text
        seen += re.findall(r"“page-(\d+)”", page)
        found = re.search(r'href="(/admin/activity\?[^"]*before=\d+)"', page)
        url = found[1].replace("&amp;", "&") if found else ""
    assert [int(number) for number in seen] == list(range(119, -1, -1))


async def test_the_page_can_be_narrowed_to_kind_person_and_thing(client: httpx.AsyncClient, dora: User) -> None:
    booking = await paid(await an_event())
    async with writing() as tx:
        alice = await world.alice(tx)
        other = await world.event(tx, title="Other Show")
        event = (await tx.exec(select(Event).where(col(Event.title) == "Nine Pianos"))).one()
        for found in (event, other):
            await activity.record(tx, "event.deleted", about=f"event:{found.id}", by=alice.id)
        await activity.record(tx, "text.saved", about="text:imprint", by=dora.id)
    rows = {
        "?group=desk": ["text.saved"],
        "?group=events": ["event.deleted", "event.deleted"],
        "?who=ALICE@example.com": ["event.deleted", "event.deleted"],
        "?who=dora@example.com&group=desk": ["text.saved"],
        "?thing=other-show": ["event.deleted"],
        f"?thing={booking.reference.lower()}": ["booking.paid", "booking.held"],
        "?who=nobody@example.com": [],
        "?thing=nothing": [],
        "?group=%00&before=x": ["text.saved", "event.deleted", "event.deleted", "booking.paid"],
    }
    for query, expected in rows.items():
        page = (await client.get(f"/admin/activity{query}")).text
        found = re.findall(r'class="mono">(\w+\.\w+)<', page)
        assert found[: len(expected) or 1] == expected, query
    assert "Nothing like this was written down." in await text_of(client, "/admin/activity?thing=nothing")


@pytest.mark.asvs("V16.4.2")
async def test_the_newest_seal_is_shown_and_can_be_taken_away(client: httpx.AsyncClient, dora: User) -> None:
    assert "Nothing is sealed yet." in await text_of(client, "/admin/activity")
    assert "Nothing is sealed yet." in (await client.get("/admin/activity/head.txt")).text
    await seals.seal()
    async with reading() as db:
        found = await seals.last(db)
    assert found
    page = await text_of(client, "/admin/activity")
    assert found.mac in page
    assert "Keep a copy of the newest seal outside of this machine" in page
    kept = await client.get("/admin/activity/head.txt")
    assert kept.headers["Content-Disposition"] == 'attachment; filename="activity-seal-1.txt"'
    command = kept.text.splitlines()[-1].split()
    assert command[:4] == ["python", "main.py", "verify-activity", "--head"]
    assert (await verify.verify(verify.kept_head(command[4]))).holds


async def test_the_log_as_a_file_is_itself_written_down(client: httpx.AsyncClient, dora: User) -> None:
    async with writing() as tx:
        await activity.record(tx, "text.saved", about="text:=1+1", by=dora.id)
    answer = await client.post("/admin/activity/file?group=desk")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[0] == ["Number", "Time (UTC)", "Kind", "About", "What happened"]
    assert [row[2:4] for row in rows[1:]] == [["text.saved", "text:=1+1"]]
    assert (await said())[-1] == "Dora (dora@example.com) took 1 row of this log away as a file."


async def many_activities(number: int) -> None:
    """So many texts were saved, by one statement; the first of them has a name that would be a formula."""
    rows = """
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :number)
        INSERT INTO activities (kind, about, at, details)
        SELECT 'text.saved', CASE i WHEN 1 THEN '=1+1' ELSE 'text:' || i END, '2026-11-16 12:00:00', '{}' FROM n
    """
    async with writing() as tx:
        await tx.exec(text(rows).bindparams(number=number))  # type: ignore[call-overload]


async def test_a_log_of_more_than_ten_thousand_rows_is_written_by_a_job(client: httpx.AsyncClient, dora: User) -> None:
    await many_activities(10_001)
    started = await client.post("/admin/activity/file?kind=text.saved")
    assert started.status_code == 303
    assert (await said())[-1] == "Dora (dora@example.com) took 10,001 rows of this log away as a file."
    page = started.headers["location"]
    twice = await client.post("/admin/activity/file?kind=text.saved")
    assert twice.headers["location"] == page, "a second click starts no second job"
    assert "0 of 10,001" in await text_of(client, page)
    await work_jobs()
    async with writing() as tx:
        await activity.record(tx, "text.saved", about="text:later", by=dora.id)
    while await work_jobs():
        pass
    assert "10,001 of 10,001" in await text_of(client, page)
    rows = list(csv.reader(io.StringIO((await client.get(f"{page}/file")).content.decode("utf-8-sig"))))
    assert rows[0] == ["Number", "Time (UTC)", "Kind", "About", "What happened"]
    numbers = [int(row[0]) for row in rows[1:]]
    assert len(numbers) == 10_001
    assert numbers == sorted(set(numbers), reverse=True)
    assert {row[2] for row in rows[1:]} == {"text.saved"}
    assert rows[-1][3] == "'=1+1"


async def test_a_filter_of_person_thing_and_days_counts_in_the_job_too(
    client: httpx.AsyncClient, dora: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx)
        for by in (alice, dora, alice):
            await activity.record(tx, "event.deleted", about=f"event:{event.id}", by=by.id)
    monkeypatch.setattr("app.admin.pages.activity.MOST_AT_ONCE", 1)
    monkeypatch.setattr("app.admin.flows.BATCH", 1)
    asked = f"/admin/activity/file?who={alice.email}&thing={event.slug}&group=events&from=2026-01-01&to=2099-01-01"
    page = (await client.post(asked)).headers["location"]
    while await work_jobs():
        pass
    rows = list(csv.reader(io.StringIO((await client.get(f"{page}/file")).text)))[1:]
    assert [row[2:5] for row in rows] == [
        ["event.deleted", f"event:{event.id}", "Alice (alice@example.com) deleted a draft."]
    ] * 2
    async with reading() as db:
        [job] = (await db.exec(select(Job))).all()
    assert "alice" not in f"{job.wish} {job.cursor}"


@pytest.mark.parametrize("about", [*OF_EVERYBODY, "users:all"])
async def test_a_file_about_everybody_is_for_admins_alone_also_when_they_are_none_any_more(
    client: httpx.AsyncClient, dora: User, about: str
) -> None:
    async with writing() as tx:
        given = {"title": "All", "wish": {}, "total": 1, "file_name": "all.csv"}
        job = await jobs.start(tx, "activities.listed", about=about, by=dora.id or 0, **given)
    page = f"/manager/jobs/{job.code}"
    assert (await client.get(page)).status_code == 200
    async with writing() as tx:
        await tx.exec(update(User).where(col(User.id) == dora.id).values(role="manager"))
    # The last is the control: what is not about everybody stays with whoever started it.
    assert (await client.get(page)).status_code == (404 if about in OF_EVERYBODY else 200)
    assert (await client.get(f"{page}/file")).status_code == 404


# ---------- an admin at a manager's desk ----------


@pytest.mark.asvs("V16.3.3")
async def test_an_admin_at_a_managers_desk_is_written_down_once_an_hour(
    client: httpx.AsyncClient, sign_in: SignIn, moment: time_machine.Traveller
) -> None:
    async with writing() as tx:
        dora, event = await world.dora(tx), await world.event(tx)
    await sign_in(client, dora)
    pages = (f"/manager/events/{event.slug}", f"/manager/events/{event.slug}/sales", f"/manager/events/{event.slug}/payments")
    for url in (*pages, f"/manager/events/{event.slug}/edit", "/manager/events?all=1") * 2:
        assert (await client.get(url)).status_code == 200
    who = "Dora (dora@example.com)"
    looks = [made for made in await said() if "opened" in made]
    assert looks == [
        f"{who} opened the manager’s page of “Nine Pianos”.",
        f"{who} opened the sales page of “Nine Pianos”.",
        f"{who} opened the payments of “Nine Pianos”.",
        f"{who} opened the form of “Nine Pianos”.",
        f"{who} opened the list of every manager’s events.",
    ]
    moment.shift(timedelta(minutes=61))
    async with writing() as tx:
        dora = await world.dora(tx)
    await sign_in(client, dora)
    await client.get(pages[0])
    assert len([made for made in await said() if "opened" in made]) == 6


async def test_a_manager_at_their_own_desk_is_not(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx)
    await sign_in(client, alice)
    await client.get(f"/manager/events/{event.slug}")
    assert not [made for made in await said() if "opened" in made]


async def test_the_page_can_be_narrowed_to_days_and_one_kind(
    moment: time_machine.Traveller, client: httpx.AsyncClient, dora: User
) -> None:
    async with writing() as tx:
        await activity.record(tx, "text.saved", about="text:old", by=dora.id)
    moment.shift(timedelta(days=1))
    async with writing() as tx:
        await activity.record(tx, "text.saved", about="text:new", by=dora.id)
        await activity.record(tx, "reports.cleared", about="csp_reports", by=dora.id)
    shown = {
        "?from=2026-11-17&group=desk": ["reports.cleared", "text.saved"],
        "?to=2026-11-16&group=desk": ["text.saved"],
        "?from=2026-11-16&to=2026-11-17&kind=text.saved": ["text.saved", "text.saved"],
        "?from=yesterday&kind=reports.cleared": ["reports.cleared"],
        "?kind=text": [],
    }
    # The pages are fetched by somebody who signed in a day ago, before an hour of a desk's login has passed.
    moment.shift(timedelta(days=-1))
    for query, expected in shown.items():
        page = (await client.get(f"/admin/activity{query}")).text
        assert re.findall(r'class="mono">(\w+\.\w+)</span>&nbsp;·', page) == expected, query


async def test_each_row_has_an_address(client: httpx.AsyncClient, dora: User) -> None:
    async with writing() as tx:
        row = await activity.record(tx, "text.saved", about="text:imprint", by=dora.id, letters=[0, 7])
    assert f'href="/admin/activity/{row.id}"' in (await client.get("/admin/activity")).text
    page = await text_of(client, f"/admin/activity/{row.id}")
    assert "changed the text of the page “imprint”" in page
    assert "&#34;letters&#34;" in page
    assert (await client.get("/admin/activity/999999")).status_code == 404
