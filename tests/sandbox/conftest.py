"""The sandbox and a shop that only listens, each behind a real port."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.core import settings as core_settings
from app.core.settings import DEMO_SECRET_KEY, Settings
from tests.stage import Shop, World, booking, free_port, opened, serving


@pytest.fixture(autouse=True)
def demo() -> Iterator[None]:
    core_settings.use(Settings(demo=True, secret_key=DEMO_SECRET_KEY, site_name="Teatro Test"))
    yield
    core_settings.use(None)


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    listening = Shop(free_port())
    async with serving(listening.app(), listening.port):
        yield listening


@pytest.fixture
async def world(tmp_path: Path, shop: Shop) -> AsyncIterator[World]:
    async with opened(tmp_path / "sandbox", shop) as made:
        yield made


async def paid(world: World) -> str:
    """The payment intent of a session over 37 euros."""
    session = await world.client.v1.checkout.sessions.create_async(booking())
    await world.browser.post(str(session.url), data={"act": "pay"})
    return str((await world.client.v1.checkout.sessions.retrieve_async(session.id)).payment_intent)
