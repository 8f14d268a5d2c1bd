"""The whole shop: what it hears, and what it does again and again so that nothing stays as it should not."""

import contextlib
from collections.abc import Callable
from typing import Any

from tests.simulation.model.bookings import MINUTE
from tests.simulation.model.refunds import Refunds
from tests.simulation.model.stripe import DAY, StripeRefused, StripeSilent, Told

ANSWERED_WITHIN = 2 * MINUTE
LIVE = ("held", "paying", "processing", "paid")


class Shop(Refunds):
    # Whether everything comes right although Stripe's notices get lost.
    is_alive_without_notices = True

    def call_off(self) -> None:
        """Only the event changes; holds and captures see it at once, the sweep winds the bookings down."""
        with self.writing():
            self.change("UPDATE events SET state = 'called_off'")

    def note(self, told: Told) -> None:
        """A notice is written down first, and done only when it is done."""
        with self.writing():
            self.change("INSERT INTO notices (id) VALUES (?) ON CONFLICT DO NOTHING", told.id)
            is_done = self.value("SELECT done FROM notices WHERE id = ?", told.id)
        if is_done:
            return
        self.handle(told)
        with self.writing():
            self.change("UPDATE notices SET done = 1 WHERE id = ?", told.id)

    def handle(self, told: Told) -> None:
        """What a notice says is a hint about what to ask Stripe now."""
        if told.kind.startswith("checkout.session."):
            self.converge(told.about)
        elif told.kind.startswith("charge.dispute."):
            self.dispute_seen(self.look("intent", told.about))
        else:
            self.refund_seen(self.look("refund", told.about))

    def sweep(self) -> None:
        """Every sweep of the worker once; each item is its own step, and one that fails does not stop the others."""
        self.expire_lapsed()
        self.resolve_creating()
        self.close_due()
        self.wind_down()
        self.set_all_right()
        self.send_refunds()
        self.find_orphans()
        self.follow_refunds()
        self.read_notices()

    def each(self, items: list[Any], step: Callable[[Any], None]) -> None:
        for item in items:
            with contextlib.suppress(StripeSilent, StripeRefused):
                step(item)

    def resolve_creating(self) -> None:
        silent = self.rows("SELECT * FROM payments WHERE state = 'creating' AND created_at < ?", self.now - ANSWERED_WITHIN)
        self.each(silent, self.resolve)

    def close_due(self) -> None:
        """Payments whose minute is over are closed at Stripe, or turn out to be paid."""
        late = self.rows("SELECT session_id FROM payments WHERE state = 'open' AND pay_until <= ?", self.now)
        self.each(late, lambda payment: self.close(payment["session_id"]))
        waiting = self.rows("SELECT session_id FROM payments WHERE state = 'processing'")
        self.each(waiting, lambda payment: self.converge(payment["session_id"]))

    def wind_down(self) -> None:
        """Bookings of a called-off event. While a buyer pays, only Stripe can say that no money comes."""
        if self.sells():
            return
        for booking in self.rows(f"SELECT id, state FROM bookings WHERE state IN {LIVE}"):
            with self.writing():
                if booking["state"] in ("paying", "processing"):
                    self.end_payment_soon(booking["id"])
                elif booking["state"] == "held":
                    self.end(booking["id"], "called_off")
                elif self.take_back(booking["id"], "called_off"):
                    self.set_right(booking["id"])

    def set_all_right(self) -> None:
        """The money rule is a sweep too: what a trigger has missed is found here."""
        for booking in self.rows("SELECT DISTINCT booking_id FROM payments WHERE captured_minor > 0"):
            with self.writing():
                self.set_right(booking["booking_id"])

    def send_refunds(self) -> None:
        due = self.rows("SELECT id FROM refunds WHERE state = 'requested' AND origin = 'app'")
        self.each(due, lambda refund: self.send(refund["id"]))

    def find_orphans(self) -> None:
        """Every session of the last days must be known here. Closed ones are looked at again: banks send refunds back."""

        def compare(since: int) -> None:
            known = {row[0] for row in self.rows("SELECT session_id FROM payments")}
            self.each([found.id for found in self.look("sessions_since", since) if found.id not in known], self.converge)

        self.each([self.now - 3 * DAY], compare)
        self.each(self.rows("SELECT id FROM orphans"), lambda orphan: self.close_orphan(orphan["id"]))

    def follow_refunds(self) -> None:
        pending = self.rows("SELECT stripe_refund_id FROM refunds WHERE state = 'pending'")
        self.each(pending, lambda refund: self.refund_seen(self.look("refund", refund["stripe_refund_id"])))

    def read_notices(self) -> None:
        """What Stripe has told, delivered or not, from where we last stopped; one that fails is where we stop."""
        with contextlib.suppress(StripeSilent, StripeRefused):
            for told in self.look("told_since", self.value("SELECT position FROM cursors")):
                self.note(told)
                with self.writing():
                    self.change("UPDATE cursors SET position = MAX(position, ?)", int(told.id.removeprefix("evt_")) + 1)
