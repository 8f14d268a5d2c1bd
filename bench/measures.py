"""The measures. Each gives rows: what was measured, how many a second, how long one took, and what it cost the shop.

A rate depends on the machine and on what else it does; the processor time of the shop for one request hardly does.
"""

import statistics
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from app.prove.client import Outcome, Story, storm
from bench import stories, world
from bench.databases import Databases, durable_commits
from bench.processes import answering, cpu_seconds, free_port, memory_mb, running
from bench.stand import STRIPE_KEY, WEBHOOK_SECRET

EVENTS = 24
# Every event has the first word, and as few events the second one however many there are.
GROWING = {"list": "/events", "search": "/events?q=evening", "rare": f"/events?q={world.RARE}", "event": "/events/evening-7"}
# Each page is made anew, and the worker's sweeps, which do look at many bookings, are not counted into it.
PAGES_ALONE = {"KEEP_PAGES_SECONDS": "0", "WORKER_INSIDE": "0"}
HOT_PLACES, HOT_ATTEMPTS = 500, 2_000
SECRET_KEY = "a-key-that-only-the-benchmark-uses-0123456789"


class WentWrong(Exception):
    """A measure that must hold did not; the sentence says which."""


@dataclass(frozen=True)
class Plan:
    """How long each storm lasts, and how often it is repeated."""

    seconds: float = 3
    runs: int = 3
    warm_up: float = 1
    bookings: int = 100_000


