"""The people and things of the tests: Alice manages, Bob buys, Carol waits, Dora is admin, Mallory must see nothing."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import bcrypt
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import User
from app.core import clock, tokens
from app.events.actions import finding
from app.events.models import RIGHTS, Category, Event, Helper, Question, Quota, TicketType, Venue
from app.events.reminders import Reminder
from app.events.search import EventSearch

PASSWORD = "nine pianos in the rain"

# The public codes of a draft's first ticket type and of that of the event on sale, which forms name in a field.
DRAFT_TYPE, EVENT_TYPE = "type-of-the-draft", "type-of-the-event"

# Made once, at the lowest cost: hashing has no place inside a writing block.
_PASSWORD_HASH = bcrypt.hashpw(base64.b64encode(hashlib.sha256(PASSWORD.encode()).digest()), bcrypt.gensalt(4)).decode()


async def alice(tx: AsyncSession) -> User:
    """A manager."""
    return await person(tx, "Alice", role="manager")


async def bob(tx: AsyncSession) -> User:
    """A user who buys."""
    return await person(tx, "Bob")


async def carol(tx: AsyncSession) -> User:
    """A user who waits."""
    return await person(tx, "Carol")


async def dora(tx: AsyncSession) -> User:
    """An admin."""
    return await person(tx, "Dora", role="admin")


async def mallory(tx: AsyncSession) -> User:
    """A manager of other events, who must see nothing of Alice's."""
    return await person(tx, "Mallory", role="manager")


async def erin(tx: AsyncSession) -> User:
    """A user who helps at the door."""
    return await person(tx, "Erin")


async def sam(tx: AsyncSession) -> User:
    """A user who sells for somebody's event."""
    return await person(tx, "Sam")


async def helper(tx: AsyncSession, event: Event, person: User, *rights: str, **overrides: Any) -> Helper:
    """Somebody in the team of the event, invited and there since yesterday. `overrides` are columns of the helper."""
    now = clock.now()
    given = {column: right in rights for right, column in zip(RIGHTS, ("may_edit", "may_sell", "may_check_in"), strict=True)}
    joined = {"user_id": person.id, "joined_at": now - timedelta(days=1), "created_at": now - timedelta(days=2)}
    columns = {"event_id": event.id, "email": person.email, "invited_by": event.manager_id, **given, **joined} | overrides
    return await _kept(tx, Helper(**columns))


async def person(tx: AsyncSession, name: str, *, role: str = "user") -> User:
    """The user of that name, made when the test first mentions them; everybody's password is PASSWORD."""
    email = f"{name.lower()}@example.com"
    found = (await tx.exec(select(User).where(User.email == email))).first()
    return found or await _kept(tx, User(email=email, name=name, role=role, password_hash=_PASSWORD_HASH, created_at=clock.now()))


async def category(tx: AsyncSession, name: str = "Music") -> Category:
    found = (await tx.exec(select(Category).where(Category.name == name))).first()
    return found or await _kept(tx, Category(name=name, slug=name.lower()))


async def venue(tx: AsyncSession, name: str = "Teatro Baretti", *, city: str = "Turin") -> Venue:
    found = (await tx.exec(select(Venue).where(Venue.name == name, Venue.city == city))).first()
    return found or await _kept(tx, Venue(name=name, address="Via Baretti 4", city=city))


async def event(
    tx: AsyncSession,
    *,
    manager: User | None = None,
    title: str = "Nine Pianos",
    capacity: int = 100,
    price_minor: int = 1800,
    **overrides: Any,
) -> Event:
    """A published event in four weeks, on sale since yesterday with one ticket type. `overrides` are columns of the event."""
    now = clock.now()
    starts_at = overrides.get("starts_at", now + timedelta(days=28))
    columns = {
        "slug": await _free_slug(tx, title),
        "starts_at": starts_at,
        "ends_at": starts_at + timedelta(hours=3),
        "state": "published",
        "summary": "Nine pianists, nine pianos, one evening.",
        "description": "Nobody has counted the keys.",
        "saved_sections": "basics tickets page access",
        "created_at": now - timedelta(days=7),
        "submitted_at": now - timedelta(days=6),
        "published_at": now - timedelta(days=5),
    } | overrides
    kind = await tx.get_one(Category, columns["category_id"]) if "category_id" in columns else await category(tx)
    place = await tx.get_one(Venue, columns["venue_id"]) if "venue_id" in columns else await venue(tx)
    links = {"category_id": kind.id, "venue_id": place.id, "manager_id": (manager or await alice(tx)).id}
    made = await _kept(tx, Event(title=title, **(links | columns)))
    await finding.index(tx, [made.id])
    await ticket_type(tx, made, capacity=capacity, price_minor=price_minor)
    return made


