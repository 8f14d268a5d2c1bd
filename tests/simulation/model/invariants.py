"""What must hold after every step, and what must hold once everything has come to rest."""

from app.bookings.models import HOLDING
from app.payments.models import ACTIVE
from tests.simulation.model.payments import MOST_FAILURES
from tests.simulation.model.shop import LIVE, Shop
from tests.simulation.model.store import Violation

OF_TYPE = "FROM booking_lines l JOIN bookings b ON b.id = l.booking_id WHERE l.ticket_type_id = t.id"

# A person looks at it, the bank still asks, or our refund and one of the dashboard have met and ours will be refused.
EXCUSED = (
    "EXISTS (SELECT 1 FROM payments p WHERE p.booking_id = b.id AND (p.dispute = 'open' "
    "OR p.reserved_minor + p.returned_minor > p.captured_minor "
    f"OR (SELECT COUNT(*) FROM refunds r WHERE r.payment_id = p.id AND r.state = 'failed') >= {MOST_FAILURES}))"
)

# Each query finds rows that are wrong.
ALWAYS = {
    "I1 stock beyond capacity": "SELECT 1 FROM ticket_types WHERE held < 0 OR sold < 0 OR held + sold > capacity",
    "I2 held differs from the lines that hold": (
        f"SELECT 1 FROM ticket_types t WHERE held <> (SELECT COALESCE(SUM(l.qty), 0) {OF_TYPE} AND b.state IN {HOLDING})"
    ),
    "I3 sold differs from the lines that are paid": (
        f"SELECT 1 FROM ticket_types t WHERE sold <> (SELECT COALESCE(SUM(l.qty - l.returned), 0) {OF_TYPE} AND b.state = 'paid')"
    ),
    "I3 places of the pre-sale differ from its lines": (
        "SELECT 1 FROM ticket_types t WHERE presale_taken <> "
        f"(SELECT COALESCE(SUM(l.qty - l.returned), 0) {OF_TYPE} AND l.in_presale AND b.state IN {LIVE})"
    ),
    "I4 valid tickets differ from the line": (
        "SELECT 1 FROM booking_lines l JOIN bookings b ON b.id = l.booking_id "
        "WHERE (SELECT COUNT(*) FROM tickets k WHERE k.line_id = l.id AND k.state = 'valid') "
        "<> CASE b.state WHEN 'paid' THEN l.qty - l.returned ELSE 0 END"
    ),
    "I5 two active payments of a booking": (
        f"SELECT 1 FROM payments WHERE state IN {ACTIVE} GROUP BY booking_id HAVING COUNT(*) > 1"
    ),
    "I6 reserved or returned differs from the refunds": (
        "SELECT 1 FROM payments p WHERE captured_minor > 0 AND (reserved_minor, returned_minor) <> "
        "(SELECT COALESCE(SUM(amount_minor) FILTER (WHERE origin = 'app'), 0), "
        "COALESCE(SUM(amount_minor) FILTER (WHERE origin <> 'app'), 0) "
        "FROM refunds r WHERE r.payment_id = p.id AND r.state <> 'failed')"
    ),
    "I7 money differs from what may be kept": (
        "SELECT 1 FROM bookings b WHERE kept_minor <> (SELECT COALESCE(SUM(captured_minor - reserved_minor - returned_minor), 0) "
        f"FROM payments p WHERE p.booking_id = b.id) AND NOT {EXCUSED}"
    ),
    "I7 something is kept for a booking that never was paid": (
        "SELECT 1 FROM bookings WHERE kept_minor > 0 AND state NOT IN ('paid', 'refunded')"
    ),
    "I7 what is kept differs from the tickets and the fees": (
        "SELECT 1 FROM bookings b, events e WHERE b.state = 'paid' AND b.kept_minor <> b.total_minor - "
        "(SELECT SUM(l.returned * (l.unit_minor - MIN(l.unit_minor, e.fee_minor))) "
        "FROM booking_lines l WHERE l.booking_id = b.id) "
        "AND NOT EXISTS (SELECT 1 FROM activities a WHERE a.booking_id = b.id AND a.kind = 'booking.refunded_in_part') "
        "AND NOT EXISTS (SELECT 1 FROM refunds r JOIN payments p ON p.id = r.payment_id "
        "WHERE p.booking_id = b.id AND r.origin = 'elsewhere')"
    ),
    "I8 a paid booking without its money": (
        "SELECT 1 FROM bookings b WHERE state = 'paid' AND total_minor > 0 AND NOT EXISTS "
        "(SELECT 1 FROM payments p WHERE p.booking_id = b.id AND p.captured_minor = b.total_minor)"
    ),
    "I10 paid bookings and what was told of them differ": (
        "SELECT 1 FROM bookings b WHERE (paid_at IS NOT NULL) <> (SELECT COUNT(*) FROM activities a "
        "WHERE a.booking_id = b.id AND a.kind = 'booking.paid')"
    ),
    "I11 uses of an access code differ from its bookings": (
        "SELECT 1 FROM access_codes c WHERE used <> (SELECT COUNT(*) FROM booking_lines l "
        f"JOIN bookings b ON b.id = l.booking_id WHERE l.access_code_id = c.id AND b.state IN {LIVE})"
    ),
    "I12 a buyer's limit differs from the places": (
        "SELECT 1 FROM buyer_limits m WHERE qty <> (SELECT COALESCE(SUM(l.qty - l.returned), 0) FROM booking_lines l "
        f"JOIN bookings b ON b.id = l.booking_id WHERE b.buyer_key = m.buyer_key AND b.state IN {LIVE})"
    ),
    "I14 lines do not add up to the total": (
        "SELECT 1 FROM bookings b "
        "WHERE total_minor <> (SELECT SUM(qty * unit_minor) FROM booking_lines l WHERE l.booking_id = b.id)"
    ),
}
AT_REST = {
    "I9 places held at rest": "SELECT 1 FROM ticket_types WHERE held > 0",
    "I9 a booking in between at rest": f"SELECT 1 FROM bookings WHERE state IN {HOLDING}",
    "I9 a payment in between at rest": f"SELECT 1 FROM payments WHERE state IN {ACTIVE}",
    "I9 a refund in between at rest": "SELECT 1 FROM refunds WHERE state IN ('requested', 'pending')",
    "I9 a dispute open at rest": "SELECT 1 FROM payments WHERE dispute = 'open'",
    "a live booking of an event that was called off": (
        f"SELECT 1 FROM events e, bookings b WHERE e.state = 'called_off' AND b.state IN {LIVE}"
    ),
    "money that is wrong and on nobody's desk": (
        "SELECT 1 FROM bookings b WHERE kept_minor <> (SELECT COALESCE(SUM(captured_minor - reserved_minor - returned_minor), 0) "
        "FROM payments p WHERE p.booking_id = b.id) AND NOT EXISTS (SELECT 1 FROM alarms a WHERE a.about = b.id)"
    ),
}


