"""The door. `python main.py` serves; `python main.py --help` lists what else it does."""

import signal
import sys
from types import FrameType


def _stop(_number: int, _frame: FrameType | None) -> None:
    """Before the server runs, a signal ends the program at once; a server that runs ends by its own handler."""
    sys.exit(0)


# Before the heavy imports, so that Ctrl-C during the first second ends cleanly too.
for _signal in (signal.SIGINT, signal.SIGTERM):
    signal.signal(_signal, _stop)

import argparse  # noqa: E402
import asyncio  # noqa: E402
import gc  # noqa: E402
import getpass  # noqa: E402
from collections.abc import AsyncIterator  # noqa: E402
from contextlib import asynccontextmanager  # noqa: E402
from dataclasses import replace  # noqa: E402
from typing import Any  # noqa: E402

import structlog  # noqa: E402
from granian import Granian  # noqa: E402
from granian.constants import Interfaces  # noqa: E402
from granian.server.embed import Server  # noqa: E402
from granian.utils.proxies import wrap_asgi_with_proxy_headers  # noqa: E402
from litestar import Litestar, MediaType, get  # noqa: E402
from litestar.connection import ASGIConnection  # noqa: E402
from litestar.handlers.base import BaseRouteHandler  # noqa: E402
from litestar.types import ASGIApp  # noqa: E402
from sqlmodel import select  # noqa: E402

import app.accounts.pages.again  # noqa: E402
import app.accounts.pages.apply  # noqa: E402
import app.accounts.pages.login  # noqa: E402
import app.accounts.pages.me  # noqa: E402
import app.accounts.pages.oidc  # noqa: E402
import app.accounts.pages.passkeys  # noqa: E402
import app.accounts.pages.password  # noqa: E402
import app.accounts.pages.register  # noqa: E402
import app.accounts.pages.second  # noqa: E402
import app.accounts.pages.security  # noqa: E402
import app.accounts.pages.settings  # noqa: E402
import app.accounts.pages.sign_in_link  # noqa: E402
import app.admin.pages.desk  # noqa: E402
import app.bookings.pages.asking  # noqa: E402
import app.bookings.pages.checkout  # noqa: E402
import app.bookings.pages.comps  # noqa: E402
import app.bookings.pages.desk  # noqa: E402
import app.bookings.pages.people  # noqa: E402
import app.bookings.pages.presales  # noqa: E402
import app.events.pages.browse  # noqa: E402
import app.events.pages.codes  # noqa: E402
import app.events.pages.copying  # noqa: E402
import app.events.pages.favourites  # noqa: E402
import app.events.pages.feeds  # noqa: E402
import app.events.pages.jobs  # noqa: E402
import app.events.pages.live  # noqa: E402
import app.events.pages.manager  # noqa: E402
import app.events.pages.posters  # noqa: E402
import app.events.pages.postponing  # noqa: E402
import app.events.pages.reminding  # noqa: E402
import app.events.pages.repeating  # noqa: E402
import app.events.pages.reviewing  # noqa: E402
import app.events.pages.sales  # noqa: E402
import app.events.pages.series  # noqa: E402
import app.events.pages.show  # noqa: E402
import app.events.pages.topics  # noqa: E402
import app.events.pages.waiting  # noqa: E402
import app.events.pages.waiting_desk  # noqa: E402
import app.events.pages.writing.edit  # noqa: E402
import app.events.pages.writing.questions  # noqa: E402
import app.events.pages.writing.quotas  # noqa: E402
import app.events.pages.writing.spreading  # noqa: E402
import app.events.pages.writing.ticket_types  # noqa: E402
import app.notifications.pages  # noqa: E402
import app.notifications.pages.announcements  # noqa: E402
import app.notifications.pages.panel  # noqa: E402
import app.payments.pages.door  # noqa: E402
import app.payments.pages.history  # noqa: E402
import app.payments.pages.manager  # noqa: E402
import app.payments.pages.receipt  # noqa: E402
import app.payments.pages.refund  # noqa: E402
import app.payments.pages.webhook  # noqa: E402
import app.privacy.pages  # noqa: E402
import app.tickets.pages.show  # noqa: E402
from app import seed  # noqa: E402
from app.accounts import command as of_accounts  # noqa: E402
from app.bookings import live  # noqa: E402
from app.core import clock, db, logs, migrate, redaction, stored, verify  # noqa: E402
from app.core.errors import Refused  # noqa: E402
from app.core.owner import FileInUse, own  # noqa: E402
from app.core.settings import Settings, SettingsError, settings, use  # noqa: E402
from app.payments import stripe  # noqa: E402
from app.privacy import command as of_privacy  # noqa: E402
from app.privacy import flows as privacy  # noqa: E402
from app.prove import command as proof  # noqa: E402
from app.prove.ground import CannotProve  # noqa: E402
from app.sandbox.app import Sandbox  # noqa: E402
from app.web import errors, language, limits, requests, security, streams, visitor  # noqa: E402
from app.web.kept import Kept  # noqa: E402
from app.web.packing import Packed  # noqa: E402
from app.web.static_files import static_file  # noqa: E402
from app.worker import Worker  # noqa: E402

