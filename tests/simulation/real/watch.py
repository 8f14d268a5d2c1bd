"""What must hold after every step, and what must hold once everything has come to rest."""

from collections import Counter
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from app.admin import invariants
from app.bookings.models import HOLDING
from app.core import clock
from app.payments.models import ACTIVE
from app.sandbox.fake_stripe import FakeStripe
from tests.simulation.real.ground import Ground, moment

LIVE = (*HOLDING, "paid")

# I9 gives the shop time, and I16 looks at the whole file: both are asked at rest.
LATER = ("I9", "I16")

# Each finds rows that are wrong once nothing moves any more.
AT_REST = {
    "places held at rest": "SELECT 'ticket_type:' || id AS about FROM ticket_types WHERE held > 0",
    "a booking in between at rest": f"SELECT 'booking:' || id AS about FROM bookings WHERE state IN {HOLDING}",
    "a payment in between at rest": f"SELECT 'payment:' || id AS about FROM payments WHERE state IN {ACTIVE}",
    "a refund in between at rest": "SELECT 'refund:' || id AS about FROM refunds WHERE state IN ('requested', 'pending')",
    "a dispute open at rest": "SELECT 'payment:' || id AS about FROM payments WHERE dispute = 'open'",
    "an orphan open at rest": (
        "SELECT 'orphan:' || id AS about FROM orphans o WHERE state = 'found' AND NOT EXISTS "
        "(SELECT 1 FROM alarms a WHERE a.about = 'session:' || o.id AND a.settled_at IS NULL "
        "AND CAST(a.details AS TEXT) LIKE '%refused%')"
    ),
    "a notice undone at rest": "SELECT 'notice:' || id AS about FROM notices WHERE done_at IS NULL",
    "work undone at rest": "SELECT 'activity:' || activity_id AS about FROM activity_work WHERE handled_at IS NULL",
    "somebody waits at rest for a free place": (
        "SELECT 'waiting_entry:' || w.id AS about FROM waiting_entries w JOIN ticket_types t ON t.id = w.ticket_type_id "
        "LEFT JOIN quotas q ON q.id = t.quota_id WHERE w.state = 'waiting' AND t.held + t.sold + t.aside < t.capacity "
        "AND (q.id IS NULL OR q.held + q.sold + q.aside < q.capacity)"
    ),
    "a live booking of an event that was called off": (
        "SELECT 'booking:' || b.id AS about FROM bookings b JOIN events e ON e.id = b.event_id "
        f"WHERE e.state = 'called_off' AND b.state IN {LIVE}"
    ),
    "money that is wrong and on nobody’s desk": (
        "SELECT 'booking:' || b.id AS about FROM bookings b LEFT JOIN payments p ON p.booking_id = b.id GROUP BY b.id "
        "HAVING b.kept_minor <> COALESCE(SUM(p.captured_minor - p.reserved_minor - p.returned_minor), 0) AND NOT EXISTS "
        "(SELECT 1 FROM alarms a JOIN payments q ON a.about = 'payment:' || q.id WHERE q.booking_id = b.id "
        "AND a.settled_at IS NULL)"
    ),
}


# Our refund and one of the dashboard have met: until Stripe has refused ours, more goes back than came.
ASKED_TWICE = "p.reserved_minor + p.returned_minor > p.captured_minor"

# What is kept is the price of a booking that was paid, or a fee.
KEPT = "SELECT 'booking:' || id AS about FROM bookings WHERE kept_minor > 0 AND state NOT IN ('paid', 'refunded')"

# Nobody gets more back than the price of the tickets that were given back, unless money was refunded without tickets.
TOO_MUCH_BACK = """
SELECT 'booking:' || b.id AS about FROM bookings b JOIN (
    SELECT booking_id, SUM(returned * unit_minor) AS minor FROM booking_lines GROUP BY booking_id
) AS given ON given.booking_id = b.id
WHERE b.state = 'paid' AND b.total_minor - b.kept_minor > given.minor AND NOT EXISTS (
    SELECT 1 FROM refunds r JOIN payments p ON p.id = r.payment_id
    WHERE p.booking_id = b.id AND (r.origin = 'elsewhere' OR r.places = 0 OR r.state = 'failed'))
"""


