"""Sales at the door, in a story of their own: whoever stands there does not hear of a deadlock."""

from app.bookings.boxoffice import Sale
from app.bookings.models import Booking
from app.core import clock
from app.core.db import retried, writing
from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.events import queries
from app.payments.actions import door


@retried
async def sell(slug: str, sale: Sale, *, provider: str) -> Booking:
    """Sells for "cash" or by "card". Safe to repeat: the nonce of the form makes it one booking."""
    async with writing() as tx:
        event = await queries.by_slug(tx, slug)
        if not event:
            raise NotFound(_("There is no such event among yours."))
        return await door.sell(tx, event, sale, provider=provider, now=clock.now())
