"""The sandbox: stand-ins for the outside world, for the demo and the tests, as one ASGI app under /sandbox.

    sandbox = Sandbox(state=folder, base_url=..., api_key=..., webhook_secret=..., webhook_url=...)
    smtp_port = await sandbox.start()
    ...                                   sandbox.app serves /sandbox/stripe, /sandbox/pay and /sandbox/mail
    await sandbox.stop()

The app's own lifespan starts and stops it too, for a server that runs it alone. It also works without any server: as
httpx.ASGITransport(app=sandbox.app) under Stripe's SDK, with `await sandbox.webhooks.beat(client)` to deliver what is due.
Nothing here knows the shop: it meets the shop where the real Stripe and a real mail server would, over HTTP and SMTP.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from litestar import Litestar
from litestar.di import Provide
from litestar.types import ASGIApp, Receive, Scope, Send

from app.core.settings import Settings
from app.sandbox import mail_pages, pages, pay_pages, stripe_api
from app.sandbox.fake_stripe import FakeStripe
from app.sandbox.faults import Faults
from app.sandbox.mailbox import Mailbox
from app.sandbox.webhooks import Webhooks
from app.web.language import Spoken


class Sandbox:
    """A Stripe and a mailbox that keep what they know in the folder `state`; with durable=False Stripe keeps it in memory."""

    def __init__(
        self,
        *,
        state: Path,
        base_url: str,
        api_key: str,
        webhook_secret: str,
        webhook_url: str,
        settle_after: float = 10,
        durable: bool = True,
    ) -> None:
        self.faults = Faults()
        path = state / "stripe.db" if durable else None
        self.stripe = FakeStripe(
            path, base_url=base_url.rstrip("/"), api_key=api_key, faults=self.faults, settle_after=settle_after
        )
        self.webhooks = Webhooks(self.stripe, url=webhook_url, secret=webhook_secret)
        self.mailbox = Mailbox(state / "mail")
        self.app = self._made()

    @classmethod
    def of_the_demo(cls, chosen: Settings) -> "Sandbox":
        """The sandbox that runs in one process with the shop, under the shop's own address."""
        return cls(
            state=chosen.data / "sandbox",
            base_url=chosen.base_url,
            api_key=chosen.stripe_api_key,
            webhook_secret=chosen.stripe_webhook_secret.split(",")[0],
            webhook_url=f"http://127.0.0.1:{chosen.port}/webhooks/stripe",
        )

    def beside(self, shop: ASGIApp) -> ASGIApp:
        """Both as one app: the sandbox answers under /sandbox, the shop everywhere else."""

        ours = Spoken(self.app)

        async def either(scope: Scope, receive: Receive, send: Send) -> None:
            inside = str(scope["type"]) == "http" and scope["path"].startswith("/sandbox")
            await (ours if inside else shop)(scope, receive, send)

        return either

    async def start(self, *, smtp_port: int = 0) -> int:
        """Takes mail and delivers webhooks from now on; gives the port of the mail server. Twice is as good as once."""
        self.webhooks.start()
        return await self.mailbox.start(smtp_port)

    async def stop(self) -> None:
        """Ends it for good; a new Sandbox on the same folder goes on where this one stopped."""
        await self.webhooks.stop()
        await self.mailbox.stop()
        self.stripe.state.close()

    def _made(self) -> Litestar:
        @asynccontextmanager
        async def running(_app: Litestar) -> AsyncIterator[None]:
            await self.start()
            yield
            await self.stop()

        return Litestar(
            [stripe_api.router, pay_pages.router, mail_pages.router],
            dependencies={
                "fake": Provide(lambda: self.stripe, sync_to_thread=False),
                "mailbox": Provide(lambda: self.mailbox, sync_to_thread=False),
            },
            exception_handlers=pages.handlers,
            lifespan=[running],
            openapi_config=None,
            logging_config=None,
        )
