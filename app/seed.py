"""The demo world: people with printed logins, events in three cities around today, and a house that has sold some tickets.

The events themselves stand in seed.toml. Nothing here is written down as an activity, unless somebody should be told about it:
a first start must not send a mail for each of a thousand tickets.
"""

import asyncio
import random
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlmodel import SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.actions import applications
from app.accounts.flows import hash_password
from app.accounts.models import User, Visitor
from app.bookings import actions as bookings
from app.bookings import boxoffice, codes
from app.bookings import repeating as series
from app.bookings.codes import PromoTerms, VoucherTerms
from app.bookings.models import AccessCode, Booking, BookingLine, BuyerLimit, WaitingEntry
from app.core import activity
from app.core.activity import Activity
from app.core.codes import secret_code
from app.core.db import reading, writing
from app.events.actions import finding
from app.events.models import SECTIONS, Category, Event, Favourite, Question, Quota, TicketType, Venue
from app.events.rules import proposing
from app.payments.models import Payment
from app.tickets import actions as tickets
from app.tickets.models import Ticket

# Role, address and password of everybody who can log in to the demo.
DEMO_LOGINS = (
    ("user", "sofia@example.com", "tuesday matinee"),
    ("manager", "martina@example.com", "curtain up at eight"),
    ("manager", "jonas@example.com", "third row on the left"),
    ("admin", "ada@example.com", "keys to every theatre"),
)
NAMES = {
    "sofia@example.com": "Sofia Lindt",
    "martina@example.com": "Martina Rossi",
    "jonas@example.com": "Jonas Weber",
    "ada@example.com": "Ada Novak",
}

CATEGORIES = ("Music", "Theatre", "Comedy", "Film", "Talks", "Workshops")
ZONES = {"Turin": "Europe/Rome", "Lyon": "Europe/Paris", "Berlin": "Europe/Berlin"}
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
ACCESS_CODE = "NINEPIANOS"

GUESTS = (
    "Anna Keller", "Luca Ferrari", "Chloé Martin", "Omar Benali", "Giulia Conti", "Paul Schneider", "Inès Moreau", "Davide Greco",
    "Lena Hoffmann", "Hugo Bernard", "Yasmin Aydin", "Marco Villa", "Clara Vogt", "Nour Haddad", "Emma Lefèvre", "Tomás Ruiz",
)  # fmt: skip


Row = TypeVar("Row", bound=SQLModel)


@dataclass(frozen=True)
class Sale:
    """Some places of one type that were paid in cash."""

    event: Event
    ticket_type: TicketType
    qty: int
    name: str
    at: datetime
    buyer: User | None = None


async def seed(now: datetime) -> None:
    """Fills an empty database; one that has an account already stays as it is."""
    async with reading() as db:
        if (await db.exec(select(User.id).limit(1))).first() is not None:
            return
    hashes = await asyncio.gather(*(hash_password(password) for _role, _email, password in DEMO_LOGINS))
    world = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
    async with writing() as tx:
        people = await _kept(tx, _people(hashes, now))
        categories = await _kept(tx, (Category(slug=name.lower(), name=name, position=n) for n, name in enumerate(CATEGORIES)))
        venues = dict(zip(world["venues"], await _kept(tx, (Venue(**given) for given in world["venues"].values())), strict=True))
        events = await _events(tx, world["events"], people[1:3], {c.name: c for c in categories}, venues, now)
        await finding.index(tx, [event.id for event in events])
        types = await _ticket_types(tx, world["events"], events, now)
        by_slug = {event.slug: event for event in events}
        await _kept(tx, _questions(world["events"], events))
        await _kept(tx, _waiting(types, world["events"], now))
        await _sell(tx, list(_sales(events, types, world["events"], people[0], now)))
        await _life_of(tx, people[0], by_slug, types, now)
        await _apply(tx, now)
        await _by_the_house(tx, by_slug["the-fog-machine-orchestra"], types, now)
        await _repeat(tx, by_slug["open-mic-at-the-boathouse"], people[3], now)
        for event in events:
            if event.state == "submitted":
                await activity.record(tx, "event.submitted", about=f"event:{event.id}", by=event.manager_id)


def _people(hashes: Iterable[str], now: datetime) -> list[User]:
    since = now - timedelta(days=90)
    return [
        User(email=email, name=NAMES[email], role=role, password_hash=password_hash, created_at=since)
        for (role, email, _password), password_hash in zip(DEMO_LOGINS, hashes, strict=True)
    ]


