"""The guarded statements: the only place where counters of places change.

A guard names its condition in its WHERE, and the row that it gives back, or does not, decides; nothing is read, compared
and written back. CHECK constraints stand behind. Each function is a series of steps (app/core/steps.py): the box office
runs them over the plain driver, everybody else by `run(tx, …)`.

Whoever waits for a sold-out type is before everybody else: `waiting` are the places that they wish for, and no hold takes a free
place as long as there are not more of them than that. Only an offer does, and it counts the wish down in the same statement.

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
    @property
    def promo_code_id(self) -> int | None: ...
    @property
    def voucher_id(self) -> int | None: ...


# Free for everybody: what somebody waits for is not.
_FREE = "held + sold + aside + waiting + :qty <= capacity"
_FREE_QUOTA = (
    "quotas.held + quotas.sold + quotas.aside + :qty "
    "+ (SELECT SUM(others.waiting) FROM ticket_types AS others WHERE others.quota_id = quotas.id) <= quotas.capacity"
)
_TAKE = (
    f"UPDATE ticket_types SET held = held + :qty WHERE id = :type AND {_FREE} AND :qty <= per_booking "  # noqa: S608 - our words
    "AND EXISTS (SELECT 1 FROM events WHERE events.id = event_id AND events.state = 'published' AND events.postponed_at IS NULL "
    "AND events.ends_at > :now) "
    "AND sale_from <= :now AND sale_to > :now RETURNING id"
)
_TAKE_IN_PRESALE = _TAKE.replace(
    "AND sale_from <= :now AND sale_to > :now",
    "AND presale_from <= :now AND sale_from > :now AND (presale_places IS NULL OR presale_taken + :qty <= presale_places)",
).replace("held = held + :qty WHERE", "held = held + :qty, presale_taken = presale_taken + :qty WHERE")
# Whoever sells at the door, or gives tickets away, needs no window and may take as many as are there.
_TAKE_FOR_HOUSE = _TAKE.replace(" AND :qty <= per_booking", "").replace(" AND sale_from <= :now AND sale_to > :now", "")
_TAKES = {"general": _TAKE, "presale": _TAKE_IN_PRESALE, "house": _TAKE_FOR_HOUSE}
_TAKES_IN_QUOTA = {
    sale: sql.replace(
        " RETURNING",
        " AND EXISTS (SELECT 1 FROM quotas WHERE quotas.id = quota_id AND FREE) RETURNING".replace("FREE", _FREE_QUOTA),
    )
    for sale, sql in _TAKES.items()
}
_TAKE_QUOTA = f"UPDATE quotas SET held = held + :qty WHERE id = :quota AND {_FREE_QUOTA} RETURNING id"  # noqa: S608 - our words


def take(ticket_type_id: int, qty: int, *, quota_id: int | None, sale: str, now: datetime) -> Steps[bool]:
    """Moves places from free to held, if the event is published and enough are left, also in the quota.

    `sale` is "general" or "presale", which must be open, or "house".
    """
    values = {"type": ticket_type_id, "qty": qty, "now": now}
    if quota_id is None:
        return bool((yield _TAKES[sale], values))
    if not (yield _TAKES_IN_QUOTA[sale], values):
        return False
    if (yield _TAKE_QUOTA, {"quota": quota_id, "qty": qty}):
        return True
    # Another line of the same booking, or of the same batch, has just taken what the quota had.
    yield _GIVE_BACK, {"type": ticket_type_id, "qty": qty, "presale": qty if sale == "presale" else 0}
    return False


_GIVE_BACK = (
    "UPDATE ticket_types SET held = held - :qty, presale_taken = presale_taken - :presale WHERE id = :type RETURNING quota_id"
)
_GIVE_QUOTA_BACK = "UPDATE quotas SET held = held - :qty WHERE id = :quota"


def give_back(claims: Sequence[Claim]) -> Steps[None]:
    """Held places become free again, or stand aside for their voucher again."""
    yield from _each(_GIVE_BACK, _GIVE_QUOTA_BACK, claims)
    yield from _back_to_vouchers(claims)


_SELL = "UPDATE ticket_types SET held = held - :qty, sold = sold + :qty WHERE id = :type RETURNING quota_id"
_SELL_QUOTA = "UPDATE quotas SET held = held - :qty, sold = sold + :qty WHERE id = :quota"


def sell(claims: Sequence[Claim]) -> Steps[None]:
    """Held places become sold."""
    yield from _each(_SELL, _SELL_QUOTA, claims)


_SELL_LATE = f"UPDATE ticket_types SET sold = sold + :qty WHERE id = :type AND {_FREE} RETURNING quota_id"  # noqa: S608
_SELL_QUOTA_LATE = f"UPDATE quotas SET sold = sold + :qty WHERE id = :quota AND {_FREE_QUOTA} RETURNING id"  # noqa: S608


def sell_late(claims: Sequence[Claim]) -> Steps[bool]:
    """Free places become sold at once, for money that came after the hold was over; False when one line does not fit.

    The caller undoes the whole savepoint on False.
    """
    return (yield from _if_free(_SELL_LATE, _SELL_QUOTA_LATE, [(claim.ticket_type_id, claim.qty) for claim in claims]))


_UNSELL = (
    "UPDATE ticket_types SET sold = sold - :qty, presale_taken = presale_taken - :presale WHERE id = :type RETURNING quota_id"
)
_UNSELL_QUOTA = "UPDATE quotas SET sold = sold - :qty WHERE id = :quota"
_RETURN_ONE = "UPDATE booking_lines SET returned = returned + 1 WHERE id = :line AND returned < qty RETURNING id"


def unsell(claims: Sequence[Claim]) -> Steps[None]:
    """The places that sold lines still claim become free again, or stand aside for their voucher again."""
    yield from _each(_UNSELL, _UNSELL_QUOTA, claims)
    yield from _back_to_vouchers(claims)


def unsell_one(claim: Claim, *, line_id: int) -> Steps[None]:
    """One sold place of a line becomes free again, and the line claims one less."""
    if not (yield _RETURN_ONE, {"line": line_id}):
        raise RuntimeError("A line cannot return more places than it has.")
    yield from _each(_UNSELL, _UNSELL_QUOTA, [claim], qty=1)
    yield from _back_to_vouchers([claim], qty=1)


# ---------- places aside ----------

_SET_ASIDE = f"UPDATE ticket_types SET aside = aside + :qty WHERE id = :type AND {_FREE} RETURNING quota_id"  # noqa: S608
_SET_QUOTA_ASIDE = f"UPDATE quotas SET aside = aside + :qty WHERE id = :quota AND {_FREE_QUOTA} RETURNING id"  # noqa: S608


def set_aside(ticket_type_id: int, qty: int) -> Steps[bool]:
    """Moves places out of the sale; False when so many are not free. The caller undoes what was done on False."""
    return (yield from _if_free(_SET_ASIDE, _SET_QUOTA_ASIDE, [(ticket_type_id, qty)]))


_END_ASIDE = "UPDATE ticket_types SET aside = aside - :qty WHERE id = :type RETURNING quota_id"
_END_QUOTA_ASIDE = "UPDATE quotas SET aside = aside - :qty WHERE id = :quota"


def end_aside(ticket_type_id: int, qty: int) -> Steps[None]:
    """Places that stood aside are on sale again."""
    yield from _moved(_END_ASIDE, _END_QUOTA_ASIDE, [(ticket_type_id, qty, False)])


_REDEEM = (
    "UPDATE vouchers SET aside = aside - :qty, used = used + 1 WHERE id = :voucher AND aside >= :qty AND ended_at IS NULL "
    "AND is_paused = FALSE AND (valid_until IS NULL OR valid_until > :now) AND (max_uses IS NULL OR used < max_uses) RETURNING id"
)
_HOLD_ASIDE = "UPDATE ticket_types SET held = held + :qty, aside = aside - :qty WHERE id = :type RETURNING quota_id"
_HOLD_QUOTA_ASIDE = "UPDATE quotas SET held = held + :qty, aside = aside - :qty WHERE id = :quota"


def redeem(voucher_id: int, ticket_type_id: int, qty: int, *, now: datetime) -> Steps[bool]:
    """Moves places from aside to held and counts a use; False when the voucher does not have so many, or does not work now."""
    if not (yield _REDEEM, {"voucher": voucher_id, "qty": qty, "now": now}):
        return False
    yield from _moved(_HOLD_ASIDE, _HOLD_QUOTA_ASIDE, [(ticket_type_id, qty, False)])
    return True


_BACK_TO_VOUCHER = "UPDATE vouchers SET aside = aside + :qty WHERE id = :voucher AND ended_at IS NULL RETURNING id"
_ASIDE_AGAIN = "UPDATE ticket_types SET aside = aside + :qty WHERE id = :type RETURNING quota_id"
_QUOTA_ASIDE_AGAIN = "UPDATE quotas SET aside = aside + :qty WHERE id = :quota"


def _back_to_vouchers(claims: Sequence[Claim], *, qty: int = 0) -> Steps[None]:
    """Places that have just become free stand aside again while their voucher lives. Their type is still locked."""
    for claim in claims:
        places = qty or claim.places
        if claim.voucher_id and (yield _BACK_TO_VOUCHER, {"voucher": claim.voucher_id, "qty": places}):
            yield from _moved(_ASIDE_AGAIN, _QUOTA_ASIDE_AGAIN, [(claim.ticket_type_id, places, False)])


# ---------- places wished for ----------

_WAIT = (
    "UPDATE ticket_types SET waiting = waiting + :qty WHERE id = :type AND :qty <= per_booking AND sale_from <= :now "
    "AND sale_to > :now AND EXISTS (SELECT 1 FROM events WHERE events.id = event_id AND events.state = 'published' "
    "AND events.postponed_at IS NULL AND events.ends_at > :now AND events.is_waiting_list_open) "
    "AND (held + sold + aside + waiting >= capacity OR EXISTS "
    "(SELECT 1 FROM quotas WHERE quotas.id = quota_id AND NOT FREE)) RETURNING id"
).replace("FREE", _FREE_QUOTA.replace(":qty", "1"))
_UNWAIT = "UPDATE ticket_types SET waiting = waiting - :qty WHERE id = :type RETURNING id"
_OFFER = (
    "UPDATE ticket_types SET held = held + :qty, waiting = waiting - :wish WHERE id = :type "
    "AND held + sold + aside + :qty <= capacity AND EXISTS (SELECT 1 FROM events WHERE events.id = event_id "
    "AND events.state = 'published' AND events.postponed_at IS NULL AND events.ends_at > :now) "
    "AND sale_from <= :now AND sale_to > :now RETURNING id"
)
_OFFER_QUOTA = "UPDATE quotas SET held = held + :qty WHERE id = :quota AND held + sold + aside + :qty <= capacity RETURNING id"


def wait(ticket_type_id: int, qty: int, *, now: datetime) -> Steps[bool]:
    """So many places more are wished for; False when the type is not sold out, not on general sale, or its list is closed."""
    return bool((yield _WAIT, {"type": ticket_type_id, "qty": qty, "now": now}))


def unwait(ticket_type_id: int, qty: int) -> Steps[None]:
    """So many places are not wished for any more."""
    yield _UNWAIT, {"type": ticket_type_id, "qty": qty}


def offer(ticket_type_id: int, qty: int, *, wish: int, quota_id: int | None, now: datetime) -> Steps[bool]:
    """Free places become held for somebody whose wish for `wish` places ends with that. The caller undoes all on False."""
    if not (yield _OFFER, {"type": ticket_type_id, "qty": qty, "wish": wish, "now": now}):
        return False
    return quota_id is None or bool((yield _OFFER_QUOTA, {"quota": quota_id, "qty": qty}))


# ---------- limits per buyer ----------

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


def claim_for_house(event_id: int, key: str, claims: Sequence[Claim]) -> Steps[None]:
    """Counts places that no limit binds under a key of their own, so that each count has its booking all the same."""
    qty = sum(claim.places for claim in claims)
    yield _CLAIM, {"event": event_id, "buyer": key, "qty": qty, "most": qty}


def unclaim(event_id: int, buyer_key: str, claims: Sequence[Claim]) -> Steps[None]:
    """The places no longer count towards the buyer's limits."""
    yield from _unclaim(event_id, buyer_key, sum(claim.places for claim in claims))
    yield from _unclaim(event_id, presale_key(buyer_key), sum(claim.places for claim in claims if claim.in_presale))
    for promo_id in promo_ids(claims):
        yield from _unclaim(event_id, promo_key(buyer_key, promo_id), 1)


