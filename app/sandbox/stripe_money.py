"""Where the money of the Stripe stand-in is: charges, refunds, disputes, and the balance that has a line for each of them."""

import secrets
from typing import Literal

import stripe

from app.core.money import money
from app.sandbox.stripe_account import seconds
from app.sandbox.stripe_endpoints import Endpoints
from app.sandbox.stripe_shapes import Doc, StripeError, blank

REFUND_REASONS = ("duplicate", "fraudulent", "requested_by_customer")
# Stripe keeps something of what comes in, so whoever compares with `net` instead of `amount` sees a difference.
FEE_MINOR, FEE_PERMILLE, DISPUTE_FEE_MINOR = 25, 15, 2000


class Money(Endpoints):
    """What happens to money once a buyer has paid. Every verb raises StripeError for what Stripe would refuse."""

    # Refunds

    def create_refund(self, params: Doc) -> Doc:
        """Money goes back at once. Raises StripeError when there is nothing to refund or less than was asked."""
        if "payment_intent" not in params:
            raise StripeError("One of the following params should be provided for this request: payment_intent or charge.")
        if params.get("reason", REFUND_REASONS[0]) not in REFUND_REASONS:
            raise StripeError(f"Invalid reason: must be one of {', '.join(REFUND_REASONS)}", param="reason")
        intent = self._found("payment_intent", params["payment_intent"])
        refund = self._add_refund(
            intent, params.get("amount"), metadata=params.get("metadata") or {}, reason=params.get("reason")
        )
        return self.shown(refund, params)

    def refund_elsewhere(self, payment_intent: str, amount: int | None = None) -> Doc:
        """For tests: a refund in Stripe's dashboard, with nothing of the shop's on it. No amount means all that is left."""
        intent = self._found("payment_intent", payment_intent)
        return self._add_refund(intent, amount, metadata={}, reason="requested_by_customer")

    def change_refund(self, refund_id: str, *, status: Literal["pending", "succeeded", "failed"]) -> Doc:
        """For tests: the bank has another word about a refund, even after "succeeded". What failed can be refunded again."""
        refund = self._found("refund", refund_id)
        if refund["status"] == "failed":
            raise StripeError("A refund that has failed stays so.")
        with self.state.together():
            refund["status"] = status
            if status == "succeeded" and not refund["balance_transaction"]:
                refund["balance_transaction"] = self._book("refund", refund, amount=-refund["amount"])
            if status == "failed":
                refund["failure_reason"] = "lost_or_stolen_card"
                if refund["balance_transaction"]:
                    refund["failure_balance_transaction"] = self._book("refund_failure", refund, amount=refund["amount"])
                self._refunded(refund, amount=-refund["amount"])
            self.state.save(refund, label=status)
            self._emit("refund.failed" if status == "failed" else "refund.updated", refund)
        return refund

    def refund(self, refund_id: str, params: Doc) -> Doc:
        return self.shown(self._found("refund", refund_id), params)

    def refunds(self, params: Doc) -> Doc:
        return self._list("refund", "/v1/refunds", params, parent="payment_intent")

    def _add_refund(self, intent: Doc, wanted: int | None, *, metadata: Doc, reason: str | None) -> Doc:
        amount, status = self._refundable(intent, wanted), self.faults.refunds_start
        refund = blank(stripe.Refund) | {
            "id": f"re_{secrets.token_hex(12)}",
            "object": "refund",
            "amount": amount,
            "charge": intent["latest_charge"],
            "created": seconds(),
            "currency": intent["currency"],
            "metadata": metadata,
            "payment_intent": intent["id"],
            "pending_reason": "processing" if status == "pending" else None,
            "reason": reason,
            "status": status,
        }
        with self.state.together():
            if status == "succeeded":
                refund["balance_transaction"] = self._book("refund", refund, amount=-amount)
            charge = self._refunded(refund, amount=amount)
            self.state.add("refund", refund, label=status, parent=intent["id"])
            self._emit("refund.created", refund)
            self._emit("charge.refunded", charge)
        return refund

    def _refunded(self, refund: Doc, *, amount: int) -> Doc:
        """The refund's charge, on which so much more is refunded now, or less when a refund has failed."""
        charge = self._found("charge", refund["charge"])
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        self.state.save(charge, label=charge["status"])
        return charge

    def _refundable(self, intent: Doc, wanted: int | None) -> int:
        """The amount of a new refund in minor units. Raises StripeError; for an amount too high Stripe gives no code either."""
        if intent["status"] != "succeeded":
            raise StripeError(f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.", kept=True)
        charge, currency = self._found("charge", intent["latest_charge"]), intent["currency"].upper()
        if any(dispute["status"] != "won" for dispute in self.state.children("dispute", intent["id"])):
            sentence = f"Charge {charge['id']} has been charged back; cannot issue a refund."
            raise StripeError(sentence, code="charge_disputed", kept=True)
        left = charge["amount"] - charge["amount_refunded"]
        if left == 0:
            sentence = f"Charge {charge['id']} has already been refunded."
            raise StripeError(sentence, code="charge_already_refunded", kept=True)
        amount = left if wanted is None else wanted
        if amount < 1:
            raise StripeError("This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount")
        if amount > left:
            asked, rest = (money(minor, currency, locale="en_US") for minor in (amount, left))
            sentence = f"Refund amount ({asked}) is greater than unrefunded amount on charge ({rest})"
            raise StripeError(sentence, param="amount", kept=True)
        return amount

    # Disputes

    def dispute(self, payment_intent: str) -> Doc:
        """For tests: the buyer asks the bank for the money, and the bank takes it at once, until it has decided."""
        intent = self._found("payment_intent", payment_intent)
        amount = self._refundable(intent, None)
        dispute = blank(stripe.Dispute) | {
            "id": f"dp_{secrets.token_hex(12)}",
            "object": "dispute",
            "amount": amount,
            "balance_transactions": [],
            "charge": intent["latest_charge"],
            "created": seconds(),
            "currency": intent["currency"],
            "is_charge_refundable": False,
            "livemode": False,
            "metadata": {},
            "payment_intent": intent["id"],
            "reason": "fraudulent",
            "status": "needs_response",
        }
        charge = self._found("charge", intent["latest_charge"]) | {"disputed": True}
        with self.state.together():
            self._book("adjustment", dispute, amount=-amount, fee=DISPUTE_FEE_MINOR)
            self.state.save(charge, label=charge["status"])
            self.state.add("dispute", dispute, label=dispute["status"], parent=intent["id"])
            self._emit("charge.dispute.created", dispute)
        return dispute

    def close_dispute(self, dispute_id: str, *, won: bool) -> Doc:
        """For tests: the bank has decided. Won means that the shop has its money again."""
        dispute = self._found("dispute", dispute_id)
        if dispute["status"] != "needs_response":
            raise StripeError("This dispute is already closed.")
        with self.state.together():
            dispute["status"] = "won" if won else "lost"
            if won:
                self._book("adjustment", dispute, amount=dispute["amount"])
            self.state.save(dispute, label=dispute["status"])
            self._emit("charge.dispute.closed", dispute)
        return dispute

    def found_dispute(self, dispute_id: str, params: Doc) -> Doc:
        return self.shown(self._found("dispute", dispute_id), params)

    # Charges and the balance

    def charge(self, charge_id: str, params: Doc) -> Doc:
        return self.shown(self._found("charge", charge_id), params)

    def balance_transaction(self, transaction_id: str, params: Doc) -> Doc:
        return self.shown(self._found("balance_transaction", transaction_id), params)

    def balance_transactions(self, params: Doc) -> Doc:
        return self._list("balance_transaction", "/v1/balance_transactions", params, labels=("type",), parent="source")

    def _add_charge(self, intent: Doc) -> str:
        """The id of a new charge: the money of this intent is there."""
        charge = blank(stripe.Charge) | {
            "id": f"ch_{secrets.token_hex(12)}",
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": intent["amount"],
            "amount_refunded": 0,
            "captured": True,
            "created": seconds(),
            "currency": intent["currency"],
            "description": intent["description"],
            "disputed": False,
            "livemode": False,
            "metadata": intent["metadata"],
            "paid": True,
            "payment_intent": intent["id"],
            "receipt_email": intent["receipt_email"],
            "refunded": False,
            "status": "succeeded",
        }
        fee = FEE_MINOR + charge["amount"] * FEE_PERMILLE // 1000
        charge["balance_transaction"] = self._book("charge", charge, amount=charge["amount"], fee=fee)
        self.state.add("charge", charge, label=charge["status"], parent=intent["id"])
        return str(charge["id"])

    def _book(self, kind: str, source: Doc, *, amount: int, fee: int = 0) -> str:
        """The id of a new line in the balance: so much came in, or went out when negative, because of the source."""
        transaction = blank(stripe.BalanceTransaction) | {
            "id": f"txn_{secrets.token_hex(12)}",
            "object": "balance_transaction",
            "amount": amount,
            "available_on": seconds(),
            "balance_type": "payments",
            "created": seconds(),
            "currency": source["currency"],
            "fee": fee,
            "fee_details": [],
            "net": amount - fee,
            "reporting_category": "dispute" if kind == "adjustment" else kind,
            "source": source["id"],
            "status": "available",
            "type": kind,
        }
        self.state.add("balance_transaction", transaction, label=kind, parent=source["id"])
        if kind == "adjustment":
            source["balance_transactions"].append(transaction)
        return str(transaction["id"])
