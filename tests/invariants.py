"""What must hold after every step, as queries that return no row. Each names what is wrong when it does."""

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

HOLDING = "('held', 'paying', 'processing')"
CLAIMING = "('paid', 'held', 'paying', 'processing')"

CHECKS = {
    "stock inside capacity": "SELECT id FROM ticket_types WHERE held < 0 OR sold < 0 OR held + sold > capacity",
    "held is the sum of holding lines": (
        "SELECT t.id FROM ticket_types t WHERE t.held <> (SELECT COALESCE(SUM(l.qty), 0) FROM booking_lines l "
        f"JOIN bookings b ON b.id = l.booking_id WHERE l.ticket_type_id = t.id AND b.state IN {HOLDING})"
    ),
    "sold is the sum of paid lines": (
        "SELECT t.id FROM ticket_types t WHERE t.sold <> (SELECT COALESCE(SUM(l.qty), 0) FROM booking_lines l "
        "JOIN bookings b ON b.id = l.booking_id WHERE l.ticket_type_id = t.id AND b.state = 'paid')"
    ),
    "pre-sale count is the sum of pre-sale lines": (
        "SELECT t.id FROM ticket_types t WHERE t.presale_taken <> (SELECT COALESCE(SUM(l.qty), 0) FROM booking_lines l "
        f"JOIN bookings b ON b.id = l.booking_id WHERE l.ticket_type_id = t.id AND l.in_presale AND b.state IN {CLAIMING})"
    ),
    "a line has a valid ticket for each place if it is paid, else none": (
        "SELECT l.id FROM booking_lines l JOIN bookings b ON b.id = l.booking_id WHERE (CASE WHEN b.state = 'paid' THEN l.qty ELSE 0 END) "
        "<> (SELECT COUNT(*) FROM tickets k WHERE k.line_id = l.id AND k.state = 'valid')"
    ),
    "one active payment a booking": (
        "SELECT booking_id FROM payments WHERE state IN ('creating', 'open', 'processing') GROUP BY booking_id HAVING COUNT(*) > 1"
    ),
    "reserved is the sum of refunds that have not failed": (
        "SELECT p.id FROM payments p WHERE p.reserved_minor <> "
        "(SELECT COALESCE(SUM(r.amount_minor), 0) FROM refunds r WHERE r.payment_id = p.id AND r.state <> 'failed')"
    ),
    "captured less refunds is the price if paid, else nothing": (
        "SELECT b.id FROM bookings b WHERE b.total_minor > 0 AND (CASE WHEN b.state = 'paid' THEN b.total_minor ELSE 0 END) <> "
        "(SELECT COALESCE(SUM(p.captured_minor - p.reserved_minor - p.returned_minor), 0) FROM payments p WHERE p.booking_id = b.id)"
    ),
    "uses of access codes are the bookings that claim them": (
        "SELECT c.id FROM access_codes c WHERE c.used <> (SELECT COUNT(DISTINCT l.booking_id) FROM booking_lines l "
        f"JOIN bookings b ON b.id = l.booking_id WHERE l.access_code_id = c.id AND b.state IN {CLAIMING})"
    ),
    "a buyer's limit counts the places they claim": (
        "SELECT m.event_id FROM buyer_limits m WHERE m.qty <> (SELECT COALESCE(SUM(l.qty), 0) FROM booking_lines l "
        "JOIN bookings b ON b.id = l.booking_id WHERE b.event_id = m.event_id AND b.buyer_key = m.buyer_key "
        f"AND b.state IN {CLAIMING})"
    ),
    "lines add up to the total": (
        "SELECT b.id FROM bookings b WHERE b.total_minor <> (SELECT SUM(l.qty * l.unit_minor) FROM booking_lines l WHERE l.booking_id = b.id)"
    ),
    "every paid booking was told once": (
        "SELECT about FROM activities WHERE kind = 'booking.paid' GROUP BY about HAVING COUNT(*) > 1"
    ),
}


async def broken(db: AsyncSession) -> list[str]:
    """The names of the invariants that do not hold; empty when all do."""
    connection = await db.connection()
    return [name for name, query in CHECKS.items() if (await connection.execute(text(query))).first()]
