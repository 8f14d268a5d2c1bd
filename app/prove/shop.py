"""The shop that has to prove itself: a process of its own on a free port, set up as in production."""

import asyncio
import os
import secrets
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from app.core.settings import settings
from app.core.templates import ROOT
from app.prove.client import Connection, get
from app.prove.ground import CannotProve, Ground

START_SECONDS = 60
STOP_SECONDS = 20

# What the shop's process inherits: how to run Python and how to reach PostgreSQL, none of the shop's own settings.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")


@asynccontextmanager
async def serving(ground: Ground) -> AsyncIterator[int]:
    """The port of a running shop; it has ended when the block has. Raises CannotProve with its last words."""
    port, log = _free_port(), ground.folder / "shop.log"
    with log.open("wb") as said:
        # In a session of its own, because Ctrl-C is for us: buyers who are being served get their answer before it ends.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(ROOT / "main.py"), "serve"),
            cwd=ROOT,
            env=_environment(ground, port),
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        await _until_it_answers(process, port, log)
        yield port
    finally:
        await asyncio.shield(_end(process))


def _environment(ground: Ground, port: int) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name in INHERITED or name.startswith("PG")}
    return inherited | {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "BASE_URL": f"http://127.0.0.1:{port}",
        "DATABASE_URL": ground.url,
        "DATA_DIR": str(ground.folder),
        "SECRET_KEY": secrets.token_hex(32),
        "WORKERS": str(settings().workers),
        # No hold may lapse before all of them are counted.
        "HOLD_MINUTES": "120",
        # The worker of the shop's own database has its mail server; this one would have none.
        "WORKER_INSIDE": "1" if ground.is_own else "0",
        # Every buyer has an address of their own, as behind a proxy.
        "TRUSTED_PROXIES": "127.0.0.1",
        "LOG_FORMAT": "json",
    }


async def _until_it_answers(process: Process, port: int, log: Path) -> None:
    try:
        async with asyncio.timeout(START_SECONDS):
            while process.returncode is None:
                connection = Connection(port)
                try:
                    if (await connection.ask(get("/healthz"))).status == 200:
                        return
                except OSError:
                    await asyncio.sleep(0.05)
                finally:
                    connection.close()
    except TimeoutError:
        pass
    raise CannotProve(f"The shop did not start. It said: {_last_line(log)}")


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


def _last_line(log: Path) -> str:
    return (log.read_text(errors="replace").strip().splitlines() or ["nothing"])[-1]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
