"""Who helps with an event: the rights of its team, and what they open.

An event's manager and admins have every right. Everybody else has the rights of their row in `helpers` until it ends.
"""

from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import SESSION_LIVES, User, Visitor
from app.core import clock
from app.core.errors import NotFound, NotYours, ProveAgain, SetUpSecond
from app.core.i18n import gettext as _
from app.core.settings import settings
from app.events.models import OPENED_BY, Event, Helper


def owns(event: Event, visitor: Visitor) -> bool:
    """Whether the visitor may do everything to the event."""
    return visitor.is_admin or (visitor.is_manager and event.manager_id == visitor.user_id)


async def admits(db: AsyncSession, event: Event, visitor: Visitor, *, right: str) -> bool:
    """Whether somebody of the event's team may do what `right` names (a key of OPENED_BY). False for who is not in the team.

    Raises NotYours for a member without the right. The door asks for nothing but the right; whoever changes and sells is
    asked for what a manager is asked: the second factor where the shop requires one, and a new proof after half a day.
    """
    now = clock.now()
    helper = await helper_of(db, event, visitor.user_id, now=now)
    if not helper:
        return False
    if not any(given in helper.rights for given in OPENED_BY[right]):
        raise NotYours(_("Your right on this event does not open this page. Its manager can give you another."))
    if right != "door":
        _ask_what_managers_are_asked(visitor, now)
    return True


async def may_still_sell(db: AsyncSession, about: str, visitor: Visitor) -> bool:
    """Whether the visitor may sell for the event that something is about ("event:3"); True when it is about no event.

    Raises NotYours like `admits`.
    """
    kind, _colon, number = about.partition(":")
    event = await db.get(Event, int(number)) if kind == "event" else None
    return not event or owns(event, visitor) or await admits(db, event, visitor, right="sales")


async def rights(db: AsyncSession, event: Event, visitor: Visitor, *, now: datetime) -> frozenset[str]:
    """The keys of OPENED_BY that are open to the visitor, so that a page offers only what works."""
    if owns(event, visitor):
        return frozenset(OPENED_BY)
    helper = await helper_of(db, event, visitor.user_id, now=now)
    return frozenset(right for right, given in OPENED_BY.items() if helper and any(one in helper.rights for one in given))


async def helper_of(db: AsyncSession, event: Event, user_id: int | None, *, now: datetime) -> Helper | None:
    """The row of somebody whose rights on the event count now."""
    rows = select(Helper).where(Helper.event_id == event.id, Helper.user_id == (user_id or 0))
    found = (await db.exec(rows.order_by(col(Helper.id).desc()))).all()
    return next((helper for helper in found if helper.counts(event, now)), None)


async def helped(db: AsyncSession, user_id: int | None, *, now: datetime) -> list[tuple[Event, Helper]]:
    """The events that somebody helps with now, the soonest first."""
    rows = select(Event, Helper).join(Helper, col(Helper.event_id) == Event.id).where(Helper.user_id == (user_id or 0))
    found = (await db.exec(rows.order_by(col(Event.starts_at)))).all()
    return [(event, helper) for event, helper in found if helper.counts(event, now)]


async def helpers(db: AsyncSession, event: Event) -> list[tuple[Helper, str]]:
    """The team of an event with the names of their accounts, in the order in which they were invited."""
    rows = select(Helper, User.name).join(User, col(User.id) == Helper.user_id, isouter=True).where(Helper.event_id == event.id)
    return [(helper, name or "") for helper, name in (await db.exec(rows.order_by(col(Helper.id)))).all()]


async def by_code(db: AsyncSession, event: Event, code: str) -> Helper:
    """Somebody of the event's team. Raises NotFound."""
    found = (await db.exec(select(Helper).where(Helper.event_id == event.id, Helper.code == code))).first()
    if not found:
        raise NotFound(_("Nobody of that kind helps with this event."))
    return found


async def invited(db: AsyncSession, code: str) -> tuple[Helper, Event] | None:
    """The invitation behind a mailed link, with its event."""
    rows = select(Helper, Event).join(Event, col(Event.id) == Helper.event_id).where(Helper.code == code)
    return (await db.exec(rows)).first()


def _ask_what_managers_are_asked(visitor: Visitor, now: datetime) -> None:
    if settings().second_factor == "required" and not visitor.has_second:
        raise SetUpSecond
    if visitor.proved_at and now >= visitor.proved_at + SESSION_LIVES["manager"].absolute:
        raise ProveAgain