def unclaim_one(event_id: int, buyer_key: str, claim: Claim) -> Steps[None]:
    """One place of a line no longer counts."""
    yield from _unclaim(event_id, buyer_key, 1)
    yield from _unclaim(event_id, presale_key(buyer_key), 1 if claim.in_presale else 0)


def presale_key(buyer_key: str) -> str:
    """Under which key a buyer's places of the pre-sale are counted."""
    return f"presale:{buyer_key}"


def promo_key(buyer_key: str, promo_code_id: int) -> str:
    """Under which key a buyer's bookings with a promo code are counted."""
    return f"promo:{promo_code_id}:{buyer_key}"


# ---------- uses of codes ----------

_USE_CODE = (
    "UPDATE access_codes SET used = used + 1 WHERE ticket_type_id = :type AND code = :code "
    "AND (max_uses IS NULL OR used < max_uses) RETURNING id"
)
_UNUSE_CODE = "UPDATE access_codes SET used = used - 1 WHERE id = :id"
_UNUSE_VOUCHER = "UPDATE vouchers SET used = used - 1 WHERE id = :id"
_USE_PROMO = (
    "UPDATE promo_codes SET used = used + 1 WHERE id = :id AND ended_at IS NULL AND is_paused = FALSE "
    "AND (valid_from IS NULL OR valid_from <= :now) AND (valid_until IS NULL OR valid_until > :now) "
    "AND (max_uses IS NULL OR used < max_uses) RETURNING id"
)
_UNUSE_PROMO = "UPDATE promo_codes SET used = used - 1 WHERE id = :id"
# More bookings of one buyer than this are not counted apart.
_NO_LIMIT = 1_000_000
_CLAIM_PROMO = (
    "INSERT INTO buyer_limits (event_id, buyer_key, qty, max_qty) "  # noqa: S608 - the number is ours
    f"SELECT event_id, CAST(:buyer AS VARCHAR(300)), 1, COALESCE(per_buyer, {_NO_LIMIT}) FROM promo_codes WHERE id = :id "
    "ON CONFLICT (event_id, buyer_key) DO UPDATE SET qty = buyer_limits.qty + 1, max_qty = excluded.max_qty "
    "WHERE buyer_limits.qty + 1 <= excluded.max_qty RETURNING qty"
)


