"""The Stripe stand-in: what its sessions, payments, refunds and events do.

HTTP is in stripe_api.py, the payment page in pay_pages.py, the delivery of webhooks in webhooks.py.
Every verb first lets the clock catch up (`tick`), so a session is expired from its very second on, whoever asks.
"""

import asyncio
import secrets
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import stripe

from app.core import clock
from app.core.money import money
from app.sandbox.faults import Faults
from app.sandbox.stripe_shapes import Doc, StripeError, blank
from app.sandbox.stripe_state import State

HALF_HOUR, DAY = 30 * 60, 24 * 3600
LEAST_AMOUNT, MOST_AMOUNT = 50, 99_999_999
REFUND_REASONS = ("duplicate", "fraudulent", "requested_by_customer")
COPIED = ("success_url", "cancel_url", "client_reference_id", "customer_email", "locale")
EXPANDABLE = {"payment_intent", "line_items"}

Outcome = Literal["paid", "later", "never"]


class FakeStripe:
    """One merchant's account. `settle_after` is how many seconds a bank takes to confirm a payment that is not instant."""

    def __init__(self, path: Path, *, base_url: str, api_key: str, faults: Faults, settle_after: float = 10) -> None:
        self.state = State(path)
        self.base_url = base_url
        self.api_key = api_key
        self.faults = faults
        self.settle_after = settle_after
        self.news = asyncio.Event()
        self.in_flight: set[str] = set()

    # Checkout sessions

    def create_session(self, params: Doc) -> Doc:
        """A new open session from checked parameters. Raises StripeError."""
        now = _seconds()
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
        labels = [params["status"]] if "status" in params else []
        return self._list("session", "/v1/checkout/sessions", params, labels=labels, parent=params.get("payment_intent"))

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
            self._emit("checkout.session.completed", self.shown(session))
            if outcome == "paid":
                self._emit("payment_intent.succeeded", intent)
            else:
                self.state.remind(session_id, at=clock.now().timestamp() + self.settle_after, what=outcome)
        return self.shown(session)

    # Payment intents, refunds, events

    def intent(self, intent_id: str, params: Doc) -> Doc:
        return self.shown(self._found("payment_intent", intent_id), params)

    def create_refund(self, params: Doc) -> Doc:
        """Money goes back at once. Raises StripeError when there is nothing to refund or less than was asked."""
        if "payment_intent" not in params:
            raise StripeError("One of the following params should be provided for this request: payment_intent or charge.")
        if params.get("reason", REFUND_REASONS[0]) not in REFUND_REASONS:
            raise StripeError(f"Invalid reason: must be one of {', '.join(REFUND_REASONS)}", param="reason")
        intent = self._found("payment_intent", params["payment_intent"])
        amount = self._refundable(intent, params.get("amount"))
        refund = blank(stripe.Refund) | {
            "id": f"re_{secrets.token_hex(12)}",
            "object": "refund",
            "amount": amount,
            "charge": intent["latest_charge"],
            "created": _seconds(),
            "currency": intent["currency"],
            "metadata": params.get("metadata") or {},
            "payment_intent": intent["id"],
            "reason": params.get("reason"),
            "status": "succeeded",
        }
        with self.state.together():
            self.state.add("refund", refund, label="succeeded", parent=intent["id"])
            self._emit("refund.created", refund)
        return refund

    def change_refund(self, refund_id: str, *, status: Literal["pending", "succeeded", "failed"]) -> Doc:
        """For tests: the bank has another word about a refund, even after "succeeded"."""
        refund = self._found("refund", refund_id)
        refund |= {"status": status, "failure_reason": "lost_or_stolen_card" if status == "failed" else None}
        with self.state.together():
            self.state.save(refund, label=status)
            self._emit("refund.failed" if status == "failed" else "refund.updated", refund)
        return refund

    def refund(self, refund_id: str, params: Doc) -> Doc:
        return self.shown(self._found("refund", refund_id), params)

    def refunds(self, params: Doc) -> Doc:
        return self._list("refund", "/v1/refunds", params, parent=params.get("payment_intent"))

    def event(self, event_id: str, params: Doc) -> Doc:
        return self.shown(self._found("event", event_id), params)

    def events(self, params: Doc) -> Doc:
        labels = [params["type"]] if "type" in params else params.get("types", [])
        return self._list("event", "/v1/events", params, labels=labels)

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
        self._emit("checkout.session.expired", self.shown(session))

    def _settle(self, session: Doc, *, paid: bool) -> None:
        self.state.forget(session["id"])
        intent = self.state.find("payment_intent", session["payment_intent"]) or {}
        if paid:
            session["payment_status"] = "paid"
            intent |= {"status": "succeeded", "amount_received": intent["amount"], "latest_charge": f"ch_{secrets.token_hex(12)}"}
        else:
            error = {"type": "card_error", "code": "payment_intent_payment_attempt_failed"}
            intent |= {"status": "requires_payment_method", "last_payment_error": error}
        self.state.save(session, label="complete")
        self.state.save(intent, label=intent["status"])
        self._emit(f"checkout.session.async_payment_{'succeeded' if paid else 'failed'}", self.shown(session))
        self._emit(f"payment_intent.{'succeeded' if paid else 'payment_failed'}", intent)

    # Helpers

    def shown(self, doc: Doc, params: Doc | None = None) -> Doc:
        """The object as the world sees it, with what the caller wants expanded."""
        wanted = {name.removeprefix("data.").split(".")[0] for name in (params or {}).get("expand", [])}
        seen = {name: value for name, value in doc.items() if name[0] != "_"}
        if doc["object"] == "event":
            return seen | {"pending_webhooks": self.state.pending(doc["id"])}
        if doc["object"] != "checkout.session":
            return seen
        if wanted - EXPANDABLE:
            raise StripeError(f"This property cannot be expanded ({min(wanted - EXPANDABLE)}).", param="expand")
        items = seen.pop("line_items")
        if "line_items" in wanted:
            url = f"/v1/checkout/sessions/{doc['id']}/line_items"
            seen["line_items"] = {"object": "list", "data": items, "has_more": False, "url": url}
        if "payment_intent" in wanted and doc["payment_intent"]:
            seen["payment_intent"] = self.state.find("payment_intent", doc["payment_intent"])
        return seen | {"url": f"{self.base_url}/sandbox/pay/{doc['id']}" if doc["status"] == "open" else None}

    def _found(self, kind: str, wanted: str) -> Doc:
        self.tick()
        doc = self.state.find(kind, wanted)
        if doc is None:
            name = "checkout.session" if kind == "session" else kind
            raise StripeError(f"No such {name}: '{wanted}'", status=404, code="resource_missing", param="id")
        return doc

    def _list(self, kind: str, url: str, params: Doc, *, labels: list[str] | None = None, parent: str | None = None) -> Doc:
        self.tick()
        if not 1 <= params.get("limit", 10) <= 100:
            raise StripeError("Invalid limit: must be from 1 to 100", code="parameter_invalid_integer", param="limit")
        for cursor in ("starting_after", "ending_before"):
            if cursor in params:
                self._found(kind, params[cursor])
        docs, more = self.state.page(kind, params=params, labels=labels or [], parent=parent)
        return {"object": "list", "url": url, "has_more": more, "data": [self.shown(doc, params) for doc in docs]}

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
            "created": _seconds(),
            "currency": session["currency"],
            "description": data.get("description"),
            "latest_charge": f"ch_{secrets.token_hex(12)}" if paid else None,
            "livemode": False,
            "metadata": data.get("metadata") or {},
            "payment_method_types": ["card"],
            "receipt_email": data.get("receipt_email"),
            "status": status,
        }
        self.state.add("payment_intent", intent, label=status)
        return intent

    def _refundable(self, intent: Doc, wanted: int | None) -> int:
        """The amount of a new refund in minor units. Raises StripeError; for an amount too high Stripe gives no code either."""
        if intent["status"] != "succeeded":
            raise StripeError(f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.", kept=True)
        gone = sum(refund["amount"] for refund in self.state.children("refund", intent["id"]) if refund["status"] != "failed")
        left, currency = intent["amount"] - gone, intent["currency"].upper()
        if left == 0:
            sentence = f"Charge {intent['latest_charge']} has already been refunded."
            raise StripeError(sentence, code="charge_already_refunded", kept=True)
        amount = left if wanted is None else wanted
        if amount < 1:
            raise StripeError("This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount")
        if amount > left:
            asked, rest = (money(minor, currency, locale="en_US") for minor in (amount, left))
            sentence = f"Refund amount ({asked}) is greater than unrefunded amount on charge ({rest})"
            raise StripeError(sentence, param="amount", kept=True)
        return amount

    def _emit(self, name: str, doc: Doc) -> None:
        event = blank(stripe.Event) | {
            "id": f"evt_{secrets.token_hex(12)}",
            "object": "event",
            "api_version": stripe.api_version,
            "created": _seconds(),
            "data": {"object": doc},
            "livemode": False,
            "request": {"id": None, "idempotency_key": None},
            "type": name,
        }
        self.state.add("event", event, label=name)
        self.state.dispatch(event["id"], copies=self.faults.duplicates)
        self.news.set()


def _seconds() -> int:
    return int(clock.now().timestamp())


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
