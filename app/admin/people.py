"""What the desk asks about people: who is meant, what is theirs, and what a manager has sold."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, func, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import queries as accounts
from app.accounts.models import ERASED, FactorReset, LoginSession, User
from app.bookings import queries as bookings
from app.bookings.models import Booking
from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.events import queries as events
from app.events.models import Event
from app.events.queries import Proposal
from app.payments import queries as payments
from app.payments.queries import Sums
from app.privacy import queries as privacy

MOST = 20


@dataclass(frozen=True)
class People:
    """Who a search means: accounts, and bookings that belong to none. Both lists end after MOST."""

    users: Sequence[User]
    guests: Sequence[tuple[Booking, Event]]


@dataclass(frozen=True)
class Account:
    """What an admin sees of an account. Nothing here can be used to sign in."""

    sessions: Sequence[LoginSession]
    has_second: bool
    reset: FactorReset | None
    asked_reset: User | None
    other_admins: int
    bookings: Sequence[tuple[Booking, Event]]
    booking_count: int
    cannot_erase: Sequence[str]


@dataclass(frozen=True)
class Guest:
    """What an admin sees of somebody without an account: the newest MOST bookings under the address, and how many there are."""

    email: str
    bookings: Sequence[tuple[Booking, Event]]
    booking_count: int
    cannot_erase: Sequence[str]


@dataclass(frozen=True)
class Desk:
    """What a manager has: events with their stock, what paid bookings of each brought, and all money that came and went."""

    events: Sequence[Proposal]
    revenue: dict[int, int]
    sums: Sequence[Sums]


async def find(db: AsyncSession, search: str) -> People:
    """People by a part of their address or name, or by the reference of a booking."""
    found = await bookings.find(db, search, event_id=None, most=MOST)
    owners = [booking.user_id for booking, _event in found if booking.user_id and booking.reference == search.upper()]
    named = or_(
        col(User.email).contains(search.lower(), autoescape=True),
        func.lower(User.name).contains(search.lower(), autoescape=True),
        col(User.id).in_(owners),
    )
    users = select(User).where(named, ~col(User.email).endswith(ERASED)).order_by(col(User.email)).limit(MOST)
    return People((await db.exec(users)).all(), [(booking, event) for booking, event in found if not booking.user_id])


async def newest(db: AsyncSession) -> Sequence[User]:
    """The accounts that were opened last."""
    users = select(User).where(~col(User.email).endswith(ERASED)).order_by(col(User.id).desc()).limit(MOST)
    return (await db.exec(users)).all()


async def account(db: AsyncSession, user: User, *, now: datetime) -> Account:
    """An account with everything around it."""
    user_id = user.id or 0
    reset = await accounts.factor_reset(db, user_id, now=now)
    own = select(Booking, Event).join(Event, col(Event.id) == Booking.event_id).where(Booking.user_id == user_id)
    person = await privacy.person_of_user(db, user_id, now=now)
    return Account(
        sessions=await accounts.sessions_of(db, user_id, now=now),
        has_second=await accounts.has_second_factor(db, user_id),
        reset=reset,
        asked_reset=await accounts.by_id(db, reset.asked_by) if reset else None,
        other_admins=len(set(await accounts.active_admins(db)) - {user_id, reset.asked_by if reset else 0}),
        bookings=(await db.exec(own.order_by(col(Booking.id).desc()).limit(MOST))).all(),
        booking_count=(await db.exec(select(func.count()).select_from(Booking).where(Booking.user_id == user_id))).one(),
        cannot_erase=await privacy.why_not(db, person, now=now),
    )


async def guests_booking(db: AsyncSession, reference: str) -> Booking:
    """A booking of a guest. Raises NotFound, also for one of an account or of somebody who was erased."""
    booking = (await db.exec(select(Booking).where(Booking.reference == reference))).first()
    if not booking or booking.user_id or not booking.email:
        raise NotFound(_("There is no guest with such a booking."))
    return booking


async def guest(db: AsyncSession, email: str, *, now: datetime) -> Guest:
    """Whoever booked under this address without an account."""
    person = await privacy.person(db, email, now=now)
    theirs = privacy.own_bookings(person)
    own = select(Booking, Event).join(Event, col(Event.id) == Booking.event_id).where(theirs)
    return Guest(
        email=person.emails[0],
        bookings=(await db.exec(own.order_by(col(Booking.id).desc()).limit(MOST))).all(),
        booking_count=(await db.exec(select(func.count()).select_from(Booking).where(theirs))).one(),
        cannot_erase=await privacy.why_not(db, person, now=now),
    )


async def desk(db: AsyncSession, manager: User) -> Desk:
    """A manager's events and their sums."""
    found = await events.proposals(db, manager_id=manager.id)
    ids = [proposal.event.id or 0 for proposal in found]
    return Desk(found, await bookings.revenue(db, ids), await payments.sums(db, manager_id=manager.id))
