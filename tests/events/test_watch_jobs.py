"""The pages of long work: how far it is, what came of it, and the file."""

import os
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine

from app.bookings.pages import people
from app.core import clock, i18n, jobs
from app.core.db import reading, writing
from app.core.jobs import Job
from app.events.models import Helper
from app.privacy import flows
from tests import world
from tests.admin.logbook import said
from tests.conftest import NOON
from tests.reading import words

_SELLS = {"may_sell": True, "created_at": NOON, "joined_at": NOON}

pytestmark = pytest.mark.usefixtures("moment")


@pytest.fixture
async def alices(client: httpx.AsyncClient, sign_in: Any) -> httpx.AsyncClient:
    async with writing() as tx:
        alice = await world.alice(tx)
    await sign_in(client, alice)
    return client


async def a_job(**columns: Any) -> Job:
    """Alice had a list of 500 attendees made. `columns` are those of the job as it is now."""
    async with writing() as tx:
        alice = await world.alice(tx)
        job = await jobs.start(
            tx,
            "listing",
            about="event:1",
            by=alice.id or 0,
            title=people.WHAT["attendees"],
            name="Nine Pianos",
            wish={},
            total=500,
            back="/manager/events",
            file_name="attendees.csv",
        )
        for name, value in columns.items():
            setattr(job, name, value)
    return job


async def test_its_title_is_in_the_language_of_whoever_reads_it(alices: httpx.AsyncClient) -> None:
    with i18n.speaking("fr"):
        job = await a_job()
    assert (job.sentence, job.name) == ("Attendees of %(title)s", "Nine Pianos")
    for path in ("/manager/jobs", f"/manager/jobs/{job.code}"):
        alices.cookies.set("language", "en")
        assert "Attendees of Nine Pianos" in words((await alices.get(path)).text)
        alices.cookies.set("language", "de")
        assert "Gäste von Nine Pianos" in words((await alices.get(path)).text)


async def test_a_title_that_was_written_out_before_stays_as_it_is(alices: httpx.AsyncClient) -> None:
    job = await a_job(sentence="Teilnehmer von 100 % Jazz", name="")
    assert "Teilnehmer von 100 % Jazz" in words((await alices.get(f"/manager/jobs/{job.code}")).text)


async def test_it_says_how_far_it_is_and_asks_for_itself(alices: httpx.AsyncClient) -> None:
    job = await a_job(state="running", done=200)
    answer = await alices.get(f"/manager/jobs/{job.code}")
    assert "200 of 500" in words(answer.text)
    assert '<progress class="meter" max="500" value="200"' in answer.text
    assert '<noscript><meta http-equiv="refresh"' in answer.text
    part = await alices.get(f"/manager/jobs/{job.code}", headers={"HX-Request": "true", "HX-Request-Type": "partial"})
    assert (
        part.text.partition("</title>")[2].startswith('<section class="panel stack w62" id="job"')
        and 'hx-trigger="every 2s"' in part.text
    )


async def test_at_the_end_it_stops_asking_and_gives_the_file(alices: httpx.AsyncClient) -> None:
    job = await a_job(state="done", done=500, ended_at=clock.now())
    await jobs.append(job, b"Name\r\n")
    answer = await alices.get(f"/manager/jobs/{job.code}")
    assert "hx-trigger" not in answer.text.split('id="job"')[1] and "http-equiv" not in answer.text
    file = await alices.get(f"/manager/jobs/{job.code}/file")
    assert (file.status_code, file.text, file.headers["Cache-Control"]) == (200, "Name\r\n", "no-store")
    assert 'filename="attendees.csv"' in file.headers["Content-Disposition"]


async def test_the_file_goes_after_a_week_and_the_page_says_so(
    alices: httpx.AsyncClient, sign_in: Any, moment: time_machine.Traveller
) -> None:
    job = await a_job(state="done", done=500, ended_at=clock.now())
    await jobs.append(job, b"Name\r\n")
    os.utime(job.path, times=(clock.now().timestamp(), clock.now().timestamp()))
    moment.shift(timedelta(days=7, minutes=1))
    async with writing() as tx:
        alice = await world.alice(tx)
    await sign_in(alices, alice)
    assert (await alices.get(f"/manager/jobs/{job.code}/file")).status_code == 404
    await flows.forget()
    await flows.remove_strays(at_once=True)
    assert not job.path.exists()
    assert "no longer kept" in words((await alices.get(f"/manager/jobs/{job.code}")).text)


async def test_what_was_refused_stands_there(alices: httpx.AsyncClient) -> None:
    job = await a_job(state="done", said=["Friday has bookings, so its price stays."], ended_at=clock.now())
    assert "Not done Friday has bookings, so its price stays." in words((await alices.get(f"/manager/jobs/{job.code}")).text)


async def test_a_failed_one_is_tried_again_from_its_page(alices: httpx.AsyncClient) -> None:
    job = await a_job(state="failed", error="OSError: the disk is full", ended_at=clock.now())
    page = words((await alices.get(f"/manager/jobs/{job.code}")).text)
    assert "It could not be done" in page and "the disk is full" in page
    answer = await alices.post(f"/manager/jobs/{job.code}/again")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/manager/jobs/{job.code}")
    async with reading() as db:
        assert (await jobs.by_code(db, job.code) or job).state == "waiting"


async def test_they_are_found_again_in_a_list(alices: httpx.AsyncClient) -> None:
    job = await a_job(done=100)
    page = (await alices.get("/manager/jobs")).text
    assert f'href="/manager/jobs/{job.code}"' in page and "100 of 500" in words(page)


async def test_an_admin_opens_everybodys_and_that_is_written_down(client: httpx.AsyncClient, sign_in: Any) -> None:
    job = await a_job()
    async with writing() as tx:
        dora = await world.dora(tx)
    await sign_in(client, dora)
    assert job.code not in (await client.get("/manager/jobs")).text
    assert job.code in (await client.get("/manager/jobs?all=1")).text
    assert (await client.get(f"/manager/jobs/{job.code}")).status_code == 200
    assert (await said())[-2:] == [
        "Dora (dora@example.com) opened the list of everybody’s jobs.",
        "Dora (dora@example.com) opened the job “Attendees of Nine Pianos”.",
    ]


async def test_who_may_no_longer_sell_for_the_event_gets_no_file_any_more(client: httpx.AsyncClient, sign_in: Any) -> None:
    async with writing() as tx:
        event, sam = await world.event(tx), await world.person(tx, "Sam")
        helper = Helper(event_id=event.id or 0, email=sam.email, user_id=sam.id, invited_by=event.manager_id, **_SELLS)
        tx.add(helper)
    job = await a_job(state="done", done=500, ended_at=clock.now(), about=f"event:{event.id}", by_user_id=sam.id)
    await jobs.append(job, b"Name\r\n")
    await sign_in(client, sam)
    assert (await client.get(f"/manager/jobs/{job.code}/file")).status_code == 200
    async with writing() as tx:
        await tx.delete(helper)
    assert (await client.get(f"/manager/jobs/{job.code}/file")).status_code == 404
