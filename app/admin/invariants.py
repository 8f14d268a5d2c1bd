"""What must always be true of the books: sixteen sentences, each with queries that find no row while it is.

Every query gives names such as "booking:17" in a column `about`. They run on SQLite and PostgreSQL, and each adds up whole
tables instead of asking for every row, so that a million bookings are looked through in seconds.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, column, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.sql.sqltypes import UTCDateTime

from app.core import clock
from app.core.db import database
from app.core.i18n import lazy

SHOWN = 20

# How long the shop may take over a step that it does by itself. The names stand in the queries.
LATE = timedelta(minutes=10)
STUCK = timedelta(minutes=45)
EXPLAINED = timedelta(minutes=15)

# An ordinary query of the shop gives up after five seconds; one that looks through everything may take longer.
MOST_SECONDS = 120

# Above this size the whole file is not read every time, only its structure.
LARGE_FILE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Invariant:
    """`parts` run on both databases, the other two on one of them."""

    id: str
    sentence: Any
    parts: Sequence[str] = ()
    on_sqlite: Sequence[str] = ()
    on_postgresql: Sequence[str] = ()


@dataclass(frozen=True)
class Found:
    """How many rows break an invariant, the names of the first of them, and how long the look took."""

    broken: int
    examples: Sequence[str]
    milliseconds: int


STOCK, QUOTAS = (
    f"SELECT '{name}:' || id AS about FROM {name}s WHERE held < 0 OR sold < 0 OR aside < 0 OR held + sold + aside > capacity"  # noqa: S608
    for name in ("ticket_type", "quota")
)

HELD = """
SELECT 'ticket_type:' || t.id AS about FROM ticket_types t LEFT JOIN (
    SELECT l.ticket_type_id, SUM(l.qty) AS places FROM booking_lines l JOIN bookings b ON b.id = l.booking_id
    WHERE b.state IN ('held', 'paying', 'processing') GROUP BY l.ticket_type_id
) AS claimed ON claimed.ticket_type_id = t.id WHERE t.held <> COALESCE(claimed.places, 0)
"""

WAITING = """
SELECT 'ticket_type:' || t.id AS about FROM ticket_types t LEFT JOIN (
    SELECT ticket_type_id, SUM(qty) AS places FROM waiting_entries WHERE state = 'waiting' GROUP BY ticket_type_id
) AS wished ON wished.ticket_type_id = t.id WHERE t.waiting <> COALESCE(wished.places, 0)
"""

OFFERS = """
SELECT 'booking:' || b.id AS about FROM bookings b LEFT JOIN waiting_entries w ON w.booking_id = b.id AND w.state = 'offered'
WHERE b.kind = 'offer' AND b.state IN ('held', 'paying', 'processing') AND w.id IS NULL
UNION ALL
SELECT 'waiting_entry:' || w.id FROM waiting_entries w LEFT JOIN bookings b ON b.id = w.booking_id AND b.kind = 'offer'
AND b.state IN ('held', 'paying', 'processing') WHERE w.state = 'offered' AND b.id IS NULL
"""

SOLD = """
SELECT 'ticket_type:' || t.id AS about FROM ticket_types t LEFT JOIN (
    SELECT l.ticket_type_id, SUM(l.qty - l.returned) AS places FROM booking_lines l JOIN bookings b ON b.id = l.booking_id
    WHERE b.state = 'paid' GROUP BY l.ticket_type_id
) AS claimed ON claimed.ticket_type_id = t.id WHERE t.sold <> COALESCE(claimed.places, 0)
"""

PRESALE = """
SELECT 'ticket_type:' || t.id AS about FROM ticket_types t LEFT JOIN (
    SELECT l.ticket_type_id, SUM(l.qty - l.returned) AS places FROM booking_lines l JOIN bookings b ON b.id = l.booking_id
    WHERE l.in_presale AND b.state IN ('held', 'paying', 'processing', 'paid') GROUP BY l.ticket_type_id
) AS claimed ON claimed.ticket_type_id = t.id
WHERE t.presale_taken <> COALESCE(claimed.places, 0) OR t.presale_taken > t.presale_places
"""

QUOTAS_HELD, QUOTAS_SOLD, QUOTAS_ASIDE = (
    f"""
