"""Whether the activity log is as it was sealed: changed, removed, slipped-in rows and seals, and a tail that was cut off."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hmac import compare_digest

from sqlmodel import func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import db, seals
from app.core.activity import Activity
from app.core.formats import list_date
from app.core.seals import GRACE, HIGHEST, MOST, Row, Seal
from app.core.spans import Spans

# Seals are read so many at a time, and their rows with them.
_AT_ONCE = 200
# So many faults are named; the others are counted.
_NAMED = 50


@dataclass(frozen=True)
class Fault:
    """`kind` is a word for programs, the sentence is for people."""

    kind: str
    sentence: str


@dataclass
class Report:
    """What was looked at and what is wrong. `waiting` rows are too new to be sealed."""

    seals: int = 0
    rows: int = 0
    waiting: int = 0
    former_key: int = 0
    head: Seal | None = None
    faults: list[Fault] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.faults

    def as_text(self) -> str:
        """Sentences for whoever ran the command."""
        named = [fault.sentence for fault in self.faults[:_NAMED]]
        if len(self.faults) > _NAMED:
            named.append(f"And {len(self.faults) - _NAMED:,} faults more.")
        said = [f"{self.rows:,} activities in {self.seals:,} seals were looked at.", *named]
        if self.former_key:
            said.append(f"{self.former_key:,} of the seals were made under a former SECRET_KEY.")
        if self.waiting:
            said.append(f"{self.waiting:,} of the newest activities wait for their seal.")
        if self.head:
            said.append(f"The head is {self.head.number}:{self.head.mac}")
        said.append("The activity log is as it was sealed." if self.holds else "The activity log is NOT as it was sealed.")
        return "\n".join(said)


async def verify(head: tuple[int, str] | None = None) -> Report:
    """Walks the whole chain by reading. `head` is number and mac of a seal as somebody kept it outside of the database."""
    look = _Look(keys=seals.keys(), kept=head)
    async with db.reading() as reader:
        while found := await seals.seals_after(reader, look.number, most=_AT_ONCE):
            rows = await _rows_of(reader, found)
            for seal in found:
                look.at_seal(seal, rows)
        await look.at_unsealed(reader)
    look.at_the_end()
    return look.report


def kept_head(text: str) -> tuple[int, str]:
    """Number and mac out of "17:5f…", as /admin/activity gives them. Raises ValueError."""
    number, _colon, mac = text.strip().partition(":")
    if not number.isdecimal() or len(mac) != 64:
        raise ValueError(text)
    return int(number), mac.lower()


async def verify_at(url: str, head: tuple[int, str] | None = None) -> Report:
    """The same for a process that has no connection yet, such as a command's."""
    db.connect(url)
    try:
        return await verify(head)
    finally:
        await db.disconnect()


async def _rows_of(reader: AsyncSession, found: Sequence[Seal]) -> dict[int, Row]:
    """The rows that some seals list. One that lists more than a seal can is lying, and its rows are not read."""
    spans = Spans()
    for seal in found:
        for first, last in _listed(seal):
            spans.add(first, last)
    return {row.id: row for row in await seals.rows_among(reader, list(spans), most=_AT_ONCE * MOST)}


def _listed(seal: Seal) -> list[tuple[int, int]]:
    """The ids that a seal lists; none when that is not a list of as many as it counts."""
    try:
        spans = seal.listed()
    except (ValueError, RecursionError):
        return []
    return spans if sum(last - first + 1 for first, last in spans) == seal.count <= MOST else []


