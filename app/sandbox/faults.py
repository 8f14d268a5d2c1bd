"""Trouble on demand: what a test asks the stand-ins to do wrong.

    sandbox.faults.next("create", status=500)             nothing happens; the 500 is kept under the idempotency key
    sandbox.faults.next("create", status=500, done=True)  the session is made, and the answer is a 500 all the same
    sandbox.faults.next("create", status=429)             refused at the door; nothing is kept
    sandbox.faults.next("create", delay=3)                works after three seconds: a timeout for a caller with less patience
    sandbox.faults.next("create", unheard=True)           the connection breaks before anything is done
    sandbox.faults.next("refund", lost=True)              the refund is made, and the connection breaks before the answer is out
    sandbox.faults.down = True                            every request is unheard until it is False again
    sandbox.faults.chaos(Random(7), rate=0.2)             every fifth request is spoiled in one of these ways; a rate of 0 ends it
    sandbox.faults.refunds_start = "pending"              banks take their time: later refunds wait for change_refund
    sandbox.faults.silent = True                          events are written down, but no webhook leaves until it is False again
    sandbox.faults.duplicates = 5                         every later event is delivered five times

The operations are the words of OPERATIONS. Faults that were asked for by name come before those of chaos.
"""

import random
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Literal

OPERATIONS = frozenset(
    (
        "create", "retrieve", "list", "expire", "intent", "charge", "refund", "refund_retrieve", "refund_list", "dispute",
        "balance", "balance_list", "event_retrieve", "event_list",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request. `delay` is in seconds."""

    status: int = 0
    done: bool = False
    delay: float = 0
    lost: bool = False
    unheard: bool = False


NONE = Fault()
UNHEARD = Fault(unheard=True)
# What chaos chooses from, each as likely as the others.
CHAOS = (UNHEARD, Fault(lost=True), Fault(status=500), Fault(status=500, done=True), Fault(status=429))


@dataclass
class Faults:
    """What waits to go wrong, and how webhooks behave: every event goes out twice, so that the shop cannot rely on once."""

    duplicates: int = 2
    silent: bool = False
    down: bool = False
    refunds_start: Literal["succeeded", "pending"] = "succeeded"
    _waiting: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    _dice: random.Random = field(default_factory=random.Random)
    _rate: float = 0

    def next(
        self,
        operation: str,
        *,
        status: int = 0,
        done: bool = False,
        delay: float = 0,
        lost: bool = False,
        unheard: bool = False,
        times: int = 1,
    ) -> None:
        """Spoils the next `times` requests of an operation. Raises ValueError for an operation that does not exist."""
        if operation not in OPERATIONS:
            raise ValueError(operation)
        fault = Fault(status=status, done=done, delay=delay, lost=lost, unheard=unheard)
        self._waiting[operation].extend([fault] * times)

    def chaos(self, dice: random.Random, *, rate: float) -> None:
        """From now on spoils this share of all requests. The same dice and the same requests give the same trouble."""
        self._dice, self._rate = dice, rate

    def take(self, operation: str) -> Fault:
        """The fault that waits for this request; usually one that does nothing."""
        if self.down:
            return UNHEARD
        waiting = self._waiting[operation]
        if waiting:
            return waiting.popleft()
        if self._rate and self._dice.random() < self._rate:
            return self._dice.choice(CHAOS)
        return NONE
