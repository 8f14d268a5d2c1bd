"""The design with one rule broken each. The simulation is worth something because it finds every one of them."""

import contextlib
from typing import Any

from tests.simulation.model.payments import SESSION
from tests.simulation.model.shop import Shop
from tests.simulation.model.stripe import Intent, Session, StripeSilent, Told


class ReleaseFirst(Shop):
    """Places of a lapsed payment go back by our own clock, before Stripe was asked."""

    def close_due(self) -> None:
        for payment in self.rows("SELECT booking_id FROM payments WHERE state = 'open' AND pay_until <= ?", self.now):
            with self.writing():
                if self.move("bookings", payment["booking_id"], "expired", out_of=("paying", "processing")):
                    self.give_back(payment["booking_id"])


class VoidOnSilence(Shop):
    """A creation without an answer counts as none."""

    def unanswered(self, payment: Any) -> None:
        self.give_up(payment)


class RefundNoKey(Shop):
    """Refunds are sent without a key, and nobody looks whether they had arrived."""

    def refund_key(self, refund: Any) -> str | None:
        return None

    def may_have_arrived(self, refund: Any) -> bool:
        return False

    def learn_all(self, intent: str) -> None:
        raise StripeSilent


class RefundUnreserved(Shop):
    """A refund row is written without taking its sum out of the captured money."""

    def refund_all(self, booking_id: int, fee: int) -> None:
        super().refund_all(booking_id, fee)
        with self.writing():
            for payment in self.captured(booking_id):
                self.insert_refund(payment["id"], payment["captured_minor"])


class RefundInTransaction(Shop):
    """Stripe is asked while the transaction is open."""

    def refund_all(self, booking_id: int, fee: int) -> None:
        with self.writing():
            self.take_back(booking_id, "refunded")
            for paid in self.captured(booking_id):
                self.ask("create_refund", None, intent=paid["payment_intent"], amount=paid["captured_minor"], refund=None)


class ExpiredByBooking(Shop):
    """The end of any session ends the booking, also when another session is open by now."""

    def handle(self, told: Told) -> None:
        if told.kind != "checkout.session.expired":
            return super().handle(told)
        booking_id = self.stripe.sessions[told.about].booking
        with self.writing():
            if self.move("bookings", booking_id, "expired", out_of=("held", "paying", "processing")):
                self.give_back(booking_id)
        return None


class DoubleRelease(Shop):
    """Places go back whether or not this call was the one that ended the hold."""

    def end(self, booking_id: int, to: str) -> bool:
        ended = super().end(booking_id, to)
        if not ended and self.get("bookings", booking_id)["state"] == "expired":
            self.give_back(booking_id)
        return ended


class TrustReturn(Shop):
    """Whoever opens the return address has paid."""

    def come_back(self, session_id: str) -> None:
        with self.writing():
            for payment in self.rows("SELECT booking_id FROM payments WHERE session_id = ?", session_id):
                self.settle(payment["booking_id"])


class PriceNow(Shop):
    """The session asks for today's price instead of the one of the hold."""

    def amount_of(self, booking: Any) -> int:
        prices = "SELECT SUM(l.qty * t.price_minor) FROM booking_lines l JOIN ticket_types t ON t.id = l.ticket_type_id"
        return int(self.value(f"{prices} WHERE l.booking_id = ?", booking["id"]))


class NoReconcile(Shop):
    """Only notices move things; nobody compares with Stripe."""

    is_alive_without_notices = False

    def sweep(self) -> None:
        self.expire_lapsed()
        self.wind_down()
        self.set_all_right()
        self.send_refunds()


class DedupeFirst(Shop):
    """A notice counts as done when it arrives, so a crash loses it; the list of notices is not read again."""

    def note(self, told: Told) -> None:
        with self.writing():
            is_new = self.change("INSERT INTO notices (id, done) VALUES (?, 1) ON CONFLICT DO NOTHING", told.id)
        if is_new:
            self.handle(told)

    def follow_refunds(self) -> None:
        """Left out."""

    def read_notices(self) -> None:
        """Left out."""


class UnguardedPaid(Shop):
    """Every news of money sells the places once more."""

    def capture(self, payment: Any, session: Session) -> None:
        super().capture(payment, session)
        if payment["state"] == "captured":
            for line in self.lines(payment["booking_id"]):
                sold = "UPDATE ticket_types SET held = held - ?, sold = sold + ? WHERE id = ?"
                self.change(sold, line["qty"], line["qty"], line["ticket_type_id"])


