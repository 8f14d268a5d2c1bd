"""Questions about an event while its manager writes it: its types, and what it may resemble."""

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.events.models import Event, TicketType


async def last_of_manager(db: AsyncSession, manager_id: int) -> Event | None:
    """The event that a manager wrote last, which the next one resembles."""
    own = select(Event).where(Event.manager_id == manager_id).order_by(col(Event.created_at).desc(), col(Event.id).desc())
    return (await db.exec(own.limit(1))).first()


async def type_of(db: AsyncSession, event: Event, code: str) -> TicketType:
    """The ticket type of this event. Raises NotFound for another's."""
    found = (await db.exec(select(TicketType).where(TicketType.event_id == event.id, TicketType.code == code))).first()
    if not found:
        raise NotFound(_("This event has no such ticket type."))
    return found


async def slugs_like(db: AsyncSession, slug: str) -> set[str]:
    """The slugs that begin with this one, among which a new one must be free."""
    return set((await db.exec(select(Event.slug).where(col(Event.slug).startswith(slug, autoescape=True)))).all())


async def is_picture_used(db: AsyncSession, picture: str) -> bool:
    """Whether some event still shows the uploaded picture."""
    return (await db.exec(select(Event.id).where(Event.picture == picture).limit(1))).first() is not None
