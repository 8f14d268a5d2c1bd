"""Whose booking it is: every page of a booking finds it here."""

from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import Visitor
from app.bookings import queries
from app.bookings.models import Booking
from app.bookings.queries import BookingView
from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.web.visitor import SignInFirst


async def found(db: AsyncSession, code: str, visitor: Visitor) -> BookingView:
    """A guest's booking opens for whoever has its link, an account's for its owner and admins; for others there is none."""
    booking = await queries.by_code(db, code)
    if booking and booking.user_id and not visitor.is_signed_in:
        raise SignInFirst
    if not booking or not _may_see(booking, visitor):
        raise NotFound(_("There is no such booking. Check the link in your mail."))
    return await queries.view(db, booking.id or 0)


def _may_see(booking: Booking, visitor: Visitor) -> bool:
    return booking.user_id is None or booking.user_id == visitor.user_id or visitor.is_admin
