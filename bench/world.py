"""What is on sale while we measure: some events to look at, and events whose tickets are held and bought."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel, func, select

from app.accounts.actions import sessions
from app.accounts.models import User
from app.bookings.models import Booking, BookingLine, BuyerLimit
from app.core import clock, db
from app.core.settings import read, use
from app.events.actions import finding
from app.events.models import Category, Event, TicketType, Venue
from app.events.rules.looks import HUES, MOTIFS
from app.web.visitor import login_cookie

CATEGORIES = ("Music", "Theatre", "Comedy", "Film")
CITIES = ("Turin", "Lyon", "Berlin")
WORDS = (
    "piano",
    "cello",
    "harbour",
    "winter",
    "laughter",
    "mountain",
    "letters",
    "radio",
    "garden",
    "midnight",
    "bread",
    "stars",
)
SUMMARY = "One evening, two parts, no speeches"
# In the summaries of three events alone.
RARE = "zither"
DESCRIPTION = (
    "An evening in two parts with one interval.\n\n" + "The doors open an hour before, and the bar stays open after. " * 12
)

# More than any run can hold.
PLENTY = 10_000_000
BATCH = 500


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[None]:
    db.connect(url)
    try:
        yield
    finally:
        await db.disconnect()


async def found(url: str, *, events: int) -> None:
    """The people and places, and so many events to look at."""
    now = clock.now()
    async with connected(url):
        async with db.writing() as tx:
            tx.add(User(email="manager@example.com", name="Martina Rossi", role="manager", created_at=now))
            tx.add_all(Category(slug=name.lower(), name=name, position=n) for n, name in enumerate(CATEGORIES))
            tx.add_all(Venue(name=f"Great hall of {city}", address="Main street 1", city=city) for city in CITIES)
        await _look_at(0, events)


async def signed_in(url: str, *, secret_key: str) -> str:
    """The login cookie of somebody who has just signed in to a shop with this key."""
    use(read({"SECRET_KEY": secret_key, "DATABASE_URL": url}))
    async with connected(url), db.writing() as tx:
        bob = User(email="bob@example.com", name="Bob Keller", role="user", created_at=clock.now())
        tx.add(bob)
        await tx.flush()
        session_id = await sessions.log_in(tx, bob, device="the benchmark", now=clock.now())
    return login_cookie(session_id, bob.role).value or ""


async def grow(url: str, *, events: int, to: int) -> None:
    """More events to look at."""
    async with connected(url):
        await _look_at(events, to)
    await _analyse(url)


async def sell(url: str, slug: str, *, capacity: int = PLENTY, price_minor: int = 0) -> None:
    """One event with one ticket type; the type's code is the event's slug."""
    async with connected(url), db.writing() as tx:
        # Far ahead, so that the lists that others look at stay as they are.
        event = _event(0, slug, ahead=timedelta(days=400))
        tx.add(event)
        await tx.flush()
        tx.add(_ticket_type(event, slug, "Standing", price_minor, capacity))


async def places_taken(url: str, slug: str) -> tuple[int, int]:
    """How many places of the event are taken, as the stock says and as its bookings say."""
    async with connected(url), db.reading() as reader:
        kind = (await reader.exec(select(TicketType).where(TicketType.code == slug))).one()
        of_kind = select(func.coalesce(func.sum(BookingLine.qty), 0)).where(BookingLine.ticket_type_id == kind.id)
        return kind.held + kind.sold, int((await reader.exec(of_kind)).one())


async def fill(url: str, slug: str, *, bookings: int) -> None:
    """So many copies of the event's first booking, each of another buyer who has released it since: rows that count nowhere."""
    first = (
        "(SELECT min(booking_id) FROM booking_lines AS l JOIN ticket_types AS t ON t.id = l.ticket_type_id WHERE t.code = :slug)"
    )
    values = {"slug": slug, "most": bookings}
    buyer = {"buyer_key": "'grown-' || i", "visitor_key": "'grown-' || i", "email": "'grown-' || i || '@example.com'"}
    ended = {"code": "'grown-' || i", "reference": "'G' || i", "state": "'released'", "ended_at": "x.created_at"}
    copies = "(SELECT id AS copy FROM bookings WHERE code LIKE 'grown-%') AS copies"
    buyer_of_first = f"x.buyer_key = (SELECT buyer_key FROM bookings WHERE id = {first})"  # noqa: S608
    # An engine of our own: the shop's would give up after five seconds.
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await _copy(connection, Booking, buyer | ended, "numbers", f"x.id = {first}", values)
        await _copy(connection, BookingLine, {"booking_id": "copy"}, copies, f"x.booking_id = {first}", values)
        await _copy(connection, BuyerLimit, {"buyer_key": "'grown-' || i", "qty": "0"}, "numbers", buyer_of_first, values)
    await engine.dispose()
    await _analyse(url)


async def _analyse(url: str) -> None:
    """What PostgreSQL does by itself within a minute; SQLite never does."""
    if url.startswith("sqlite"):
        return
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text("ANALYZE"))
    await engine.dispose()


async def _copy(
    connection: Any, model: type[SQLModel], other: dict[str, str], times: str, which: str, values: dict[str, Any]
) -> None:
    """Copies a row many times inside the database, in words of our own; `other` says what differs, by column."""
    table: Table = model.__table__  # type: ignore[attr-defined]
    columns = [column.name for column in table.columns if column.name != "id"]
    taken = ", ".join(other.get(name, f"x.{name}") for name in columns)
    numbers = "WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < CAST(:most AS INTEGER))"
    insert = f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT {taken} FROM {table.name} AS x, {times} WHERE {which}"  # noqa: S608
    await connection.execute(text(f"{numbers} {insert}"), values)


async def _look_at(first: int, last: int) -> None:
    for start in range(first, last, BATCH):
        events = [_event(n, f"evening-{n}", ahead=timedelta(days=2 + n % 180)) for n in range(start, min(start + BATCH, last))]
        async with db.writing() as tx:
            tx.add_all(events)
            await tx.flush()
            await finding.index(tx, [event.id for event in events])
            for event in events:
                tx.add(_ticket_type(event, f"{event.slug}-stalls", "Stalls", 2400, 400))
                tx.add(_ticket_type(event, f"{event.slug}-gallery", "Gallery", 1400, 200))


def _event(n: int, slug: str, *, ahead: timedelta) -> Event:
    now = clock.now()
    title = f"{WORDS[n % 12].title()} and {WORDS[(n // 12 + 5) % 12]}"
    return Event(
        slug=slug,
        manager_id=1,
        category_id=n % 4 + 1,
        venue_id=n % 3 + 1,
        title=title,
        summary=f"{SUMMARY}, one {RARE}" if 1 <= n <= 3 else SUMMARY,
        description=DESCRIPTION,
        state="published",
        starts_at=now + ahead,
        ends_at=now + ahead + timedelta(hours=3),
        hue=HUES[n % len(HUES)],
        motif=MOTIFS[n % len(MOTIFS)],
        created_at=now - timedelta(days=9),
        published_at=now - timedelta(days=8),
    )


def _ticket_type(event: Event, code: str, name: str, price_minor: int, capacity: int) -> TicketType:
    return TicketType(
        code=code,
        event_id=event.id or 0,
        name=name,
        price_minor=price_minor,
        capacity=capacity,
        sale_from=event.created_at,
        sale_to=event.ends_at,
    )
