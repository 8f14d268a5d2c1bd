"""A copy of one's own data: complete, only one's own, and gone after a week."""

import io
import json
import os
import zipfile
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from sqlmodel import select

from app.core import clock
from app.core.db import Database, reading, writing
from app.core.settings import settings
from app.notifications.models import Notification
from app.payments.models import Payment
from app.privacy import copy, flows
from app.privacy.actions import exports
from app.privacy.models import Export
from app.sandbox.app import Sandbox
from app.worker import Worker
from tests import world
from tests.notifications.scenes import bought
from tests.privacy.canary import EMAIL, NAME, lives_here

ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


async def copied(user_id: int) -> zipfile.ZipFile:
    """The user asks, the worker makes it."""
    async with writing() as tx:
        await exports.ask(tx, user_id, by=user_id, now=clock.now())
    await flows.build_exports()
    async with reading() as db:
        found = (await db.exec(select(Export).where(Export.user_id == user_id))).one()
    assert found.state == "ready"
    return zipfile.ZipFile(io.BytesIO((flows.exports_folder() / found.file).read_bytes()))


async def test_everything_of_ones_own_is_in_it(fake: Sandbox, database: Database) -> None:
    user = await lives_here(fake)
    archive = await copied(user.id or 0)
    told = json.loads(archive.read("data.json"))
    assert (told["account"]["email"], told["account"]["name"]) == (EMAIL, NAME)
    assert sorted(booking["total_minor"] for booking in told["bookings"]) == [0, 1800, 3700, 3700]
    paid = [booking for booking in told["bookings"] if booking["payments"]]
    assert [len(booking["tickets"]) for booking in paid] == [2, 2]
    assert [len(payment["refunds"]) for booking in paid for payment in booking["payments"]] == [0, 1]
    asked = {"question": "Who comes with you?", "place": None, "answer": f"{NAME}'s aunt"}
    assert [booking["answers"] for booking in paid] == [[asked], [asked]]
    assert told["ways_in"]["passkeys"][0]["name"] == "zyxwvut's key"
    assert told["ways_in"]["providers"][0]["issuer"] == "https://id.example"
    assert {"register", "reset", "email"} <= {link["kind"] for link in told["mailed_links"]}
    assert told["signed_in_browsers"][0]["device"] == "zyxwvut on Linux"
    assert any(one["category"] == "Music" for one in told["favourites"])
    assert [one["rights"] for one in told["helping"]] == [["door"]]
    assert told["preferences"] == [{"topic": "presales", "wanted": False}]
    assert "account.logged_in" in {row["kind"] for row in told["activities"]}
    assert "booking_paid" in {row["kind"] for row in told["notifications"]}
    names = archive.namelist()
    assert sum(name.startswith("tickets/") for name in names) == 3
    assert sum(name.startswith("receipts/") for name in names) == 3
    assert all(archive.read(name).startswith(b"%PDF") for name in names if name.endswith(".pdf"))


@ON_SQLITE
async def test_no_secret_and_nobody_else_is_in_it(fake: Sandbox) -> None:
    user = await lives_here(fake)
    async with writing() as tx:
        carol = await world.carol(tx)
        event = await world.event(tx, price_minor=0, title="Carols Evening")
    await bought(event, carol)
    text = (await copied(user.id or 0)).read("data.json").decode()
    async with reading() as db:
        codes = [row.facts["nonce"] for row in (await db.exec(select(Notification))).all() if "nonce" in row.facts]
        payments = (await db.exec(select(Payment))).all()
        links = [row.facts["link"] for row in (await db.exec(select(Notification))).all() if "link" in row.facts]
    assert codes and links and payments
    secret = ["password_hash", "id_hash", "sealed", "params", "session_url", "public_key", "a-hash", *codes, *links]
    assert [word for word in secret if word in text] == []
    assert "carol" not in text.lower()


@ON_SQLITE
async def test_the_file_has_a_random_name_and_is_the_programs_alone(database: Database) -> None:
    async with writing() as tx:
        bob = await world.bob(tx)
    await copied(bob.id or 0)
    [file] = flows.exports_folder().iterdir()
    assert len(file.stem) == 32
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@ON_SQLITE
async def test_its_owner_is_told_by_mail(database: Database) -> None:
    async with writing() as tx:
        bob = await world.bob(tx)
    await copied(bob.id or 0)
    await Worker().react()
    async with reading() as db:
        told = (await db.exec(select(Notification).where(Notification.kind == "export_ready"))).one()
    assert (told.email, told.in_panel) == ("bob@example.com", False)


async def test_one_that_fails_is_tried_again_and_then_said_to_have_failed(
    database: Database, moment: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_all: Any, **_named: Any) -> Any:
        raise OSError("No space left on device")

    monkeypatch.setattr(copy, "everything", broken)
    async with writing() as tx:
        bob = await world.bob(tx)
        await exports.ask(tx, bob.id or 0, by=bob.id or 0, now=clock.now())
    tried = []
    for _time in range(4):
        tried.append(await flows.build_exports())
        moment.shift(timedelta(minutes=6))
    async with reading() as db:
        found = (await db.exec(select(Export))).one()
    assert (tried, found.state, found.attempts) == ([1, 1, 1, 0], "failed", 3)


