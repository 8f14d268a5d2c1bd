"""How the tests change an event as its form does."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

from app.core import clock
from app.events import queries
from app.events.actions import revising
from app.events.models import Event, TicketType
from app.events.rules.proposing import EventWish, TypeWish


async def dated(tx: Any, event: Event, *, later: timedelta, by: int) -> None:
    """The event starts and ends so much later."""
    moved = {"starts_at": event.starts_at + later, "ends_at": event.ends_at + later}
    await revising.revise(tx, event, await wish_of(tx, event, **moved), by=by, booked=set(), now=clock.now())


async def wish_of(tx: Any, event: Event, **changes: Any) -> EventWish:
    venue = await queries.venue(tx, event)
    assert venue
    kinds = tuple(type_wish(kind) for kind in await queries.ticket_types(tx, event.id))
    here = {"venue": venue.name, "address": venue.address, "city": venue.city, "types": kinds}
    same = {field.name: getattr(event, field.name) for field in fields(EventWish) if field.name not in here}
    return replace(EventWish(**same, **here), **changes)


def type_wish(kind: TicketType, **changes: Any) -> TypeWish:
    names = [field.name for field in fields(TypeWish) if field.name != "access_code"]
    return replace(TypeWish(**{name: getattr(kind, name) for name in names}, access_code=""), **changes)