@dataclass(frozen=True)
class Row:
    """The median run of a measure; `runs` are the rates of all. Times are milliseconds.

    `shop_ms` and `database_ms` are processor time for one; `other_endings` are those that do not count into the rate.
    """

    name: str
    database: str
    clients: int
    per_second: float
    runs: list[float] = field(default_factory=list)
    p50: float = 0
    p95: float = 0
    p99: float = 0
    shop_ms: float = 0
    database_ms: float = 0
    endings: Mapping[str, int] = field(default_factory=dict)
    other_endings: Mapping[str, int] = field(default_factory=dict)

    @property
    def cost(self) -> float:
        """Processor time for one, of the shop and of its database, in milliseconds."""
        return self.shop_ms + self.database_ms

    def as_dict(self) -> dict[str, Any]:
        return {name: _rounded(value) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Shop:
    """A running shop: its port, its process, and its database's."""

    port: int
    pid: int
    databases: Databases
    first_page: float

    def cost(self) -> tuple[float, float]:
        return cpu_seconds(self.pid), cpu_seconds(self.databases.pid) if self.databases.pid else 0.0

    async def measure(self, plan: Plan, name: str, story: Story, good: str, *, clients: int) -> Row:
        """A warm-up and some storms."""
        await storm(self.port, story, clients=clients, seconds=plan.warm_up)
        taken = []
        for _run in range(plan.runs):
            before = self.cost()
            outcome = await storm(self.port, story, clients=clients, seconds=plan.seconds)
            taken.append((outcome, _spent(before, self.cost())))
        return _row(name, self.databases.kind, clients, taken, good)


@asynccontextmanager
async def shop(databases: Databases, url: str, **environment: str) -> AsyncIterator[Shop]:
    """The shop as in production, behind a proxy on this machine that tells each buyer's address."""
    port = int(environment.get("PORT", free_port()))
    chosen = {
        "PORT": str(port),
        "DATABASE_URL": url,
        "DATA_DIR": str(databases.folder),
        "SECRET_KEY": SECRET_KEY,
        "TRUSTED_PROXIES": "127.0.0.1",
        # Pages that are not kept are looked at from one address here, far more often than a person could.
        "LOOKS_PER_MINUTE": "10000000",
        **environment,
    }
    with running("main.py", environment=chosen) as process:
        yield Shop(port, process.pid, databases, await answering(process, port, "/events"))


async def limits(databases: Databases, plan: Plan) -> list[Row]:
    """What the machine does without a shop: commits to the disk, and requests through the bare web stack."""
    url = await databases.fresh("limits")
    commits = [await durable_commits(url, plan.seconds / 2) for _run in range(plan.runs)]
    rows = [Row("durable commits, plain driver", databases.kind, 1, statistics.median(commits), commits)]
    port = free_port()
    with running("-m", "bench.stand", "bare", str(port)) as process:
        await answering(process, port, "/bare")
        bare = Shop(port, process.pid, databases, 0)
        rows.append(await bare.measure(plan, "the client's ceiling: bare ASGI", stories.looks_at("/bare"), "200", clients=32))
        rows.append(await bare.measure(plan, "hello, GET", stories.looks_at("/hello"), "200", clients=32))
        rows.append(await bare.measure(plan, "empty POST", stories.sends_a_form("/empty"), "303", clients=32))
        rows.append(await bare.measure(plan, "empty POST", stories.sends_a_form("/empty"), "303", clients=256))
    return rows


async def pages(databases: Databases, plan: Plan) -> list[Row]:
    """The list and an event, signed out: kept for two seconds as in production, and made anew for everyone; and signed in."""
    url = await databases.fresh("pages")
    await world.found(url, events=EVENTS)
    login = await world.signed_in(url, secret_key=SECRET_KEY)
    rows = []
    for how, seconds, cookie in (("kept", "2", ""), ("uncached", "0", ""), ("signed in", "2", login)):
        async with shop(databases, url, KEEP_PAGES_SECONDS=seconds) as open_shop:
            for what, path in (("list", "/events"), ("event", "/events/evening-7")):
                story = stories.looks_at(path, login=cookie)
                rows.append(await open_shop.measure(plan, f"page {what}, {how}", story, "200", clients=32))
    return rows


async def holds(databases: Databases, plan: Plan) -> list[Row]:
    """Places held by buyers whom nobody has seen before, and a hot event that must sell exactly its places."""
    url = await databases.fresh("holds")
    await world.found(url, events=EVENTS)
    slugs = [f"hot-{clients}-{run}" for clients in (32, 256) for run in range(plan.runs)]
    await world.sell(url, "plenty")
    for slug in slugs:
        await world.sell(url, slug, capacity=HOT_PLACES)
    hot: dict[int, list[tuple[Outcome, tuple[float, float]]]] = {32: [], 256: []}
    async with shop(databases, url) as open_shop:
        rows = [await open_shop.measure(plan, "hold", stories.holds("plenty"), "held", clients=clients) for clients in (32, 256)]
        for slug in slugs:
            clients, before = int(slug.split("-")[1]), open_shop.cost()
            outcome = await storm(open_shop.port, stories.holds(slug), clients=clients, times=HOT_ATTEMPTS)
            hot[clients].append((outcome, _spent(before, open_shop.cost())))
    for slug in slugs:
        taken = await world.places_taken(url, slug)
        if taken != (HOT_PLACES, HOT_PLACES):
            raise WentWrong(f"{slug}: {HOT_PLACES} places; the stock says {taken[0]}, the bookings say {taken[1]}")
    name = f"hot event, {HOT_ATTEMPTS} attempts for {HOT_PLACES} places"
    return rows + [_row(name, databases.kind, clients, taken, "held", "sold out") for clients, taken in hot.items()]


async def purchases(databases: Databases, plan: Plan) -> list[Row]:
    """Whole purchases, with a Stripe and a mail server in a process of their own.

    While people buy, the worker sends them their tickets; how fast the requests alone are shows a shop without a worker.
    """
    url = await databases.fresh("purchases")
    await world.found(url, events=EVENTS)
    await world.sell(url, "free")
    await world.sell(url, "paid", price_minor=1900)
    port, stripe, smtp = free_port(), free_port(), free_port()
    environment = {
        "PORT": str(port),
        "STRIPE_API_KEY": STRIPE_KEY,
        "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "STRIPE_API_BASE": f"http://127.0.0.1:{stripe}/sandbox/stripe",
        "SMTP_URL": f"smtp://127.0.0.1:{smtp}",
    }
    free, paid = stories.buys("free"), stories.buys("paid", stripe=stripe)
    folder = databases.folder / f"stripe-{databases.kind}"
    arguments = ("-m", "bench.stand", "stripe", str(stripe), str(port), str(smtp), str(folder))
    with running(*arguments, environment={"SECRET_KEY": SECRET_KEY}) as beside:
        await answering(beside, stripe, "/sandbox/mail")
        async with shop(databases, url, **environment, WORKER_INSIDE="0") as open_shop:
            rows = [await open_shop.measure(plan, "free purchase, the requests alone", free, "bought", clients=32)]
        async with shop(databases, url, **environment) as open_shop:
            rows.append(await open_shop.measure(plan, "free purchase, complete", free, "bought", clients=32))
            rows.append(await open_shop.measure(plan, "paid purchase, complete", paid, "bought", clients=32))
    return rows


async def start(databases: Databases, plan: Plan) -> list[Row]:
    """Seconds from the start to the first page, and the memory after it and after a storm; shown as they are, not as rates."""
    first, again, fresh, used = [], [], [], []
    for run in range(plan.runs):
        url = await databases.empty(f"start-{run}")
        async with shop(databases, url) as new_shop:
            first.append(new_shop.first_page)
        async with shop(databases, url) as open_shop:
            again.append(open_shop.first_page)
            fresh.append(memory_mb(open_shop.pid))
            await storm(open_shop.port, stories.looks_at("/events"), clients=32, seconds=plan.seconds)
            used.append(memory_mb(open_shop.pid))
    named = {
        "start, new database, s": first,
        "start, s": again,
        "memory after the start, MB": fresh,
        "memory after a storm, MB": used,
    }
    return [Row(name, databases.kind, 1, statistics.median(runs), runs) for name, runs in named.items()]


async def growth(databases: Databases, plan: Plan) -> list[Row]:
    """The same pages with few and many events, then with few and many bookings; and so the same hold."""
    url = await databases.fresh("growth")
    await world.found(url, events=10)
    rows, present = [], 10
    for events in (10, EVENTS, 1_000, 10_000):
        await world.grow(url, events=present, to=events)
        present = events
        async with shop(databases, url, **PAGES_ALONE) as open_shop:
            rows += await _pages_at(open_shop, plan, f"{events:,} events")
    async with shop(databases, url) as open_shop:
        story = stories.looks_at(GROWING["list"])
        rows.append(await open_shop.measure(plan, "page list, kept, 10,000 events", story, "200", clients=32))
    await world.sell(url, "plenty")
    for bookings in (0, plan.bookings):
        async with shop(databases, url) as open_shop:
            story = stories.holds("plenty")
            rows.append(await open_shop.measure(plan, f"hold, {bookings:,} bookings", story, "held", clients=32))
        if not bookings:
            await world.fill(url, "plenty", bookings=plan.bookings)
    async with shop(databases, url, **PAGES_ALONE) as open_shop:
        rows += await _pages_at(open_shop, plan, f"{plan.bookings:,} bookings")
        # The event that has had them all.
        story = stories.looks_at("/events/plenty")
        rows.append(await open_shop.measure(plan, f"page of an event with {plan.bookings:,} bookings", story, "200", clients=32))
    return rows


async def _pages_at(open_shop: Shop, plan: Plan, how_many: str) -> list[Row]:
    """The pages that must not get slower, each made anew for everyone."""
    named = {f"page {what}, {how_many}": stories.looks_at(path) for what, path in GROWING.items()}
    return [await open_shop.measure(plan, name, story, "200", clients=32) for name, story in named.items()]


def _spent(before: tuple[float, float], after: tuple[float, float]) -> tuple[float, float]:
    return after[0] - before[0], after[1] - before[1]


def _row(name: str, database: str, clients: int, taken: list[tuple[Outcome, tuple[float, float]]], *good: str) -> Row:
    """The median run of a storm; the endings are those of all runs."""
    ranked = sorted(taken, key=lambda each: each[0].per_second(*good))
    outcome, (shop_seconds, database_seconds) = ranked[len(ranked) // 2]
    done = max(1, outcome.counts.total())
    endings = sum((each.counts for each, _cost in taken), Counter[str]())
    return Row(
        name,
        database,
        clients,
        outcome.per_second(*good),
        [each.per_second(*good) for each, _cost in taken],
        outcome.ms(0.5),
        outcome.ms(0.95),
        outcome.ms(0.99),
        shop_seconds * 1000 / done,
        database_seconds * 1000 / done,
        {ending: count for ending, count in endings.items() if ending in good},
        {ending: count for ending, count in endings.items() if ending not in good},
    )


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 2)
    return [_rounded(each) for each in value] if isinstance(value, list) else value