@ON_SQLITE
async def test_asking_twice_makes_one(database: Database) -> None:
    async with writing() as tx:
        bob = await world.bob(tx)
        await exports.ask(tx, bob.id or 0, by=bob.id or 0, now=clock.now())
        await exports.ask(tx, bob.id or 0, by=bob.id or 0, now=clock.now())
    assert await flows.build_exports() == 1


@ON_SQLITE
async def test_a_week_later_it_is_gone(database: Database, moment: time_machine.Traveller) -> None:
    async with writing() as tx:
        bob = await world.bob(tx)
    await copied(bob.id or 0)
    for file in flows.exports_folder().iterdir():
        # The disk has a clock of its own, which nobody stops.
        os.utime(file, (clock.now().timestamp(),) * 2)
    moment.shift(timedelta(days=7))
    await flows.forget()
    await flows.remove_strays()
    assert list(flows.exports_folder().iterdir()) == []


# ---------- in the browser ----------


@pytest.fixture
async def bob(client: httpx.AsyncClient, sign_in: Any) -> Any:
    async with writing() as tx:
        user = await world.bob(tx)
    await sign_in(client, user)
    return user


@pytest.mark.asvs("V14.3.2")
async def test_from_the_page_to_the_file(client: httpx.AsyncClient, bob: Any, open_browser: Any, sign_in: Any) -> None:
    shown = await client.get("/me/data")
    assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store")
    assert "/me/data/export" in shown.text
    asked = await client.post("/me/data/export")
    assert (asked.status_code, asked.headers["location"]) == (303, "/me/data")
    waiting = await client.get("/me/data")
    assert 'hx-trigger="every 3s"' in waiting.text
    part = await client.get("/me/data", headers={"HX-Request": "true", "HX-Request-Type": "partial"})
    assert part.text.partition("</title>")[2].strip().startswith("<section") and "<html" not in part.text
    await flows.build_exports()
    ready = await client.get("/me/data")
    assert "every 3s" not in ready.text
    path = ready.text.split('href="/me/data/exports/')[1].split('"')[0]
    file = await client.get(f"/me/data/exports/{path}")
    assert file.headers["content-type"] == "application/zip"
    assert "attachment" in file.headers["content-disposition"]
    assert file.headers["cache-control"] == "no-store"
    assert "data.json" in zipfile.ZipFile(io.BytesIO(file.content)).namelist()
    # Carol, who has the address of it, gets nothing; a client is sent to the login.
    carols = await open_browser()
    assert (await carols.get(f"/me/data/exports/{path}")).headers["location"].startswith("/login")
    async with writing() as tx:
        carol = await world.carol(tx)
    await sign_in(carols, carol)
    assert (await carols.get(f"/me/data/exports/{path}")).status_code == 404


@pytest.mark.parametrize("path", ["/me/data/export", "/me/data/erase", "/me/data/exports/x"])
async def test_who_did_not_prove_themselves_lately_is_asked_again(
    client: httpx.AsyncClient, moment: time_machine.Traveller, bob: Any, path: str
) -> None:
    moment.shift(timedelta(minutes=11))
    methods = ["GET"] if path.endswith("/x") else ["GET", "POST"]
    for method in methods:
        answer = await client.request(method, path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/login/again?next=")
    assert (await client.get("/me/data")).status_code == 200


async def test_asking_has_a_limit(client: httpx.AsyncClient, bob: Any) -> None:
    answers = [(await client.post("/me/data/export")).status_code for _time in range(11)]
    assert (answers[:10], answers[10]) == ([303] * 10, 429)


@pytest.mark.asvs("V14.3.1")
async def test_erasing_from_the_page(client: httpx.AsyncClient, bob: Any) -> None:
    assert "Erase my account" in (await client.get("/me/data/erase")).text
    gone = await client.post("/me/data/erase")
    assert (gone.status_code, gone.headers["location"]) == (303, "/")
    assert gone.headers["clear-site-data"] == '"cache", "storage"'
    assert (await client.get("/me")).headers["location"].startswith("/login")
    assert "Your account is erased." in (await client.get("/")).text
    assert (settings().data / "erasures.jsonl").exists()


async def test_the_page_says_what_must_end_first(client: httpx.AsyncClient, bob: Any) -> None:
    async with writing() as tx:
        event = await world.event(tx, price_minor=0)
    await bought(event, bob)
    page = await client.get("/me/data/erase")
    assert "You have tickets for an event that is not over." in page.text
    assert '<form class="cluster" method="post" action="/me/data/erase">' not in page.text
    assert (await client.post("/me/data/erase")).status_code == 409
    assert (await client.get("/me")).status_code == 200
