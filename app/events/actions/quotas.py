"""What is done to quotas: which types are in them, and how many places they have. The guards decide, because sales go on."""

from sqlalchemy import exists, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.events.models import Quota, TicketType


async def put_into(tx: AsyncSession, ticket_type: TicketType, quota_id: int | None) -> None:
    """Puts a ticket type into a quota of its event, or out of the one it is in.

    Raises Refused when places of it are taken: they would count in another quota from then on.
    """
    if ticket_type.quota_id == quota_id:
        return
    unused = (col(TicketType.id) == ticket_type.id, col(TicketType.held) + col(TicketType.sold) + col(TicketType.aside) == 0)
    of_event = exists().where(col(Quota.id) == quota_id, col(Quota.event_id) == col(TicketType.event_id))
    moved = update(TicketType).where(*unused, *([of_event] if quota_id else []))
    if not await changed(tx, moved.values(quota_id=quota_id)):
        raise Refused(_("Places of %(name)s are taken, so it stays in its quota.") % {"name": ticket_type.name})


async def resize(tx: AsyncSession, quota: Quota, capacity: int) -> None:
    """How many places the types of a quota have together. Raises Refused when more are taken."""
    fitting = update(Quota).where(col(Quota.id) == quota.id, col(Quota.held) + col(Quota.sold) + col(Quota.aside) <= capacity)
    if not await changed(tx, fitting.values(capacity=capacity)):
        names = {"name": quota.name, "number": quota.held + quota.sold + quota.aside}
        raise Refused(_("%(number)s places of the quota %(name)s are taken, so it cannot be smaller.") % names)
