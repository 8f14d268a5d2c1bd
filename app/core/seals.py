"""Seals on the activity log: a chain of HMACs over listed rows, made by the worker, never by a request.

Each seal lists the rows that were committed since the seals before, and its mac covers them, itself and the mac before it. Ids
are committed out of order, so a row is in a seal because it is listed there, not because its id is below some number.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import JSON, BigInteger, CheckConstraint, Column, LargeBinary, Text, cast, or_
from sqlalchemy import select as columns
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, SQLModel, col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import clock
from app.core.activity import Activity
from app.core.db import database, reading, writing
from app.core.settings import settings
from app.core.spans import Span, Spans, spans_of
from app.core.steps import Steps, insert, run

log = structlog.get_logger()

# So many rows in one seal at most. One that holds fewer has taken everything that was committed by then.
MOST = 1000
# No transaction stays open so long, so by then whatever has a smaller id is committed or never will be.
GRACE = timedelta(minutes=15)

HIGHEST = 2**62

_LABEL = b"the seals of the activity log"
_MOMENT = "%Y-%m-%d %H:%M:%S.%f"
# SQLite makes no long chains of OR.
_SPANS_AT_ONCE = 200


class ActivitySeal(SQLModel, table=True):
    """`spans` lists the ids of the sealed rows; `total` and `top` are the number and the highest id of all rows sealed so far."""

    __tablename__ = "activity_seals"
    __table_args__ = (CheckConstraint("number >= 1", name="number"), CheckConstraint("count >= 1", name="count"))

    number: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    spans: list[list[int]] = Field(sa_column=Column(JSON, nullable=False))
    count: int
    total: int = Field(sa_type=BigInteger)
    top: int = Field(sa_type=BigInteger)
    previous: str = Field(max_length=64)
    mac: str = Field(max_length=64)
    at: datetime


@dataclass(frozen=True)
class Seal:
    """A seal as the database has it: everything as it was written, so that a changed byte is a changed value."""

    number: int
    spans: str
    count: int
    total: int
    top: int
    previous: str
    mac: str
    at: str

    @property
    def moment(self) -> datetime:
        """When it was made. Raises ValueError when that is no time."""
        return datetime.strptime(self.at, _MOMENT).replace(tzinfo=UTC)

    def listed(self) -> list[Span]:
        """The spans of ids that it seals. Raises ValueError when they cannot be read."""
        found = json.loads(self.spans)
        if not isinstance(found, list) or not all(_is_span(span) for span in found):
            raise ValueError("no spans of ids")
        return [(first, last) for first, last in found]


@dataclass(frozen=True)
class Row:
    """An activity as the database has it, text as it was written."""

    id: int
    kind: str
    about: str
    by: int | None
    at: str
    details: str

    @property
    def moment(self) -> datetime:
        """When it happened, by its own words. Raises ValueError when that is no time."""
        return datetime.strptime(self.at, _MOMENT).replace(tzinfo=UTC)


# ---------- the worker's round ----------


async def seal() -> bool:
    """Seals what was committed and is not sealed yet, up to MOST rows; True when there is more.

    Whoever else seals at the same moment takes the same number, and of two with one number the database keeps the first.
    """
    async with reading() as db:
        before = await last(db)
        found = await _unsealed(db, before)
    if not found:
        return False
    made = _new_seal(before, found, now=clock.now())
    try:
        async with writing() as tx:
            await run(tx, _write(made))
    except IntegrityError:
        return False
    if before is None or before.at[:10] != made.at[:10]:
        # The day's first seal goes where the owner of the database may not reach: into the log.
        log.info("activity head", number=made.number, mac=made.mac, total=made.total, sealed_at=made.at)
    return len(found) == MOST


def _write(made: Seal) -> Steps[None]:
    values = asdict(made) | {"spans": made.listed(), "at": made.moment}
    yield insert(ActivitySeal, **values)


def _new_seal(before: Seal | None, found: Sequence[Row], *, now: datetime) -> Seal:
    made = Seal(
        number=before.number + 1 if before else 1,
        spans=json.dumps(spans_of(row.id for row in found)),
        count=len(found),
        total=(before.total if before else 0) + len(found),
        top=max(before.top if before else 0, found[-1].id),
        previous=before.mac if before else "",
        mac="",
        at=_written_moment(now),
    )
    return replace(made, mac=mac(made, found, keys()[-1]))


async def _unsealed(db: AsyncSession, before: Seal | None) -> list[Row]:
    """Rows above the highest sealed id, and late ones in the holes that the last seals have left, in the order of their ids.

    Only the seals of the last minutes are asked for holes: a hole that was still one when GRACE had passed stays one. The
    time that counts is that of the newest seal, because until then, and no longer, somebody has looked.
    """
    if not before:
        return await rows_among(db, [(0, HIGHEST)], most=MOST)
    settled = _seal_columns().where(col(ActivitySeal.at) <= before.moment - GRACE)
    floor = next(iter(await _seals(db, settled.order_by(col(ActivitySeal.number).desc()).limit(1))), None)
    sealed = Spans(span for recent in await seals_after(db, floor.number if floor else 0) for span in recent.listed())
    holes = sealed.holes(floor.top if floor else 0, before.top)
    late = await rows_among(db, holes, most=MOST)
    return late + await rows_among(db, [(before.top + 1, HIGHEST)], most=MOST - len(late))


# ---------- what a mac says ----------


def keys() -> list[bytes]:
    """The keys of the seals, oldest first: those of former SECRET_KEYs only check, the last one also seals."""
    secrets = (*settings().former_keys, settings().secret_key)
    return [hmac.new(secret.encode(), _LABEL, hashlib.sha256).digest() for secret in secrets]


def mac(sealed: Seal, found: Iterable[Row], key: bytes) -> str:
    """HMAC-SHA256 over the mac before, the seal itself and every listed row."""
    head = [sealed.previous, sealed.number, sealed.spans, sealed.count, sealed.total, sealed.top, sealed.at]
    lines = [head, *([row.id, row.kind, row.about, row.by, row.at, row.details] for row in found)]
    made = hmac.new(key, digestmod=hashlib.sha256)
    for line in lines:
        made.update(json.dumps(line, separators=(",", ":")).encode() + b"\n")
    return made.hexdigest()


# ---------- reading as it is written ----------


async def last(db: AsyncSession) -> Seal | None:
    """The newest seal: the head of the chain."""
    found = await _seals(db, _seal_columns().order_by(col(ActivitySeal.number).desc()).limit(1))
    return found[0] if found else None


async def seals_after(db: AsyncSession, number: int, *, most: int | None = None) -> list[Seal]:
    """The seals with higher numbers, in their order."""
    after = _seal_columns().where(col(ActivitySeal.number) > number)
    return await _seals(db, after.order_by(col(ActivitySeal.number)).limit(most))


async def rows_among(db: AsyncSession, spans: Sequence[Span], *, most: int) -> list[Row]:
    """Activities whose ids lie in the spans, which ascend, as they are written and in the order of their ids."""
    found: list[Row] = []
    for start in range(0, len(spans), _SPANS_AT_ONCE):
        some = spans[start : start + _SPANS_AT_ONCE]
        if len(found) >= most:
            break
        number = col(Activity.id)
        either = or_(*(number.between(first, last) for first, last in some))
        asked = _row_columns().where(number >= some[0][0], number <= some[-1][1], either)
        rows = await db.exec(asked.order_by(number).limit(most - len(found)))
        found += [Row(*map(_plain, row)) for row in rows.all()]
    return found


async def _seals(db: AsyncSession, asked: Any) -> list[Seal]:
    return [Seal(*map(_plain, row)) for row in (await db.exec(asked)).all()]


def _seal_columns() -> Any:
    it: Any = ActivitySeal
    own = (it.number, _raw(it.spans), it.count, it.total, it.top, _raw(it.previous), _raw(it.mac), _raw_moment(it.at))
    return columns(*own)


def _row_columns() -> Any:
    it: Any = Activity
    own = (it.id, _raw(it.kind), _raw(it.about), it.by_user_id, _raw_moment(it.at), _raw(it.details))
    return columns(*own)


def _raw(column: Any) -> Any:
    """Text comes as bytes from SQLite, because the driver stops at bytes that are no text. PostgreSQL has no such text."""
    return cast(column, LargeBinary if database().is_sqlite else Text)


def _raw_moment(column: Any) -> Any:
    return cast(column, LargeBinary) if database().is_sqlite else col(column)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return _written_moment(value) if isinstance(value, datetime) else value


def _written_moment(moment: datetime) -> str:
    """As SQLite keeps moments, so that both databases have the same text under the same mac."""
    return moment.astimezone(UTC).strftime(_MOMENT)


def _is_span(span: Any) -> bool:
    return isinstance(span, list) and len(span) == 2 and all(type(end) is int for end in span) and span[0] <= span[1]
