"""What waits for an admin, in numbers: each queue with how many there are, since when, and where they are dealt with."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import RESET_LIFE, Application, FactorReset
from app.admin.models import InvariantResult
from app.core.alarms import Alarm
from app.core.jobs import OPEN, Job
from app.events.decisions import Revision
from app.events.models import Event
from app.notifications.models import Delivery
from app.payments.models import Notice, Orphan, Refund

# What Stripe told us is normally done within a second.
NOTICE_PATIENCE = timedelta(minutes=10)


# Whoever has not begun a failed job again within a week needs it no more; what went wrong for ten minutes has an alarm besides.
FAILED_FOR = timedelta(days=7)


@dataclass(frozen=True)
class Queue:
    """`name` is the word that the page has a sentence for; `path` leads to where the things are dealt with."""

    name: str
    path: str
    count: int
    oldest: datetime

    def waited(self, now: datetime) -> timedelta:
        return max(timedelta(), now - self.oldest)


async def waiting(db: AsyncSession, *, now: datetime) -> list[Queue]:
    """Queues that are not empty; whoever waits longest stands first."""
    found = [await _queue(db, *wanted) for wanted in _wanted(now)]
    return sorted((queue for queue in found if queue), key=lambda queue: queue.oldest)


def failed_lately(now: datetime) -> tuple[Any, ...]:
    """Which jobs wait to be begun again."""
    return Job.state == "failed", col(Job.ended_at) > now - FAILED_FOR


def _wanted(now: datetime) -> tuple[tuple[str, str, Any, tuple[Any, ...]], ...]:
    """Name, address, the moment from which a thing waits, and which things do."""
    late = (col(Notice.done_at).is_(None), Notice.received_at < now - NOTICE_PATIENCE)
    return (
        ("alarms", "#alarms", Alarm.first_at, (col(Alarm.settled_at).is_(None),)),
        ("applications", "/admin/managers", Application.created_at, (Application.state == "open",)),
        ("events", "/admin/events", func.coalesce(Event.submitted_at, Event.created_at), (Event.state == "submitted",)),
        ("revisions", "/admin/events", Revision.created_at, (Revision.state == "waiting",)),
        ("resets", "#resets", FactorReset.asked_at, (FactorReset.asked_at > now - RESET_LIFE,)),
        ("mails", "/admin/mails", Delivery.created_at, (Delivery.state == "failed",)),
        ("refunds", "/admin/payments?show=stuck", Refund.created_at, (Refund.state == "failed",)),
        ("orphans", "/admin/payments#orphans", Orphan.found_at, (Orphan.state == "found",)),
        ("notices", "#notices", Notice.received_at, late),
        ("failed_jobs", "#jobs", Job.ended_at, failed_lately(now)),
        ("jobs", "#jobs", Job.created_at, (col(Job.state).in_(OPEN),)),
        ("invariants", "/admin/invariants", InvariantResult.checked_at, (InvariantResult.broken > 0,)),
    )


async def _queue(db: AsyncSession, name: str, path: str, since: Any, conditions: tuple[Any, ...]) -> Queue | None:
    count, oldest = (await db.exec(select(func.count(), func.min(since)).where(*conditions))).one()
    return Queue(name, path, count, oldest) if count else None
