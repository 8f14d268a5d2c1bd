"""The Stripe stand-in: what its sessions, payments and events do.

What happens to the money afterwards is in stripe_money.py, HTTP in stripe_api.py, the payment page in pay_pages.py and the
delivery of webhooks in webhooks.py.
Every verb first lets the clock catch up (`tick`), so a session is expired from its very second on, whoever asks.
"""

import secrets
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import stripe

from app.core import clock
from app.sandbox.faults import Faults
from app.sandbox.stripe_account import seconds
from app.sandbox.stripe_money import Money
from app.sandbox.stripe_shapes import Doc, StripeError, blank

HALF_HOUR, DAY = 30 * 60, 24 * 3600
LEAST_AMOUNT, MOST_AMOUNT = 50, 99_999_999
COPIED = ("success_url", "cancel_url", "client_reference_id", "customer_email", "locale")

Outcome = Literal["paid", "later", "never"]


class FakeStripe(Money):
    """One merchant's account. `settle_after` is how many seconds a bank takes to confirm a payment that is not instant."""

    def __init__(self, path: Path | None, *, base_url: str, api_key: str, faults: Faults, settle_after: float = 10) -> None:
        super().__init__(path, base_url=base_url, api_key=api_key, faults=faults)
        self.settle_after = settle_after

    # Checkout sessions

    def create_session(self, params: Doc) -> Doc:
        """A new open session from checked parameters. Raises StripeError."""
        now = seconds()
        items = [_line_item(item) for item in params.get("line_items", [])]
        _check_session(params, items, now)
        total = sum(item["amount_total"] for item in items)
        session = blank(stripe.checkout.Session) | {
            "id": f"cs_test_{secrets.token_hex(29)}",
            "object": "checkout.session",
            "created": now,
            "expires_at": params.get("expires_at", now + DAY),
            "status": "open",
            "payment_status": "unpaid",
            "amount_subtotal": total,
            "amount_total": total,
            "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
            "currency": items[0]["currency"],
            "mode": "payment",
            "ui_mode": "hosted_page",
            "livemode": False,
            "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
            "custom_fields": [],
            "payment_method_types": ["card"],
            "shipping_options": [],
            "line_items": items,
            "_payment_intent_data": params.get("payment_intent_data", {}),
        }
        session |= {name: params.get(name) for name in COPIED}
        session["metadata"] = params.get("metadata") or {}
        with self.state.together():
            self.state.add("session", session, label="open")
            self.state.remind(session["id"], at=session["expires_at"], what="expire")
        return self.shown(session, params)

    def session(self, session_id: str, params: Doc) -> Doc:
        return self.shown(self._found("session", session_id), params)

    def sessions(self, params: Doc) -> Doc:
        return self._list("session", "/v1/checkout/sessions", params, labels=("status",), parent="payment_intent")

    def expire_session(self, session_id: str, params: Doc) -> Doc:
        """Closes an open session: no money can come afterwards. Raises StripeError when it is not open."""
        session = self._found("session", session_id)
        if session["status"] != "open":
            raise StripeError(
                'Only Checkout Sessions with a status in ["open"] can be expired. '
                f"This Checkout Session has a status of `{session['status']}`.",
                kept=True,
            )
        with self.state.together():
            self._expire(session)
        return self.shown(session, params)

    def pay(self, session_id: str, outcome: Outcome) -> Doc:
        """The buyer pays. "later" and "never" are payments that a bank confirms or refuses after a while.

        Raises StripeError when the session is not open any more.
        """
        session = self._found("session", session_id)
        if session["status"] != "open":
            raise StripeError(f"This Checkout Session has a status of `{session['status']}`.")
        with self.state.together():
            self.state.forget(session_id)
            intent = self._add_intent(session, status="succeeded" if outcome == "paid" else "processing")
            session |= {
                "status": "complete",
                "payment_status": "paid" if outcome == "paid" else "unpaid",
                "payment_intent": intent["id"],
                "customer_details": {"email": session["customer_email"], "name": None, "address": None, "phone": None},
            }
            self.state.save(session, label="complete", parent=intent["id"])
            self._emit("checkout.session.completed", session)
            if outcome == "paid":
                self._emit("payment_intent.succeeded", intent)
            else:
                self.state.remind(session_id, at=clock.now().timestamp() + self.settle_after, what=outcome)
        return self.shown(session)

    # Payment intents and events

    def intent(self, intent_id: str, params: Doc) -> Doc:
        return self.shown(self._found("payment_intent", intent_id), params)

    def event(self, event_id: str, params: Doc) -> Doc:
        return self.shown(self._found("event", event_id), params)

    def events(self, params: Doc) -> Doc:
        return self._list("event", "/v1/events", params, labels=("type", "types"))

    # The clock

    def tick(self) -> None:
        """Does what the clock asks for: open sessions expire, banks confirm or refuse."""
        for session_id, what in self.state.due():
            session = self.state.find("session", session_id)
            with self.state.together():
                if session and what == "expire":
                    self._expire(session)
                elif session:
                    self._settle(session, paid=what == "later")

    def _expire(self, session: Doc) -> None:
        self.state.forget(session["id"])
        session["status"] = "expired"
        self.state.save(session, label="expired")
        self._emit("checkout.session.expired", session)

    def _settle(self, session: Doc, *, paid: bool) -> None:
        self.state.forget(session["id"])
        intent = self.state.find("payment_intent", session["payment_intent"]) or {}
        if paid:
            session["payment_status"] = "paid"
            intent |= {"status": "succeeded", "amount_received": intent["amount"], "latest_charge": self._add_charge(intent)}
        else:
            error = {"type": "card_error", "code": "payment_intent_payment_attempt_failed"}
            intent |= {"status": "requires_payment_method", "last_payment_error": error}
        self.state.save(session, label="complete")
        self.state.save(intent, label=intent["status"])
        self._emit(f"checkout.session.async_payment_{'succeeded' if paid else 'failed'}", session)
        self._emit(f"payment_intent.{'succeeded' if paid else 'payment_failed'}", intent)

    def _add_intent(self, session: Doc, *, status: str) -> Doc:
        data, paid = session["_payment_intent_data"], status == "succeeded"
        intent = blank(stripe.PaymentIntent) | {
            "id": f"pi_{secrets.token_hex(12)}",
            "object": "payment_intent",
            "amount": session["amount_total"],
            "amount_capturable": 0,
            "amount_received": session["amount_total"] if paid else 0,
            "capture_method": "automatic_async",
            "confirmation_method": "automatic",
            "created": seconds(),
            "currency": session["currency"],
            "description": data.get("description"),
            "latest_charge": None,
            "livemode": False,
            "metadata": data.get("metadata") or {},
            "payment_method_types": ["card"],
            "receipt_email": data.get("receipt_email"),
            "status": status,
        }
        if paid:
            intent["latest_charge"] = self._add_charge(intent)
        self.state.add("payment_intent", intent, label=status)
        return intent


