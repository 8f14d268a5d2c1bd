"""The model's tables in real SQL, and transactions that crash before, in and after the commit."""

import contextlib
import random
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from app.bookings.models import STATES as BOOKING_STATES
from app.bookings.models import TRANSITIONS as BOOKING_MOVES
from app.payments.models import ACTIVE, ORIGINS, PAYMENT_STATES, PAYMENT_TRANSITIONS, REFUND_STATES, REFUND_TRANSITIONS
from tests.simulation.model.stripe import HostileStripe

CRASHES = 0.02
OVERTAKEN = 0.05
NOTHING: Mapping[str, Any] = MappingProxyType({})
MOVES = {"bookings": BOOKING_MOVES, "payments": PAYMENT_TRANSITIONS, "refunds": REFUND_TRANSITIONS}

SCHEMA = f"""
CREATE TABLE events (id INTEGER PRIMARY KEY, state TEXT NOT NULL CHECK (state IN ('published', 'called_off')),
    sale_from INTEGER NOT NULL, presale_seconds INTEGER NOT NULL, per_buyer INTEGER NOT NULL,
    fee_minor INTEGER NOT NULL) STRICT;
CREATE TABLE ticket_types (id INTEGER PRIMARY KEY, capacity INTEGER NOT NULL, price_minor INTEGER NOT NULL,
    held INTEGER NOT NULL DEFAULT 0, sold INTEGER NOT NULL DEFAULT 0,
    presale_places INTEGER, presale_taken INTEGER NOT NULL DEFAULT 0, needs_code INTEGER NOT NULL DEFAULT 0,
    CHECK (held >= 0 AND sold >= 0 AND held + sold <= capacity),
    CHECK (presale_places IS NULL OR (presale_taken >= 0 AND presale_taken <= presale_places))) STRICT;
CREATE TABLE bookings (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN {BOOKING_STATES}),
    buyer_key TEXT NOT NULL, created_at INTEGER NOT NULL, held_until INTEGER NOT NULL, extensions INTEGER NOT NULL DEFAULT 0,
    total_minor INTEGER NOT NULL, kept_minor INTEGER NOT NULL DEFAULT 0, paid_at INTEGER,
    CHECK (kept_minor BETWEEN 0 AND total_minor)) STRICT;
CREATE TABLE booking_lines (id INTEGER PRIMARY KEY, booking_id INTEGER NOT NULL REFERENCES bookings,
    ticket_type_id INTEGER NOT NULL REFERENCES ticket_types, qty INTEGER NOT NULL CHECK (qty > 0),
    returned INTEGER NOT NULL DEFAULT 0,
    unit_minor INTEGER NOT NULL, in_presale INTEGER NOT NULL, access_code_id INTEGER REFERENCES access_codes,
    CHECK (returned BETWEEN 0 AND qty), UNIQUE (booking_id, ticket_type_id)) STRICT;
CREATE TABLE buyer_limits (buyer_key TEXT PRIMARY KEY, qty INTEGER NOT NULL, max_qty INTEGER NOT NULL,
    CHECK (qty >= 0 AND qty <= max_qty)) STRICT;
CREATE TABLE access_codes (id INTEGER PRIMARY KEY, max_uses INTEGER NOT NULL, used INTEGER NOT NULL DEFAULT 0,
    CHECK (used >= 0 AND used <= max_uses)) STRICT;
CREATE TABLE payments (id INTEGER PRIMARY KEY, booking_id INTEGER NOT NULL REFERENCES bookings,
    state TEXT NOT NULL CHECK (state IN {PAYMENT_STATES}), amount_minor INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    pay_until INTEGER NOT NULL, created_at INTEGER NOT NULL, session_id TEXT UNIQUE, payment_intent TEXT UNIQUE,
    captured_minor INTEGER NOT NULL DEFAULT 0, reserved_minor INTEGER NOT NULL DEFAULT 0,
    returned_minor INTEGER NOT NULL DEFAULT 0, dispute TEXT NOT NULL DEFAULT '',
    CHECK (reserved_minor >= 0 AND returned_minor >= 0 AND reserved_minor <= captured_minor)) STRICT;
CREATE UNIQUE INDEX one_active ON payments (booking_id) WHERE state IN {ACTIVE};
CREATE INDEX payments_of ON payments (booking_id);
CREATE TABLE refunds (id INTEGER PRIMARY KEY, payment_id INTEGER NOT NULL REFERENCES payments,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0), state TEXT NOT NULL CHECK (state IN {REFUND_STATES}),
    origin TEXT NOT NULL CHECK (origin IN {ORIGINS}), attempt INTEGER NOT NULL DEFAULT 1, stripe_refund_id TEXT UNIQUE,
    created_at INTEGER NOT NULL) STRICT;
CREATE INDEX refunds_of ON refunds (payment_id);
CREATE TABLE tickets (line_id INTEGER NOT NULL REFERENCES booking_lines, n INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('valid', 'void')), PRIMARY KEY (line_id, n)) STRICT;
CREATE TABLE activities (kind TEXT NOT NULL, booking_id INTEGER NOT NULL) STRICT;
CREATE TABLE notices (id TEXT PRIMARY KEY, done INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE orphans (id TEXT PRIMARY KEY, state TEXT NOT NULL DEFAULT 'found', attempt INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE alarms (kind TEXT NOT NULL, about INTEGER NOT NULL, PRIMARY KEY (kind, about)) STRICT;
CREATE TABLE cursors (position INTEGER NOT NULL) STRICT;
INSERT INTO cursors VALUES (0);
"""


