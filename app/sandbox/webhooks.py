"""The Stripe stand-in tells the shop what happened: signed, again and again until the shop says 2xx, and never only once."""

import asyncio
import json
from contextlib import suppress

import httpx
import stripe
import structlog

from app.sandbox.fake_stripe import FakeStripe
from app.sandbox.stripe_account import seconds
from app.sandbox.stripe_shapes import Doc
from app.sandbox.stripe_state import Delivery

log = structlog.get_logger()

WAITS = (1, 5, 30, 120, 600, 3600)
AT_ONCE = 8
ANSWER_SECONDS = 10
HEARTBEAT_SECONDS = 1


class Webhooks:
    """Drives the rows of deliveries. It also is the stand-in's heartbeat: sessions expire even when nobody asks."""

    def __init__(self, fake: FakeStripe, *, url: str, secret: str) -> None:
        self.fake = fake
        self.url = url
        self.secret = secret
        # What the shop calls itself; the way there may be another one, inside this machine.
        self.public_url = f"{fake.base_url}/webhooks/stripe"
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to deliver, with whatever an earlier run has left."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="sandbox webhooks")

    async def stop(self) -> None:
        """Stops delivering; what is not delivered stays for the next start."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self) -> None:
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as client:
            while True:
                self.fake.news.clear()
                try:
                    busy = await self.beat(client)
                except Exception:
                    # The heart beats on: the rows are still there for the next try.
                    log.exception("the sandbox could not deliver")
                    busy = False
                if not busy:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self.fake.news.wait(), HEARTBEAT_SECONDS)

    async def beat(self, client: httpx.AsyncClient) -> bool:
        """Lets the clock catch up and sends what is due; whether there was anything to send."""
        self.fake.tick()
        waiting = [] if self.fake.faults.silent else self.fake.state.deliveries(limit=AT_ONCE)
        await asyncio.gather(*(self._deliver(client, delivery) for delivery in waiting))
        return bool(waiting)

    def letter(self, event: Doc) -> tuple[str, dict[str, str]]:
        """The body of a webhook about the event, and its headers, signed now."""
        body = json.dumps(self.fake.shown(event), indent=2)
        # As while a secret is being changed: one header that holds a signature for each of them.
        at = seconds()
        signed = [
            stripe.WebhookSignature.generate_signature_header(body, secret, at)
            for secret in (self.secret, *self.fake.secrets_for(self.public_url))
        ]
        signature = ",".join([signed[0], *(one.partition(",")[2] for one in signed[1:])])
        return body, {"Stripe-Signature": signature, "Content-Type": "application/json; charset=utf-8"}

    async def _deliver(self, client: httpx.AsyncClient, delivery: Delivery) -> None:
        body, headers = self.letter(delivery.event)
        try:
            answer = await client.post(self.url, content=body, headers=headers)
            arrived = answer.is_success
        except httpx.HTTPError:
            arrived = False
        if arrived:
            self.fake.state.delivered(delivery)
        else:
            self.fake.state.failed(delivery, wait=WAITS[delivery.attempts] if delivery.attempts < len(WAITS) else None)