REFUSED = (
    "SELECT payment_intent FROM orphans o JOIN alarms a ON a.about = 'session:' || o.id "
    "WHERE o.state = 'found' AND a.settled_at IS NULL AND CAST(a.details AS TEXT) LIKE '%refused%'"
)

# Alarms that no bad day explains.
UNEXPECTED = ("invariant", "ledger", "stripe_down")


class Violation(Exception):
    """A promise of the design does not hold."""


@cache
def always() -> str:
    """All invariants of every moment in one statement."""
    parts = [(check.id, part) for check in invariants.CHECKS if check.id not in LATER for part in check.parts]
    parts += [("I16", part) for check in invariants.CHECKS if check.id == "I16" for part in check.parts]
    excused = [(name, sql.replace("p.dispute = 'open'", f"p.dispute = 'open' OR {ASKED_TWICE}")) for name, sql in parts]
    return _united([*excused, ("I7", KEPT), ("I7", TOO_MUCH_BACK)])


@cache
def at_rest() -> str:
    return _united(list(AT_REST.items()))


def _united(parts: list[tuple[str, str]]) -> str:
    return " UNION ALL ".join(
        f"SELECT '{name}' AS id, about FROM ({sql.strip()}) AS part_{n}" for n, (name, sql) in enumerate(parts)
    )