log = structlog.get_logger()

MOST_BYTES = 256 * 1024

# In reading order: what is offered, the claim, what is handed over, the money, who asks, who is told, the desks.
ROUTERS = (
    app.events.pages.browse.router,
    app.events.pages.show.router,
    app.events.pages.posters.router,
    app.events.pages.live.router,
    app.events.pages.series.router,
    app.events.pages.topics.router,
    app.events.pages.feeds.router,
    app.events.pages.waiting.router,
    app.events.pages.reminding.router,
    app.events.pages.favourites.router,
    app.bookings.pages.checkout.router,
    app.bookings.pages.asking.router,
    app.bookings.pages.presales.router,
    app.tickets.pages.show.router,
    app.payments.pages.webhook.router,
    app.payments.pages.refund.router,
    app.payments.pages.receipt.router,
    app.payments.pages.history.router,
    app.accounts.pages.register.router,
    app.accounts.pages.login.router,
    app.accounts.pages.second.router,
    app.accounts.pages.again.router,
    app.accounts.pages.passkeys.router,
    app.accounts.pages.sign_in_link.router,
    app.accounts.pages.oidc.router,
    app.accounts.pages.password.router,
    app.accounts.pages.me.router,
    app.accounts.pages.security.router,
    app.accounts.pages.passkeys.own_router,
    app.accounts.pages.oidc.own_router,
    app.accounts.pages.settings.router,
    app.accounts.pages.apply.router,
    app.privacy.pages.router,
    app.notifications.pages.panel.router,
    app.events.pages.manager.router,
    app.events.pages.reviewing.router,
    app.events.pages.postponing.router,
    app.events.pages.copying.router,
    app.events.pages.repeating.router,
    app.events.pages.writing.edit.router,
    app.events.pages.writing.ticket_types.router,
    app.events.pages.writing.spreading.router,
    app.events.pages.writing.questions.router,
    app.events.pages.writing.quotas.router,
    app.bookings.pages.people.router,
    app.bookings.pages.desk.router,
    app.notifications.pages.announcements.router,
    app.payments.pages.manager.router,
    app.events.pages.sales.router,
    app.events.pages.jobs.router,
    app.events.pages.codes.router,
    app.bookings.pages.comps.router,
    app.payments.pages.door.router,
    app.events.pages.waiting_desk.router,
    *app.admin.pages.desk.ROUTERS,
)


@get("/healthz", media_type=MediaType.TEXT, include_in_schema=False)
async def healthz() -> str:
    """Whether this process reaches its database."""
    async with db.reading() as reader:
        await reader.exec(select(1))
    return "ok"


def litestar_app(*, sandbox: Sandbox | None = None) -> Litestar:
    """The shop itself, without the wrappers that stand around every answer."""

    @asynccontextmanager
    async def running(_app: Litestar) -> AsyncIterator[None]:
        async with _running(sandbox):
            yield

    return Litestar(
        [*ROUTERS, healthz, static_file],
        dependencies=visitor.dependencies,
        guards=[_at_the_door],
        exception_handlers=errors.handlers,
        lifespan=[running],
        request_max_body_size=MOST_BYTES,
        openapi_config=None,
        logging_config=None,
    )