async def _apply(tx: AsyncSession, now: datetime) -> None:
    """Somebody who cannot log in to the demo wants to become a manager."""
    [nour] = await _kept(tx, [User(email="nour@example.com", name="Nour Haddad", created_at=now - timedelta(days=5))])
    why = "Spoken word from six languages, every second Thursday, sixty seats.\nWe have a sound system of our own."
    said = {"organisation": "Six Tongues", "website": "https://sixtongues.example", "why": why}
    await applications.apply(tx, nour, **said, now=now - timedelta(hours=20))


async def _events(
    tx: AsyncSession,
    given: list[dict[str, Any]],
    managers: list[User],
    categories: dict[str, Category],
    venues: dict[str, Venue],
    now: datetime,
) -> list[Event]:
    return await _kept(
        tx, (_event(entry, managers, categories[entry["category"]], venues[entry["venue"]], now) for entry in given)
    )


def _event(given: dict[str, Any], managers: list[User], category: Category, venue: Venue, now: datetime) -> Event:
    zone = ZONES[venue.city]
    starts_at = moment_of(given["on"], given["at"], zone=zone, now=now)
    created_at = min(now, starts_at) - timedelta(days=30)
    state = "called_off" if "called_off" in given else given.get("state", "published")
    is_public = state in ("published", "called_off")
    return Event(
        slug=proposing.slug_of(given["title"]),
        manager_id=managers[1 if venue.city == "Berlin" else 0].id or 0,
        category_id=category.id or 0,
        venue_id=venue.id,
        title=given["title"],
        summary=given["summary"],
        description=given["description"].strip(),
        access=given.get("access", ""),
        minimum_age=given.get("minimum_age"),
        saved_sections=" ".join(SECTIONS),
        state=state,
        called_off_reason=given.get("called_off", ""),
        called_off_at=now - timedelta(days=1) if state == "called_off" else None,
        postponed_reason=given.get("postponed", ""),
        postponed_at=now - timedelta(days=1) if "postponed" in given else None,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=given["lasts"]),
        doors_at=starts_at - timedelta(minutes=given["doors"]) if "doors" in given else None,
        zone=zone,
        **dict(zip(("hue", "tone", "motif"), given["poster"], strict=True)),
        texts=given.get("texts", {}),
        per_buyer=given.get("per_buyer", 6),
        refund_hours=given.get("refund_hours", 24),
        refund_fee_minor=given.get("refund_fee_minor", 100),
        created_at=created_at,
        submitted_at=None if state == "draft" else created_at + timedelta(days=1),
        published_at=created_at + timedelta(days=3) if is_public else None,
    )


def moment_of(on: str, at: str, *, zone: str, now: datetime) -> datetime:
    """The moment behind such as "Sat+2" and "20:30": the Saturday two weeks after the next one, counted from tomorrow.

    "today" is tomorrow when that hour is less than an hour ahead, so that the event can still be bought.
    """
    clock = time.fromisoformat(at)
    today = now.astimezone(ZoneInfo(zone)).date()
    if on == "today":
        moment = datetime.combine(today, clock, ZoneInfo(zone)).astimezone(UTC)
        return moment if moment > now + timedelta(hours=1) else moment + timedelta(days=1)
    weekday, weeks = on[:3], int(on[3:] or 0)
    tomorrow = today + timedelta(days=1)
    ahead = (WEEKDAYS.index(weekday) - tomorrow.weekday()) % 7
    return datetime.combine(tomorrow + timedelta(days=ahead, weeks=weeks), clock, ZoneInfo(zone)).astimezone(UTC)


async def _ticket_types(tx: AsyncSession, given: list[dict[str, Any]], events: list[Event], now: datetime) -> list[TicketType]:
    """All ticket types in the order of the file, with the access codes of their pre-sales."""
    entries = [(event, n, entry) for event, whole in zip(events, given, strict=True) for n, entry in enumerate(whole["types"])]
    types = await _kept(tx, (_ticket_type(event, n, entry, now) for event, n, entry in entries))
    quotas = await _kept(tx, _quotas(given, events))
    for ticket_type in types:
        ticket_type.quota_id = next((quota.id for quota in quotas if quota.event_id == ticket_type.event_id), None)
    coded = [
        (ticket_type, entry["code"]) for ticket_type, (_event, _n, entry) in zip(types, entries, strict=True) if "code" in entry
    ]
    await _kept(tx, (AccessCode(ticket_type_id=ticket_type.id or 0, code=code) for ticket_type, code in coded))
    return types


