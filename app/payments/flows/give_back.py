"""Tickets go back: by their buyer, signed in or as a guest with a mailed code, or by the manager of the event."""

from collections.abc import Collection
from typing import Any

from app.bookings.models import Booking
from app.core import clock, limits
from app.core.db import retried, writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.settings import settings
from app.payments import rules
from app.payments.actions import asking


class WrongCode(Refused):
    """What was typed is not the code, or the code has ended: a mistake in the form, not a right that is missing."""

    status = 422


async def send_code(booking: Booking) -> None:
    """Mails a code to the booking's address. Raises TooMany after three in an hour."""
    await limits.count(f"refund-code:{booking.id}", most=3, seconds=3600)
    async with writing() as tx:
        await asking.make_code(tx, booking, now=clock.now())


async def give_back(booking: Booking, short_codes: Collection[str], *, by: int | None, reason: str, code: str) -> int:
    """Gives tickets back under the booking's own rule; what goes back, in minor units. A guest's `by` is None.

    A try with a code counts whatever comes of it, so it stands in a block of its own. Raises WrongCode for a wrong one.
    """
    nonce = "" if by else await _proved(booking, code)
    return await _returned(booking, short_codes, by=by, reason=reason, nonce=nonce)


@retried
async def take_back(
    booking: Booking, ticket_ids: Collection[int], *, fee_minor_each: int, reason: str, by: int | None, note: str
) -> int:
    """A manager takes tickets back, under no rule but their own; what goes back, in minor units."""
    async with writing() as tx:
        told: dict[str, Any] = {"reason": reason, "by": by, "note": note, "now": clock.now()}
        return await asking.return_tickets(tx, booking, ticket_ids, fee_minor_each=fee_minor_each, **told)


@retried
async def give_money(booking: Booking, minor: int, *, out_of_minor: int, reason: str, by: int | None, note: str) -> None:
    """A manager gives money back, and the tickets stay.

    Safe to repeat: when the first try was kept after all, less than `out_of_minor` is left, and nothing goes back twice.
    """
    async with writing() as tx:
        told: dict[str, Any] = {"reason": reason, "by": by, "note": note, "now": clock.now()}
        await asking.refund_money(tx, booking, minor, out_of_minor=out_of_minor, **told)


async def _proved(booking: Booking, code: str) -> str:
    async with writing() as tx:
        nonce = await asking.try_code(tx, booking.id or 0, now=clock.now())
    if not nonce:
        raise WrongCode(_("This code has ended. Ask for a new one."))
    if not rules.is_code(code, rules.code_digits(settings().secret_key, booking.id or 0, nonce)):
        raise WrongCode(_("This is not the code from the newest mail. After five tries it ends."))
    return nonce


@retried
async def _returned(booking: Booking, short_codes: Collection[str], *, by: int | None, reason: str, nonce: str) -> int:
    async with writing() as tx:
        if nonce:
            await asking.use_code(tx, booking.id or 0, nonce)
        return await asking.return_by_rule(tx, booking, short_codes, reason=reason, by=by, now=clock.now())