async def ticket_type(
    tx: AsyncSession, event: Event, *, name: str = "Standard", capacity: int = 100, price_minor: int = 1800, **overrides: Any
) -> TicketType:
    """A kind of place, on sale since yesterday until the event ends. `overrides` are columns of the ticket type."""
    sale = {"sale_from": min(clock.now(), event.ends_at) - timedelta(days=1), "sale_to": event.ends_at}
    made = TicketType(event_id=event.id, name=name, capacity=capacity, price_minor=price_minor, **(sale | overrides))
    return await _kept(tx, made)


async def question(tx: AsyncSession, event: Event, label: str, **overrides: Any) -> Question:
    """What buyers are asked: a text about the booking that need not be answered. `overrides` are columns of the question."""
    made: Question = await _kept(tx, Question(event_id=event.id or 0, label=label, **overrides))
    return made


async def parts(tx: AsyncSession, draft: Event, visitors: Sequence[str]) -> dict[str, str]:
    """The questions and quotas of a draft: one to change, and one of each for every visitor to remove."""
    (await only_type(tx, draft)).code = DRAFT_TYPE
    questions = {visitor: await question(tx, draft, f"{visitor}?") for visitor in ("", *visitors)}
    quotas = {visitor: Quota(event_id=draft.id or 0, name=visitor, capacity=9) for visitor in ("", *visitors)}
    tx.add_all(quotas.values())
    return {
        "question": questions[""].code,
        "question form": f"{draft.slug}/questions/{questions[''].code}",
        "quota": quotas[""].code,
        "quota form": f"{draft.slug}/quotas/{quotas[''].code}",
        **{f"question to remove for {visitor}": questions[visitor].code for visitor in visitors},
        **{f"quota to remove for {visitor}": quotas[visitor].code for visitor in visitors},
    }


async def reminders(tx: AsyncSession, manager: User, visitors: Sequence[str]) -> dict[str, str]:
    """An event whose sale opens tomorrow, and the mailed link of a reminder for each of the visitors: stopping uses it up."""
    soon = await event(tx, manager=manager, title="Soon on Sale")
    (await only_type(tx, soon)).sale_from = clock.now() + timedelta(days=1)
    asked = {
        visitor: Reminder(event_id=soon.id or 0, email=f"{visitor or 'nobody'}.asks@example.com", created_at=clock.now())
        for visitor in ("", *visitors)
    }
    tx.add_all(asked.values())
    await tx.flush()
    links = {f"reminder token for {visitor}": tokens.sign("reminder", row.code) for visitor, row in asked.items()}
    return links | {"reminder token": links["reminder token for "], "soon on sale": soon.slug}


async def only_type(db: AsyncSession, event: Event) -> TicketType:
    """The one ticket type of an event, as the database has it now."""
    return (
        await db.exec(select(TicketType).where(TicketType.event_id == event.id).execution_options(populate_existing=True))
    ).one()


async def words_of(db: AsyncSession, title: str) -> str:
    """By which words the events of that title are found."""
    found = select(EventSearch.words).join(Event, col(Event.id) == EventSearch.event_id).where(Event.title == title)
    return " ".join((await db.exec(found.order_by(col(Event.id)))).all())


async def _free_slug(tx: AsyncSession, title: str) -> str:
    slug = title.lower().replace(" ", "-")
    taken = len((await tx.exec(select(Event.id).where(col(Event.slug).startswith(slug)))).all())
    return f"{slug}-{taken + 1}" if taken else slug


async def _kept(tx: AsyncSession, row: Any) -> Any:
    tx.add(row)
    await tx.flush()
    return row