class KeyPerBooking(Shop):
    """A second attempt uses the key of the first."""

    def creation_key(self, payment: Any) -> str:
        return f"cs:{payment['booking_id']}"


class FreshExpiry(Shop):
    """A repeated creation is sent with new parameters, and nobody looks for the first."""

    def resolve(self, payment: Any) -> None:
        with self.writing():
            self.change("UPDATE payments SET expires_at = ? WHERE id = ?", self.now + SESSION, payment["id"])
        self.create(payment["id"])


class SeqIds(Shop):
    """Ids count up, so that a restored database gives some of them, and their keys, a second time."""

    def new_id(self, table: str) -> int:
        return int(self.value(f"SELECT COALESCE(MAX(id), 0) + 1 FROM {table}"))


class NoOrphans(Shop):
    """Sessions that nobody here knows are left alone."""

    def find_orphans(self) -> None:
        """Left out."""


class ShortPromise(Shop):
    """Pay shortens the hold to its own, nearer minute."""

    def start_paying(self, booking_id: int) -> bool:
        started = super().start_paying(booking_id)
        if started:
            self.change(
                "UPDATE bookings SET held_until = ? WHERE id = ? AND held_until > ?", *(self.now + 60, booking_id, self.now + 60)
            )
        return started


class ReleaseWhileOpen(Shop):
    """The buyer's places go back at once, while the payment page stays open."""

    def release(self, booking_id: int) -> None:
        with self.writing():
            if self.move("bookings", booking_id, "released", out_of=("held", "paying")):
                self.give_back(booking_id)


class TicketTwice(Shop):
    """A ticket that is void already is paid back again."""

    def take_back_one(self, line: Any, n: int) -> bool:
        super().take_back_one(line, n)
        return True


class LimitKept(Shop):
    """A ticket that was given back goes on counting towards the buyer's limit."""

    def take_back_one(self, line: Any, n: int) -> bool:
        taken = super().take_back_one(line, n)
        if taken:
            self.claim(self.get("bookings", line["booking_id"])["buyer_key"], 1)
        return taken


class DisputeIgnored(Shop):
    """What the buyer's bank takes is not written down."""

    def dispute_seen(self, intent: Intent) -> None:
        """Left out."""


class OrphanOnce(Shop):
    """An orphan whose money was sent back is never looked at again, though banks send refunds back."""

    def close_orphan(self, session_id: str) -> None:
        if self.value("SELECT state FROM orphans WHERE id = ?", session_id) != "closed":
            super().close_orphan(session_id)


class RuleOnTrigger(Shop):
    """A failed refund frees its sum and nobody sends it again: the money rule runs nowhere but at a capture."""

    def set_all_right(self) -> None:
        """Left out."""

    def refund_seen(self, found: Any) -> None:
        rule, self.set_right = self.set_right, lambda booking_id: None  # type: ignore[method-assign]
        with contextlib.ExitStack() as after:
            after.callback(setattr, self, "set_right", rule)
            super().refund_seen(found)


MUTANTS: dict[str, type[Shop]] = {
    "release_first": ReleaseFirst,
    "void_on_silence": VoidOnSilence,
    "refund_no_key": RefundNoKey,
    "refund_unreserved": RefundUnreserved,
    "refund_in_transaction": RefundInTransaction,
    "expired_by_booking": ExpiredByBooking,
    "double_release": DoubleRelease,
    "trust_return": TrustReturn,
    "price_now": PriceNow,
    "no_reconcile": NoReconcile,
    "dedupe_first": DedupeFirst,
    "unguarded_paid": UnguardedPaid,
    "key_per_booking": KeyPerBooking,
    "fresh_expiry": FreshExpiry,
    "seq_ids": SeqIds,
    "no_orphans": NoOrphans,
    "short_promise": ShortPromise,
    "release_while_open": ReleaseWhileOpen,
    "ticket_twice": TicketTwice,
    "limit_kept": LimitKept,
    "dispute_ignored": DisputeIgnored,
    "orphan_once": OrphanOnce,
    "rule_on_trigger": RuleOnTrigger,
}
