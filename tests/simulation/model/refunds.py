"""Money on its way back: what we send, what others send, what the buyer's bank takes, and money that nobody here knows."""

import contextlib
from typing import Any

from tests.simulation.model.payments import Payments
from tests.simulation.model.stripe import Intent, StripeRefund, StripeRefused, Stumbled

KEYS_LAST = 20 * 3600  # Stripe forgets idempotency keys after a day.
FOLLOWS = {"pending": ("requested",), "succeeded": ("requested", "pending"), "failed": ("requested", "pending", "succeeded")}


class Refunds(Payments):
    # Who gives something back

    def refund_all(self, booking_id: int, fee: int) -> None:
        """Somebody of the house takes a paid booking back and keeps the fee."""
        with self.writing():
            kept = min(fee, self.get("bookings", booking_id)["kept_minor"])
            if self.take_back(booking_id, "refunded", kept_minor=kept):
                self.set_right(booking_id)

    def refund_one(self, booking_id: int, line: Any, n: int) -> None:
        """The buyer gives one ticket back, less the fee for it; the last one ends the booking."""
        with self.writing():
            booking = self.get("bookings", booking_id)
            valid = "SELECT COUNT(*) FROM tickets k JOIN booking_lines l ON l.id = k.line_id "
            valid += "WHERE l.booking_id = ? AND k.state = 'valid'"
            if booking["state"] != "paid":
                return
            back = min(booking["kept_minor"], line["unit_minor"] - min(line["unit_minor"], self.event()["fee_minor"]))
            if self.value(valid, booking_id) == 1:
                still = self.row("SELECT 1 FROM tickets WHERE line_id = ? AND n = ? AND state = 'valid'", line["id"], n)
                if still and self.take_back(booking_id, "refunded", kept_minor=booking["kept_minor"] - back):
                    self.set_right(booking_id)
            elif self.take_back_one(line, n):
                self.keep_less(booking_id, back)

    def refund_part(self, booking_id: int, minor: int) -> None:
        """Somebody of the house gives a part of the money back; the tickets stay valid."""
        with self.writing():
            if self.get("bookings", booking_id)["state"] == "paid":
                self.keep_less(booking_id, minor)
                self.change("INSERT INTO activities (kind, booking_id) VALUES ('booking.refunded_in_part', ?)", booking_id)

    def keep_less(self, booking_id: int, minor: int) -> None:
        lower = "UPDATE bookings SET kept_minor = kept_minor - ? WHERE id = ? AND kept_minor >= ?"
        if self.change(lower, minor, booking_id, minor) == 1:
            self.set_right(booking_id)

    # Refund rows become refunds at Stripe

    def refund_key(self, refund: Any) -> str | None:
        return f"re:{refund['id']}:{refund['attempt']}"

    def may_have_arrived(self, refund: Any) -> bool:
        """Whether the key alone no longer protects from sending twice."""
        return bool(refund["attempt"] > 1 or self.now - refund["created_at"] > KEYS_LAST)

    def send(self, refund_id: int) -> None:
        """The row was committed first; the answer is learned like any other news of a refund."""
        refund = self.get("refunds", refund_id)
        payment = self.get("payments", refund["payment_id"])
        if refund["state"] != "requested" or payment["dispute"] == "open":
            return
        intent = payment["payment_intent"]
        if self.may_have_arrived(refund):
            for found in self.look("refunds_of", intent):
                if found.refund == refund_id:
                    self.refund_seen(found)
                    return
        try:
            key = self.refund_key(refund)
            self.refund_seen(self.ask("create_refund", key, intent=intent, amount=refund["amount_minor"], refund=refund_id))
        except Stumbled:
            # A 500 stays under its key: learn what is there, and if ours is not, ask under the next key.
            self.learn_all(intent)
            with self.writing():
                self.change("UPDATE refunds SET attempt = attempt + 1 WHERE id = ? AND state = 'requested'", refund_id)
        except StripeRefused:
            self.learn_all(intent)
            self._refused(refund_id)

    def learn_all(self, intent: str) -> None:
        """Every refund of the intent is written down, those of the dashboard too, and what the bank says."""
        for found in self.look("refunds_of", intent):
            self.refund_seen(found)
        self.dispute_seen(self.look("intent", intent))

    def _refused(self, refund_id: int) -> None:
        with self.writing():
            refund = self.get("refunds", refund_id)
            payment = self.get("payments", refund["payment_id"])
            if payment["dispute"] != "open" and self.move("refunds", refund_id, "failed", out_of=("requested",)):
                self._unreserve(refund)
            self.set_right(payment["booking_id"])

    def _unreserve(self, refund: Any) -> None:
        column = "reserved_minor" if refund["origin"] == "app" else "returned_minor"
        self.change(f"UPDATE payments SET {column} = {column} - ? WHERE id = ?", refund["amount_minor"], refund["payment_id"])

    # What is heard of refunds and disputes

    def know(self, intent: str) -> None:
        """News of money may come before the payment that brought it is known here."""
        if not self.row("SELECT 1 FROM payments WHERE payment_intent = ?", intent):
            self.converge(self.look("intent", intent).session)

    def refund_seen(self, found: StripeRefund) -> None:
        """One refund as Stripe shows it: ours moves on, one that we did not ask for is written down as made elsewhere."""
        self.know(found.intent)
        with self.writing():
            payment = self.row("SELECT * FROM payments WHERE payment_intent = ?", found.intent)
            if not payment:
                return
            refund = self.row("SELECT * FROM refunds WHERE stripe_refund_id = ? OR id = ?", found.id, found.refund)
            if refund and refund["payment_id"] == payment["id"]:
                known_as = {"stripe_refund_id": found.id}
                moved = self.move("refunds", refund["id"], found.status, out_of=FOLLOWS[found.status], values=known_as)
                if moved and found.status == "failed":
                    self._unreserve(refund)
            elif found.status == "failed":
                # Written down all the same: an older picture of it, used later, must not look like news.
                self.insert_refund(payment["id"], found.amount, origin="elsewhere", state="failed", stripe_id=found.id)
            else:
                self._returned_elsewhere(payment, found.amount, state=found.status, stripe_id=found.id)
            self.set_right(payment["booking_id"])

    def dispute_seen(self, intent: Intent) -> None:
        """While the bank asks, nothing goes back by itself. A lost dispute is money that went back elsewhere."""
        if not intent.dispute:
            return
        self.know(intent.id)
        with self.writing():
            payment = self.row("SELECT * FROM payments WHERE payment_intent = ?", intent.id)
            before = "('')" if intent.dispute == "open" else "('', 'open')"
            now_known = f"UPDATE payments SET dispute = ? WHERE payment_intent = ? AND dispute IN {before}"
            if self.change(now_known, intent.dispute, intent.id) != 1:
                return
            if intent.dispute == "lost":
                self._returned_elsewhere(payment, intent.amount, state="succeeded", stripe_id=f"dp_{intent.id}")
            self.set_right(payment["booking_id"])

    def _returned_elsewhere(self, payment: Any, minor: int, *, state: str, stripe_id: str) -> None:
        """The shop keeps what is left; when nothing is, the tickets are taken back too."""
        self.insert_refund(payment["id"], minor, origin="elsewhere", state=state, stripe_id=stripe_id)
        self.change("UPDATE payments SET returned_minor = returned_minor + ? WHERE id = ?", minor, payment["id"])
        booking_id = payment["booking_id"]
        left = self.left_minor(booking_id)
        self.change("UPDATE bookings SET kept_minor = MIN(kept_minor, ?) WHERE id = ?", left, booking_id)
        if left == 0:
            self.take_back(booking_id, "refunded")

    def left_minor(self, booking_id: int) -> int:
        """What is left of a booking's money. A payment that is on its way back twice owes nothing to the others."""
        return sum(max(0, payment["left_minor"]) for payment in self.captured(booking_id))

    # Money that nobody here knows

    def close_orphan(self, session_id: str) -> None:
        """Stripe knows the session and we do not, as after a restore: it is closed, and its money goes back."""
        session = self.look("session", session_id)
        if session.status == "open":
            with contextlib.suppress(StripeRefused):
                self.ask("expire_session", None, session_id=session_id)
            return
        if session.status == "complete" and session.payment_status == "unpaid" and not session.bank_refused:
            return
        if session.intent:
            charge = self.look("intent", session.intent)
            known = self.look("refunds_of", session.intent)
            left = charge.amount - sum(refund.amount for refund in known if refund.status != "failed")
            if left > 0 and charge.dispute != "lost":
                self._send_back(session_id, session.intent, left)
                return
        with self.writing():
            self.change("UPDATE orphans SET state = 'closed' WHERE id = ?", session_id)

    def _send_back(self, session_id: str, intent: str, minor: int) -> None:
        """Every try has its own key: what the last one did was looked up just before."""
        with self.writing():
            self.change("UPDATE orphans SET attempt = attempt + 1 WHERE id = ?", session_id)
            attempt = self.value("SELECT attempt FROM orphans WHERE id = ?", session_id)
        with contextlib.suppress(StripeRefused):
            self.ask("create_refund", f"or:{session_id}:{attempt}", intent=intent, amount=minor, refund=None)
