"""What all objects of the Stripe stand-in have in common: they are found, listed, shown and told about.

stripe_money.py builds charges, refunds, disputes and the balance on it, and fake_stripe.py the sessions on top.
"""

import asyncio
import secrets
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import stripe

from app.core import clock
from app.sandbox.faults import Faults
from app.sandbox.stripe_shapes import Doc, StripeError, blank
from app.sandbox.stripe_state import State

# What a caller may ask to see whole instead of as an id.
EXPANDABLE = {
    "checkout.session": {"payment_intent", "line_items"},
    "payment_intent": {"latest_charge"},
    "charge": {"payment_intent", "balance_transaction"},
    "refund": {"payment_intent", "charge", "balance_transaction", "failure_balance_transaction"},
    "dispute": {"payment_intent", "charge"},
    "balance_transaction": {"source"},
}
PAGING = {"limit", "starting_after", "ending_before", "created", "delivery_success", "expand"}


class Account(ABC):
    """One merchant's objects. Without a `path` they live in memory and end with the process."""

    def __init__(self, path: Path | None, *, base_url: str, api_key: str, faults: Faults) -> None:
        self.state = State(path)
        self.base_url = base_url
        self.api_key = api_key
        self.faults = faults
        self.news = asyncio.Event()
        self.in_flight: set[str] = set()

    @abstractmethod
    def tick(self) -> None:
        """Does what the clock asks for."""

    def shown(self, doc: Doc, params: Doc | None = None) -> Doc:
        """The object as the world sees it, with what the caller wants expanded. Raises StripeError."""
        return self._expanded(doc, (params or {}).get("expand", []))

    def _expanded(self, doc: Doc, paths: Iterable[str]) -> Doc:
        """The object with what stands at these paths, such as `payment_intent.latest_charge`."""
        seen = {name: value for name, value in doc.items() if name[0] != "_"}
        if doc["object"] == "event":
            seen["pending_webhooks"] = self.state.pending(doc["id"])
        if doc["object"] == "checkout.session":
            del seen["line_items"]
            seen["url"] = f"{self.base_url}/sandbox/pay/{doc['id']}" if doc["status"] == "open" else None
        wanted: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            name, _, rest = path.partition(".")
            wanted[name] += [rest] if rest else []
        for name, inner in wanted.items():
            if name not in EXPANDABLE.get(doc["object"], ()):
                raise StripeError(f"This property cannot be expanded ({name}).", param="expand")
            if name == "line_items":
                url = f"/v1/checkout/sessions/{doc['id']}/line_items"
                seen[name] = {"object": "list", "data": doc[name], "has_more": False, "url": url}
            elif doc[name]:
                seen[name] = self._expanded(self.state.named(doc[name]), inner)
        return seen

    def _found(self, kind: str, wanted: str) -> Doc:
        self.tick()
        doc = self.state.find(kind, wanted)
        if doc is None:
            name = "checkout.session" if kind == "session" else kind
            raise StripeError(f"No such {name}: '{wanted}'", status=404, code="resource_missing", param="id")
        return doc

    def _list(self, kind: str, url: str, params: Doc, *, labels: tuple[str, ...] = (), parent: str = "") -> Doc:
        """A page of a list. `labels` and `parent` are the filters that go by those columns; there are no others."""
        self.tick()
        for name in params.keys() - PAGING - {*labels, parent}:
            raise StripeError(f"The sandbox cannot filter by {name}.", param=name)
        if not 1 <= params.get("limit", 10) <= 100:
            raise StripeError("Invalid limit: must be from 1 to 100", code="parameter_invalid_integer", param="limit")
        for cursor in ("starting_after", "ending_before"):
            if cursor in params:
                self._found(kind, params[cursor])
        expand = params.get("expand", [])
        for path in expand:
            if not path.startswith("data."):
                sentence = f"This property cannot be expanded ({path}). You may want to try expanding 'data.{path}' instead."
                raise StripeError(sentence, param="expand")
        asked = [params[name] for name in labels if name in params]
        words = [word for value in asked for word in (value if isinstance(value, list) else [value])]
        docs, more = self.state.page(kind, params=params, labels=words, parent=params.get(parent))
        data = [self._expanded(doc, [path.removeprefix("data.") for path in expand]) for doc in docs]
        return {"object": "list", "url": url, "has_more": more, "data": data}

    def _emit(self, name: str, doc: Doc) -> None:
        event = blank(stripe.Event) | {
            "id": f"evt_{secrets.token_hex(12)}",
            "object": "event",
            "api_version": stripe.api_version,
            "created": seconds(),
            "data": {"object": self.shown(doc)},
            "livemode": False,
            "request": {"id": None, "idempotency_key": None},
            "type": name,
        }
        self.state.add("event", event, label=name)
        self.state.dispatch(event["id"], copies=self.faults.duplicates)
        self.news.set()


def seconds() -> int:
    """Now, as Stripe writes it."""
    return int(clock.now().timestamp())