def _quotas(given: list[dict[str, Any]], events: list[Event]) -> Iterator[Quota]:
    for event, whole in zip(events, given, strict=True):
        if "quota" in whole:
            sold = sum(entry.get("sold", 0) for entry in whole["types"])
            yield Quota(event_id=event.id or 0, sold=sold, **whole["quota"])


def _questions(given: list[dict[str, Any]], events: list[Event]) -> Iterator[Question]:
    for event, whole in zip(events, given, strict=True):
        for position, entry in enumerate(whole.get("questions", ())):
            yield Question(event_id=event.id or 0, position=position, **entry)


def _waiting(types: list[TicketType], given: list[dict[str, Any]], now: datetime) -> Iterator[WaitingEntry]:
    entries = (entry for whole in given for entry in whole["types"])
    for ticket_type, entry in zip(types, entries, strict=True):
        for number in range(entry.get("waiting", 0)):
            name = proposing.slug_of(GUESTS[number].split()[0])
            yield WaitingEntry(
                event_id=ticket_type.event_id,
                ticket_type_id=ticket_type.id or 0,
                email=f"{name}@example.com",
                qty=1,
                created_at=now - timedelta(hours=20 - number),
            )


def _ticket_type(event: Event, position: int, given: dict[str, Any], now: datetime) -> TicketType:
    presale_in = given.get("presale_in")
    sale_from = (
        _morning(now + timedelta(days=given["general_in"])) if "general_in" in given else event.created_at + timedelta(days=9)
    )
    return TicketType(
        event_id=event.id or 0,
        name=given["name"],
        note=given.get("note", ""),
        position=position,
        price_minor=given["price"],
        capacity=given["capacity"],
        sold=given.get("sold", 0),
        waiting=given.get("waiting", 0),
        per_booking=given.get("per_booking", 6),
        sale_from=sale_from,
        sale_to=event.ends_at,
        presale_from=_morning(now + timedelta(days=presale_in)) if presale_in is not None else None,
        presale_places=given.get("presale_places"),
        needs_code="code" in given,
    )


def _morning(moment: datetime) -> datetime:
    return moment.replace(hour=9, minute=0, second=0, microsecond=0)


def _sales(
    events: list[Event], types: list[TicketType], given: list[dict[str, Any]], sofia: User, now: datetime
) -> Iterator[Sale]:
    """Somebody for every sold place: Sofia where the file says so, and people who paid cash at the box office."""
    dice = random.Random(17)
    by_id = {event.id: event for event in events}
    entries = (entry for whole in given for entry in whole["types"])
    for ticket_type, entry in zip(types, entries, strict=True):
        event = by_id[ticket_type.event_id]
        left, last_day = ticket_type.sold, min(now, event.starts_at)
        if "sofia" in entry:
            left -= entry["sofia"]
            yield Sale(event, ticket_type, entry["sofia"], sofia.name, last_day - timedelta(days=4), buyer=sofia)
        while left:
            qty = min(left, dice.choice((1, 2, 2, 2, 3, 4)), ticket_type.per_booking, event.per_buyer)
            left -= qty
            yield Sale(
                event,
                ticket_type,
                qty,
                dice.choice(GUESTS),
                last_day - timedelta(days=dice.randrange(1, 20), minutes=dice.randrange(600)),
            )


async def _sell(tx: AsyncSession, sales: list[Sale]) -> None:
    """Paid bookings with their payments and tickets, table by table: one by one they would take a minute."""
    made = await _kept(tx, (_booking(sale) for sale in sales))
    sold = list(zip(sales, made, strict=True))
    lines = await _kept(tx, (_line(sale, booking) for sale, booking in sold))
    await _kept(
        tx, (_ticket(booking, line, n) for booking, line in zip(made, lines, strict=True) for n in range(1, line.qty + 1))
    )
    await _kept(tx, (_cash(booking) for booking in made if booking.total_minor))
    await _kept(tx, (_paid(booking) for booking in made))
    await _kept(tx, (_limit(sale, booking) for sale, booking in sold))


def _booking(sale: Sale) -> Booking:
    email = sale.buyer.email if sale.buyer else ""
    code = secret_code()
    return Booking(
        code=code,
        event_id=sale.event.id or 0,
        user_id=sale.buyer.id if sale.buyer else None,
        state="paid",
        buyer_key=f"mail:{email}" if email else f"door:{code}",
        email=email,
        name=sale.name,
        held_until=sale.at + timedelta(minutes=15),
        total_minor=sale.qty * sale.ticket_type.price_minor,
        kept_minor=sale.qty * sale.ticket_type.price_minor,
        currency=sale.event.currency,
        refund_hours=sale.event.refund_hours,
        refund_fee_minor=sale.event.refund_fee_minor,
        created_at=sale.at,
        paid_at=sale.at,
    )