SELECT 'quota:' || q.id AS about FROM quotas q LEFT JOIN (
    SELECT quota_id, SUM({counter}) AS places FROM ticket_types WHERE quota_id IS NOT NULL GROUP BY quota_id
) AS claimed ON claimed.quota_id = q.id WHERE q.{counter} <> COALESCE(claimed.places, 0)
"""  # noqa: S608 - the counters are words of our own
    for counter in ("held", "sold", "aside")
)

ASIDE = """
SELECT 'ticket_type:' || t.id AS about FROM ticket_types t LEFT JOIN (
    SELECT ticket_type_id, SUM(aside) AS places FROM vouchers GROUP BY ticket_type_id
) AS claimed ON claimed.ticket_type_id = t.id WHERE t.aside <> COALESCE(claimed.places, 0)
"""

# While a voucher lives, its places are aside or claimed with it; once it has ended none is aside.
VOUCHERS = """
SELECT 'voucher:' || v.id AS about FROM vouchers v LEFT JOIN (
    SELECT l.voucher_id, SUM(l.qty - l.returned) AS places FROM booking_lines l JOIN bookings b ON b.id = l.booking_id
    WHERE l.voucher_id IS NOT NULL AND b.state IN ('held', 'paying', 'processing', 'paid') GROUP BY l.voucher_id
) AS claimed ON claimed.voucher_id = v.id
WHERE v.aside <> CASE WHEN v.ended_at IS NULL THEN v.places - COALESCE(claimed.places, 0) ELSE 0 END
"""

TICKETS = """
SELECT 'line:' || l.id AS about FROM booking_lines l JOIN bookings b ON b.id = l.booking_id LEFT JOIN (
    SELECT line_id, COUNT(*) AS valid FROM tickets WHERE state = 'valid' GROUP BY line_id
) AS given ON given.line_id = l.id
WHERE COALESCE(given.valid, 0) <> CASE WHEN b.state = 'paid' THEN l.qty - l.returned ELSE 0 END
"""

STRAY_TICKETS = """
SELECT 'ticket:' || k.id AS about FROM tickets k LEFT JOIN booking_lines l ON l.id = k.line_id
WHERE l.id IS NULL OR l.booking_id <> k.booking_id OR l.ticket_type_id <> k.ticket_type_id
"""

SAME_CODE = "SELECT 'ticket:' || MIN(id) AS about FROM tickets GROUP BY code HAVING COUNT(*) > 1"

TWO_PAYMENTS = """
SELECT 'booking:' || booking_id AS about FROM payments WHERE state IN ('creating', 'open', 'processing')
GROUP BY booking_id HAVING COUNT(*) > 1
"""

NOT_PAYING = """
SELECT 'booking:' || b.id AS about FROM bookings b
LEFT JOIN payments p ON p.booking_id = b.id AND p.state IN ('creating', 'open', 'processing')
WHERE b.state IN ('paying', 'processing') AND p.id IS NULL
"""

RESERVED = """
SELECT 'payment:' || p.id AS about FROM payments p LEFT JOIN (
    SELECT payment_id, SUM(CASE WHEN origin = 'app' THEN amount_minor ELSE 0 END) AS ours,
    SUM(CASE WHEN origin = 'elsewhere' THEN amount_minor ELSE 0 END) AS elsewhere
    FROM refunds WHERE state <> 'failed' GROUP BY payment_id
) AS back ON back.payment_id = p.id
WHERE p.reserved_minor <> COALESCE(back.ours, 0) OR p.returned_minor <> COALESCE(back.elsewhere, 0)
OR p.reserved_minor < 0 OR p.reserved_minor > p.captured_minor OR (p.state <> 'captured' AND p.captured_minor <> 0)
"""

# Three failed refunds stand on the desk; one that failed a moment ago is asked for again by the next sweep.
MONEY = """
SELECT 'booking:' || b.id AS about FROM bookings b LEFT JOIN (
    SELECT p.booking_id, SUM(p.captured_minor - p.reserved_minor - p.returned_minor) AS minor,
    MAX(CASE WHEN p.dispute = 'open' OR failed.times >= 3 OR failed.last_at > :explained
    OR p.reserved_minor + p.returned_minor > p.captured_minor THEN 1 ELSE 0 END) AS explained
    FROM payments p LEFT JOIN (
        SELECT payment_id, COUNT(*) AS times, MAX(ended_at) AS last_at FROM refunds WHERE state = 'failed' GROUP BY payment_id
    ) AS failed ON failed.payment_id = p.id
    WHERE p.state = 'captured' GROUP BY p.booking_id
) AS here ON here.booking_id = b.id
WHERE b.kept_minor <> COALESCE(here.minor, 0) AND COALESCE(here.explained, 0) = 0
"""

PAID = """
SELECT 'booking:' || b.id AS about FROM bookings b LEFT JOIN payments p
ON p.booking_id = b.id AND p.state = 'captured' AND p.captured_minor = b.total_minor AND p.currency = b.currency
WHERE b.state = 'paid' AND b.total_minor > 0 AND p.id IS NULL
"""

LATE_HOLDS = "SELECT 'booking:' || id AS about FROM bookings WHERE state = 'held' AND held_until < :late"

LATE_PAYMENTS = """
SELECT 'payment:' || id AS about FROM payments
WHERE (state = 'open' AND pay_until < :late) OR (state = 'creating' AND created_at < :stuck)
"""

# Cash waits for a person, and what the buyer's bank disputes waits for the bank.
LATE_REFUNDS = """
SELECT 'refund:' || r.id AS about FROM refunds r JOIN payments p ON p.id = r.payment_id
WHERE r.state = 'requested' AND r.next_try_at < :late AND p.provider = 'stripe' AND p.dispute <> 'open'
"""

LATE_NOTICES = "SELECT 'notice:' || id AS about FROM notices WHERE done_at IS NULL AND received_at < :late"

LATE_WORK = "SELECT 'activity:' || activity_id AS about FROM activity_work WHERE handled_at IS NULL AND next_try_at < :late"

TOLD_ONCE = """
SELECT 'booking:' || b.id AS about FROM bookings b LEFT JOIN (
    SELECT about, COUNT(*) AS times FROM activities WHERE kind = 'booking.paid' GROUP BY about
) AS told ON told.about = 'booking:' || b.id
WHERE COALESCE(told.times, 0) <> CASE WHEN b.paid_at IS NULL THEN 0 ELSE 1 END
"""

CODES, PROMOS, VOUCHER_USES = (
    f"""