def use_code(ticket_type_id: int, code: str) -> Steps[int | None]:
    """Counts one more use of an access code; its id, or None when there is no such code with a use left."""
    used = yield _USE_CODE, {"type": ticket_type_id, "code": code}
    return used[0][0] if used else None


def use_promo(promo_code_id: int, *, now: datetime) -> Steps[bool]:
    """Counts one more use of a promo code; False when it does not work now or has none left."""
    return bool((yield _USE_PROMO, {"id": promo_code_id, "now": now}))


def claim_promo(promo_code_id: int, buyer_key: str) -> Steps[bool]:
    """Counts a booking towards what one buyer may do with the code; False when that would pass it."""
    return bool((yield _CLAIM_PROMO, {"id": promo_code_id, "buyer": promo_key(buyer_key, promo_code_id)}))


def unuse_codes(claims: Sequence[Claim]) -> Steps[None]:
    """Gives the uses of codes back."""
    for code_id in sorted({claim.access_code_id for claim in claims if claim.access_code_id}):
        yield _UNUSE_CODE, {"id": code_id}
    for voucher_id in sorted({claim.voucher_id for claim in claims if claim.voucher_id}):
        yield _UNUSE_VOUCHER, {"id": voucher_id}
    for promo_id in promo_ids(claims):
        yield _UNUSE_PROMO, {"id": promo_id}


