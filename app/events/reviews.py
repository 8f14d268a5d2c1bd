"""Questions about reviews: what an admin wished, what was let out, and what waits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import User
from app.core.errors import NotFound, Refused
from app.core.i18n import gettext as _
from app.events import drafts, queries
from app.events.decisions import Revision, WishedChange
from app.events.models import SECTIONS, Event, TicketType, Venue
from app.events.rules import reviewing, sharing, snapshots
from app.events.rules.sharing import QuotaWish, Shared
from app.events.rules.snapshots import Differences, Snapshot
from app.events.series import Series


@dataclass(frozen=True)
class Pending:
    """Something that waits for an admin since a moment: a submitted event, or a change of one that was let out before.

    Submitted dates of one series wait together: `dates` says how many, `series` is the address of their page.
    """

    event: Event
    manager: User
    since: datetime
    revision: Revision | None = None
    series: str = ""
    dates: int = 1

    @property
    def path(self) -> str:
        """Where an admin decides about it."""
        return f"/admin/series/{self.series}" if self.dates > 1 else f"/admin/events/{self.event.slug}"


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
    types, questions = await queries.ticket_types(db, event.id), await drafts.questions(db, event)
    return snapshots.taken(event, category, venue, types, questions=questions, quotas=await drafts.shared(db, event))


async def compared(db: AsyncSession, event: Event) -> Compared:
    """The event beside what it was when an admin last approved it or gave it back."""
    decided = select(Revision).where(Revision.event_id == event.id, col(Revision.state).in_(("approved", "returned")))
    last = (await db.exec(decided.order_by(col(Revision.id).desc()).limit(1))).first()
    if not last:
        return Compared(None, Differences(()))
    return Compared(last, snapshots.differences(last.snapshot, await snapshot(db, event)))


async def waiting(db: AsyncSession, event: Event) -> Revision | None:
    """The change of the event that waits for an admin."""
    found = select(Revision).where(Revision.event_id == event.id, Revision.state == "waiting")
    return (await db.exec(found.execution_options(populate_existing=True))).first()


async def declined(db: AsyncSession, event: Event) -> Revision | None:
    """The newest change of the event, if an admin has declined it; its manager reads why until they change something else."""
    newest = select(Revision).where(Revision.event_id == event.id).order_by(col(Revision.id).desc()).limit(1)
    found = (await db.exec(newest)).first()
    return found if found and found.state == "declined" else None


async def waiting_by_code(db: AsyncSession, event: Event, code: str) -> Revision:
    """The change that an admin looks at. Raises NotFound for one that never was, Refused when it does not wait any more."""
    of_event = select(Revision).where(Revision.event_id == event.id, Revision.code == code)
    found = (await db.exec(of_event.execution_options(populate_existing=True))).first()
    if not found:
        raise NotFound(_("There is no such change of this event."))
    if found.state != "waiting":
        raise Refused(reviewing.gone())
    return found


async def asked(db: AsyncSession, event: Event, revision: Revision) -> Differences:
    """What the event would be after the change, beside what it is."""
    present = await snapshot(db, event)
    return snapshots.differences(present, await _changed(db, present, revision.changes))


async def as_wanted(db: AsyncSession, event: Event) -> Event:
    """The event as its manager last wanted it, with what waits: a copy that no session keeps, for the fields of its form."""
    revision = await waiting(db, event)
    wanted = reviewing.revived(revision.changes.get("event", {})) if revision else {}
    return Event(**event.model_dump() | wanted) if wanted else event


async def type_as_wanted(db: AsyncSession, event: Event, kind: TicketType) -> TicketType:
    """The same for one of its ticket types."""
    revision = await waiting(db, event)
    wanted = revision.changes.get("types", {}).get(kind.code, {}) if revision else {}
    return TicketType(**kind.model_dump() | wanted) if wanted else kind


async def quota_as_wanted(db: AsyncSession, event: Event, shared: Shared) -> QuotaWish:
    """The same for one of its quotas."""
    revision = await waiting(db, event)
    wanted = revision.changes.get("quotas", {}).get(shared.quota.code, {}) if revision else {}
    return replace(shared.wish, **sharing.revived(wanted))


async def queue(db: AsyncSession) -> list[Pending]:
    """Everything that waits for an admin's decision, the oldest first."""
    submitted = select(Event, User, Series.slug).join(User, col(User.id) == Event.manager_id)
    submitted = submitted.outerjoin(Series, col(Series.id) == Event.series_id).where(Event.state == "submitted")
    rows = await _rows(db, submitted.order_by(col(Event.starts_at), col(Event.id)))
    found = [
        _together([row for row in rows if row[0].series_id == number]) for number in {row[0].series_id for row in rows} - {None}
    ]
    found += [_together([row]) for row in rows if row[0].series_id is None]
    changes = select(Event, User, Revision).join(User, col(User.id) == Event.manager_id)
    changes = changes.join(Revision, col(Revision.event_id) == Event.id).where(Revision.state == "waiting")
    found += [Pending(event, manager, revision.created_at, revision) for event, manager, revision in await _rows(db, changes)]
    return sorted(found, key=lambda pending: pending.since)


def _together(rows: Sequence[Any]) -> Pending:
    """Submitted dates as one thing: the soonest stands for all of them."""
    event, manager, series = rows[0]
    return Pending(event, manager, min(row[0].submitted_at or row[0].created_at for row in rows), None, series or "", len(rows))


async def _changed(db: AsyncSession, present: Snapshot, changes: dict[str, Any]) -> Snapshot:
    """A snapshot with a stored change made in it."""
    columns = dict(changes.get("event", {}))
    if "venue_id" in columns:
        columns["venue"] = snapshots.place(await db.get(Venue, columns["venue_id"]) if columns["venue_id"] else None)
    of_event = {name: columns.get(name, value) for name, value in present["event"].items()}
    types = {code: values | changes.get("types", {}).get(code, {}) for code, values in present["types"].items()}
    added = {f"new-{number}": values for number, values in enumerate(changes.get("added", ()))}
    quotas = {code: values | changes.get("quotas", {}).get(code, {}) for code, values in present["quotas"].items()}
    new_quotas = {f"new-{number}": values for number, values in enumerate(changes.get("added_quotas", ()))}
    return {**present, "event": of_event, "types": types | added, "quotas": quotas | new_quotas}


async def _rows(db: AsyncSession, statement: Any) -> Sequence[Any]:
    rows: Sequence[Any] = (await db.exec(statement)).all()
    return rows
