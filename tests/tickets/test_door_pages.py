"""The pages of the door: what stands on them, and what a device takes along and brings back."""

import base64
import json
from typing import Any

import httpx
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import delete
from sqlmodel import select

from app.core import clock
from app.core.db import reading, writing
from app.events.models import Helper
from app.tickets import queries, signing
from app.tickets.models import CheckIn, Gate
from tests import world
from tests.admin.logbook import said
from tests.reading import words
from tests.tickets.doors import Evening, evening

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
async def tonight(client: httpx.AsyncClient, sign_in: Any) -> Evening:
    """Erin is signed in at the door."""
    made = await evening()
    async with writing() as tx:
        erin = await world.erin(tx)
    await sign_in(client, erin)
    return made


def door(tonight: Evening) -> str:
    return f"/manager/events/{tonight.event.slug}/checkin"


async def alices(sign_in: Any, client: httpx.AsyncClient) -> None:
    async with writing() as tx:
        alice = await world.alice(tx)
    await sign_in(client, alice)


async def test_without_scripts_a_scan_answers_with_the_page(client: httpx.AsyncClient, tonight: Evening) -> None:
    answer = await client.post(door(tonight), data={"code": tonight.codes[0]})
    assert answer.status_code == 200
    assert "<h2>Admit</h2>" in answer.text
    assert '<strong id="inside">1</strong>' in answer.text
    assert "autofocus" in answer.text


async def test_an_empty_scan_says_what_to_do(client: httpx.AsyncClient, tonight: Evening) -> None:
    answer = await client.post(door(tonight), data={"code": ""})
    assert answer.status_code == 422
    assert "Scan a ticket, or type its code" in answer.text


@pytest.mark.parametrize("word", ["admit", "again", "other_event", "unknown"])
async def test_a_fragment_has_less_than_a_kilobyte(client: httpx.AsyncClient, tonight: Evening, word: str) -> None:
    other = await evening(title="A Rather Long Title For One Evening")
    codes = {"admit": tonight.codes[0], "again": tonight.codes[0], "other_event": other.codes[0], "unknown": "hello"}
    if word == "again":
        await tonight.scan(tonight.codes[0], gate="The door at the back")
    answer = await client.post(door(tonight), data={"code": codes[word]}, headers=HTMX)
    assert len(answer.content) <= 1024 * (2 if word == "admit" else 1)
    assert "<html" not in answer.text
    assert answer.text.count("<h2>") == 1


async def test_looking_at_a_ticket_changes_nothing_and_offers_the_button_only_at_the_door(
    client: httpx.AsyncClient, tonight: Evening, open_browser: Any
) -> None:
    strangers = await open_browser()
    page = f"/tickets/{tonight.codes[0]}"
    assert f'action="{door(tonight)}"' in (await client.get(page)).text
    assert "You are at the door" not in (await strangers.get(page)).text
    assert await tonight.inside() == (0, 2)


async def test_only_the_page_of_the_door_may_use_the_camera(client: httpx.AsyncClient, tonight: Evening) -> None:
    page, other = await client.get(door(tonight)), await client.get("/me")
    assert "camera=(self)" in page.headers["permissions-policy"]
    assert "script-src 'self' 'wasm-unsafe-eval';" in page.headers["content-security-policy"]
    assert "camera=()" in other.headers["permissions-policy"]
    assert "wasm" not in other.headers["content-security-policy"]


async def test_the_worker_looks_after_this_page_alone(client: httpx.AsyncClient, tonight: Evening) -> None:
    answer = await client.get(f"{door(tonight)}/worker.js")
    assert answer.headers["service-worker-allowed"] == door(tonight)
    assert answer.headers["content-type"].startswith("text/javascript")


async def test_a_gate_is_chosen_once_and_kept(client: httpx.AsyncClient, tonight: Evening) -> None:
    async with writing() as tx:
        gate = Gate(event_id=tonight.event.id or 0, name="Balcony")
        tx.add(gate)
    await client.get(f"{door(tonight)}?gate={gate.code}")
    await client.post(door(tonight), data={"code": tonight.codes[0]})
    async with reading() as db:
        assert (await db.exec(select(CheckIn.gate))).one() == "Balcony"


