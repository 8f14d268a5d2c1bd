"""A Stripe that speaks Stripe's HTTP behind a real port, and the shop's own door to it."""

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.core.db import Database
from app.core.settings import settings, use
from app.payments import stripe
from app.sandbox.app import Sandbox
from tests.stage import API_KEY, WEBHOOK_SECRET, free_port, serving


@pytest.fixture
async def fake(database: Database, tmp_path: Path) -> AsyncIterator[Sandbox]:
    """The sandbox, silent: in these tests nobody hears a webhook unless the test says so."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    sandbox = Sandbox(
        state=tmp_path / "sandbox", base_url=url, api_key=API_KEY, webhook_secret=WEBHOOK_SECRET, webhook_url=f"{url}/nobody"
    )
    sandbox.faults.silent = True
    # Whoever asked Stripe in an earlier test did so in another event loop, and perhaps in vain.
    for made in (stripe._client, stripe._connections, stripe._breaker, stripe._pace):
        made.cache_clear()
    use(
        dataclasses.replace(
            settings(), stripe_api_key=API_KEY, stripe_api_base=f"{url}/sandbox/stripe", stripe_webhook_secret=WEBHOOK_SECRET
        )
    )
    async with serving(sandbox.app, port):
        yield sandbox
        await stripe.close_client()
        await sandbox.stop()
