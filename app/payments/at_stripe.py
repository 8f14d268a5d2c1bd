"""What Stripe has and says, as small frozen values. Amounts are in minor units."""

from dataclasses import dataclass, field

from app.core.settings import settings


@dataclass(frozen=True)
class Session:
    """A Checkout Session as Stripe described it now. `shop` is the address of the shop that made it."""

    id: str
    status: str
    payment_status: str
    amount_minor: int
    currency: str
    payment_id: str
    payment_intent: str | None
    url: str
    shop: str = ""
    bank_refused: bool = False

    @property
    def is_ours(self) -> bool:
        """Several shops may share one account at Stripe."""
        return self.shop == settings().base_url

    @property
    def is_paid(self) -> bool:
        return self.status == "complete" and self.payment_status != "unpaid"


@dataclass(frozen=True)
class StripeRefund:
    """A refund at Stripe. `refund_id` is ours when we asked for it, else empty."""

    id: str
    status: str
    amount_minor: int
    refund_id: str

    @property
    def has_failed(self) -> bool:
        return self.status in ("failed", "canceled")


@dataclass(frozen=True)
class Dispute:
    """The buyer's bank asks for the money back. `status` is open, won or lost."""

    id: str
    status: str
    amount_minor: int
    payment_intent: str


@dataclass(frozen=True)
class BalanceLine:
    """Money that came or went on the account at Stripe. `kind` is charge, refund, refund_failure or adjustment.

    `source_id` is the charge, refund or dispute behind it; the amount is the source's, never negative.
    """

    id: str
    kind: str
    source_id: str
    payment_intent: str
    amount_minor: int


@dataclass(frozen=True)
class Account:
    """Whose key ours is. `charges` says whether the account may take money, `live` whether the key moves real money."""

    id: str
    name: str
    charges: bool
    live: bool


@dataclass(frozen=True)
class Endpoint:
    """Where Stripe tells us what happened. `is_whole`: it is on and tells all we need. `secret` is known only at its making."""

    id: str
    is_whole: bool
    secret: str = field(default="", repr=False)


@dataclass(frozen=True)
class Told:
    """What Stripe says happened, verified. `object_id` and `payment_intent` are hints, empty when it means nothing to us."""

    id: str
    kind: str
    object_id: str
    payment_intent: str
    live: bool
