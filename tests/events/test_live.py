"""The stream of an event's page, over a real server: what it says, who gets one, and that it holds nobody up."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from granian.constants import Interfaces
from granian.server.embed import Server

from app.bookings import live
from app.core.db import Database, writing
from tests import world
from tests.stage import eventually, free_port, serving

ROOT = Path(__file__).parents[2]
EVENTS = {"Accept": "text/event-stream"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.05)


async def an_event(**columns: Any) -> str:
    async with writing() as tx:
        return f"/events/{(await world.event(tx, capacity=12, **columns)).slug}/live"


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    port = free_port()
    async with serving(app, port), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as browser:
        yield browser


async def first(lines: AsyncIterator[str]) -> dict[str, str]:
    """The fields of the stream up to the end of its first message. The stream stays open."""
    fields: dict[str, str] = {}
    async with asyncio.timeout(30):
        while (line := await anext(lines)) or "data" not in fields:
            name, _colon, value = line.partition(": ")
            fields[name] = fields.get(name, "") + value
    return fields


async def test_a_stream_says_when_to_come_back_what_it_told_and_is_kept_by_nobody(app: Any) -> None:
    async with served(app) as browser:
        address = await an_event()
        async with browser.stream("GET", address, headers=EVENTS) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["cache-control"] == "no-store"
            assert "content-encoding" not in answer.headers
            said = await first(answer.aiter_lines())
        assert 2000 <= int(said["retry"]) < 8000
        assert "12 left" in said["data"]
        # Who names what it has heard is not told again.
        for heard in ({"headers": {**EVENTS, "Last-Event-ID": said["id"]}}, {"headers": EVENTS, "params": {"seen": said["id"]}}):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.4), browser.stream("GET", address, **heard) as answer:  # type: ignore[arg-type]
                    await first(answer.aiter_lines())


async def test_who_leaves_frees_the_place_and_who_finds_none_is_told_not_to_ask_again(
    app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST_OF_AN_ADDRESS", 1)
    async with served(app) as browser:
        address = await an_event()
        async with browser.stream("GET", address, headers=EVENTS) as answer:
            lines = answer.aiter_lines()
            await first(lines)
            assert (await browser.get(address, headers=EVENTS)).status_code == 204
        await eventually(lambda: live.room().addresses.total() == 0)
        async with browser.stream("GET", address, headers=EVENTS) as answer:
            assert "12 left" in (await first(answer.aiter_lines()))["data"]


async def test_who_reads_no_streams_hears_how_it_stands(client: httpx.AsyncClient) -> None:
    answer = await client.get(await an_event())
    assert answer.status_code == 200 and "12 left" in answer.text
    assert live.room().addresses.total() == 0


async def test_a_server_ends_with_open_streams_and_without_our_help_it_would_not(app: Any) -> None:
    port = free_port()
    server = Server(app, port=port, interface=Interfaces.ASGI, log_enabled=False)
    running = asyncio.create_task(server.serve())
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as browser:
        await eventually(lambda: _answers(browser))
        async with browser.stream("GET", await an_event(), headers=EVENTS) as answer:
            lines = answer.aiter_lines()
            await first(lines)
            server.stop()
            _done, waiting = await asyncio.wait({running}, timeout=0.7)
            assert waiting
            live.close()
            async with asyncio.timeout(30):
                await running
                # The stream ended as streams end, and was not cut off.
                assert [line async for line in lines if line] == []


async def _answers(browser: httpx.AsyncClient) -> bool:
    try:
        return (await browser.get("/healthz")).status_code == 200
    except httpx.HTTPError:
        return False


async def test_every_process_of_several_ends_its_streams(postgresql_database: Database, tmp_path: Path) -> None:
    address, port = await an_event(), free_port()
    own = {
        "DATABASE_URL": postgresql_database.url,
        "WORKERS": "2",
        "PORT": str(port),
        "SECRET_KEY": "k" * 32,
        "LOG_FORMAT": "text",
    }
    own |= {"DATA_DIR": str(tmp_path), "BASE_URL": f"http://127.0.0.1:{port}"}
    with (tmp_path / "log").open("wb") as log:
        surroundings = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        command = [sys.executable, "main.py", "serve"]
        server = subprocess.Popen(command, cwd=ROOT, env=surroundings | own, stdout=log, stderr=subprocess.STDOUT)
    try:
        async with AsyncExitStack() as open_ones, httpx.AsyncClient(base_url=own["BASE_URL"], trust_env=False) as browser:
            await eventually(lambda: _answers(browser), seconds=120)
            streams = []
            for _tab in range(4):
                answer = await open_ones.enter_async_context(browser.stream("GET", address, headers=EVENTS))
                streams.append(answer.aiter_lines())
                await first(streams[-1])
            server.send_signal(signal.SIGTERM)
            async with asyncio.timeout(30):
                assert [line for lines in streams async for line in lines if line] == []
                assert await asyncio.to_thread(server.wait) == 0
        assert "Traceback" not in (tmp_path / "log").read_text()
    finally:
        server.kill()
        server.wait()
