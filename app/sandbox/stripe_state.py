"""Where the Stripe stand-in keeps its objects: one SQLite file, so that a restart forgets nothing, or memory.

Calls are short and synchronous, and nothing is awaited inside `together()`: on one event loop that makes every verb atomic.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core import clock
from app.sandbox.stripe_shapes import Doc

TABLES = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, label TEXT NOT NULL, parent TEXT,
    created INTEGER NOT NULL, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS objects_parent ON objects (parent);
CREATE TABLE IF NOT EXISTS due (id TEXT PRIMARY KEY, at REAL NOT NULL, what TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    event_id TEXT NOT NULL, copy INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, next_try_at REAL, delivered_at REAL,
    PRIMARY KEY (event_id, copy));
CREATE INDEX IF NOT EXISTS deliveries_next ON deliveries (next_try_at);
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL, created REAL NOT NULL);
"""

KEY_SECONDS = 24 * 3600
COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


@dataclass(frozen=True)
class Answer:
    """What an idempotency key was answered with."""

    fingerprint: str
    status: int
    body: Doc


@dataclass(frozen=True)
class Delivery:
    """One copy of an event on its way to the shop."""

    event_id: str
    copy: int
    attempts: int
    event: Doc


class State:
    """Objects of Stripe as JSON, with the few columns that lists are filtered by."""

    def __init__(self, path: Path | None) -> None:
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._file = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        self._file.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + TABLES)

    def close(self) -> None:
        self._file.close()

    @contextmanager
    def together(self) -> Iterator[None]:
        """All writes of the block, or none. A block inside a block belongs to the outer one."""
        if self._file.in_transaction:
            yield
            return
        self._file.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._file.execute("ROLLBACK")
            raise
        self._file.execute("COMMIT")

    # Objects

    def add(self, kind: str, doc: Doc, *, label: str, parent: str | None = None) -> None:
        """A new object. `label` is its status or, for an event, its type."""
        self._file.execute(
            "INSERT INTO objects (id, kind, label, parent, created, doc) VALUES (?, ?, ?, ?, ?, ?)",
            (doc["id"], kind, label, parent, doc["created"], json.dumps(doc)),
        )

    def save(self, doc: Doc, *, label: str, parent: str | None = None) -> None:
        """Writes a changed object back; without a parent the old one stays."""
        self._file.execute(
            "UPDATE objects SET doc = ?, label = ?, parent = coalesce(?, parent) WHERE id = ?",
            (json.dumps(doc), label, parent, doc["id"]),
        )

    def find(self, kind: str, wanted: str) -> Doc | None:
        row = self._file.execute("SELECT doc FROM objects WHERE kind = ? AND id = ?", (kind, wanted)).fetchone()
        return json.loads(row[0]) if row else None

    def named(self, wanted: str) -> Doc:
        """The object with this id, whatever its kind. It exists: only another object's reference leads here."""
        (doc,) = self._file.execute("SELECT doc FROM objects WHERE id = ?", (wanted,)).fetchone()
        found: Doc = json.loads(doc)
        return found

    def children(self, kind: str, parent: str) -> list[Doc]:
        rows = self._file.execute("SELECT doc FROM objects WHERE kind = ? AND parent = ? ORDER BY seq", (kind, parent))
        return [json.loads(doc) for (doc,) in rows]

    def page(self, kind: str, *, params: Doc, labels: list[str], parent: str | None = None) -> tuple[list[Doc], bool]:
        """The newest objects first, and whether there are more.

        Understands Stripe's limit, starting_after, ending_before, created and delivery_success; the cursors exist.
        """
        limit = params.get("limit", 10)
        where, values = self._filters(kind, params, labels, parent)
        backwards = "ending_before" in params
        rows = self._file.execute(
            f"SELECT doc FROM objects WHERE {' AND '.join(where)} ORDER BY seq {'ASC' if backwards else 'DESC'} LIMIT ?",
            (*values, limit + 1),
        ).fetchall()
        docs = [json.loads(doc) for (doc,) in rows[:limit]]
        return docs[::-1] if backwards else docs, len(rows) > limit

    @staticmethod
    def _filters(kind: str, params: Doc, labels: list[str], parent: str | None) -> tuple[list[str], list[Any]]:
        where, values = ["kind = ?"], [kind]
        for cursor, comparison in (("starting_after", "<"), ("ending_before", ">")):
            if cursor in params:
                where.append(f"seq {comparison} (SELECT seq FROM objects WHERE id = ?)")
                values.append(params[cursor])
        created = params.get("created", {})
        for name, moment in (created if isinstance(created, dict) else {"gte": created, "lte": created}).items():
            where.append(f"created {COMPARISONS[name]} ?")
            values.append(moment)
        if labels:
            # A type of events may be a group such as `charge.*`.
            where.append(f"({' OR '.join(['label GLOB ?'] * len(labels))})")
            values.extend(labels)
        if parent is not None:
            where.append("parent = ?")
            values.append(parent)
        if "delivery_success" in params:
            delivered = "NOT EXISTS" if params["delivery_success"] else "EXISTS"
            where.append(f"{delivered} (SELECT 1 FROM deliveries WHERE event_id = id AND delivered_at IS NULL)")
        return where, values

    # What the clock will do

    def remind(self, name: str, *, at: float, what: str) -> None:
        """At the moment `at` (seconds since 1970) something happens to the object; it replaces what was planned before."""
        self._file.execute("INSERT OR REPLACE INTO due (id, at, what) VALUES (?, ?, ?)", (name, at, what))

    def forget(self, name: str) -> None:
        self._file.execute("DELETE FROM due WHERE id = ?", (name,))

    def due(self) -> list[tuple[str, str]]:
        """(object, what) of everything whose moment has come, oldest first."""
        rows = self._file.execute("SELECT id, what FROM due WHERE at <= ? ORDER BY at", (clock.now().timestamp(),))
        return list(rows.fetchall())

    # Webhooks

    def dispatch(self, event_id: str, *, copies: int) -> None:
        now = clock.now().timestamp()
        self._file.executemany(
            "INSERT INTO deliveries (event_id, copy, next_try_at) VALUES (?, ?, ?)",
            [(event_id, copy, now) for copy in range(copies)],
        )

    def deliveries(self, *, limit: int) -> list[Delivery]:
        """The copies that are to be sent now, in the order of their events."""
        rows = self._file.execute(
            "SELECT event_id, copy, attempts, doc FROM deliveries JOIN objects ON id = event_id "
            "WHERE next_try_at <= ? ORDER BY seq, copy LIMIT ?",
            (clock.now().timestamp(), limit),
        )
        return [Delivery(event_id, copy, attempts, json.loads(doc)) for event_id, copy, attempts, doc in rows]

    def delivered(self, delivery: Delivery) -> None:
        self._file.execute(
            "UPDATE deliveries SET delivered_at = ?, next_try_at = NULL, attempts = attempts + 1 WHERE event_id = ? AND copy = ?",
            (clock.now().timestamp(), delivery.event_id, delivery.copy),
        )

    def failed(self, delivery: Delivery, *, wait: float | None) -> None:
        """An attempt was in vain; the next one is `wait` seconds away, or never."""
        self._file.execute(
            "UPDATE deliveries SET next_try_at = ?, attempts = attempts + 1 WHERE event_id = ? AND copy = ?",
            (None if wait is None else clock.now().timestamp() + wait, delivery.event_id, delivery.copy),
        )

    def pending(self, event_id: str) -> int:
        """How many copies of the event have not arrived."""
        query = "SELECT count(*) FROM deliveries WHERE event_id = ? AND delivered_at IS NULL"
        row = self._file.execute(query, (event_id,)).fetchone()
        return int(row[0])

    # Idempotency keys

    def answer(self, key: str) -> Answer | None:
        """What the key was answered with in the last 24 hours."""
        self._file.execute("DELETE FROM answers WHERE created < ?", (clock.now().timestamp() - KEY_SECONDS,))
        row = self._file.execute("SELECT fingerprint, status, body FROM answers WHERE key = ?", (key,)).fetchone()
        return Answer(row[0], row[1], json.loads(row[2])) if row else None

    def keep(self, key: str, answer: Answer) -> None:
        self._file.execute(
            "INSERT INTO answers (key, fingerprint, status, body, created) VALUES (?, ?, ?, ?, ?)",
            (key, answer.fingerprint, answer.status, json.dumps(answer.body), clock.now().timestamp()),
        )
