"""Verbs of the operator's desk."""

from datetime import datetime

from sqlalchemy import bindparam, text
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.sqltypes import UTCDateTime

from app.admin.invariants import Found
from app.core import activity, alarms
from app.core.texts import SiteText

# Somebody may press "Check now" while the sweep is looking.
_NOTE_RESULT = text(
    "INSERT INTO invariant_results (name, checked_at, broken, examples, milliseconds) "
    "VALUES (:name, :at, :broken, :examples, :milliseconds) ON CONFLICT (name) DO UPDATE SET checked_at = excluded.checked_at, "
    "broken = excluded.broken, examples = excluded.examples, milliseconds = excluded.milliseconds"
).bindparams(bindparam("at", type_=UTCDateTime))


async def save_text(tx: AsyncSession, name: str, body: str, *, by: int | None, now: datetime) -> None:
    """The operator's own Markdown for a page; an empty one brings our default back."""
    stored = await tx.get(SiteText, name)
    if stored and body:
        stored.body, stored.changed_at = body, now
    elif stored:
        await tx.delete(stored)
    elif body:
        tx.add(SiteText(name=name, body=body, changed_at=now))
    await activity.record(tx, "text.saved", about=f"text:{name}", by=by)


async def note_result(tx: AsyncSession, name: str, found: Found, *, now: datetime) -> None:
    """Writes down what the look at one invariant found; an alarm sounds while it is broken, and ends when it holds again."""
    examples = " ".join(found.examples)[:500]
    result = {"name": name, "at": now, "broken": found.broken, "examples": examples, "milliseconds": found.milliseconds}
    await (await tx.connection()).execute(_NOTE_RESULT, result)
    if found.broken:
        await alarms.sound(tx, "invariant", about=name, broken=found.broken)
    else:
        await alarms.calm(tx, "invariant", about=name)


async def settle_alarm(tx: AsyncSession, alarm_id: int, *, by: int, now: datetime) -> bool:
    """Somebody has seen to an alarm; False when it was settled already, or is none."""
    if not await alarms.settle(tx, alarm_id, by=by, now=now):
        return False
    await activity.record(tx, "alarm.settled", about=f"alarm:{alarm_id}", by=by)
    return True