def promo_ids(claims: Sequence[Claim]) -> list[int]:
    """The promo codes that the claims use, each once."""
    return sorted({claim.promo_code_id for claim in claims if claim.promo_code_id})


# ---------- parts ----------


def _unclaim(event_id: int, buyer_key: str, qty: int) -> Steps[None]:
    if qty:
        yield _UNCLAIM, {"event": event_id, "buyer": buyer_key, "qty": qty}


def _each(sql: str, of_quota: str, claims: Sequence[Claim], *, qty: int = 0) -> Steps[None]:
    """Moves the places of each claim, or `qty` of them. Before anything was returned a line claims all its places."""
    moves = [(claim.ticket_type_id, qty or claim.places, claim.in_presale) for claim in claims]
    yield from _moved(sql, of_quota, moves)


def _moved(sql: str, of_quota: str, moves: Sequence[tuple[int, int, bool]]) -> Steps[None]:
    """Runs the statement for each (type, places, in the pre-sale), then that of the quotas, in the order of everybody's locks."""
    quotas: Counter[int] = Counter()
    for type_id, qty, in_presale in moves:
        values = {"type": type_id, "qty": qty}
        if ":presale" in sql:
            values["presale"] = qty if in_presale else 0
        moved = yield sql, values
        if not moved:
            raise RuntimeError("A ticket type that stands on a booking is gone.")
        if quota_id := moved[0][0]:
            quotas[quota_id] += qty
    for quota_id in sorted(quotas):
        yield of_quota, {"quota": quota_id, "qty": quotas[quota_id]}


def _if_free(sql: str, of_quota: str, moves: Sequence[tuple[int, int]]) -> Steps[bool]:
    """The same with guards: False as soon as one finds too few free places."""
    quotas: Counter[int] = Counter()
    for type_id, qty in moves:
        moved = yield sql, {"type": type_id, "qty": qty}
        if not moved:
            return False
        if quota_id := moved[0][0]:
            quotas[quota_id] += qty
    for quota_id in sorted(quotas):
        if not (yield of_quota, {"quota": quota_id, "qty": quotas[quota_id]}):
            return False
    return True
