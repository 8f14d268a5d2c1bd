"""Verbs of the operator's desk."""

from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import String, bindparam, delete, text
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.sqltypes import UTCDateTime

from app.admin.invariants import Found
from app.admin.models import CspReport
from app.admin.rules import Complaint
from app.core import activity, alarms, stored
from app.core.alarms import Alarm
from app.core.db import changed
from app.core.texts import SiteText

# Somebody may press "Check now" while the sweep is looking.
_NOTE_RESULT = text(
    "INSERT INTO invariant_results (name, checked_at, broken, examples, milliseconds) "
    "VALUES (:name, :at, :broken, :examples, :milliseconds) ON CONFLICT (name) DO UPDATE SET checked_at = excluded.checked_at, "
    "broken = excluded.broken, examples = excluded.examples, milliseconds = excluded.milliseconds"
).bindparams(bindparam("at", type_=UTCDateTime))


# Settings that may name a person.
PERSONAL_SETTINGS = ("CONTACT", "MAIL_FROM")

# Anybody may send reports: so many kinds are kept and no more, for so long after they were last seen.
MOST_REPORTS = 300
REPORT_LIFE = timedelta(days=30)

_NOTE_REPORT = text(
    "INSERT INTO csp_reports (directive, blocked, path, times, first_at, last_at) "
    "SELECT :directive, :blocked, :path, 1, :at, :at WHERE (SELECT COUNT(*) FROM csp_reports) < :most "
    "OR EXISTS (SELECT 1 FROM csp_reports WHERE directive = :directive AND blocked = :blocked AND path = :path) "
    "ON CONFLICT (directive, blocked, path) DO UPDATE SET times = csp_reports.times + 1, last_at = excluded.last_at"
).bindparams(bindparam("at", type_=UTCDateTime), *(bindparam(name, type_=String) for name in Complaint._fields))


async def save_text(tx: AsyncSession, name: str, body: str, *, by: int | None, now: datetime) -> None:
    """The operator's own Markdown for a page; an empty one brings our default back."""
    stored = await tx.get(SiteText, name)
    letters = [len(stored.body) if stored else 0, len(body)]
    if stored and body:
        stored.body, stored.changed_at = body, now
    elif stored:
        await tx.delete(stored)
    elif body:
        tx.add(SiteText(name=name, body=body, changed_at=now))
    await activity.record(
        tx, "text.saved", about=f"text:{name}", by=by, letters=letters, sha256=sha256(body.encode()).hexdigest()
    )


async def save_settings(
    tx: AsyncSession, wanted: dict[str, str | None], *, before: dict[str, str], by: int, now: datetime
) -> None:
    """Stores what an admin has changed; None brings the default back. Addresses stay out of the log."""
    await stored.keep(tx, wanted, now=now)
    told = {name: [before[name], value or ""] for name, value in wanted.items() if name not in PERSONAL_SETTINGS}
    await activity.record(tx, "settings.saved", about="settings:shop", by=by, changed=sorted(wanted), values=told)


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
    settled = await tx.get_one(Alarm, alarm_id)
    await activity.record(tx, "alarm.settled", about=f"alarm:{alarm_id}", by=by, alarm=settled.kind, thing=settled.about)
    return True


async def note_report(tx: AsyncSession, complaint: Complaint, *, now: datetime) -> None:
    """Counts what a browser complained about. Once there are too many kinds, new ones are not kept."""
    connection = await tx.connection()
    await connection.execute(_NOTE_REPORT, {**complaint._asdict(), "at": now, "most": MOST_REPORTS})


async def clear_reports(tx: AsyncSession, *, by: int) -> None:
    """An admin has seen to them."""
    cleared = await changed(tx, delete(CspReport))
    await activity.record(tx, "reports.cleared", about="csp_reports", by=by, kinds=cleared)


async def forget_old_reports(tx: AsyncSession, *, now: datetime) -> None:
    """Removes what no browser has reported for a while."""
    await tx.exec(delete(CspReport).where(col(CspReport.last_at) < now - REPORT_LIFE))
