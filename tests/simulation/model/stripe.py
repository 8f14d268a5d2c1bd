"""A Stripe that does everything a real one may do on a bad day, out of one random source and one clock.

Requests and answers get lost, 500s come with and without effect, notices arrive never, thrice or in any order, banks take
refunds back. Seconds are integers, amounts minor units; everything handed out is a copy, a picture of that moment.
"""

import contextlib
import copy
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

DAY = 86_400
SHORTEST, LONGEST = 1800, DAY  # How far ahead Stripe lets a session end.
LOST, STUMBLES = 0.06, 0.02


class StripeSilent(Exception):
    """No answer, or none that says what happened."""


class NoAnswer(StripeSilent):
    """The request or the answer was lost on the way."""


class Stumbled(StripeSilent):
    """A 500. It is kept under the idempotency key, so that the same call says the same for a day."""


class StripeRefused(Exception):
    """A no with a reason, and nothing was done."""


@dataclass
class Session:
    id: str
    booking: int
    payment: int
    amount: int
    expires_at: int
    created: int
    status: str = "open"
    payment_status: str = "unpaid"
    intent: str | None = None
    bank_refused: bool = False


@dataclass
class Intent:
    """A payment intent that has money. `dispute` is "", "open", "won" or "lost"."""

    id: str
    session: str
    amount: int
    failures: int
    dispute: str = ""


@dataclass
class StripeRefund:
    """`refund` is our row's id, or None when somebody made it elsewhere."""

    id: str
    intent: str
    amount: int
    refund: int | None
    status: str


@dataclass(frozen=True)
class Told:
    """One notice: what kind, about which session, refund or intent."""

    id: str
    kind: str
    about: str