def _line(sale: Sale, booking: Booking) -> BookingLine:
    kind = sale.ticket_type
    return BookingLine(
        booking_id=booking.id or 0, ticket_type_id=kind.id or 0, name=kind.name, qty=sale.qty, unit_minor=kind.price_minor
    )


def _ticket(booking: Booking, line: BookingLine, n: int) -> Ticket:
    return Ticket(
        event_id=booking.event_id,
        booking_id=booking.id or 0,
        line_id=line.id or 0,
        ticket_type_id=line.ticket_type_id,
        n=n,
        holder=booking.name,
        issued_at=booking.created_at,
    )


def _limit(sale: Sale, booking: Booking) -> BuyerLimit:
    return BuyerLimit(event_id=booking.event_id, buyer_key=booking.buyer_key, qty=sale.qty, max_qty=sale.event.per_buyer)


def _paid(booking: Booking) -> Activity:
    """Nobody is told any more of what was bought before the shop opened, so there is no work beside it."""
    details = {"event": booking.event_id}
    return Activity(kind="booking.paid", about=f"booking:{booking.id}", at=booking.created_at, details=details)


def _cash(booking: Booking) -> Payment:
    return Payment(
        booking_id=booking.id or 0,
        provider="cash",
        state="captured",
        amount_minor=booking.total_minor,
        captured_minor=booking.total_minor,
        currency=booking.currency,
        pay_until=booking.created_at,
        created_at=booking.created_at,
        captured_at=booking.created_at,
    )


async def _life_of(tx: AsyncSession, sofia: User, events: dict[str, Event], types: list[TicketType], now: datetime) -> None:
    """What Sofia did herself, by everybody's verbs: favourites, a pre-sale to be paid, free tickets; and what she was told."""
    marked = [
        Favourite(user_id=sofia.id or 0, category_id=events["nine-pianos"].category_id, created_at=now),
        Favourite(user_id=sofia.id or 0, category_id=events["how-bread-rises"].category_id, created_at=now),
        Favourite(user_id=sofia.id or 0, event_id=events["last-train-from-warschauer"].id, created_at=now),
    ]
    await _kept(tx, marked)
    visitor = Visitor(sofia.id, sofia.email, sofia.name, sofia.role, sofia.language)
    first_type = {ticket_type.event_id: ticket_type.id or 0 for ticket_type in reversed(types)}
    pianos, bread = events["nine-pianos"], events["how-bread-rises"]
    await bookings.hold(tx, pianos, {first_type[pianos.id or 0]: 2}, by=visitor, access_code=ACCESS_CODE, now=now)
    free = await bookings.hold(tx, bread, {first_type[bread.id or 0]: 2}, by=visitor, now=now)
    await tickets.settle(tx, free, now=now)
    news = events["laughing-matter"]
    await activity.record(tx, "event.published", about=f"event:{news.id}", by=None)


async def _by_the_house(tx: AsyncSession, event: Event, types: list[TicketType], now: datetime) -> None:
    """What a manager has made of one event: a promo code, places that wait for a voucher, and tickets for the press."""
    by, gallery = event.manager_id, next(kind for kind in types if kind.event_id == event.id and kind.name == "Gallery")
    await codes.make_promos(tx, event, PromoTerms(percent=20, per_buyer=1), word="SPRING", by=by, now=now)
    four = VoucherTerms(places=4, unit_minor=1000)
    await codes.make_vouchers(tx, event, gallery, four, word="FRIENDS", by=by, now=now)
    press = {"email": "culture@example.com", "name": "Nora Fischer", "note": "Writes for the Kurier"}
    await tickets.give(tx, event, boxoffice.Sale("comp", by, {gallery.id or 0: 2}, nonce="press", **press), now=now)


async def _repeat(tx: AsyncSession, event: Event, admin: User, now: datetime) -> None:
    """One evening becomes a series: a second date is out, and two more wait together for an admin."""
    day = event.starts_at.astimezone(event.tz).date()
    for weeks, by in ((2, admin.id or 0), (4, event.manager_id), (6, event.manager_id)):
        await series.make(tx, event, [day + timedelta(weeks=weeks)], quiet=weeks != 4, by=by, now=now)


async def _kept(tx: AsyncSession, rows: Iterable[Row]) -> list[Row]:
    made = list(rows)
    tx.add_all(made)
    await tx.flush()
    return made
