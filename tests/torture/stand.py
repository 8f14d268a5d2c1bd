"""Where the shop is tortured: real processes on a real database, and a Stripe that outlives them.

The database belongs to the server while that runs, as an old SQLite demands. Before and after, `books()` opens it here.
"""

import asyncio
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from litestar.datastructures import Cookie

from app.accounts.actions import sessions
from app.accounts.models import User
from app.core import clock, db, migrate
from app.core.settings import Settings, settings, use
from app.payments import stripe
from app.prove.client import Answer, Connection, addresses, get, post
from app.sandbox.app import Sandbox
from app.web import cookies
from app.web.visitor import login_cookie
from tests import invariants, world
from tests.conftest import TEST_SETTINGS
from tests.postgres import Cluster
from tests.stage import API_KEY, WEBHOOK_SECRET, free_port, serving

ROOT = Path(__file__).parents[2]
DATABASES = ("sqlite", "postgresql")
START_SECONDS = 60

# Requests come from many places, so that the limits by address let a crowd pass.
_addresses = addresses()


@dataclass
class Stand:
    """One shop under torture: `at_once` is its crowd, `start`, `stop` and `kill` its operator."""

    kind: str
    settings: Settings
    fake: Sandbox
    log: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    async def start(self, *commands: str, workers: int = 1, worker_inside: bool = False) -> None:
        """Starts `python main.py` for each command, "serve" without any; returns once the first page comes."""
        chosen = self._environment(workers=workers, worker_inside=worker_inside)
        with self.log.open("ab") as log:
            for command in commands or ("serve",):
                self.processes[command] = _process(command, chosen, log)
        await self._answers()

    def kill(self, *commands: str) -> None:
        """SIGKILL for what these commands started, all without any: children too, and nobody gets to say goodbye."""
        victims = [self.processes.pop(command) for command in commands or tuple(self.processes)]
        for process in victims:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for process in victims:
            process.wait()

    async def stop(self) -> None:
        """SIGTERM, as an operator ends it."""
        for process in self.processes.values():
            process.terminate()
        try:
            for process in self.processes.values():
                await asyncio.to_thread(process.wait, 20)
        finally:
            # Also what a process may have left behind.
            self.kill()

    @asynccontextmanager
    async def books(self) -> AsyncIterator[None]:
        """The database and the flows of the shop, in this process."""
        assert not self.processes, "the server owns the database"
        connected = db.connect(self.settings.database_url)
        try:
            yield
        finally:
            if db.database() is connected:
                await db.disconnect()
            await stripe.close_client()

    async def broken(self) -> list[str]:
        """The invariants that do not hold. Inside books()."""
        async with db.reading() as reader:
            return await invariants.broken(reader)

    def complaints(self) -> list[str]:
        """Lines in the log of the processes that no crowd may cause."""
        words = ("Traceback", "locked", "IntegrityError", "OperationalError", "deadlock")
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return [line for line in lines if any(word in line for word in words)]

    async def ask(self, request: bytes, *, connection: Connection | None = None) -> Answer:
        """One request. Raises ConnectionError when the server goes away meanwhile."""
        used = connection or Connection(self.settings.port)
        try:
            return await used.ask(request)
        finally:
            if not connection:
                used.close()

    async def at_once(self, requests: Iterable[bytes]) -> list[Answer]:
        """All requests in the same moment: every connection stands open before the first byte is sent."""
        sent = list(requests)
        crowd = [Connection(self.settings.port) for _request in sent]
        await asyncio.gather(*(connection.open() for connection in crowd))
        answers = await asyncio.gather(*(connection.ask(request) for connection, request in zip(crowd, sent, strict=True)))
        for connection in crowd:
            connection.close()
        return answers

    async def _answers(self) -> None:
        for _attempt in range(START_SECONDS * 20):
            assert self.processes["serve"].poll() is None, self.log.read_text(errors="replace")[-3000:]
            with suppress(OSError):
                if (await self.ask(get("/healthz"))).status == 200:
                    return
            await asyncio.sleep(0.05)
        raise RuntimeError(f"The server does not answer; see {self.log}")

    def _environment(self, **own: int) -> dict[str, str]:
        chosen = self.settings
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        said: dict[str, object] = {
            "PORT": chosen.port,
            "BASE_URL": chosen.base_url,
            "DATABASE_URL": chosen.database_url,
            "DATA_DIR": chosen.data,
            "SECRET_KEY": chosen.secret_key,
            "STRIPE_API_KEY": chosen.stripe_api_key,
            "STRIPE_API_BASE": chosen.stripe_api_base,
            "STRIPE_WEBHOOK_SECRET": chosen.stripe_webhook_secret,
            "SMTP_URL": chosen.smtp_url,
            "TRUSTED_PROXIES": "127.0.0.1",
            "BCRYPT_COST": 4,
            "KEEP_PAGES_SECONDS": 0,
        }
        return inherited | {name: str(value) for name, value in said.items()} | {k.upper(): str(int(v)) for k, v in own.items()}