async def test_the_manager_sets_up_gates_and_lets_people_out(client: httpx.AsyncClient, tonight: Evening, sign_in: Any) -> None:
    await alices(sign_in, client)
    assert (await client.post(f"{door(tonight)}/gates", data={"name": "Balcony"})).status_code == 303
    assert (await client.post(f"{door(tonight)}/gates", data={"name": ""})).status_code == 422
    assert (await client.post(f"{door(tonight)}/exit")).status_code == 303
    page = await client.get(door(tonight))
    assert "Balcony" in page.text
    assert "Let people out" in page.text
    assert "Let out: scan or type a code" in (await client.get(f"{door(tonight)}?way=out")).text


async def test_somebody_without_a_code_is_found_by_name_or_reference(client: httpx.AsyncClient, tonight: Evening) -> None:
    short = (await tonight.ticket(tonight.codes[0])).short_code
    assert short in (await client.get(f"{door(tonight)}?q=bianchi")).text
    assert "Nobody of that name" in (await client.get(f"{door(tonight)}?q=%25")).text
    assert "Nobody of that name" in (await client.get(f"{door(tonight)}?q=zoe")).text


async def test_the_check_ins_are_a_file_for_the_manager(client: httpx.AsyncClient, tonight: Evening, sign_in: Any) -> None:
    await tonight.scan(tonight.codes[0], gate="Balcony")
    assert (await client.get(f"/manager/events/{tonight.event.slug}/checkins.csv")).status_code == 403
    await alices(sign_in, client)
    file = (await client.get(f"/manager/events/{tonight.event.slug}/checkins.csv")).text
    assert '"in"' in file
    assert '"Balcony","Erin","online"' in file


async def test_a_conflict_waits_for_the_manager_until_they_have_seen_to_it(
    client: httpx.AsyncClient, tonight: Evening, sign_in: Any
) -> None:
    await tonight.scan(tonight.codes[0], gate="Main door")
    await tonight.scan(tonight.codes[0], gate="Balcony", at=clock.now())
    # Erin reads of it; whether it is settled is for the manager to say.
    assert "Seen to" not in (await client.get(door(tonight))).text
    await alices(sign_in, client)
    desk, page = f"/manager/events/{tonight.event.slug}", words((await client.get(door(tonight))).text)
    assert "Main door · Erin" in page and "Balcony · Erin" in page
    assert "1 ticket was used twice" in words((await client.get(desk)).text)
    assert "1 ticket was used twice" in words((await client.get("/manager")).text)
    async with reading() as db:
        (conflict,) = await queries.conflicts(db, tonight.event.id or 0, most=9)
    answer = await client.post(f"{door(tonight)}/undo", data={"scan": conflict.scan.check_in.code})
    assert "<h2>Seen to</h2>" in answer.text and "Somebody may be inside" not in answer.text
    assert "used twice" not in (await client.get(desk)).text
    assert (await said())[-1].startswith("Alice (alice@example.com) has seen to a ticket of booking")


async def test_a_seller_who_may_not_open_the_door_reads_nothing_of_it(
    client: httpx.AsyncClient, tonight: Evening, sign_in: Any
) -> None:
    await tonight.scan(tonight.codes[0])
    await tonight.scan(tonight.codes[0], at=clock.now())
    async with writing() as tx:
        sam = await world.sam(tx)
        await world.helper(tx, tonight.event, sam, "sales")
    await sign_in(client, sam)
    page = await client.get(f"/manager/events/{tonight.event.slug}")
    assert page.status_code == 200 and "used twice" not in page.text


