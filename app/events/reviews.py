"""Questions about reviews: what an admin wished, what was let out, and what waits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import User
from app.events import queries
from app.events.decisions import Revision, WishedChange
from app.events.models import SECTIONS, Event
from app.events.rules import snapshots
from app.events.rules.snapshots import Differences, Snapshot


@dataclass(frozen=True)
class Pending:
    """Something that waits for an admin since a moment: a submitted event, or a change of one that was let out before."""

    event: Event
    manager: User
    since: datetime
    revision: Revision | None = None


@dataclass(frozen=True)
class Compared:
    """What is different about an event since an admin last decided about it; `since` is that decision, None before the first."""

    since: Revision | None
    differences: Differences

    @property
    def was_returned(self) -> bool:
        return self.since is not None and self.since.state == "returned"


async def is_trusted(db: AsyncSession, user_id: int | None) -> bool:
    """Whether what this person does to an event needs no review: a trusted manager, or an admin."""
    found = (await db.exec(select(User.role, User.trusted_at).where(User.id == user_id))).first()
    return found is not None and (found[0] == "admin" or found[1] is not None)


async def wishes(db: AsyncSession, event: Event) -> dict[str, str]:
    """What an admin wishes changed, by section, in the order of the form."""
    found = (await db.exec(select(WishedChange).where(WishedChange.event_id == event.id))).all()
    words = {wish.section: wish.words for wish in found}
    return {section: words[section] for section in SECTIONS if section in words}


async def snapshot(db: AsyncSession, event: Event) -> Snapshot:
    """The event as it is now."""
    category, venue = await queries.category(db, event), await queries.venue(db, event)
    return snapshots.taken(event, category, venue, await queries.ticket_types(db, event.id))


async def compared(db: AsyncSession, event: Event) -> Compared:
    """The event beside what it was when an admin last approved it or gave it back."""
    decided = select(Revision).where(Revision.event_id == event.id, col(Revision.state).in_(("approved", "returned")))
    last = (await db.exec(decided.order_by(col(Revision.id).desc()).limit(1))).first()
    if not last:
        return Compared(None, Differences((), ()))
    return Compared(last, snapshots.differences(last.snapshot, await snapshot(db, event)))


async def queue(db: AsyncSession) -> list[Pending]:
    """Everything that waits for an admin's decision, the oldest first."""
    submitted = select(Event, User).join(User, col(User.id) == Event.manager_id).where(Event.state == "submitted")
    found = [Pending(event, manager, event.submitted_at or event.created_at) for event, manager in await _rows(db, submitted)]
    return sorted(found, key=lambda pending: pending.since)


async def _rows(db: AsyncSession, statement: Any) -> Sequence[Any]:
    rows: Sequence[Any] = (await db.exec(statement)).all()
    return rows