class HostileStripe:
    """`faults` off means a good day; `is_mute` means that no notice is ever delivered."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.now = rng, 1_700_000_000
        self.sessions: dict[str, Session] = {}
        self.intents: dict[str, Intent] = {}
        self.refunds: dict[str, StripeRefund] = {}
        self.kept_answers: dict[str, tuple[int, str, Any]] = {}
        self.on_the_way: list[Told] = []
        self.told: list[Told] = []
        self.faults, self.is_mute = True, False

    # How it is asked

    def call(self, name: str, key: str | None, **params: Any) -> Any:
        """A call that changes something. Raises StripeSilent or StripeRefused."""
        self._maybe_lost("request")
        asked = repr((name, sorted(params.items())))
        kept = self.kept_answers.get(key) if key else None
        if kept and self.now - kept[0] < DAY:
            if kept[1] != asked:
                raise StripeRefused("idempotency_error")
            answer = kept[2]
        else:
            answer = self._done(getattr(self, f"_{name}"), params)
            if key:
                self.kept_answers[key] = (self.now, asked, answer)
        self._maybe_lost("answer")
        if isinstance(answer, Exception):
            raise type(answer)(*answer.args)
        return copy.copy(answer)

    def session(self, session_id: str) -> Session:
        self._maybe_lost("question")
        return copy.copy(self.sessions[session_id])

    def sessions_since(self, created: int) -> list[Session]:
        self._maybe_lost("question")
        return [copy.copy(session) for session in self.sessions.values() if session.created >= created]

    def refund(self, stripe_id: str) -> StripeRefund:
        self._maybe_lost("question")
        return copy.copy(self.refunds[stripe_id])

    def intent(self, intent_id: str) -> Intent:
        self._maybe_lost("question")
        return copy.copy(self.intents[intent_id])

    def refunds_of(self, intent_id: str) -> list[StripeRefund]:
        self._maybe_lost("question")
        return [copy.copy(refund) for refund in self.refunds.values() if refund.intent == intent_id]

    def told_since(self, position: int) -> list[Told]:
        self._maybe_lost("question")
        return self.told[position:]

    def _done(self, act: Callable[..., Any], params: dict[str, Any]) -> Any:
        """The picture of what was done, or the exception that is kept under the key. What is not kept is raised."""
        dice = self.rng.random() if self.faults else 1.0
        if dice < STUMBLES:
            return Stumbled("without effect")
        if dice < 2 * STUMBLES:
            with contextlib.suppress(StripeRefused):
                act(**params)
            return Stumbled("with effect")
        try:
            return copy.copy(act(**params))
        except StripeRefused as refused:
            if refused.args == ("validation",):
                raise
            return refused

    def _maybe_lost(self, what: str) -> None:
        if self.faults and self.rng.random() < LOST:
            raise NoAnswer(what)

    # What it is asked to do

    def _create_session(self, *, booking: int, payment: int, amount: int, expires_at: int) -> Session:
        if not self.now + SHORTEST <= expires_at <= self.now + LONGEST:
            raise StripeRefused("validation")
        session = Session(f"cs_{len(self.sessions)}", booking, payment, amount, expires_at, self.now)
        self.sessions[session.id] = session
        return session

    def _expire_session(self, *, session_id: str) -> Session:
        session = self.sessions[session_id]
        if session.status != "open":
            raise StripeRefused("not_open")
        session.status = "expired"
        self._tell("checkout.session.expired", session.id)
        return session

    def _create_refund(self, *, intent: str, amount: int, refund: int | None) -> StripeRefund:
        charge = self.intents[intent]
        if charge.dispute in ("open", "lost"):
            raise StripeRefused("charge_disputed")
        if self.sent_back(intent) + amount > charge.amount:
            raise StripeRefused("charge_already_refunded")
        status = self.rng.choice(["succeeded", "succeeded", "pending"])
        made = StripeRefund(f"re_{len(self.refunds)}", intent, amount, refund, status)
        self.refunds[made.id] = made
        self._tell("refund.created", made.id)
        return made

    # What is true there

    def sent_back(self, intent: str) -> int:
        return sum(refund.amount for refund in self.refunds.values() if refund.intent == intent and refund.status != "failed")

    def net(self, intent: str) -> int:
        """What the shop has of a payment in the end: less refunds, and nothing after a lost dispute."""
        charge = self.intents[intent]
        return 0 if charge.dispute == "lost" else charge.amount - self.sent_back(intent)

    def payable(self) -> list[str]:
        return [session.id for session in self.sessions.values() if session.status == "open" and self.now < session.expires_at]

    # What the outside world does

    def pay(self, session_id: str, *, slowly: bool = False) -> bool:
        """The buyer pays on the page; slowly means that the bank answers days later. False when the page is closed."""
        session = self.sessions[session_id]
        if session.status != "open" or self.now >= session.expires_at:
            return False
        session.status = "complete"
        if not slowly:
            self._money_comes(session)
        self._tell("checkout.session.completed", session.id)
        return True

    def banks_answer(self) -> None:
        for session in self.sessions.values():
            if session.status == "complete" and session.payment_status == "unpaid" and not session.bank_refused:
                if self.rng.random() < 0.3:
                    session.bank_refused = True
                    self._tell("checkout.session.async_payment_failed", session.id)
                else:
                    self._money_comes(session)
                    self._tell("checkout.session.async_payment_succeeded", session.id)

    def refunds_move(self) -> None:
        """Pending refunds succeed or fail; with faults a succeeded one may fail too, days later."""
        for refund in self.refunds.values():
            charge = self.intents[refund.intent]
            may_fail = refund.status == "pending" or (refund.status == "succeeded" and self.rng.random() < 0.1)
            if self.faults and may_fail and charge.failures > 0 and self.rng.random() < 0.3:
                charge.failures -= 1
                refund.status = "failed"
                self._tell("refund.failed", refund.id)
            elif refund.status == "pending":
                refund.status = "succeeded"
                self._tell("refund.updated", refund.id)

    def refund_in_dashboard(self, intent: str, amount: int) -> None:
        with contextlib.suppress(StripeRefused):
            self._create_refund(intent=intent, amount=amount, refund=None)

    def dispute(self, intent: str) -> None:
        """The buyer complains at the bank."""
        if not self.intents[intent].dispute and self.sent_back(intent) == 0:
            self.intents[intent].dispute = "open"
            self._tell("charge.dispute.created", intent)

    def disputes_close(self) -> None:
        for charge in self.intents.values():
            if charge.dispute == "open":
                charge.dispute = self.rng.choice(["won", "lost"])
                self._tell("charge.dispute.closed", charge.id)

    def tick(self, seconds: int) -> None:
        self.now += seconds
        for session in self.sessions.values():
            if session.status == "open" and self.now >= session.expires_at:
                session.status = "expired"
                self._tell("checkout.session.expired", session.id)

    def _money_comes(self, session: Session) -> None:
        failures = self.rng.choice([1] * 19 + [5])
        charge = Intent(f"pi_{len(self.intents)}", session.id, session.amount, failures)
        self.intents[charge.id] = charge
        session.payment_status, session.intent = "paid", charge.id

    def _tell(self, kind: str, about: str) -> None:
        told = Told(f"evt_{len(self.told)}", kind, about)
        self.told.append(told)
        if not self.is_mute:
            self.on_the_way += [told] * (self.rng.choice([0, 1, 1, 1, 2, 3]) if self.faults else 1)
