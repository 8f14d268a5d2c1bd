"""The claim on places: hold, extend, give back, lapse, become tickets, be taken back. All inside the caller's transaction."""

import sqlite3
from typing import Any

from app.bookings.models import HOLDING
from tests.simulation.model.store import Store

MINUTE = 60
HOLD, EXTENSION, MOST_EXTENSIONS = 15 * MINUTE, 10 * MINUTE, 3


class NotPossible(Exception):
    """A refusal: the whole transaction is undone, and the buyer is told why."""


class Bookings(Store):
    """Counters of places, limits and codes change only here, by guarded statements."""

    def event(self) -> Any:
        return self.row("SELECT * FROM events")

    def sells(self) -> bool:
        return bool(self.event()["state"] == "published")

    def lines(self, booking_id: int) -> list[Any]:
        return self.rows("SELECT * FROM booking_lines WHERE booking_id = ? ORDER BY ticket_type_id", booking_id)

    # What the buyer does

    def hold(self, buyer: str, wanted: dict[int, int]) -> int | None:
        """Takes all the wanted places (by ticket type) or none. A purchase replaces the buyer's earlier hold."""
        try:
            with self.writing():
                return self._hold(buyer, wanted)
        except NotPossible:
            return None

    def _hold(self, buyer: str, wanted: dict[int, int]) -> int:
        event = self.event()
        if event["state"] != "published":
            raise NotPossible
        in_presale = self.now < event["sale_from"]
        types = [self.get("ticket_types", type_id) for type_id in sorted(wanted)]
        first = self.row("SELECT id FROM bookings WHERE state = 'held' AND kind = 'purchase' AND buyer_key = ?", buyer)
        if first and not in_presale:
            self.end(first["id"], "released")
        for kind in types:
            self._take(kind["id"], wanted[kind["id"]], in_presale=in_presale)
        self.claim(buyer, sum(wanted.values()))
        total = sum(kind["price_minor"] * wanted[kind["id"]] for kind in types)
        until = self.now + (event["presale_seconds"] if in_presale else HOLD)
        booking_id = self.new_id("bookings")
        self.change(
            "INSERT INTO bookings (id, kind, state, buyer_key, created_at, held_until, total_minor) "
            "VALUES (?, ?, 'held', ?, ?, ?, ?)",
            *(booking_id, "presale" if in_presale else "purchase", buyer, self.now, until, total),
        )
        for kind in types:
            code = self._use_code(kind) if in_presale and kind["needs_code"] else None
            self.change(
                "INSERT INTO booking_lines (id, booking_id, ticket_type_id, qty, unit_minor, in_presale, access_code_id) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                *(
                    self.new_id("booking_lines"),
                    booking_id,
                    kind["id"],
                    wanted[kind["id"]],
                    kind["price_minor"],
                    int(in_presale),
                    code,
                ),
            )
        return booking_id

    def extend(self, booking_id: int) -> bool:
        """More time, counted from the present end, three times at most."""
        with self.writing():
            return bool(
                self.change(
                    "UPDATE bookings SET held_until = held_until + ?, extensions = extensions + 1 "
                    "WHERE id = ? AND state = 'held' AND kind = 'purchase' AND held_until > ? AND extensions < ?",
                    *(EXTENSION, booking_id, self.now, MOST_EXTENSIONS),
                )
            )

    def fill_in(self, booking: Any) -> None:
        """The buyer gives an address: the limit counts by it from now on, and no longer by the browser."""
        if booking["buyer_key"].startswith("browser:"):
            places = sum(line["qty"] for line in self.lines(booking["id"]))
            mail = booking["buyer_key"].replace("browser:", "mail:")
            self.claim(mail, places)
            self.unclaim(booking["buyer_key"], places)
            self.change("UPDATE bookings SET buyer_key = ? WHERE id = ?", mail, booking["id"])

    # How a hold goes on

    def start_paying(self, booking_id: int) -> bool:
        return self.move("bookings", booking_id, "paying", out_of=("held",), when=f"held_until > {self.now}")

    def stop_paying(self, booking_id: int) -> None:
        """The attempt ended without money: the places stay held until the promised minute, or go back now."""
        if self.move("bookings", booking_id, "held", out_of=("paying", "processing")):
            self.lapse(booking_id)

    def lapse(self, booking_id: int) -> bool:
        booking = self.get("bookings", booking_id)
        return booking["held_until"] <= self.now and self.end(booking_id, "expired")

    def end(self, booking_id: int, to: str) -> bool:
        """held → one of the ends, and everything the hold had taken goes back."""
        if not self.move("bookings", booking_id, to, out_of=("held",)):
            return False
        self.give_back(booking_id)
        return True

    def give_back(self, booking_id: int) -> None:
        lines = self.lines(booking_id)
        for line in lines:
            of_presale = line["qty"] if line["in_presale"] else 0
            self.change(
                "UPDATE ticket_types SET held = held - ?, presale_taken = presale_taken - ? WHERE id = ?",
                *(line["qty"], of_presale, line["ticket_type_id"]),
            )
        self.unuse_codes(lines)
        self.unclaim(self.get("bookings", booking_id)["buyer_key"], sum(line["qty"] for line in lines))

    def expire_lapsed(self) -> None:
        """The sweep over holds whose minute is over, one short transaction each."""
        for booking in self.rows("SELECT id FROM bookings WHERE state = 'held' AND held_until <= ?", self.now):
            with self.writing():
                self.lapse(booking["id"])

    # How it becomes tickets, and stops being them

    def settle(self, booking_id: int) -> bool:
        """A held booking becomes paid and its tickets exist. False when it was not held any more."""
        booking = self.get("bookings", booking_id)
        values = {"paid_at": self.now, "kept_minor": booking["total_minor"]}
        if not self.move("bookings", booking_id, "paid", out_of=HOLDING, values=values):
            return False
        for line in self.lines(booking_id):
            self.change(
                "UPDATE ticket_types SET held = held - ?, sold = sold + ? WHERE id = ?",
                *(line["qty"], line["qty"], line["ticket_type_id"]),
            )
        self._issue(booking_id)
        self.tally["paid"] += 1
        return True

    def settle_late(self, booking_id: int) -> bool:
        """Money came after the hold was over: paid if the places can be taken again, else nothing at all."""
        booking, lines = self.get("bookings", booking_id), self.lines(booking_id)
        if not self.sells():
            return False
        self.db.execute("SAVEPOINT late")
        values = {"paid_at": self.now, "kept_minor": booking["total_minor"]}
        fits = self.move("bookings", booking_id, "paid", out_of=("expired",), values=values)
        for line in lines:
            sell = "UPDATE ticket_types SET sold = sold + ? WHERE id = ? AND held + sold + ? <= capacity"
            fits = fits and self.change(sell, line["qty"], line["ticket_type_id"], line["qty"]) == 1
        try:
            if not fits:
                raise NotPossible
            self.claim(booking["buyer_key"], sum(line["qty"] for line in lines))
        except NotPossible:
            self.db.execute("ROLLBACK TO late")
            return False
        finally:
            self.db.execute("RELEASE late")
        self.change("UPDATE booking_lines SET in_presale = 0, access_code_id = NULL WHERE booking_id = ?", booking_id)
        self._issue(booking_id)
        self.tally["late"] += 1
        return True

    def take_back(self, booking_id: int, to: str, *, kept_minor: int = 0) -> bool:
        """A paid booking ends: its tickets are void, its places free; only the fee is kept. False when it was not paid."""
        if not self.move("bookings", booking_id, to, out_of=("paid",), values={"kept_minor": kept_minor}):
            return False
        lines = self.lines(booking_id)
        for line in lines:
            places = line["qty"] - line["returned"]
            of_presale = places if line["in_presale"] else 0
            self.change(
                "UPDATE ticket_types SET sold = sold - ?, presale_taken = presale_taken - ? WHERE id = ?",
                *(places, of_presale, line["ticket_type_id"]),
            )
            self.change("UPDATE tickets SET state = 'void' WHERE line_id = ?", line["id"])
        self.unuse_codes(lines)
        self.unclaim(self.get("bookings", booking_id)["buyer_key"], sum(line["qty"] - line["returned"] for line in lines))
        return True

    def take_back_one(self, line: Any, n: int) -> bool:
        """One ticket becomes void and its place free; False when somebody was faster."""
        valid = "UPDATE tickets SET state = 'void' WHERE line_id = ? AND n = ? AND state = 'valid'"
        if self.change(valid, line["id"], n) != 1:
            return False
        self.change("UPDATE booking_lines SET returned = returned + 1 WHERE id = ?", line["id"])
        self.change(
            "UPDATE ticket_types SET sold = sold - 1, presale_taken = presale_taken - ? WHERE id = ?",
            *(line["in_presale"], line["ticket_type_id"]),
        )
        self.unclaim(self.get("bookings", line["booking_id"])["buyer_key"], 1)
        return True

    def _issue(self, booking_id: int) -> None:
        for line in self.lines(booking_id):
            for n in range(1, line["qty"] + 1):
                self.change("INSERT INTO tickets (line_id, n, state) VALUES (?, ?, 'valid')", line["id"], n)
        self.change("INSERT INTO activities (kind, booking_id) VALUES ('booking.paid', ?)", booking_id)

    # The counters

    def _take(self, type_id: int, qty: int, *, in_presale: bool) -> None:
        """A guard that fails ends lapsed holds of that type first and tries once more."""
        if self._fits(type_id, qty, in_presale=in_presale):
            return
        lapsed = self.rows(
            "SELECT b.id FROM bookings b JOIN booking_lines l ON l.booking_id = b.id "
            "WHERE l.ticket_type_id = ? AND b.state = 'held' AND b.held_until <= ?",
            *(type_id, self.now),
        )
        for booking in lapsed:
            self.lapse(booking["id"])
        if not self._fits(type_id, qty, in_presale=in_presale):
            raise NotPossible

    def _fits(self, type_id: int, qty: int, *, in_presale: bool) -> bool:
        of_presale = qty if in_presale else 0
        take = (
            "UPDATE ticket_types SET held = held + ?, presale_taken = presale_taken + ? WHERE id = ? "
            "AND held + sold + ? <= capacity AND (? = 0 OR presale_places IS NULL OR presale_taken + ? <= presale_places)"
        )
        return self.change(take, qty, of_presale, type_id, qty, of_presale, of_presale) == 1

    def claim(self, buyer: str, qty: int) -> None:
        """Counts towards the buyer's limit; the first row is held back by its CHECK, the next by the guard."""
        most = self.event()["per_buyer"]
        try:
            counted = self.change(
                "INSERT INTO buyer_limits VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET qty = qty + ? WHERE qty + ? <= max_qty",
                *(buyer, qty, most, qty, qty),
            )
        except sqlite3.IntegrityError:
            counted = 0
        if counted != 1:
            raise NotPossible

    def unclaim(self, buyer: str, qty: int) -> None:
        self.change("UPDATE buyer_limits SET qty = qty - ? WHERE buyer_key = ?", qty, buyer)

    def _use_code(self, kind: Any) -> int:
        """A type that asks for a code has one, of the same id. A booking uses it once."""
        if self.change("UPDATE access_codes SET used = used + 1 WHERE id = ? AND used < max_uses", kind["id"]) != 1:
            raise NotPossible
        return int(kind["id"])

    def unuse_codes(self, lines: list[Any]) -> None:
        for code_id in {line["access_code_id"] for line in lines if line["access_code_id"]}:
            self.change("UPDATE access_codes SET used = used - 1 WHERE id = ?", code_id)
