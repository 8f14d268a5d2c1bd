"""A sandbox behind a real port, a shop that only listens, and the real SDK between them."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import stripe
from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar, Request, Response, post

from app.sandbox.app import Sandbox

API_KEY = "sk_test_of_the_sandbox"
WEBHOOK_SECRET = "whsec_of_the_sandbox"

# The SDK hands its bodies to httpx under an old name, and httpx says so each time.
SDK_SENDS_DATA = "ignore:Use 'content=:DeprecationWarning"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@asynccontextmanager
async def serving(app: object, port: int) -> AsyncIterator[None]:
    """The app on 127.0.0.1, in this event loop."""
    server = Server(app, port=port, interface=Interfaces.ASGI, log_enabled=False)
    task = asyncio.create_task(server.serve())
    for _attempt in range(3000):
        with suppress(OSError):
            _reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            break
        await asyncio.sleep(0.01)
    yield
    # Answers on their way still need the loop.
    await asyncio.sleep(0.02)
    server.stop()
    await task


async def eventually(true: Callable[[], bool] | Callable[[], Awaitable[bool]], *, seconds: float = 30) -> None:
    """Waits until something is so, and fails when it does not come about. A busy machine takes its time."""
    async with asyncio.timeout(seconds):
        while True:
            found = true()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.02)


@dataclass
class Shop:
    """What a shop hears from Stripe. `answers` are the statuses it gives first; then it says 200."""

    port: int
    answers: list[int] = field(default_factory=list)
    heard: list[tuple[bytes, str]] = field(default_factory=list)

    @property
    def events(self) -> list[stripe.Event]:
        """All notices, duplicates too, each proven to be signed."""
        return [stripe.Webhook.construct_event(body, signature, WEBHOOK_SECRET) for body, signature in self.heard]

    def kinds(self) -> list[str]:
        """The different events by type, in the order of their first arrival."""
        return list({event.id: event.type for event in self.events}.values())

    def app(self) -> Litestar:
        @post("/webhooks/stripe")
        async def hear(request: Request) -> Response[None]:
            if self.answers:
                return Response(None, status_code=self.answers.pop(0))
            self.heard.append((await request.body(), request.headers["stripe-signature"]))
            return Response(None, status_code=200)

        return Litestar([hear], openapi_config=None, logging_config=None)


@dataclass
class World:
    """The sandbox, the shop and the ways to reach them."""

    sandbox: Sandbox
    shop: Shop
    client: stripe.StripeClient
    browser: httpx.AsyncClient
    url: str
    smtp_port: int


@asynccontextmanager
async def opened(state: Path, shop: Shop) -> AsyncIterator[World]:
    """A sandbox in the folder `state`; opening it again is a restart."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    sandbox = Sandbox(
        state=state,
        base_url=url,
        api_key=API_KEY,
        webhook_secret=WEBHOOK_SECRET,
        webhook_url=f"http://127.0.0.1:{shop.port}/webhooks/stripe",
        settle_after=0.2,
    )
    async with serving(sandbox.app, port), httpx.AsyncClient(base_url=url, trust_env=False) as browser, sdk(url) as client:
        yield World(sandbox, shop, client, browser, url, await sandbox.start())
        await sandbox.stop()


@asynccontextmanager
async def sdk(url: str, *, key: str = API_KEY, timeout: float = 5) -> AsyncIterator[stripe.StripeClient]:
    """Stripe's own client, which thinks that this is Stripe."""
    http_client = stripe.HTTPXClient(timeout=timeout)
    address = {"api": f"{url}/sandbox/stripe"}
    yield stripe.StripeClient(key, base_addresses=address, http_client=http_client, max_network_retries=0)
    await http_client.close_async()


def booking(**changes: object) -> dict[str, object]:
    """The parameters of a session for two places at 18.50 euros."""
    return {
        "mode": "payment",
        "line_items": [
            {"quantity": 2, "price_data": {"currency": "eur", "unit_amount": 1850, "product_data": {"name": "Gallery"}}}
        ],
        "success_url": "http://127.0.0.1:9/bookings/abc/return?s={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://127.0.0.1:9/bookings/abc",
        "client_reference_id": "abc",
        "customer_email": "bob@example.org",
        "metadata": {"payment": "p1"},
        "payment_intent_data": {"metadata": {"payment": "p1"}},
        **changes,
    }
