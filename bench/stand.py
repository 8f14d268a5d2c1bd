"""Servers that stand beside the shop while it is measured, each a process of its own.

python -m bench.stand bare PORT                     what the web stack does without a shop
python -m bench.stand stripe PORT SHOP SMTP FOLDER  the sandbox's Stripe and mailbox (three ports and where they keep things)
"""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.types import ASGIApp, Receive, Scope, Send

from app.core.settings import read, use
from app.sandbox.app import Sandbox
from app.web import security, visitor
from app.web.page import see_other

STRIPE_KEY = "sk_test_bench"
WEBHOOK_SECRET = "whsec_bench"


@get("/hello", media_type=MediaType.TEXT)
async def hello() -> str:
    return "Hello"


@post("/empty")
async def empty(request: Request[Any, Any, Any], visitor: visitor.Who) -> Response[str]:
    """What every form of the shop needs: it comes from our own page, we know who sends it, it is read, the answer leads on."""
    await request.form()
    return see_other(request, "/hello" if not visitor.is_signed_in else "/me")


def bare_app() -> ASGIApp:
    greeting = Litestar([hello], openapi_config=None, logging_config=None)
    forms = Litestar(
        [empty],
        dependencies=visitor.dependencies,
        guards=[security.same_origin],
        openapi_config=None,
        logging_config=None,
    )
    apps: dict[str, ASGIApp] = {"/hello": greeting, "/empty": security.Guarded(visitor.KnowTheVisitor(forms))}

    async def chosen(scope: Scope, receive: Receive, send: Send) -> None:
        app = apps.get(str(scope.get("path")))
        if app:
            await app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"Hello", "more_body": False})

    return chosen


async def serve(app: ASGIApp, port: int) -> None:
    """Serves as main.py does. The server would answer no more than 128 open connections by itself."""
    server = Server(
        app, address="127.0.0.1", port=port, interface=Interfaces.ASGI, websockets=False, log_enabled=False, backlog=1024
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.stop)
    await server.serve()


async def stripe(port: int, shop: int, smtp: int, folder: Path) -> None:
    sandbox = Sandbox(
        state=folder,
        base_url=f"http://127.0.0.1:{port}",
        api_key=STRIPE_KEY,
        webhook_secret=WEBHOOK_SECRET,
        webhook_url=f"http://127.0.0.1:{shop}/webhooks/stripe",
    )
    await sandbox.start(smtp_port=smtp)
    await serve(sandbox.app, port)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["bare", port]:
            use(read({"DEMO": "1", "PORT": port}))
            asyncio.run(serve(bare_app(), int(port)))
        case ["stripe", port, shop, smtp, folder]:
            asyncio.run(stripe(int(port), int(shop), int(smtp), Path(folder)))
        case _:
            sys.exit(__doc__)
