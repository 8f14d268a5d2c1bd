"""The guarded statements: the only place where counters of places change.

A guard names its condition in its WHERE, and the row that it gives back, or does not, decides; nothing is read, compared
and written back. CHECK constraints stand behind. Each function is a series of steps (app/core/steps.py): the box office
runs them over the plain driver, everybody else by `run(tx, …)`.

The quota of a type counts what its types count. Whoever changes it has locked one of them, so a type's guard may ask whether
the quota has room, and be refused without having changed anything; the guard of the quota itself decides.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from app.core.steps import Steps
from app.events.models import Event


class Claim(Protocol):
    """So many places of one ticket type: a booking line, or the plain row of one."""

    @property
    def ticket_type_id(self) -> int: ...
    @property
    def qty(self) -> int: ...
    @property
    def places(self) -> int: ...
    @property
    def in_presale(self) -> bool: ...
    @property
    def access_code_id(self) -> int | None: ...


_TAKE = (
    "UPDATE ticket_types SET held = held + :qty WHERE id = :type AND held + sold + :qty <= capacity AND :qty <= per_booking "
    "AND EXISTS (SELECT 1 FROM events WHERE events.id = event_id AND events.state = 'published' AND events.postponed_at IS NULL "
    "AND events.ends_at > :now) "
    "AND sale_from <= :now AND sale_to > :now RETURNING id"
)
_TAKE_IN_PRESALE = _TAKE.replace(
    "AND sale_from <= :now AND sale_to > :now",
    "AND presale_from <= :now AND sale_from > :now AND (presale_places IS NULL OR presale_taken + :qty <= presale_places)",
).replace("held = held + :qty WHERE", "held = held + :qty, presale_taken = presale_taken + :qty WHERE")


_TAKE_IN_QUOTA, _TAKE_IN_PRESALE_AND_QUOTA = (
    take.replace(
        " RETURNING",
        " AND EXISTS (SELECT 1 FROM quotas WHERE quotas.id = quota_id AND quotas.held + quotas.sold + :qty <= quotas.capacity)"
        " RETURNING",
    )
    for take in (_TAKE, _TAKE_IN_PRESALE)
)
_TAKE_QUOTA = "UPDATE quotas SET held = held + :qty WHERE id = :quota AND held + sold + :qty <= capacity RETURNING id"


def take(ticket_type_id: int, qty: int, *, quota_id: int | None, in_presale: bool, now: datetime) -> Steps[bool]:
    """Moves places from free to held, if the phase is open, the event is published and enough are left, also in the quota."""
    values = {"type": ticket_type_id, "qty": qty, "now": now}
    if quota_id is None:
        return bool((yield _TAKE_IN_PRESALE if in_presale else _TAKE, values))
    if not (yield _TAKE_IN_PRESALE_AND_QUOTA if in_presale else _TAKE_IN_QUOTA, values):
        return False
    if (yield _TAKE_QUOTA, {"quota": quota_id, "qty": qty}):
        return True
    # Another line of the same booking, or of the same batch, has just taken what the quota had.
    yield _GIVE_BACK, {"type": ticket_type_id, "qty": qty, "presale": qty if in_presale else 0}
    return False


_GIVE_BACK = (
    "UPDATE ticket_types SET held = held - :qty, presale_taken = presale_taken - :presale WHERE id = :type RETURNING quota_id"
)
_GIVE_QUOTA_BACK = "UPDATE quotas SET held = held - :qty WHERE id = :quota"


def give_back(claims: Sequence[Claim]) -> Steps[None]:
    """Held places become free again."""
    yield from _each(_GIVE_BACK, _GIVE_QUOTA_BACK, claims)


_SELL = "UPDATE ticket_types SET held = held - :qty, sold = sold + :qty WHERE id = :type RETURNING quota_id"
_SELL_QUOTA = "UPDATE quotas SET held = held - :qty, sold = sold + :qty WHERE id = :quota"


def sell(claims: Sequence[Claim]) -> Steps[None]:
    """Held places become sold."""
    yield from _each(_SELL, _SELL_QUOTA, claims)


_SELL_LATE = "UPDATE ticket_types SET sold = sold + :qty WHERE id = :type AND held + sold + :qty <= capacity RETURNING quota_id"
_SELL_QUOTA_LATE = "UPDATE quotas SET sold = sold + :qty WHERE id = :quota AND held + sold + :qty <= capacity RETURNING id"


def sell_late(claims: Sequence[Claim]) -> Steps[bool]:
    """Free places become sold at once, for money that came after the hold was over; False when one line does not fit.

    The caller undoes the whole savepoint on False.
    """
    quotas: Counter[int] = Counter()
    for claim in claims:
        sold = yield _SELL_LATE, {"type": claim.ticket_type_id, "qty": claim.qty}
        if not sold:
            return False
        if quota_id := sold[0][0]:
            quotas[quota_id] += claim.qty
    for quota_id in sorted(quotas):
        if not (yield _SELL_QUOTA_LATE, {"quota": quota_id, "qty": quotas[quota_id]}):
            return False
    return True


_UNSELL = (
    "UPDATE ticket_types SET sold = sold - :qty, presale_taken = presale_taken - :presale WHERE id = :type RETURNING quota_id"
)
_UNSELL_QUOTA = "UPDATE quotas SET sold = sold - :qty WHERE id = :quota"
_RETURN_ONE = "UPDATE booking_lines SET returned = returned + 1 WHERE id = :line AND returned < qty RETURNING id"


def unsell(claims: Sequence[Claim]) -> Steps[None]:
    """The places that sold lines still claim become free again."""
    yield from _each(_UNSELL, _UNSELL_QUOTA, claims)


def unsell_one(claim: Claim, *, line_id: int) -> Steps[None]:
    """One sold place of a line becomes free again, and the line claims one less."""
    if not (yield _RETURN_ONE, {"line": line_id}):
        raise RuntimeError("A line cannot return more places than it has.")
    yield from _each(_UNSELL, _UNSELL_QUOTA, [claim], qty=1)


_CLAIM = (
    "INSERT INTO buyer_limits (event_id, buyer_key, qty, max_qty) VALUES (:event, :buyer, :qty, :most) "
    "ON CONFLICT (event_id, buyer_key) DO UPDATE SET qty = buyer_limits.qty + :qty, max_qty = :most "
    "WHERE buyer_limits.qty + :qty <= :most RETURNING qty"
)
_UNCLAIM = "UPDATE buyer_limits SET qty = qty - :qty WHERE event_id = :event AND buyer_key = :buyer"


def claim(event: Event, buyer_key: str, claims: Sequence[Claim]) -> Steps[bool]:
    """Counts places towards the buyer's limits at this event; False when that would pass one of them.

    Places of the pre-sale count twice: among all, and under a key of their own towards the pre-sale's limit.
    The caller undoes what it has done on False.
    """
    in_presale = sum(claim.places for claim in claims if claim.in_presale)
    for key, qty, most in (
        (buyer_key, sum(claim.places for claim in claims), event.per_buyer),
        (presale_key(buyer_key), in_presale, event.presale_per_buyer or event.per_buyer),
    ):
        if qty > most or (qty and not (yield _CLAIM, {"event": event.id, "buyer": key, "qty": qty, "most": most})):
            return False
    return True


def unclaim(event_id: int, buyer_key: str, claims: Sequence[Claim]) -> Steps[None]:
    """The places no longer count towards the buyer's limits."""
    yield from _unclaim(event_id, buyer_key, sum(claim.places for claim in claims))
    yield from _unclaim(event_id, presale_key(buyer_key), sum(claim.places for claim in claims if claim.in_presale))


