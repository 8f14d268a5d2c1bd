"""The shop of one life, its people, and a Stripe that does everything a real one may do on a bad day."""

import dataclasses
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import Visitor
from app.bookings import codes
from app.bookings.codes import PromoTerms, VoucherTerms
from app.bookings.models import AccessCode
from app.core import clock
from app.core.db import writing
from app.core.settings import Settings
from app.events.actions import quotas
from app.events.models import Event, Quota, TicketType
from app.sandbox.app import Sandbox
from app.sandbox.fake_stripe import Outcome
from tests import world

BASE_URL = "http://shop.local"
API_KEY, WEBHOOK_SECRET = "sk_test_of_the_simulation", "whsec_of_the_simulation"
CODE, PROMO, VOUCHER = "OPEN-EARLY", "SPRING", "FRIENDS"

# A Monday at noon.
BEGIN = datetime(2026, 11, 16, 12, 0, tzinfo=UTC)

SETTINGS = Settings(
    base_url=BASE_URL,
    secret_key="a-secret-key-that-only-the-simulation-knows-012345",
    stripe_api_key=API_KEY,
    stripe_api_base=f"{BASE_URL}/sandbox/stripe",
    stripe_webhook_secret=WEBHOOK_SECRET,
    worker_inside=False,
    bcrypt_cost=4,
)


@dataclass
class Scene:
    """What the world needs to know of what is on offer."""

    event_id: int
    slug: str
    manager_id: int
    kinds: dict[int, str]
    buyers: list[Visitor]


def settings_for(url: str) -> Settings:
    return dataclasses.replace(SETTINGS, database_url=url)


def made_stripe() -> Sandbox:
    """In memory: it is never restored, whatever happens to the shop."""
    return Sandbox(
        state=Path("/nonexistent"),
        base_url=BASE_URL,
        api_key=API_KEY,
        webhook_secret=WEBHOOK_SECRET,
        webhook_url=f"{BASE_URL}/webhooks/stripe",
        durable=False,
    )


async def opened(rng: random.Random) -> Scene:
    """An event of Alice's with two ticket types in one house, perhaps a pre-sale, and five buyers, two of them with an account.

    There is a promo code, and a voucher for a place or two.
    """
    now = clock.now()
    # Without any, the first sale opens an hour ago; with one, hours from now.
    sale_from = now + timedelta(hours=rng.choice([1, 6])) if rng.random() < 0.3 else now - timedelta(hours=1)
    columns: dict[str, Any] = {
        "starts_at": now + timedelta(days=rng.choice([1, 28, 28, 28])),
        "per_buyer": rng.choice([3, 4, 6]),
        "presale_hours": rng.choice([1, 4, 9]),
        "refund_hours": rng.choice([None, 0, 12, 12]),
        "refund_fee_minor": rng.choice([0, 0, 300]),
        # Offers go through a whole line before the life is over.
        "offer_hours": 1,
    }
    async with writing() as tx:
        manager, bob, carol = await world.alice(tx), await world.bob(tx), await world.carol(tx)
        event = await world.event(tx, price_minor=2500, capacity=rng.choice([3, 5, 8]), **columns)
        gallery = await world.only_type(tx, event)
        stalls = await world.ticket_type(
            tx, event, name="Stalls", price_minor=rng.choice([0, 900, 4000]), capacity=rng.choice([3, 5, 8])
        )
        for kind in (gallery, stalls):
            kind.presale_from, kind.sale_from = now - timedelta(hours=2), sale_from
            kind.presale_places, kind.needs_code = rng.choice([None, 2, 3]), rng.random() < 0.5
            tx.add(kind)
            tx.add(AccessCode(ticket_type_id=kind.id or 0, code=CODE, max_uses=3))
        await _reduced(tx, event, gallery, stalls, rng)
        buyers = [
            Visitor(user_id=one.id, email=one.email, name=one.name, role="user", key=f"browser-{one.name}")
            for one in (bob, carol)
        ] + [Visitor(key=f"browser-{number}") for number in range(3)]
        kinds = {kind.id or 0: kind.code for kind in (gallery, stalls)}
        return Scene(event.id or 0, event.slug, manager.id or 0, kinds, buyers)


async def _reduced(tx: AsyncSession, event: Event, gallery: TicketType, stalls: TicketType, rng: random.Random) -> None:
    """A house that is smaller than its types, a lower price for some, and places that wait for a word."""
    tx.add(house := Quota(event_id=event.id or 0, name="House", capacity=rng.choice([5, 7, 9])))
    await tx.flush()
    for kind in rng.choice([[gallery, stalls], [gallery]]):
        await quotas.put_into(tx, kind, house.id)
    now, by = clock.now(), event.manager_id
    promo = PromoTerms(percent=rng.choice([10, 100]), max_uses=rng.choice([None, 2]), per_buyer=rng.choice([None, 1]))
    await codes.make_promos(tx, event, promo, word=PROMO, by=by, now=now)
    until = rng.choice([None, now + timedelta(hours=3)])
    voucher = VoucherTerms(places=rng.choice([1, 2]), unit_minor=rng.choice([None, 0, 700]), valid_until=until)
    await codes.make_vouchers(tx, event, gallery, voucher, word=VOUCHER, by=by, now=now)