SELECT '{name}:' || c.id AS about FROM {name}s c LEFT JOIN (
    SELECT l.{name}_id, COUNT(DISTINCT l.booking_id) AS uses FROM booking_lines l JOIN bookings b ON b.id = l.booking_id
    WHERE l.{name}_id IS NOT NULL AND b.state IN ('held', 'paying', 'processing', 'paid') GROUP BY l.{name}_id
) AS claimed ON claimed.{name}_id = c.id
WHERE c.used <> COALESCE(claimed.uses, 0) OR c.used > c.max_uses
"""  # noqa: S608 - the names are words of our own
    for name in ("access_code", "promo_code", "voucher")
)

BUYERS = """
SELECT 'event:' || event_id AS about FROM (
    SELECT event_id, buyer_key, qty, max_qty, 0 AS places FROM buyer_limits
    WHERE buyer_key NOT LIKE 'presale:%' AND buyer_key NOT LIKE 'promo:%'
    UNION ALL
    SELECT b.event_id, b.buyer_key, 0, NULL, l.qty - l.returned FROM bookings b JOIN booking_lines l ON l.booking_id = b.id
    WHERE b.state IN ('held', 'paying', 'processing', 'paid')
) AS each_one GROUP BY event_id, buyer_key HAVING SUM(qty) <> SUM(places) OR SUM(qty) > MAX(max_qty)
"""

PRESALE_BUYERS = """
SELECT 'event:' || m.event_id AS about FROM buyer_limits m LEFT JOIN (
    SELECT b.event_id, 'presale:' || b.buyer_key AS buyer_key, SUM(l.qty - l.returned) AS places
    FROM bookings b JOIN booking_lines l ON l.booking_id = b.id
    WHERE l.in_presale AND b.state IN ('held', 'paying', 'processing', 'paid') GROUP BY b.event_id, b.buyer_key
) AS claimed ON claimed.event_id = m.event_id AND claimed.buyer_key = m.buyer_key
WHERE m.buyer_key LIKE 'presale:%' AND (m.qty <> COALESCE(claimed.places, 0) OR m.qty > m.max_qty)
"""

PROMO_BUYERS = """
SELECT 'event:' || event_id AS about FROM (
    SELECT event_id, buyer_key, qty, max_qty, 0 AS uses FROM buyer_limits WHERE buyer_key LIKE 'promo:%'
    UNION ALL
    SELECT b.event_id, 'promo:' || l.promo_code_id || ':' || b.buyer_key, 0, NULL, COUNT(DISTINCT b.id)
    FROM bookings b JOIN booking_lines l ON l.booking_id = b.id
    WHERE l.promo_code_id IS NOT NULL AND b.state IN ('held', 'paying', 'processing', 'paid')
    GROUP BY b.event_id, l.promo_code_id, b.buyer_key
) AS each_one GROUP BY event_id, buyer_key HAVING SUM(qty) <> SUM(uses) OR SUM(qty) > MAX(max_qty)
"""

INSIDE = """
SELECT 'ticket:' || t.id AS about FROM tickets t LEFT JOIN (
    SELECT c.ticket_id, SUM(CASE WHEN c.kind = 'in' THEN 1 ELSE -1 END) AS moves
    FROM check_ins c LEFT JOIN check_ins u ON u.undoes_id = c.id
    WHERE c.kind <> 'undo' AND NOT c.conflict AND u.id IS NULL GROUP BY c.ticket_id
) AS moved ON moved.ticket_id = t.id WHERE COALESCE(moved.moves, 0) <> CASE WHEN t.inside THEN 1 ELSE 0 END
"""

VOIDED = "SELECT 'ticket:' || id AS about FROM tickets WHERE (state = 'void') <> (voided_at IS NOT NULL)"

SUMS = """
SELECT 'booking:' || b.id AS about FROM bookings b LEFT JOIN (
    SELECT booking_id, SUM(qty * unit_minor) AS minor FROM booking_lines GROUP BY booking_id
) AS lines ON lines.booking_id = b.id
WHERE lines.minor IS NULL OR lines.minor <> b.total_minor OR b.kept_minor < 0 OR b.kept_minor > b.total_minor
"""

CURRENCIES = """
SELECT 'booking:' || b.id AS about FROM bookings b JOIN events e ON e.id = b.event_id WHERE b.currency <> e.currency
UNION ALL
SELECT 'payment:' || p.id FROM payments p JOIN bookings b ON b.id = p.booking_id WHERE p.currency <> b.currency
"""

ONE_EACH = """
SELECT MIN(about) AS about FROM (
    SELECT 'payment:' || id AS about, 'session' AS kind, session_id AS known FROM payments
    UNION ALL SELECT 'orphan:' || id, 'session', id FROM orphans
    UNION ALL SELECT 'payment:' || id, 'intent', payment_intent FROM payments
    UNION ALL SELECT 'refund:' || id, 'refund', stripe_refund_id FROM refunds
) AS named WHERE known IS NOT NULL GROUP BY kind, known HAVING COUNT(*) > 1
"""

STRAY_REFUNDS = """
SELECT 'refund:' || r.id AS about FROM refunds r LEFT JOIN payments p ON p.id = r.payment_id WHERE p.id IS NULL
"""

WORK = """
SELECT 'activity:' || w.activity_id AS about FROM activity_work w LEFT JOIN activities a ON a.id = w.activity_id
WHERE a.id IS NULL
"""

FOREIGN_KEYS = """SELECT "table" || ':' || rowid AS about FROM pragma_foreign_key_check"""

# In this order of joins a large file is not read before its size is known.
WHOLE_FILE = """
SELECT f.integrity_check AS about FROM pragma_page_count c CROSS JOIN pragma_page_size s CROSS JOIN pragma_integrity_check f
WHERE c.page_count * s.page_size < :large AND f.integrity_check <> 'ok'
"""

STRUCTURE = """
SELECT f.quick_check AS about FROM pragma_page_count c CROSS JOIN pragma_page_size s CROSS JOIN pragma_quick_check f
WHERE c.page_count * s.page_size >= :large AND f.quick_check <> 'ok'
"""

NOT_VALIDATED = "SELECT 'constraint:' || conname AS about FROM pg_constraint WHERE NOT convalidated"

BROKEN_INDEXES = """
SELECT 'index:' || c.relname AS about FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE NOT i.indisvalid OR NOT i.indisready
"""

CHECKS = (
    Invariant("I1", lazy("No ticket type and no quota has more places taken than it has places."), (STOCK, QUOTAS)),
    Invariant(
        "I2",
        lazy("The places held, aside and wished for are those of bookings, vouchers and waiting lists, also in quotas."),
        (HELD, QUOTAS_HELD, ASIDE, QUOTAS_ASIDE, VOUCHERS, WAITING, OFFERS),
    ),
    Invariant(
        "I3",
        lazy("The places sold are those of paid bookings, also in quotas, and the pre-sale counts its own."),
        (SOLD, QUOTAS_SOLD, PRESALE),
    ),
    Invariant(
        "I4",
        lazy("Every place of a paid booking has one valid ticket with a code of its own, and no other booking has any."),
        (TICKETS, STRAY_TICKETS, SAME_CODE),
    ),
    Invariant(
        "I5", lazy("A booking has at most one payment under way, and one while it is being paid."), (TWO_PAYMENTS, NOT_PAYING)
    ),
    Invariant("I6", lazy("What is marked as going back of a payment is the sum of its refunds."), (RESERVED,)),
    Invariant("I7", lazy("What came in, less what went back, is what the shop may keep of each booking."), (MONEY,)),
    Invariant("I8", lazy("Every paid booking with a price has a payment of exactly that price."), (PAID,)),
    Invariant(
        "I9",
        lazy("Nothing is left lying: holds, payments, refunds, Stripe’s notices and reactions end in time."),
        (LATE_HOLDS, LATE_PAYMENTS, LATE_REFUNDS, LATE_NOTICES, LATE_WORK),
    ),
    Invariant("I10", lazy("Every booking that was ever paid was told once, and no other."), (TOLD_ONCE,)),
    Invariant(
        "I11",
        lazy("Codes and vouchers are used by the bookings that claim them, and not beyond their limit."),
        (CODES, PROMOS, VOUCHER_USES),
    ),
    Invariant(
        "I12",
        lazy("Nobody claims more places, or uses a code more often, than one buyer may, and the count is right."),
        (BUYERS, PRESALE_BUYERS, PROMO_BUYERS),
    ),
    Invariant(
        "I13", lazy("A ticket is valid, or void since a noted moment, and in when its check-ins say so."), (VOIDED, INSIDE)
    ),
    Invariant("I14", lazy("Lines add up to the price of their booking, in one currency throughout."), (SUMS, CURRENCIES)),
    Invariant(
        "I15", lazy("Everything at Stripe belongs to one row of ours, and every refund to a payment."), (ONE_EACH, STRAY_REFUNDS)
    ),
    Invariant(
        "I16",
        lazy("The database is whole, its constraints hold, and no work is noted for an activity that does not exist."),
        (WORK,),
        on_sqlite=(FOREIGN_KEYS, STRUCTURE, WHOLE_FILE),
        on_postgresql=(NOT_VALIDATED, BROKEN_INDEXES),
    ),
)


async def look(invariant: Invariant, *, now: datetime, explained: timedelta = EXPLAINED) -> Found:
    """Runs the queries of one invariant. `explained`: how long a refund that has failed explains a difference of money."""
    started = time.perf_counter()
    moments = {"late": now - LATE, "stuck": now - STUCK, "explained": now - explained}
    broken, examples = 0, list[str]()
    async with database().reader.connect() as connection:
        on_sqlite = connection.dialect.name == "sqlite"
        await _be_patient(connection, on_sqlite=on_sqlite)
        try:
            for query in (*invariant.parts, *(invariant.on_sqlite if on_sqlite else invariant.on_postgresql)):
                rows = (await connection.execute(_counted(query, moments))).all()
                broken += rows[0].broken if rows else 0
                examples += [row.about for row in rows]
        finally:
            await _be_hasty(connection, on_sqlite=on_sqlite)
    return Found(broken, examples[:SHOWN], round((time.perf_counter() - started) * 1000))


async def broken(*, explained: timedelta = timedelta(0), but: Sequence[str] = ("I9",)) -> list[str]:
    """The ids of the invariants that do not hold now; by itself without the one that gives the shop time."""
    now = clock.now()
    wanted = [invariant for invariant in CHECKS if invariant.id not in but]
    return [invariant.id for invariant in wanted if (await look(invariant, now=now, explained=explained)).broken]


def _counted(query: str, moments: dict[str, datetime]) -> Any:
    """The first rows of a query, each with the number of all."""
    used = [bindparam(name, at, type_=UTCDateTime) for name, at in moments.items() if f":{name}" in query]
    if ":large" in query:
        used.append(bindparam("large", LARGE_FILE_BYTES))
    found = text(query).bindparams(*used).columns(column("about")).subquery()
    return select(found.c.about, func.count().over().label("broken")).limit(SHOWN)


async def _be_patient(connection: AsyncConnection, *, on_sqlite: bool) -> None:
    if not on_sqlite:
        await connection.execute(text("SELECT set_config('statement_timeout', :most, false)"), {"most": f"{MOST_SECONDS}s"})


async def _be_hasty(connection: AsyncConnection, *, on_sqlite: bool) -> None:
    """The connection goes back to others with the limit it started with."""
    if not on_sqlite:
        await connection.execute(text("RESET statement_timeout"))