def unclaim_one(event_id: int, buyer_key: str, claim: Claim) -> Steps[None]:
    """One place of a line no longer counts."""
    yield from _unclaim(event_id, buyer_key, 1)
    yield from _unclaim(event_id, presale_key(buyer_key), 1 if claim.in_presale else 0)


def presale_key(buyer_key: str) -> str:
    """Under which key a buyer's places of the pre-sale are counted."""
    return f"presale:{buyer_key}"


_USE_CODE = (
    "UPDATE access_codes SET used = used + 1 WHERE ticket_type_id = :type AND code = :code "
    "AND (max_uses IS NULL OR used < max_uses) RETURNING id"
)
_UNUSE_CODE = "UPDATE access_codes SET used = used - 1 WHERE id = :id"


def use_code(ticket_type_id: int, code: str) -> Steps[int | None]:
    """Counts one more use of an access code; its id, or None when there is no such code with a use left."""
    used = yield _USE_CODE, {"type": ticket_type_id, "code": code}
    return used[0][0] if used else None


def unuse_codes(claims: Sequence[Claim]) -> Steps[None]:
    """Gives the uses of access codes back."""
    for code_id in sorted({claim.access_code_id for claim in claims if claim.access_code_id}):
        yield _UNUSE_CODE, {"id": code_id}


def _unclaim(event_id: int, buyer_key: str, qty: int) -> Steps[None]:
    if qty:
        yield _UNCLAIM, {"event": event_id, "buyer": buyer_key, "qty": qty}


def _each(sql: str, of_quota: str, claims: Sequence[Claim], *, qty: int = 0) -> Steps[None]:
    """Moves the places of each claim, or `qty` of them, first in the types and then in their quotas, as everybody locks them."""
    quotas: Counter[int] = Counter()
    for claim in claims:
        # Before anything was returned a line claims all its places, so this is right for held places too.
        values = {"type": claim.ticket_type_id, "qty": qty or claim.places}
        if ":presale" in sql:
            values["presale"] = values["qty"] if claim.in_presale else 0
        moved = yield sql, values
        if not moved:
            raise RuntimeError("A ticket type that stands on a booking is gone.")
        if quota_id := moved[0][0]:
            quotas[quota_id] += values["qty"]
    for quota_id in sorted(quotas):
        yield of_quota, {"quota": quota_id, "qty": quotas[quota_id]}