class BadDay:
    """Sets loose what can go wrong at Stripe and at the banks, a little anew before every step."""

    def __init__(self, sandbox: Sandbox, rng: random.Random) -> None:
        self.faults, self.fake, self.rng = sandbox.faults, sandbox.stripe, rng
        self.webhooks = sandbox.webhooks
        self.faults.silent = True
        self.is_mute = rng.random() < 0.15
        self.rate = rng.choice([0.05, 0.2, 0.2, 0.45])
        # Stripe's SDK tries again by itself, which hides much of what the shop has to bear.
        self.repetitions = rng.choice([0, 2])

    def begins(self) -> None:
        self.faults.chaos(self.rng, rate=self.rate)

    def step(self) -> None:
        self.faults.duplicates = 0 if self.is_mute else self.rng.choice([0, 1, 1, 1, 2, 3])
        self.faults.refunds_start = self.rng.choice(["succeeded", "succeeded", "pending"])
        # Now and then nobody can reach Stripe at all for a while.
        if self.faults.down or self.rng.random() < 0.01:
            self.faults.down = self.rng.random() < 0.8

    def ends(self) -> None:
        """A good day for everybody, without the notices that were still on their way."""
        self.faults.chaos(self.rng, rate=0)
        self.faults.down, self.faults.duplicates, self.faults.refunds_start = False, 0, "succeeded"
        while self.faults.take("create").lost:
            """What was to be lost, and never was asked for."""

    # What the outside world does

    def pays(self, session_id: str = "") -> None:
        """Somebody pays on that page, or on one of the newest."""
        if payable := [one for one in self._all("session", "open") if session_id in ("", one["id"])]:
            self.fake.settle_after = self.rng.choice([60, 3600, 40_000])
            outcomes: list[Outcome] = [*["paid"] * 8, "later", "never"]  # type: ignore[list-item]
            self.fake.pay(self.rng.choice(payable[:6])["id"], self.rng.choice(outcomes))

    def loses_the_next_page(self) -> None:
        self.faults.next("create", lost=True, times=self.repetitions + 1)

    def refund_elsewhere(self) -> None:
        if paid := self._all("payment_intent", "succeeded"):
            intent = self.rng.choice(paid)
            self.fake.refund_elsewhere(intent["id"], self.rng.choice([None, None, 500]))

    def refunds_move(self) -> None:
        """Pending refunds succeed or fail, and a succeeded one may fail days later."""
        for refund in self._all("refund", "pending"):
            self.fake.change_refund(refund["id"], status=self.rng.choice(["succeeded", "succeeded", "failed"]))
        for refund in self._all("refund", "succeeded"):
            if self.rng.random() < 0.05:
                self.fake.change_refund(refund["id"], status="failed")

    def a_buyer_complains(self) -> None:
        if paid := self._all("payment_intent", "succeeded"):
            self.fake.dispute(self.rng.choice(paid)["id"])

    def complaints_end(self) -> None:
        for dispute in self._all("dispute", "needs_response"):
            self.fake.close_dispute(dispute["id"], won=self.rng.random() < 0.5)

    def bad_news(self) -> None:
        """Even on a good day banks take their time, and may send money back."""
        self.faults.refunds_start = "pending"
        self.refunds_move()

    def good_news(self) -> None:
        """At the end every refund succeeds and every complaint is decided."""
        self.faults.refunds_start = "succeeded"
        for refund in self._all("refund", "pending"):
            self.fake.change_refund(refund["id"], status="succeeded")
        self.complaints_end()

    def session_ids(self) -> list[str]:
        return [one["id"] for one in self._all("session", "*")]

    def letter(self) -> tuple[bytes, str] | None:
        """One of the notices that are on their way, in any order."""
        waiting = self.fake.state.deliveries(limit=50)
        if not waiting:
            return None
        chosen = self.rng.choice(waiting)
        self.fake.state.delivered(chosen)
        body, headers = self.webhooks.letter(chosen.event)
        return body.encode(), headers["Stripe-Signature"]

    def _all(self, kind: str, label: str) -> list[dict[str, Any]]:
        self.fake.tick()
        return self.fake.state.page(kind, params={"limit": 200}, labels=[label])[0]