class _Look:
    """What is known on the way along the chain."""

    def __init__(self, *, keys: list[bytes], kept: tuple[int, str] | None) -> None:
        self.keys = keys
        self.kept = kept
        self.number = 0
        self.mac = ""
        self.report = Report()
        self._has_kept = False
        self._sealed = Spans()
        self._key = 0
        # When somebody has last taken everything there was: what is older than that by GRACE had to be sealed by then.
        self._took_all_at: datetime | None = None

    def at_seal(self, seal: Seal, rows: dict[int, Row]) -> None:
        self._follows(seal)
        spans = _listed(seal)
        own = [rows[number] for first, last in spans for number in range(first, last + 1) if number in rows]
        gone = [number for first, last in spans for number in range(first, last + 1) if number not in rows]
        for number in gone:
            self._fault("gone", f"Activity {number} is gone; seal {seal.number} lists it.")
        if not gone and not self._fits(seal, own):
            self._fault("changed", f"{_activities(spans)} or seal {seal.number} itself was changed.")
        for first, last in spans:
            if not self._sealed.add(first, last):
                self._fault("twice", f"Seal {seal.number} lists activities that another seal lists too.")
        for row in own:
            self._not_late(row, seal)
        if seal.count < MOST:
            self._took_all_at = _moment(seal) or self._took_all_at
        self.number, self.mac = seal.number, seal.mac
        self._has_kept = self._has_kept or self.kept == (seal.number, seal.mac)
        self.report.head = seal
        self.report.seals += 1
        self.report.rows += len(own)

    def _follows(self, seal: Seal) -> None:
        missing = range(self.number + 1, seal.number)
        if missing:
            which = f"Seals {missing[0]} to {missing[-1]} are" if len(missing) > 1 else f"Seal {missing[0]} is"
            self._fault("missing", f"{which} missing.")
        elif seal.previous != self.mac:
            self._fault("chain", f"Seal {seal.number} does not follow seal {self.number}: one of them was put in or changed.")

    def _fits(self, seal: Seal, own: list[Row]) -> bool:
        """Whether the mac is one of ours. Once a newer key was in use, an older one, which may have leaked, makes no seals."""
        for place in range(self._key, len(self.keys)):
            if compare_digest(seals.mac(seal, own, self.keys[place]), seal.mac.encode("ascii", "replace").decode()):
                self._key = place
                self.report.former_key += place < len(self.keys) - 1
                return True
        return False

    def _not_late(self, row: Row, seal: Seal) -> None:
        happened, took_all_at = _moment(row), self._took_all_at
        if happened and took_all_at and happened + GRACE < took_all_at:
            times = f"{list_date(happened, 'UTC')}, but on {list_date(took_all_at, 'UTC')} UTC it was not there yet"
            self._fault("late", f"Activity {row.id} in seal {seal.number} says that it happened on {times}.")

    async def at_unsealed(self, reader: AsyncSession) -> None:
        """Rows without a seal: new ones wait for theirs, the others were put in, or the worker stands still."""
        if not self.report.seals:
            if count := (await reader.exec(select(func.count()).select_from(Activity))).one():
                self._fault("unsealed", f"There are {count:,} activities and not one seal. Does the worker run?")
            return
        found = await seals.rows_among(reader, self._sealed.holes(-HIGHEST, HIGHEST), most=_AT_ONCE * MOST)
        newest = max((moment for row in found if (moment := _moment(row))), default=None)
        for row in found:
            happened = _moment(row)
            if happened is None or (self._took_all_at and happened + GRACE < self._took_all_at):
                self._fault("unsealed", f"Activity {row.id} has no seal, although younger ones have: it was put in.")
            elif newest and happened + GRACE < newest:
                self._fault("unsealed", f"Activity {row.id} has no seal. The worker stood still, or seals were removed.")
            else:
                self.report.waiting += 1

    def at_the_end(self) -> None:
        if self.kept and not self._has_kept:
            here = f"the newest is {self.number}" if self.kept[0] > self.number else "another has its number"
            self._fault("head", f"Seal {self.kept[0]} as you have kept it is not here; {here}: the log was cut off or rewritten.")
        changed = sum(fault.kind == "changed" for fault in self.report.faults)
        if self.report.seals and changed == self.report.seals:
            sentence = "No seal fits SECRET_KEY. If the key was changed, put the former one into SECRET_KEY_OLD."
            self.report.faults.insert(0, Fault("key", sentence))

    def _fault(self, kind: str, sentence: str) -> None:
        self.report.faults.append(Fault(kind, sentence))


def _moment(thing: Seal | Row) -> datetime | None:
    try:
        return thing.moment
    except (ValueError, TypeError):
        return None


def _activities(spans: list[tuple[int, int]]) -> str:
    if not spans:
        return "The list of activities"
    low, high = spans[0][0], spans[-1][1]
    return f"Activity {low}" if low == high else f"One of the activities {low} to {high}"
