"""One attempt to pay: written down, asked for, followed until Stripe says what became of it. And the money rule."""

import contextlib
from typing import Any

from app.payments.models import ACTIVE, PAYMENT_STATES
from tests.simulation.model.bookings import MINUTE, Bookings
from tests.simulation.model.stripe import Session, StripeRefused, StripeSilent

PAY, SESSION = 30 * MINUTE, 35 * MINUTE
CLOCK_ERROR = 5 * MINUTE
MOST_FAILURES = 3
IS_ACTIVE = f"state IN {ACTIVE}"


class Payments(Bookings):
    def active(self, booking_id: int) -> Any:
        """The attempt from which money may still come, or None."""
        return self.row(f"SELECT * FROM payments WHERE booking_id = ? AND {IS_ACTIVE}", booking_id)

    def checkout(self, booking_id: int) -> None:
        """The buyer presses Pay. Twice leads to the same attempt; what costs nothing is settled at once."""
        with self.writing():
            booking = self.get("bookings", booking_id)
            if not self.sells():
                return
            if booking["state"] == "held":
                self.fill_in(booking)
            if booking["total_minor"] == 0:
                if booking["state"] == "held" and booking["held_until"] > self.now:
                    self.settle(booking_id)
                return
            if self.start_paying(booking_id):
                self._write_down(booking)
            payment = self.active(booking_id)
        if payment and payment["state"] == "creating":
            self.create(payment["id"])

    def _write_down(self, booking: Any) -> None:
        """The intent is committed before Stripe hears of it, with the exact parameters of the call."""
        self.change(
            "INSERT INTO payments (id, booking_id, state, amount_minor, expires_at, pay_until, created_at) "
            "VALUES (?, ?, 'creating', ?, ?, ?, ?)",
            *(self.new_id("payments"), booking["id"], self.amount_of(booking), self.now + SESSION, self.now + PAY, self.now),
        )

    def amount_of(self, booking: Any) -> int:
        return int(booking["total_minor"])

    def creation_key(self, payment: Any) -> str:
        return f"cs:{payment['id']}"

    def create(self, payment_id: int) -> None:
        """Asks for the session. The same key and bytes give the same session, however often the answer is lost."""
        payment = self.get("payments", payment_id)
        if payment["state"] != "creating":
            return
        names = {"booking": payment["booking_id"], "payment": payment_id}
        amounts = {"amount": payment["amount_minor"], "expires_at": payment["expires_at"]}
        try:
            session = self.ask("create_session", self.creation_key(payment), **names, **amounts)
        except StripeSilent:
            self.unanswered(payment)
            return
        except StripeRefused as refused:
            # Refused before it was looked at: under this key there is no session, so no money can come.
            if refused.args == ("validation",):
                self.give_up(payment)
            return
        with self.writing():
            self.move("payments", payment_id, "open", out_of=("creating",), values={"session_id": session.id})
        if self.now > payment["created_at"] + MINUTE:
            # What is kept under a key is a picture of the past.
            self.converge(session.id)

    def unanswered(self, payment: Any) -> None:
        """Silence says nothing: the row stays as it is, and the sweep finds out."""

    def give_up(self, payment: Any) -> None:
        with self.writing():
            if self.move("payments", payment["id"], "void", out_of=("creating",)):
                self.stop_paying(payment["booking_id"])

    def resolve(self, payment: Any) -> None:
        """An attempt that was never answered: look for it at Stripe, else ask again, else nobody can pay on it any more."""
        if self.now > payment["created_at"] + 5 * MINUTE:
            for session in self.look("sessions_since", payment["created_at"] - 5):
                if session.payment == payment["id"]:
                    self.converge(session.id)
                    return
            if self.now > payment["expires_at"] + CLOCK_ERROR:
                self.give_up(payment)
                return
        self.create(payment["id"])

    def come_back(self, session_id: str) -> None:
        """The buyer's browser returns, perhaps with a made-up address: it is believed nothing."""
        self.converge(session_id)

    def close(self, session_id: str) -> None:
        """Ends an open session at Stripe and takes over what Stripe says; one that is over already refuses, which is fine."""
        with contextlib.suppress(StripeRefused):
            self.ask("expire_session", None, session_id=session_id)
        self.converge(session_id)

    def release(self, booking_id: int) -> None:
        """The buyer gives the places back: those of an open session only after Stripe has closed it."""
        payment = self.active(booking_id)
        if payment:
            try:
                if not payment["session_id"]:
                    raise StripeSilent
                self.close(payment["session_id"])
            except StripeSilent:
                with self.writing():
                    self.end_payment_soon(booking_id)
        with self.writing():
            self.end(booking_id, "released")

    def end_payment_soon(self, booking_id: int) -> None:
        """By the buyer's own wish, or because the event was called off, the promised minute is now."""
        self.change(
            f"UPDATE payments SET pay_until = ? WHERE booking_id = ? AND {IS_ACTIVE} AND pay_until > ?",
            *(self.now, booking_id, self.now),
        )
        self.change("UPDATE bookings SET held_until = ? WHERE id = ? AND held_until > ?", self.now, booking_id, self.now)

    # What everything that hears of a session comes to

    def converge(self, session_id: str) -> None:
        """Stripe is asked now, then believed. A session that no payment of ours knows is an orphan."""
        session = self.look("session", session_id)
        with self.writing():
            payment = self.row("SELECT * FROM payments WHERE session_id = ? OR id = ?", session_id, session.payment)
            if not payment or payment["booking_id"] != session.booking:
                self.change("INSERT INTO orphans (id) VALUES (?) ON CONFLICT DO NOTHING", session_id)
                return
            if not payment["session_id"]:
                self.change("UPDATE payments SET session_id = ? WHERE id = ?", session_id, payment["id"])
            self.apply(payment, session)
            self.set_right(payment["booking_id"])

    def apply(self, payment: Any, session: Session) -> None:
        payment_id, booking_id = payment["id"], payment["booking_id"]
        if session.status == "open":
            self.move("payments", payment_id, "open", out_of=("creating",))
        elif session.status == "expired":
            if self.move("payments", payment_id, "expired", out_of=("creating", "open")):
                self.stop_paying(booking_id)
        elif session.bank_refused:
            if self.move("payments", payment_id, "failed", out_of=("creating", "open", "processing")):
                self.stop_paying(booking_id)
        elif session.payment_status == "unpaid":
            if self.move("payments", payment_id, "processing", out_of=("creating", "open")):
                self.move("bookings", booking_id, "processing", out_of=("paying",))
        else:
            self.capture(payment, session)

    def capture(self, payment: Any, session: Session) -> None:
        """The money is there: written down whatever it is good for, then turned into tickets if it is the right sum."""
        before = tuple(state for state in PAYMENT_STATES if state != "captured")
        came = {"captured_minor": session.amount, "payment_intent": session.intent}
        if not self.move("payments", payment["id"], "captured", out_of=before, values=came):
            return
        booking_id = payment["booking_id"]
        if session.amount != self.get("bookings", booking_id)["total_minor"] or not self.sells():
            self.stop_paying(booking_id)
        elif not self.settle(booking_id):
            self.settle_late(booking_id)

    # The money rule

    def captured(self, booking_id: int) -> list[Any]:
        """Payments that brought money, oldest first, with what is left of each."""
        return self.rows(
            "SELECT *, captured_minor - reserved_minor - returned_minor AS left_minor FROM payments "
            "WHERE booking_id = ? AND state = 'captured' ORDER BY created_at, id",
            booking_id,
        )

    def set_right(self, booking_id: int) -> None:
        """Captured less refunds is what the shop may keep. The difference becomes a refund row, exactly once."""
        owed = self.get("bookings", booking_id)["kept_minor"]
        for payment in self.captured(booking_id):
            keep = max(0, min(owed, payment["left_minor"]))
            owed -= keep
            over = payment["left_minor"] - keep
            if over > 0 and payment["dispute"] != "open":
                self._request_refund(payment, over)

    def _request_refund(self, payment: Any, minor: int) -> None:
        """After three failures a person must look; while the bank asks, nothing goes back by itself."""
        failed = "SELECT COUNT(*) FROM refunds WHERE payment_id = ? AND state = 'failed'"
        if self.value(failed, payment["id"]) >= MOST_FAILURES:
            self.change("INSERT INTO alarms VALUES ('refund_stuck', ?) ON CONFLICT DO NOTHING", payment["booking_id"])
            return
        reserve = (
            "UPDATE payments SET reserved_minor = reserved_minor + ? "
            "WHERE id = ? AND reserved_minor + returned_minor + ? <= captured_minor"
        )
        if self.change(reserve, minor, payment["id"], minor) == 1:
            self.insert_refund(payment["id"], minor)
            self.tally["refunds"] += 1

    def insert_refund(
        self, payment_id: int, minor: int, *, origin: str = "app", state: str = "requested", stripe_id: str | None = None
    ) -> None:
        self.change(
            "INSERT INTO refunds (id, payment_id, amount_minor, state, origin, stripe_refund_id, created_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            *(self.new_id("refunds"), payment_id, minor, state, origin, stripe_id, self.now),
        )