async def _at_the_door(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Guard of the whole app. It is one and not three, because Litestar copies the handler for each."""
    await security.printable(connection, handler)
    await security.same_origin(connection, handler)
    await limits.no_guessing(connection, handler)


def create_app() -> ASGIApp:
    """Everything that one process serves. In the demo the sandbox stands beside the shop, outside its wrappers."""
    chosen = settings()
    sandbox = Sandbox.of_the_demo(chosen) if chosen.demo else None
    pages = Kept(Packed(litestar_app(sandbox=sandbox)), seconds=chosen.keep_pages_seconds)
    counted = language.Spoken(limits.CountGuesses(pages))
    shop: ASGIApp = security.Guarded(requests.WrittenDown(visitor.KnowTheVisitor(counted)))
    if chosen.trusted_proxies:
        shop = wrap_asgi_with_proxy_headers(shop, trusted_hosts=chosen.trusted_proxies)
    return language.Addressed(sandbox.beside(shop) if sandbox else shop)


def create_app_of_a_process() -> ASGIApp:
    """The same in a process that the server started: it has run nothing of this file but the imports."""
    logs.configure(settings().log_format)
    logs.catch_everything()
    return streams.EndOnSignals(_settled(create_app()), end=live.close)


def _settled(app: ASGIApp) -> ASGIApp:
    """The app, where the garbage collector does not look any more: its walks through all that stays stopped every request.

    It also goes more seldom, because a batch of holds makes more objects than its usual measure.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    return app


@asynccontextmanager
async def _running(sandbox: Sandbox | None) -> AsyncIterator[None]:
    """The life of one process: its database, the sandbox in the demo, and the worker unless that runs apart."""
    db.connect(settings().database_url)
    if sandbox:
        port = await sandbox.start()
        use(replace(settings(), smtp_url=f"smtp://127.0.0.1:{port}"))
    await stored.apply()
    stop = asyncio.Event()
    following = asyncio.create_task(stored.follow(stop))
    work = asyncio.create_task(Worker().run(stop)) if settings().worker_inside else None
    yield
    stop.set()
    await following
    if work:
        await work
    if sandbox:
        await sandbox.stop()
    await stripe.close_client()
    await db.disconnect()


async def serve() -> None:
    """Migrates, fills the demo world on its first start, and serves until a signal ends it."""
    chosen = settings()
    await prepare()
    server = Server(
        _settled(create_app()),
        address=chosen.host,
        port=chosen.port,
        interface=Interfaces.ASGI,
        websockets=False,
        log_enabled=False,
        # So many connections may be open at once; the 129th would wait otherwise.
        backlog=1024,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _end, server)
    _say_where(chosen)
    await server.serve()


def _end(server: Server) -> None:
    # It waits for the answers that are under way, and a stream is one that never ends by itself.
    live.close()
    server.stop()  # type: ignore[no-untyped-call]


async def prepare() -> None:
    """The database at its newest tables, without whom a restore brought back, and in the demo with its world."""
    chosen = settings()
    await migrate.upgrade(chosen.database_url)
    db.connect(chosen.database_url)
    await privacy.reconcile()
    await db.disconnect()
    if chosen.demo:
        await seed_world()


async def seed_world() -> None:
    db.connect(settings().database_url)
    await seed.seed(clock.now())
    await db.disconnect()


async def work() -> None:
    """The worker by itself, for shops that run it apart (WORKER_INSIDE=0)."""
    db.connect(settings().database_url)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stored.apply()
    following = asyncio.create_task(stored.follow(stop))
    await Worker().run(stop)
    await following
    await db.disconnect()


def _serve_with_processes(chosen: Settings) -> None:
    asyncio.run(prepare())
    Granian(
        "main:create_app_of_a_process",
        factory=True,
        address=chosen.host,
        port=chosen.port,
        interface=Interfaces.ASGI,
        workers=chosen.workers,
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=10,
        log_enabled=False,
    ).serve()


def _say_where(chosen: Settings) -> None:
    print(f"\n{chosen.site_name} is open at {chosen.base_url}", flush=True)
    if chosen.demo:
        print("Test mode: no card is charged and no mail leaves this machine.")
        print(f"Mailbox: {chosen.base_url}/sandbox/mail\n\nLogins:")
        for role, email, password in seed.DEMO_LOGINS:
            print(f"  {role:<8} {email:<28} {password}")
    print("\nCtrl-C ends it.", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("serve", help="migrate the database and serve the shop (the default)")
    commands.add_parser("migrate", help="bring the database to the newest tables")
    commands.add_parser("seed", help="fill an empty database with the demo world (only with DEMO=1)")
    admin = commands.add_parser("create-admin", help="make an admin; asks for the password")
    admin.add_argument("email")
    erasing = commands.add_parser("erase", help="erase a person, with an account or without; asks before it does")
    erasing.add_argument("email")
    reset = commands.add_parser("reset-second-factor", help="remove an account's second factors and sign it out everywhere")
    reset.add_argument("email")
    commands.add_parser("worker", help="run only the worker: reactions, mails, sweeps")
    help_of_proof = "prove that no place is sold twice: many buyers at once, on a throw-away database"
    proof.arguments(commands.add_parser("prove", help=help_of_proof))
    check = commands.add_parser("verify-activity", help="check that nobody has tampered with the activity log")
    check.add_argument("--head", type=verify.kept_head, metavar="NUMBER:MAC", help="a seal that you have kept outside")
    return parser.parse_args()


def _run(arguments: argparse.Namespace) -> None:
    if arguments.command == "prove":
        sys.exit(proof.run(arguments))
    chosen = settings()
    logs.configure(chosen.log_format)
    logs.catch_everything()
    own(chosen.database_url)
    match arguments.command:
        case "migrate":
            asyncio.run(migrate.upgrade(chosen.database_url))
        case "seed" if not chosen.demo:
            raise SettingsError("The demo world is only for DEMO=1.")
        case "seed":
            asyncio.run(prepare())
        case "create-admin":
            asyncio.run(of_accounts.create_admin(arguments.email, getpass.getpass("Password for the admin: ")))
        case "erase":
            print(asyncio.run(of_privacy.erase(arguments.email, ask=input)))
        case "reset-second-factor":
            print(asyncio.run(of_accounts.reset_second_factor(arguments.email)))
        case "worker":
            asyncio.run(work())
        case "verify-activity":
            report = asyncio.run(verify.verify_at(chosen.database_url, arguments.head))
            print(report.as_text())
            sys.exit(0 if report.holds else 1)
        case _ if chosen.workers > 1:
            _serve_with_processes(chosen)
        case _:
            asyncio.run(serve())


if __name__ == "__main__":
    try:
        _run(_arguments())
    except (SettingsError, FileInUse, CannotProve, Refused, ValueError) as refused:
        sys.exit(redaction.clean(f"{refused}"))