def check(sql: dict[str, str], shop: Shop) -> None:
    for name, wrong in sql.items():
        if shop.row(wrong):
            raise Violation(name)


class Watch:
    """Looks after every step, with a memory for promises.

    Once the database was restored or changed by hand, the past cannot be kept, and only stock and money count.
    """

    def __init__(self, shop: Shop) -> None:
        self.shop, self.stripe = shop, shop.stripe
        self.is_meddled_with = False
        self.ended_early: set[int] = set()
        self._promised: dict[int, int] = {}
        self._changes = -1

    def look(self) -> None:
        """Raises Violation with what is wrong. Rows are looked at only when some have changed."""
        changes = self.shop.db.total_changes
        if changes != self._changes:
            check(ALWAYS, self.shop)
            self._promises()
            self._changes = changes
        if not self.is_meddled_with:
            self._sessions()
            self._once()

    def _promises(self) -> None:
        """The minute of a hold never comes nearer, but by the buyer's wish or when the event is called off."""
        if not self.shop.sells() or self.is_meddled_with:
            return
        for booking in self.shop.rows("SELECT id, state, held_until FROM bookings"):
            promised = self._promised.get(booking["id"], 0)
            if booking["id"] not in self.ended_early:
                if booking["held_until"] < promised:
                    raise Violation("a promised minute came nearer")
                if booking["state"] in ("expired", "called_off") and promised > self.shop.now:
                    raise Violation("a hold ended before its promised minute")
            self._promised[booking["id"]] = booking["held_until"]

    def _sessions(self) -> None:
        """R1: while a session can take money its booking holds places; R8: and it asks for the promised price."""
        for session_id in self.stripe.payable():
            session = self.stripe.sessions[session_id]
            booking = self.shop.get("bookings", session.booking)
            if booking and session.amount != booking["total_minor"]:
                raise Violation("a session asks for another price than the hold")
            if not booking or booking["state"] not in HOLDING:
                raise Violation(f"places were let go ({booking and booking['state']}) while a session can take money")

    def _once(self) -> None:
        done = [refund.refund for refund in self.stripe.refunds.values() if refund.refund and refund.status != "failed"]
        if len(done) != len(set(done)):
            raise Violation("one refund was sent twice")

    def at_rest(self) -> None:
        """Everything is over, and every cent at Stripe is explained by a booking, an orphan or an alarm."""
        check(ALWAYS | AT_REST, self.shop)
        owner = "SELECT b.id FROM bookings b JOIN payments p ON p.booking_id = b.id WHERE p.payment_intent = ?"
        there: dict[int, int] = {}
        for intent in self.stripe.intents.values():
            booking = self.shop.row(owner, intent.id)
            if booking:
                there[booking["id"]] = there.get(booking["id"], 0) + self.stripe.net(intent.id)
            elif not self.shop.row("SELECT 1 FROM orphans WHERE id = ?", intent.session):
                raise Violation("money at Stripe that the shop does not know")
            elif self.stripe.net(intent.id):
                raise Violation("money of an orphan was kept")
        for booking_id, net in there.items():
            booking = self.shop.get("bookings", booking_id)
            is_on_the_desk = self.shop.row("SELECT 1 FROM alarms WHERE about = ?", booking_id)
            if net != booking["kept_minor"] and not is_on_the_desk:
                raise Violation(f"{net} is there for a {booking['state']} booking that may keep {booking['kept_minor']}")
