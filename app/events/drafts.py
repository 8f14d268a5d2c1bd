"""Questions about an event while its manager writes it: its types, and what it may resemble."""

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.events import queries
from app.events.models import Event, Question, Quota, TicketType
from app.events.rules.sharing import Shared


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


async def questions(db: AsyncSession, event: Event) -> list[Question]:
    """What the event asks its buyers, in the order of its manager, and what it asked before: those have ended."""
    found = select(Question).where(Question.event_id == event.id).execution_options(populate_existing=True)
    return list((await db.exec(found.order_by(col(Question.position), col(Question.id)))).all())


async def question_of(db: AsyncSession, event: Event, code: str) -> Question:
    """A question that this event asks. Raises NotFound for another's, and for one that has ended."""
    found = next((each for each in await questions(db, event) if each.code == code and each.ended_at is None), None)
    if not found:
        raise NotFound(_("This event does not ask this question."))
    return found


async def shared(db: AsyncSession, event: Event) -> list[Shared]:
    """The quotas of the event with the types that are in them, the oldest first."""
    types = await queries.ticket_types(db, event.id)
    found = select(Quota).where(Quota.event_id == event.id).execution_options(populate_existing=True)
    each = (await db.exec(found.order_by(col(Quota.id)))).all()
    return [Shared(quota, [kind for kind in types if kind.quota_id == quota.id]) for quota in each]


async def shared_of(db: AsyncSession, event: Event, code: str) -> Shared:
    """A quota of this event. Raises NotFound for another's."""
    found = next((each for each in await shared(db, event) if each.quota.code == code), None)
    if not found:
        raise NotFound(_("This event has no such quota."))
    return found


async def slugs_like(db: AsyncSession, slug: str) -> set[str]:
    """The slugs that begin with this one, among which a new one must be free."""
    return set((await db.exec(select(Event.slug).where(col(Event.slug).startswith(slug, autoescape=True)))).all())


async def is_picture_used(db: AsyncSession, picture: str) -> bool:
    """Whether some event still shows the uploaded picture."""
    return (await db.exec(select(Event.id).where(Event.picture == picture).limit(1))).first() is not None
