"""Trouble on demand: what a test asks the stand-ins to do wrong.

    sandbox.faults.next("create", status=500)             nothing happens; the 500 is kept under the idempotency key
    sandbox.faults.next("create", status=500, done=True)  the session is made, and the answer is a 500 all the same
    sandbox.faults.next("create", status=429)             refused at the door; nothing is kept
    sandbox.faults.next("create", delay=3)                works after three seconds: a timeout for a caller with less patience
    sandbox.faults.next("refund", lost=True)              the refund is made, and the connection breaks before the answer is out
    sandbox.faults.silent = True                          events are written down, but no webhook leaves until it is False again
    sandbox.faults.duplicates = 5                         every later event is delivered five times

The operations are create, retrieve, list, expire, intent, refund, refund_retrieve, refund_list, event_retrieve, event_list.
"""

from collections import defaultdict, deque
from dataclasses import dataclass, field

OPERATIONS = frozenset(
    ("create", "retrieve", "list", "expire", "intent", "refund", "refund_retrieve", "refund_list", "event_retrieve", "event_list")
)


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request. `delay` is in seconds."""

    status: int = 0
    done: bool = False
    delay: float = 0
    lost: bool = False


@dataclass
class Faults:
    """What waits to go wrong, and how webhooks behave: every event goes out twice, so that the shop cannot rely on once."""

    duplicates: int = 2
    silent: bool = False
    _waiting: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))

    def next(
        self, operation: str, *, status: int = 0, done: bool = False, delay: float = 0, lost: bool = False, times: int = 1
    ) -> None:
        """Spoils the next `times` requests of an operation. Raises ValueError for an operation that does not exist."""
        if operation not in OPERATIONS:
            raise ValueError(operation)
        self._waiting[operation].extend([Fault(status=status, done=done, delay=delay, lost=lost)] * times)

    def take(self, operation: str) -> Fault:
        """The fault that waits for this request; usually one that does nothing."""
        waiting = self._waiting[operation]
        return waiting.popleft() if waiting else Fault()