def _line_item(params: Doc) -> Doc:
    """A line of a session. Prices are always given on the spot: the shop keeps no catalogue at Stripe."""
    price = params.get("price_data")
    if price is None or "unit_amount" not in price or "product_data" not in price:
        raise StripeError("A line item needs price_data with unit_amount and product_data.", param="line_items[0][price_data]")
    quantity, amount = params.get("quantity", 0), price["unit_amount"]
    if quantity < 1 or amount < 0:
        sentence = "Quantity must be 1 or more and unit_amount 0 or more."
        raise StripeError(sentence, code="parameter_invalid_integer", param="line_items")
    return blank(stripe.LineItem) | {
        "id": f"li_{secrets.token_hex(12)}",
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": amount * quantity,
        "amount_tax": 0,
        "amount_total": amount * quantity,
        "currency": price["currency"].lower(),
        "description": price["product_data"]["name"],
        "quantity": quantity,
    }


def _check_session(params: Doc, items: list[Doc], now: int) -> None:
    """What the types alone cannot say. Raises StripeError about the first rule that does not hold."""
    total = sum(item["amount_total"] for item in items)
    expires_at = params.get("expires_at", now + DAY)
    too_small = f"The Checkout Session's total amount due must add up to at least {LEAST_AMOUNT} cents"
    rules: list[tuple[bool, str, str | None, str]] = [
        ("mode" in params, "Missing required param: mode.", "parameter_missing", "mode"),
        (params.get("mode") == "payment", "Invalid mode: must be payment.", None, "mode"),
        (params.get("ui_mode", "hosted_page") == "hosted_page", "Invalid ui_mode: must be hosted_page.", None, "ui_mode"),
        (bool(items), "Missing required param: line_items.", "parameter_missing", "line_items"),
        ("success_url" in params, "Missing required param: success_url.", "parameter_missing", "success_url"),
        (_is_url(params.get("success_url")), "Not a valid URL", "url_invalid", "success_url"),
        (_is_url(params.get("cancel_url", "http://none")), "Not a valid URL", "url_invalid", "cancel_url"),
        ("@" in params.get("customer_email", "@"), "Invalid email address", "email_invalid", "customer_email"),
        (len(params.get("client_reference_id", "")) <= 200, "At most 200 characters", None, "client_reference_id"),
        (len({item["currency"] for item in items}) <= 1, "All line items must have the same currency.", None, "line_items"),
        (total >= LEAST_AMOUNT, too_small, "amount_too_small", "line_items"),
        (total <= MOST_AMOUNT, "The Checkout Session's total amount must be at most 8 digits.", "amount_too_large", "line_items"),
        (
            now + HALF_HOUR <= expires_at <= now + DAY,
            "The `expires_at` timestamp must be at least 30 minutes and at most 24 hours from Checkout Session creation.",
            None,
            "expires_at",
        ),
    ]
    for holds, sentence, code, param in rules:
        if not holds:
            raise StripeError(sentence, code=code, param=param)


def _is_url(value: Any) -> bool:
    parts = urlsplit(str(value))
    return parts.scheme in ("http", "https") and bool(parts.netloc)