class Crash(Exception):
    """The process dies here; what was committed stays."""


class Violation(Exception):
    """A promise of the design does not hold."""


class Store:
    """The database of the modelled shop and the door to Stripe. Both are places where the process may die."""

    def __init__(self, stripe: HostileStripe, rng: random.Random) -> None:
        self.stripe, self.rng = stripe, rng
        self.meanwhile: Callable[[], None] | None = None
        self.tally = {"crashes": 0, "paid": 0, "late": 0, "refunds": 0}
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.db.row_factory = sqlite3.Row
        self.db.executescript(SCHEMA)
        self.db.execute("PRAGMA foreign_keys = ON")

    @property
    def now(self) -> int:
        return self.stripe.now

    def rows(self, sql: str, *values: Any) -> list[Any]:
        return self.db.execute(sql, values).fetchall()

    def row(self, sql: str, *values: Any) -> Any:
        """The only row that there can be, or None; for those that must be there by id, see `get`."""
        return self.db.execute(sql, values).fetchone()

    def get(self, table: str, row_id: int) -> Any:
        return self.row(f"SELECT * FROM {table} WHERE id = ?", row_id)

    def value(self, sql: str, *values: Any) -> Any:
        """The first column of the only row."""
        return self.row(sql, *values)[0]

    def change(self, sql: str, *values: Any) -> int:
        """How many rows a statement changed: the row count decides."""
        return self.db.execute(sql, values).rowcount

    def move(
        self, table: str, row_id: int, to: str, *, out_of: tuple[str, ...], when: str = "1", values: Mapping[str, Any] = NOTHING
    ) -> bool:
        """The guarded transition. The way must stand in the application's own table of transitions."""
        unknown = [source for source in out_of if to not in MOVES[table][source]]
        if unknown:
            raise Violation(f"{table}: no way from {unknown} to {to}")
        sets = "".join(f", {name} = ?" for name in values)
        marks = ", ".join("?" * len(out_of))
        sql = f"UPDATE {table} SET state = ?{sets} WHERE id = ? AND state IN ({marks}) AND {when}"
        return self.change(sql, to, *values.values(), row_id, *out_of) == 1

    def new_id(self, table: str) -> int:
        """Random, not the next of the table: after a restore that would repeat, and with it the idempotency keys."""
        return self.rng.getrandbits(48)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction. Leaving keeps, raising undoes."""
        self.may_crash()
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.may_crash()
            self.db.execute("COMMIT")
        except BaseException:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise
        self.may_crash()

    def ask(self, name: str, key: str | None, **params: Any) -> Any:
        """A call to Stripe that changes something there."""
        if self.db.in_transaction:
            raise Violation("a network call inside a transaction")
        self.may_crash()
        answer = self.stripe.call(name, key, **params)
        self.may_crash()
        self.let_others_run()
        return answer

    def look(self, what: str, about: Any) -> Any:
        """A question to Stripe. The answer is a picture, and it may be old when it is used."""
        if self.db.in_transaction:
            raise Violation("a network call inside a transaction")
        answer = getattr(self.stripe, what)(about)
        self.let_others_run()
        return answer

    def let_others_run(self) -> None:
        """While one process waits for Stripe, another does something else; that one is not interrupted again."""
        if self.meanwhile and self.stripe.faults and self.rng.random() < OVERTAKEN:
            others, self.meanwhile = self.meanwhile, None
            try:
                others()
            finally:
                self.meanwhile = others

    def may_crash(self) -> None:
        if self.stripe.faults and self.rng.random() < CRASHES:
            self.tally["crashes"] += 1
            raise Crash