class Watch:
    """Looks after every step, with a memory for promises.

    Once the database was restored or changed by hand, the past cannot be kept, and only stock and money count.
    """

    def __init__(self, ground: Ground, stripe: FakeStripe) -> None:
        self.ground, self.stripe = ground, stripe
        self.is_meddled_with = False
        self.ended_early: set[int] = set()
        self._promised: dict[int, datetime] = {}
        self._blocks = -1

    async def look(self, blocks: int) -> None:
        """Raises Violation with what is wrong. Rows are looked at only when some may have changed."""
        if blocks != self._blocks:
            await self._invariants()
            await self._promises()
            self._blocks = blocks
        if not self.is_meddled_with:
            await self._sessions()

    async def _invariants(self) -> None:
        now = clock.now()
        values = {"explained": now} if ":explained" in always() else {}
        wrong = await self.ground.rows(always(), **values)
        if wrong:
            raise Violation(", ".join(sorted({f"{row['id']} {row['about']}" for row in wrong})))

    async def _promises(self) -> None:
        """The minute of a hold never comes nearer, but by the buyer's wish or when the event is called off."""
        rows = await self.ground.rows(
            "SELECT b.id, b.state, b.held_until, e.state AS event_state FROM bookings b JOIN events e ON e.id = b.event_id"
        )
        if self.is_meddled_with or any(row["event_state"] == "called_off" for row in rows):
            return
        for row in rows:
            promised, until = self._promised.get(row["id"]), moment(row["held_until"])
            if promised and row["id"] not in self.ended_early:
                if until < promised:
                    raise Violation(f"the promised minute of booking:{row['id']} came nearer")
                if row["state"] in ("expired", "called_off") and promised > clock.now():
                    raise Violation(f"booking:{row['id']} ended before its promised minute")
            self._promised[row["id"]] = until

    async def _sessions(self) -> None:
        """R1: while a session can take money its booking holds places; R8: and it asks for the promised price."""
        open_ones, _more = self.stripe.state.page("session", params={"limit": 100}, labels=["open"])
        now = clock.now().timestamp()
        payable = [one for one in open_ones if now < one["expires_at"]]
        wanted = {int(one["metadata"]["booking_id"]): one for one in payable}
        if len(wanted) < len(payable):
            raise Violation("two pages can take money for one booking")
        if not wanted:
            return
        numbers = ", ".join(str(number) for number in wanted)
        found = {
            row["id"]: row
            for row in await self.ground.rows(f"SELECT id, state, total_minor FROM bookings WHERE id IN ({numbers})")
        }
        for booking_id, session in wanted.items():
            booking = found.get(booking_id)
            if not booking or booking["state"] not in HOLDING:
                state = booking["state"] if booking else "no booking"
                raise Violation(f"places of booking:{booking_id} were let go ({state}) while a session can take money")
            if session["amount_total"] != booking["total_minor"]:
                raise Violation(f"a session asks for another price than booking:{booking_id} promised")

    async def what_moves(self) -> list[Any]:
        """What is not at rest yet."""
        return await self.ground.rows(at_rest())

    async def at_rest(self) -> None:
        """Everything is over, and every cent at Stripe is explained by a booking, an orphan or an alarm."""
        await self._invariants()
        wrong = await self.what_moves()
        if wrong:
            raise Violation(", ".join(sorted({f"{row['id']}: {row['about']}" for row in wrong})))
        self._once()
        await self._alarms()
        for found in invariants.CHECKS:
            looked = await invariants.look(found, now=clock.now(), explained=timedelta(0))
            if looked.broken:
                raise Violation(f"{found.id} at rest: {', '.join(looked.examples)}")
        await self._money()

    def _once(self) -> None:
        if self.is_meddled_with:
            return
        refunds = self._all("refund")
        sent = Counter(one["metadata"].get("refund_id") for one in refunds if one["metadata"] and one["status"] != "failed")
        if any(times > 1 for times in sent.values()):
            raise Violation("one refund was sent twice")

    async def _alarms(self) -> None:
        rows = await self.ground.rows("SELECT kind, about FROM alarms WHERE settled_at IS NULL")
        wrong = [f"{row['kind']} about {row['about']}" for row in rows if row["kind"] in UNEXPECTED]
        if wrong:
            raise Violation(f"alarms at rest: {', '.join(wrong)}")

    async def _money(self) -> None:
        """What Stripe has for each booking is what the booking may keep; of an orphan nothing is left."""
        owner = {row["payment_intent"]: row for row in await self.ground.rows(
            "SELECT p.payment_intent, p.booking_id, b.kept_minor, b.state FROM payments p JOIN bookings b ON b.id = p.booking_id "
            "WHERE p.payment_intent IS NOT NULL"
        )}  # fmt: skip
        orphans = {row["payment_intent"] for row in await self.ground.rows("SELECT payment_intent FROM orphans")}
        # What a lost dispute leaves of an orphan Stripe does not send back; a person was told.
        refused = {row["payment_intent"] for row in await self.ground.rows(REFUSED)}
        alarms = {row["about"] for row in await self.ground.rows("SELECT about FROM alarms WHERE settled_at IS NULL")}
        on_desk = {row["booking_id"] for row in await self.ground.rows("SELECT id, booking_id FROM payments")
                   if f"payment:{row['id']}" in alarms}  # fmt: skip
        there: Counter[int] = Counter()
        for intent in self._all("payment_intent"):
            left = self._left(intent)
            if intent["id"] in owner:
                there[owner[intent["id"]]["booking_id"]] += left
            elif left and intent["id"] not in refused:
                known = "an orphan" if intent["id"] in orphans else "nobody"
                raise Violation(f"{left} of {intent['id']} is at Stripe, known as {known}")
        for row in owner.values():
            if there[row["booking_id"]] != row["kept_minor"] and row["booking_id"] not in on_desk:
                kept = f"a {row['state']} booking:{row['booking_id']} that may keep {row['kept_minor']}"
                raise Violation(f"{there[row['booking_id']]} is at Stripe for {kept}")

    def _left(self, intent: dict[str, Any]) -> int:
        """What the shop has of a payment in the end: less refunds, and less what a lost dispute took."""
        back: int = sum(one["amount"] for one in self.stripe.state.children("refund", intent["id"]) if one["status"] != "failed")
        lost: int = sum(one["amount"] for one in self.stripe.state.children("dispute", intent["id"]) if one["status"] == "lost")
        came: int = intent["amount_received"]
        return came - back - lost

    def _all(self, kind: str) -> list[dict[str, Any]]:
        return self.stripe.state.page(kind, params={"limit": 10_000}, labels=[])[0]
