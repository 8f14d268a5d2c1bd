"""What the pages about money share: whose booking or event it is, and what was typed as an amount."""

import re

from sqlmodel.ext.asyncio.session import AsyncSession
from wtforms import Field

from app.accounts.models import Visitor
from app.bookings import queries as booking_queries
from app.bookings.queries import BookingView
from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.core.money import minor_units
from app.events import queries as event_queries
from app.events.models import Event
from app.web.looks import note_look
from app.web.visitor import SignInFirst

_AMOUNT = re.compile(r"[0-9]{1,9}([.,][0-9]{1,3})?")


async def booking_of(db: AsyncSession, code: str, visitor: Visitor) -> BookingView:
    """A guest's booking opens for whoever has its link, an account's for its owner and admins; for others there is none."""
    booking = await booking_queries.by_code(db, code)
    if booking and booking.user_id and not visitor.is_signed_in:
        raise SignInFirst
    if not booking or (booking.user_id not in (None, visitor.user_id) and not visitor.is_admin):
        raise NotFound(_("There is no such booking. Check the link in your mail."))
    return await booking_queries.view(db, booking.id or 0)


async def event_of(db: AsyncSession, slug: str, visitor: Visitor, *, right: str = "sales") -> Event:
    """The event of this manager or of who sells for it. An admin may look at everybody's, and the log keeps that."""
    event = await event_queries.event_of(db, slug, visitor, right=right)
    if event.manager_id != visitor.user_id:
        await note_look(visitor, "payments", about=f"event:{event.id}")
    return event


def minor_of(field: Field, currency: str, *, otherwise: int) -> int:
    """The typed amount in minor units; an empty one is `otherwise`. What is no amount becomes a mistake of the field."""
    typed = field.data or ""
    try:
        return minor_units(typed if _AMOUNT.fullmatch(typed) else "", currency) if typed else otherwise
    except ValueError:
        field.errors = [*field.errors, _("Enter an amount such as 18.50")]
        return otherwise
