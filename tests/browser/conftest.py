"""A real shop and a real browser: one server with the demo world and one Chromium for each process that runs tests."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from tests.browser.people import People

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
START_SECONDS = 180

# Chromium's own pages behind its address bar, two of them in a process of their own for each person who opens a browser.
POPUPS = "WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup"
# Of several lists of what is off Chromium takes the last one, so ours says again what Playwright's says.
OFF = f"""AimEnabled,AvoidCorsURLLoaderRestartOnRedirect,AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,\
HttpsFirstBalancedModeAutoEnable,HttpsUpgrades,LensOverlay,MediaRouter,NetworkTimeServiceQuerying,OptimizationHints,PaintHolding,\
PreconnectToSearch,ThirdPartyStoragePartitioning,{POPUPS}"""
# With a limit nobody starts a process for a page that may come next.
SPARING = [f"--disable-features={OFF}", "--renderer-process-limit=1"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One browser serves all tests of a process, so they share its event loop."""
    for item in items:
        if HERE in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the shop, started as everybody starts it: `python main.py serve` with DEMO=1 and an empty folder."""
    with open_shop(tmp_path_factory.mktemp("shop")) as address:
        yield address


@contextmanager
def open_shop(data: Path, *, host: str = "127.0.0.1", **settings: str) -> Iterator[str]:
    """A shop of its own in an empty folder; gives its address."""
    port = _free_port()
    address = f"http://{host}:{port}"
    own = {
        "DEMO": "1", "PORT": str(port), "DATA_DIR": str(data), "DATABASE_URL": f"sqlite:///{data}/shop.db", "BASE_URL": address,
        # Each person of a test has a network address of their own (People), so that limits count them apart.
        "TRUSTED_PROXIES": "127.0.0.1", "BCRYPT_COST": "4", **settings,
    }  # fmt: skip
    surroundings = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    with (data / "log").open("wb") as log:
        command = [sys.executable, "main.py", "serve"]
        server = subprocess.Popen(command, cwd=ROOT, env=surroundings | own, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_until_open(server, f"http://127.0.0.1:{port}", data / "log")
        yield address
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=START_SECONDS)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def window() -> AsyncIterator[Browser]:
    async with open_window() as browser:
        yield browser


@pytest.fixture(params=[True, False], ids=["js", "no-js"])
def javascript(request: pytest.FixtureRequest) -> bool:
    """Whether the browsers of this test run scripts. A test marked with only_js says so for itself."""
    return bool(request.param)


@pytest_asyncio.fixture(loop_scope="session")
async def people(shop: str, window: Browser, javascript: bool) -> AsyncIterator[People]:
    """Opens browsers for people: `bobs = await people.open()`. Afterwards none of them may have complained about a page."""
    async with AsyncExitStack() as open_ones:
        everybody = People(shop, window, javascript, open_ones)
        yield everybody
    assert everybody.complaints == []


@pytest_asyncio.fixture(loop_scope="session")
async def page(people: People) -> Page:
    """The browser of somebody who comes for the first time."""
    return await people.open()


@asynccontextmanager
async def open_window() -> AsyncIterator[Browser]:
    """The machine's own Chromium without a window. A test is skipped where there is none."""
    path = next((found for name in CHROMIUMS if (found := shutil.which(name))), None)
    if not path:
        pytest.skip(f"No Chromium is installed; looked for {', '.join(CHROMIUMS)}.")
    # Chromium refuses its sandbox to root.
    arguments = [*SPARING, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        await browser.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_open(server: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"The shop did not open at {address}:\n{log.read_text()}")
