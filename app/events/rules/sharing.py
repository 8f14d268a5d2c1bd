"""Pure rules about quotas: places that several ticket types of an event share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.events.models import Quota, TicketType

MOST_QUOTAS = 20


@dataclass(frozen=True)
class QuotaWish:
    """A quota as a manager wants it; `types` are the codes of the ticket types in it."""

    name: str
    capacity: int
    types: frozenset[str]


@dataclass(frozen=True)
class Shared:
    """A quota with the ticket types that are in it, in their order."""

    quota: Quota
    types: Sequence[TicketType]

    @property
    def left(self) -> int:
        """Places that are free for everybody, so not those that somebody waits for."""
        return max(0, self.types[0].quota_left if self.types else self.quota.left)

    @property
    def wish(self) -> QuotaWish:
        """The quota as it is."""
        return QuotaWish(self.quota.name, self.quota.capacity, frozenset(kind.code for kind in self.types))


def stored(wish: QuotaWish) -> dict[str, Any]:
    """A wish as JSON holds it while it waits for an admin."""
    return {"name": wish.name, "capacity": wish.capacity, "types": sorted(wish.types)}


def revived(values: Mapping[str, Any]) -> dict[str, Any]:
    """Stored values as a wish has them."""
    return {name: frozenset(value) if name == "types" else value for name, value in values.items()}