async def test_the_list_of_last_scans_shows_who_was_refused(client: httpx.AsyncClient, tonight: Evening) -> None:
    refused = await client.post(door(tonight), data={"code": "hello"}, headers=HTMX)
    assert "<strong>Unknown</strong>" in refused.text and 'id="nobody" hx-swap-oob="delete"' in refused.text
    await client.post(door(tonight), data={"code": tonight.codes[0]})
    await client.post(door(tonight), data={"code": tonight.codes[0]})
    page = words((await client.get(door(tonight))).text)
    assert page.index("Already in Ada Bianchi · Standard") < page.index("Unknown")
    assert "Nobody has come yet" not in page


# ---------- without a network ----------


async def test_a_device_takes_along_no_more_than_a_door_needs(client: httpx.AsyncClient, tonight: Evening) -> None:
    answer = await client.get(f"{door(tonight)}/list")
    assert all(secret not in answer.text for secret in (*tonight.codes, "Bianchi", "guest0@example.com"))
    taken = answer.json()
    tickets = json.loads(taken["body"])["tickets"]
    short = (await tonight.ticket(tonight.codes[0])).short_code
    assert [len(tickets), tickets[0][1:]] == [2, [short, "Ada B.", "Standard", 0]]
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(signing.public_keys()[0]))
    signature = base64.urlsafe_b64decode(taken["signature"] + "==")
    key.verify(signature, f"list:{taken['body']}".encode())
    with pytest.raises(InvalidSignature):
        key.verify(signature, f"list:{taken['body']} ".encode())


def scan(code: str, nonce: str, **changed: str) -> dict[str, str]:
    return {"code": code, "nonce": nonce * 32, "way": "in", "gate": "", "at": clock.now().isoformat()} | changed


async def test_scans_come_back_and_come_back_twice(client: httpx.AsyncClient, tonight: Evening) -> None:
    batch = {"scans": [scan(tonight.codes[0], "a"), scan(tonight.codes[0], "b"), scan(tonight.codes[1], "c")]}
    for _time in range(2):
        answer = await client.post(f"{door(tonight)}/merge", json=batch)
        assert [result["word"] for result in answer.json()["results"]] == ["admit", "again", "admit"]
    assert await tonight.inside() == (2, 2)
    assert "Conflicts" in (await client.get(door(tonight))).text
    async with reading() as db:
        assert len((await db.exec(select(CheckIn))).all()) == 3


@pytest.mark.asvs("V2.2.1")
@pytest.mark.parametrize(
    "sent", [b"", b"[]", b"{}", b'{"scans": 3}', b'{"scans": [1]}', b'{"scans": [{"code": "x"}]}', b"\xff", b"[" * 9000]
)
async def test_what_is_no_list_of_scans_is_refused(client: httpx.AsyncClient, tonight: Evening, sent: bytes) -> None:
    answer = await client.post(f"{door(tonight)}/merge", content=sent, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "changed", [{"at": "soon"}, {"nonce": "x"}, {"way": "up"}, {"gate": "\0"}, {"at": "0001-01-01T00:00:00+14:00"}], ids=str
)
async def test_a_scan_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, tonight: Evening, changed: dict[str, str]
) -> None:
    batch = {"scans": [scan(tonight.codes[0], "a") | changed]}
    assert (await client.post(f"{door(tonight)}/merge", json=batch)).status_code == 422
    assert await tonight.inside() == (0, 2)


# ---------- signatures ----------


def test_a_signature_is_of_this_ticket_for_this_event() -> None:
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(signing.public_keys()[0]))
    code = "a" * 22
    signed = base64.urlsafe_b64decode(signing.scanned_address(7, code).partition("#")[2] + "==")
    key.verify(signed, f"ticket:7:{code}".encode())
    for other in (f"ticket:8:{code}", f"ticket:7:{'b' * 22}", f"list:7:{code}"):
        with pytest.raises(InvalidSignature):
            key.verify(signed, other.encode())


async def test_a_right_at_the_door_that_was_taken_admits_nobody(client: httpx.AsyncClient, tonight: Evening) -> None:
    async with writing() as tx:
        await tx.exec(delete(Helper))
    assert (await client.post(door(tonight), data={"code": tonight.codes[0]})).status_code == 404
    assert await tonight.inside() == (0, 2)
