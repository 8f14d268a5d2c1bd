"""Who asked to be reminded when the sale of an event opens, and of which openings people were told.

Users save the event (Favourite); these rows are of people who are only an address.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, UniqueConstraint, and_, exists, func, or_
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import User
from app.core.codes import secret_code
from app.core.columns import link, one_of, row_id
from app.core.i18n import language
from app.events.models import Event, Favourite, TicketType
from app.events.rules import languages

PHASES = ("presale", "sale")

# A sale that opened longer ago is no news, whatever happened to the worker meanwhile.
IS_NEWS = timedelta(days=1)
# Whoever does not answer the mail was not asked, and is forgotten.
UNANSWERED_KEPT = timedelta(days=7)


class Reminder(SQLModel, table=True):
    """An address that is told when the sale opens, once its owner has pressed the button in the mail."""

    __tablename__ = "reminders"
    __table_args__ = (UniqueConstraint("event_id", "email"),)

    id: int | None = row_id()
    code: str = Field(default_factory=secret_code, max_length=22, unique=True)
    event_id: int = link("events.id")
    email: str = Field(max_length=254, index=True)
    language: str = Field(default="en", max_length=10)
    created_at: datetime
    confirmed_at: datetime | None = None


class Opening(SQLModel, table=True):
    """When a phase of an event's sale opened last: whoever writes it down is the one who tells of it."""

    __tablename__ = "openings"
    __table_args__ = (CheckConstraint(one_of("phase", PHASES), name="phase"),)

    event_id: int = Field(sa_type=BigInteger, foreign_key="events.id", primary_key=True)
    phase: str = Field(primary_key=True, max_length=7)
    at: datetime


async def by_code(db: AsyncSession, code: str) -> tuple[Reminder, Event] | None:
    """The reminder that a mailed link is about, and its event in the reader's language."""
    wanted = select(Reminder, Event).join(Event, col(Event.id) == Reminder.event_id).where(Reminder.code == code)
    found = (await db.exec(wanted)).first()
    return (found[0], languages.read_in(found[1], language())) if found else None


async def of_address(db: AsyncSession, event_id: int, email: str) -> Reminder | None:
    return (await db.exec(select(Reminder).where(Reminder.event_id == event_id, Reminder.email == email))).first()


async def due(db: AsyncSession, *, now: datetime) -> list[tuple[int, str, datetime]]:
    """(event id, phase, when it opened) of the sales that have opened and that nobody was told of yet.

    The first ticket type that is sold opens the sale, and another one opens it again when that was sold no more. A postponed
    event opens nothing, and with its new date what was missed.
    """
    first = select(
        TicketType.event_id, func.min(TicketType.presale_from).label("presale"), func.min(TicketType.sale_from).label("sale")
    )
    first_of = first.where(col(TicketType.sale_to) > now).group_by(col(TicketType.event_id)).subquery()

    def opened(phase: str) -> ColumnElement[bool]:
        at = first_of.c[phase]
        lately = or_(at > now - IS_NEWS, col(Event.redated_at) > now - IS_NEWS)
        is_told = exists().where(col(Opening.event_id) == col(Event.id), col(Opening.phase) == phase, col(Opening.at) >= at)
        goes_on = exists().where(
            col(TicketType.event_id) == col(Event.id), col(TicketType.sale_from) < at, col(TicketType.sale_to) >= at
        )
        return and_(at <= now, lately, at > col(Event.published_at), ~is_told, ~goes_on)

    presale, sale = and_(opened("presale"), first_of.c.sale > now), opened("sale")
    on_stage = (Event.state == "published", col(Event.postponed_at).is_(None), Event.ends_at > now)
    found = select(Event.id, sale.label("is_sale"), first_of.c.presale, first_of.c.sale)
    found = found.join(first_of, first_of.c.event_id == Event.id).where(*on_stage, or_(presale, sale))
    rows = (await db.exec(found.order_by(col(Event.id)))).all()
    return [
        (event_id or 0, *(("sale", general) if is_sale else ("presale", early))) for event_id, is_sale, early, general in rows
    ]


def was_told(*also: ColumnElement[bool]) -> ColumnElement[bool]:
    """The sale has opened since the address was typed and its owner said yes: the reminder has done its work."""
    since = func.coalesce(col(Reminder.confirmed_at), col(Reminder.created_at))
    return exists().where(
        col(Opening.event_id) == col(Reminder.event_id), col(Opening.phase) == "sale", col(Opening.at) > since, *also
    )


async def asked(db: AsyncSession, event_id: int) -> Sequence[Reminder]:
    """The addresses whose owners said yes."""
    said_yes = select(Reminder).where(Reminder.event_id == event_id, col(Reminder.confirmed_at).is_not(None))
    return (await db.exec(said_yes.order_by(col(Reminder.id)))).all()


async def savers(db: AsyncSession, event_id: int, *, before: datetime) -> Sequence[User]:
    """Users who had saved the event by then, without closed accounts."""
    saved = exists().where(
        col(Favourite.user_id) == User.id, col(Favourite.event_id) == event_id, col(Favourite.created_at) <= before
    )
    return (await db.exec(select(User).where(saved, col(User.disabled_at).is_(None)).order_by(col(User.id)))).all()
