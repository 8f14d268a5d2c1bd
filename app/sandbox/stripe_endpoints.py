"""The endpoints of the Stripe stand-in: who wants to be told, of what, and with which secret that is signed."""

import secrets
from typing import NotRequired

import stripe
from pydantic import ConfigDict
from stripe.params import WebhookEndpointUpdateParams

from app.sandbox.stripe_account import Account, seconds
from app.sandbox.stripe_shapes import Doc, StripeError, blank


class EndpointUpdateParams(WebhookEndpointUpdateParams):
    """The SDK's type, with the one field in words that pydantic knows."""

    metadata: NotRequired[dict[str, str]]  # type: ignore[misc]


EndpointUpdateParams.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined]


class Endpoints(Account):
    """Whose account it is, and its webhook endpoints."""

    def account(self, _params: Doc) -> Doc:
        return blank(stripe.Account) | {
            "id": "acct_sandbox",
            "object": "account",
            "business_profile": {"name": "Sandbox"},
            "charges_enabled": True,
            "details_submitted": True,
            "payouts_enabled": True,
            "type": "standard",
        }

    def create_endpoint(self, params: Doc) -> Doc:
        """A new endpoint; its secret is shown this once. Raises StripeError."""
        if not str(params["url"]).startswith(("http://", "https://")):
            raise StripeError("Invalid URL: must start with http:// or https://", code="url_invalid", param="url")
        endpoint = blank(stripe.WebhookEndpoint) | {
            "id": f"we_{secrets.token_hex(12)}",
            "object": "webhook_endpoint",
            "created": seconds(),
            "enabled_events": params["enabled_events"],
            "livemode": False,
            "metadata": params.get("metadata", {}),
            "status": "enabled",
            "url": params["url"],
            "_secret": f"whsec_{secrets.token_hex(16)}",
        }
        del endpoint["secret"]
        self.state.add("webhook_endpoint", endpoint, label="enabled")
        return self.shown(endpoint) | {"secret": endpoint["_secret"]}

    def update_endpoint(self, endpoint_id: str, params: Doc) -> Doc:
        endpoint = self._found("webhook_endpoint", endpoint_id)
        for name in ("enabled_events", "url", "metadata"):
            endpoint[name] = params.get(name, endpoint[name])
        if "disabled" in params:
            endpoint["status"] = "disabled" if params["disabled"] else "enabled"
        self.state.save(endpoint, label=endpoint["status"])
        return self.shown(endpoint)

    def endpoints(self, params: Doc) -> Doc:
        return self._list("webhook_endpoint", "/v1/webhook_endpoints", params)

    def secrets_for(self, url: str) -> list[str]:
        """What is signed for this address."""
        docs, _more = self.state.page("webhook_endpoint", params={"limit": 100}, labels=["enabled"])
        return [doc["_secret"] for doc in docs if doc["url"] == url]