@asynccontextmanager
async def standing(kind: str, url: str, folder: Path) -> AsyncIterator[Stand]:
    """A stand on a migrated database. Its Stripe and its mail server live here; no webhook leaves unless a test asks for it."""
    before, port, other = settings(), free_port(), free_port()
    outside = f"http://127.0.0.1:{other}"
    fake = Sandbox(
        state=folder / "sandbox",
        base_url=outside,
        api_key=API_KEY,
        webhook_secret=WEBHOOK_SECRET,
        webhook_url=f"http://127.0.0.1:{port}/webhooks/stripe",
        durable=False,
    )
    fake.faults.silent = True
    async with serving(fake.app, other):
        chosen = dataclasses.replace(
            TEST_SETTINGS,
            port=port,
            base_url=f"http://127.0.0.1:{port}",
            database_url=url,
            data=folder,
            stripe_api_key=API_KEY,
            stripe_api_base=f"{outside}/sandbox/stripe",
            stripe_webhook_secret=WEBHOOK_SECRET,
            smtp_url=f"smtp://127.0.0.1:{await fake.start()}",
        )
        use(chosen)
        stand = Stand(kind, chosen, fake, folder / "log")
        try:
            yield stand
        finally:
            stand.kill()
            await fake.stop()
            use(before)


@asynccontextmanager
async def fresh_stands() -> AsyncIterator["Fresh"]:
    """For the command line: makes stands on new databases, and clears all of it away."""
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    cluster = Cluster()
    use(TEST_SETTINGS)
    try:
        yield Fresh(folder, cluster)
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Fresh:
    """`async with fresh.stand("sqlite") as stand` has a database of its own."""

    folder: Path
    cluster: Cluster
    made: int = 0

    @asynccontextmanager
    async def stand(self, kind: str) -> AsyncIterator[Stand]:
        self.made += 1
        folder = self.folder / f"{kind}-{self.made}"
        folder.mkdir()
        url = await self.cluster.clone() if kind == "postgresql" else f"sqlite+aiosqlite:///{folder / 'test.db'}"
        if kind == "sqlite":
            await migrate.upgrade(url)
        async with AsyncExitStack() as stack:
            yield await stack.enter_async_context(standing(kind, url, folder))
        if kind == "postgresql":
            await self.cluster.drop(url)


@dataclass(frozen=True)
class Buyer:
    """Somebody with a browser: `cookie` says who they are. Without an `address` every request comes from another one."""

    email: str
    cookie: str
    user_id: int = 0
    address: str = ""

    def get(self, path: str) -> bytes:
        return get(path, self._headers())

    def post(self, path: str, fields: Mapping[str, str] | None = None) -> bytes:
        return post(path, fields or {}, self._headers())

    def post_many(self, path: str, fields: Sequence[tuple[str, str]]) -> bytes:
        """A form in which a name stands more than once."""
        return post(path, fields, self._headers())  # type: ignore[arg-type]

    def _headers(self) -> dict[str, str]:
        return {"X-Forwarded-For": self.address or next(_addresses)} | ({"Cookie": self.cookie} if self.cookie else {})


def guest(name: str, *, address: str = "") -> Buyer:
    """A browser without an account."""
    cookie = _said(cookies.signed(cookies.visitor_name(), f"browser-of-{name}"))
    return Buyer(f"{name}@example.com", cookie, address=address)


async def signed_in(names: Sequence[str]) -> list[Buyer]:
    """Users, each signed in with one browser. Inside books()."""
    found = []
    async with db.writing() as tx:
        for name in names:
            user: User = await world.person(tx, name)
            session_id = await sessions.log_in(tx, user, device="Firefox on Linux", now=clock.now())
            found.append(Buyer(user.email, _said(login_cookie(session_id, user.role)), user.id or 0))
    return found


def _said(cookie: Cookie) -> str:
    return f"{cookie.key}={cookie.value}"


def _process(command: str, environment: Mapping[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "main.py", command], cwd=ROOT, env=dict(environment), stdout=log, stderr=log, start_new_session=True
    )
