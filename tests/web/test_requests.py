"""What the log tells of requests: who did something, who was refused and where, and never what only the visitor may know."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.core import tokens
from app.core.db import writing
from tests import world
from tests.canaries import watch

ROOT = Path(__file__).parents[2]


@pytest.mark.asvs("V16.3.2", "V16.3.3", "V16.2.1")
async def test_whoever_knocks_at_a_closed_door_is_written_down(client: httpx.AsyncClient, sign_in: Any) -> None:
    await client.post("/logout", headers={"Sec-Fetch-Site": "cross-site"})
    async with writing() as tx:
        bob = await world.bob(tx)
    await sign_in(client, bob)
    await client.get("/admin")
    await client.post("/webhooks/stripe", content=b"{}", headers={"Stripe-Signature": "t=1,v1=00"})
    said = watch.log
    assert "security.foreign_request path=/logout site=cross-site" in said
    assert f"security.forbidden path=/admin method=GET user={bob.id}" in said
    assert "security.bad_signature door=webhook" in said
    assert "request method=GET path=/admin status=403 ms=" in said
    assert all("request_id=" in line for line in said.splitlines())


@pytest.mark.asvs("V16.3.1", "V16.3.3")
async def test_failed_logins_and_limits_are_written_down_without_the_address(client: httpx.AsyncClient) -> None:
    async with writing() as tx:
        bob = await world.bob(tx)
    for _attempt in range(25):
        answer = await client.post("/login", data={"email": bob.email, "password": "not this one"})
    assert answer.status_code == 429
    said = watch.log
    assert f"user:{bob.id}" in said
    assert "security.limit_reached limit=" in said
    assert "bob@" not in said
    assert "not this one" not in said


async def test_reading_leaves_no_line_and_acting_leaves_one(client: httpx.AsyncClient) -> None:
    await client.get("/events")
    await client.get("/static/app.css")
    await client.get("/nowhere")
    assert watch.log == ""
    await client.post("/theme", data={"theme": "dark"})
    assert watch.log.count("\n") == 1


async def test_a_hold_is_an_activity_and_needs_no_line_until_it_is_refused(client: httpx.AsyncClient) -> None:
    async with writing() as tx:
        event = await world.event(tx, capacity=1)
        kind = await world.only_type(tx, event)
    address = f"/events/{event.slug}/hold"
    assert (await client.post(address, data={f"q-{kind.code}": "1"})).status_code == 303
    assert "request method=POST" not in watch.log
    client.cookies.clear()
    assert (await client.post(address, data={f"q-{kind.code}": "1"})).status_code == 409
    assert "request method=POST path=/events/{slug}/hold status=409" in watch.log


async def test_who_sees_a_desk_is_written_down(client: httpx.AsyncClient, sign_in: Any) -> None:
    async with writing() as tx:
        dora = await world.dora(tx)
    await sign_in(client, dora)
    await client.get("/admin")
    assert "path=/admin status=200" in watch.log
    assert f"user={dora.id}" in watch.log


@pytest.mark.asvs("V16.2.5", "V14.2.1")
async def test_codes_and_tokens_in_addresses_stay_out_of_the_log(client: httpx.AsyncClient) -> None:
    token = tokens.sign("reset", "17")
    code = "AbCdEfGhIjKlMnOpQr_-01"
    for address in (f"/password/reset/{token}", f"/verify/{token}", f"/bookings/{code}", f"/tickets/{code}"):
        await client.get(address, headers={"Cookie": "login=canary.cookie"})
        await client.post(f"{address}?q=canary-query", data={"email": "erin@example.com"})
    said = watch.log
    assert "path=/password/reset/{token}" in said
    assert not any(secret in said for secret in (token, code, "canary", "erin@"))


@pytest.mark.asvs("V16.2.4")
def test_a_process_that_the_server_started_logs_like_all_others(tmp_path: Path) -> None:
    """It runs nothing of main but the imports, so it has to set up its log by itself."""
    code = "import main, logging; main.create_app_of_a_process(); logging.getLogger('x').error('for bob@example.com')"
    given = {"SECRET_KEY": "k" * 32, "DATA_DIR": str(tmp_path), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=60, check=True)
    said = json.loads(done.stderr)
    assert (said["level"], said["event"], said["logger"]) == ("error", "for [e-mail]", "x")
