"""The ground the tests stand on: a throw-away database, a clock that can be moved, and a browser without a screen."""

import dataclasses
import gc
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import time_machine

from app.accounts.models import User
from app.core import clock, db, logs, migrate
from app.core.settings import Settings, use
from app.core.settings import settings as current
from tests import canaries
from tests.postgres import CARELESS, Cluster, MissingBinaries

BASE_URL = "http://testserver.local"

# No secret of the tests may come out anywhere, so somebody watches the log, answers, mails and the database.
canaries.install()
logs.configure("text", canaries.watch)

# A Monday at noon, far from midnight, month's end and the change of clocks.
NOON = datetime(2026, 11, 16, 12, 0, tzinfo=UTC)


TEST_SETTINGS = Settings(
    base_url=BASE_URL,
    secret_key=canaries.SECRET_KEY,
    stripe_api_key=canaries.STRIPE_KEY,
    stripe_api_base="http://127.0.0.1:9",
    stripe_webhook_secret=canaries.WEBHOOK_SECRET,
    worker_inside=False,
    keep_pages_seconds=0,
    bcrypt_cost=4,
    second_factor="offered",
)


@pytest.fixture(autouse=True)
def settings(tmp_path: Path) -> Iterator[Settings]:
    """The settings of one test; its database and its files lie in the test's own folder. Fails when a secret came out."""
    chosen = dataclasses.replace(TEST_SETTINGS, data=tmp_path, database_url=_sqlite_url(tmp_path / "test.db"))
    use(chosen)
    yield chosen
    use(None)
    leaks = canaries.watch.found(tmp_path)
    canaries.watch.forget()
    if leaks:
        pytest.fail("\n".join(leaks), pytrace=False)


@pytest.fixture
def moment() -> Iterator[time_machine.Traveller]:
    """Stops the clock on a Monday at noon; `moment.shift(timedelta(...))` moves it, `moment.move_to(...)` sets it."""
    with time_machine.travel(NOON, tick=False) as stopped:
        yield stopped


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """PostgreSQL, started by the first test that needs it."""
    # Nothing tidies up on its own while a test looks, and no statistics come from the test before.
    made = Cluster((*CARELESS, "autovacuum=off"))
    yield made
    made.stop()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the migrated file lies that every SQLite test copies; made by the first one."""
    return tmp_path_factory.mktemp("sqlite") / "migrated.db"


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(
    request: pytest.FixtureRequest, settings: Settings, sqlite_template: Path, cluster: Cluster
) -> AsyncIterator[db.Database]:
    """An empty migrated database behind reading() and writing(): the test runs once on each of the two kinds."""
    start = _on_sqlite(settings, sqlite_template) if request.param == "sqlite" else _on_postgresql(settings, cluster)
    async with start as connected:
        yield connected


@pytest.fixture
async def sqlite_database(settings: Settings, sqlite_template: Path) -> AsyncIterator[db.Database]:
    """An empty migrated SQLite file behind reading() and writing()."""
    async with _on_sqlite(settings, sqlite_template) as connected:
        yield connected


@pytest.fixture
async def postgresql_database(settings: Settings, cluster: Cluster) -> AsyncIterator[db.Database]:
    """An empty migrated PostgreSQL database behind reading() and writing()."""
    async with _on_postgresql(settings, cluster) as connected:
        yield connected


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty_url(request: pytest.FixtureRequest, tmp_path: Path, cluster: Cluster) -> AsyncIterator[str]:
    """The address of a database without a table, once on each of the two kinds: for tests of the migrations."""
    if request.param == "sqlite":
        yield _sqlite_url(tmp_path / "empty.db")
        return
    url = await _from(cluster.empty)
    yield url
    await cluster.drop(url)


def whole_shop() -> Any:
    """The application as the present settings have it, built once in each process: it keeps nothing between requests."""
    chosen = current()
    return _built(chosen.keep_pages_seconds, chosen.trusted_proxies)


@cache
def _built(*_from_these: object) -> Any:
    # Imported here: the tests of the rules need no application.
    from main import create_app

    return create_app()


def pytest_collection_finish() -> None:
    """What was imported stays, so the garbage collector need not walk through it once a test."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture
async def app(sqlite_database: db.Database) -> Any:
    """The whole application over an empty SQLite database."""
    return whole_shop()


@pytest.fixture
async def open_browser(app: Any) -> AsyncIterator[Callable[[], Awaitable[httpx.AsyncClient]]]:
    """Opens another browser with cookies of its own: `carols = await open_browser()`."""
    async with AsyncExitStack() as open_ones:

        async def opened() -> httpx.AsyncClient:
            transport = httpx.ASGITransport(app=app)
            browser = httpx.AsyncClient(
                transport=transport,
                base_url=BASE_URL,
                headers={"Origin": BASE_URL},
                follow_redirects=False,
                event_hooks={"response": [canaries.watch.answer]},
            )
            return await open_ones.enter_async_context(browser)

        yield opened


@pytest.fixture
async def client(open_browser: Callable[[], Awaitable[httpx.AsyncClient]]) -> httpx.AsyncClient:
    """A browser without JavaScript that stays where a redirect is answered: a test reads the 303 and follows it itself.

    It runs in the test's own event loop, so the test may look into the database between two requests.
    """
    return await open_browser()


@pytest.fixture
def sign_in() -> Callable[[httpx.AsyncClient, User], Awaitable[None]]:
    """Signs a user in without the login page: `await sign_in(client, bob)`."""

    async def signed_in(browser: httpx.AsyncClient, user: User) -> None:
        from app.accounts.actions import sessions
        from app.web.visitor import login_cookie

        async with db.writing() as tx:
            session_id = await sessions.log_in(tx, user, device="Firefox on Linux", now=clock.now())
        cookie = login_cookie(session_id, user.role)
        browser.cookies.set(cookie.key, cookie.value or "", domain="testserver.local", path="/")

    return signed_in


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[Any]:
    """A test that printed a secret has failed. With CI=true nothing may be missing: a skipped test counts as failed."""
    report = yield
    printed = "".join(text for title, text in report.sections if "log" not in title)
    if report.when == "call" and report.passed and (leaks := canaries.watch.found(output=printed)):
        report.outcome, report.longrepr = "failed", "\n".join(leaks)
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"With CI=true a skipped test is a failed one: {report.longrepr}"
    return report


@asynccontextmanager
async def _on_sqlite(settings: Settings, template: Path) -> AsyncIterator[db.Database]:
    if not template.exists():
        await migrate.upgrade(_sqlite_url(template))
    shutil.copy(template, settings.data / "test.db")
    async with _connected(settings) as connected:
        yield connected


@asynccontextmanager
async def _on_postgresql(settings: Settings, cluster: Cluster) -> AsyncIterator[db.Database]:
    url = await _from(cluster.lend)
    async with _connected(dataclasses.replace(settings, database_url=url)) as connected:
        yield connected
    await cluster.take_back(url)


async def _from(start: Callable[[], Awaitable[str]]) -> str:
    try:
        return await start()
    except MissingBinaries as missing:
        pytest.skip(str(missing))


@asynccontextmanager
async def _connected(chosen: Settings) -> AsyncIterator[db.Database]:
    """Engines belong to the event loop they were used in, and every test has a loop of its own."""
    use(chosen)
    connected = db.connect(chosen.database_url)
    try:
        yield connected
    finally:
        await db.disconnect()


def _sqlite_url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"
