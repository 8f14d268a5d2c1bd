"""What the activity log asks: its rows by kind, person and thing, and the present names of what they are about."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlmodel import SQLModel, col, func, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import MailedLink, User
from app.bookings.models import Booking
from app.core.activity import Activity
from app.core.jobs import Job
from app.events.models import Category, Event, TicketType, Venue
from app.tickets.models import Ticket

Found = TypeVar("Found", bound=SQLModel)

# What a filter says -> how the kinds that it shows begin.
GROUPS = {
    "events": ("event.", "category.", "venue.", "helper.", "gate.", "question.", "quota."),
    "sales": ("presale.", "sale.", "code.", "reminder."),
    "bookings": ("booking.", "ticket.", "waiting."),
    "money": ("payment.", "refund.", "dispute.", "orphan."),
    "people": ("account.", "guest.", "manager.", "preferences."),
    "desk": ("admin.", "settings.", "text.", "alarm.", "reports.", "delivery.", "job.", "people.", "announcement."),
}


@dataclass(frozen=True)
class Wish:
    """Which rows are shown. `about` names things such as "event:3"; None stands for all of them, no things for no rows.

    `by` is an account's id, `kind` one such as "booking.paid"; rows are from `since` on and before `until`.
    """

    group: str = ""
    by: int | None = None
    about: Sequence[str] | None = None
    before: int | None = None
    kind: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass
class Names:
    """The rows that a page of the log names, by their tables and ids, as they are now."""

    rows: dict[tuple[type[SQLModel], Any], Any] = field(default_factory=dict)

    def get(self, table: type[Found], number: Any, *, at: datetime) -> Found | None:
        """The thing of that id, if it was there at that moment: ids of removed rows can be given out again."""
        found: Found | None = self.rows.get((table, number))
        created_at = getattr(found, "created_at", None)
        return found if created_at is None or created_at <= at else None


async def newest(db: AsyncSession, wish: Wish, *, most: int) -> Sequence[Activity]:
    """The newest activities that the wish names, and older than its `before`."""
    return (await db.exec(select(Activity).where(*_wanted(wish)).order_by(col(Activity.id).desc()).limit(most))).all()


async def count(db: AsyncSession, wish: Wish) -> int:
    """How many there are in all."""
    return (await db.exec(select(func.count()).select_from(Activity).where(*_wanted(wish)))).one()


def _wanted(wish: Wish) -> Iterator[Any]:
    if wish.group:
        yield or_(*(col(Activity.kind).startswith(start) for start in GROUPS[wish.group]))
    if wish.by:
        yield or_(col(Activity.by_user_id) == wish.by, col(Activity.about) == f"user:{wish.by}")
    if wish.about is not None:
        yield col(Activity.about).in_(wish.about)
    if wish.kind:
        yield Activity.kind == wish.kind
    if wish.since:
        yield Activity.at >= wish.since
    if wish.until:
        yield Activity.at < wish.until
    if wish.before is not None:
        yield col(Activity.id) < wish.before


async def things(db: AsyncSession, word: str) -> list[str]:
    """What activities about an event (by the last part of its address) or a booking (by its reference) name as their thing."""
    event = (await db.exec(select(Event).where(Event.slug == word.lower()))).first()
    types = (await db.exec(select(TicketType.id).where(TicketType.event_id == event.id))).all() if event else ()
    bookings = (await db.exec(select(Booking.id).where(Booking.reference == word.upper()))).all()
    tickets = (await db.exec(select(Ticket.id).where(col(Ticket.booking_id).in_(bookings)))).all() if bookings else ()
    return [
        *([f"event:{event.id}"] if event else ()),
        *(f"ticket_type:{number}" for number in types),
        *(f"booking:{number}" for number in bookings),
        *(f"ticket:{number}" for number in tickets),
    ]


async def names_of(db: AsyncSession, activities: Sequence[Activity]) -> Names:
    """Everything that the sentences about these activities call by its name."""
    names = Names()
    by = {activity.by_user_id for activity in activities if activity.by_user_id}
    await _add(db, names, User, by | set(_numbers(activities, "user")))
    await _add(db, names, MailedLink, set(_ids(activities, "link")))
    await _add(db, names, Job, set(_numbers(activities, "job")))
    tickets = await _add(db, names, Ticket, set(_numbers(activities, "ticket")))
    bookings = set(_numbers(activities, "booking")) | {ticket.booking_id for ticket in tickets}
    found = await _add(db, names, Booking, bookings)
    fields = [fields for activity in activities for fields in _fields_of(activity.details)]
    kinds = set(_numbers(activities, "ticket_type")) | {kind["type"] for activity in activities for kind in _types_of(activity)}
    types = await _add(db, names, TicketType, kinds)
    events = {activity.details.get("event") for activity in activities} | {booking.event_id for booking in found}
    await _add(db, names, Event, events | set(_numbers(activities, "event")) | {kind.event_id for kind in types})
    await _add(db, names, Category, {value for each in fields for value in each.get("category_id", ())})
    await _add(db, names, Venue, {value for each in fields for value in each.get("venue_id", ())})
    return names


async def _add(db: AsyncSession, names: Names, table: type[Any], ids: Iterable[Any]) -> Sequence[Any]:
    wanted = {number for number in ids if number is not None}
    if not wanted:
        return ()
    rows: Sequence[Any] = (await db.exec(select(table).where(col(table.id).in_(wanted)))).all()
    names.rows |= {(table, row.id): row for row in rows}
    return rows


def _ids(activities: Iterable[Activity], kind: str) -> Iterator[str]:
    for activity in activities:
        about, _colon, number = activity.about.partition(":")
        if about == kind:
            yield number


def _numbers(activities: Iterable[Activity], kind: str) -> Iterator[int]:
    yield from (int(number) for number in _ids(activities, kind) if number.isdecimal())


def _types_of(activity: Activity) -> Sequence[dict[str, Any]]:
    types: Sequence[dict[str, Any]] = activity.details.get("types", ())
    return types


def _fields_of(details: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield details.get("fields", {})
