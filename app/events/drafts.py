"""Questions about an event while its manager writes it: its types, quotas and questions, and what it may resemble."""

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.events.models import Event, Question, Quota, TicketType


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


async def quotas(db: AsyncSession, event_id: int | None) -> list[Quota]:
    return list((await db.exec(select(Quota).where(Quota.event_id == event_id).order_by(col(Quota.id)))).all())


async def quota_of(db: AsyncSession, event: Event, code: str) -> Quota:
    """The quota of this event. Raises NotFound for another's."""
    found = (await db.exec(select(Quota).where(Quota.event_id == event.id, Quota.code == code))).first()
    if not found:
        raise NotFound(_("This event has no such quota."))
    return found


async def questions(db: AsyncSession, event_id: int | None) -> list[Question]:
    """In the order in which buyers are asked, those that have ended too."""
    rows = select(Question).where(Question.event_id == event_id)
    return list((await db.exec(rows.order_by(col(Question.position), col(Question.id)))).all())


async def question_of(db: AsyncSession, event: Event, code: str) -> Question:
    """The question of this event. Raises NotFound for another's."""
    found = (await db.exec(select(Question).where(Question.event_id == event.id, Question.code == code))).first()
    if not found:
        raise NotFound(_("This event has no such question."))
    return found


async def slugs_like(db: AsyncSession, slug: str) -> set[str]:
    """The slugs that begin with this one, among which a new one must be free."""
    return set((await db.exec(select(Event.slug).where(col(Event.slug).startswith(slug, autoescape=True)))).all())


async def is_picture_used(db: AsyncSession, picture: str) -> bool:
    """Whether some event still shows the uploaded picture."""
    return (await db.exec(select(Event.id).where(Event.picture == picture).limit(1))).first() is not None
