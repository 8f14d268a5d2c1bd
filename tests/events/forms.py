"""What a manager types in the sections of an event's form, as the browser sends it."""

from dataclasses import fields, replace
from typing import Any

import httpx

from app.core.db import reading
from app.events import queries
from app.events.models import TicketType
from app.events.rules.proposing import TypeWish

# Section -> field -> what is typed. "new" is the first page, "type", "quota" and "question" are pages of their own.
SECTIONS: dict[str, dict[str, str]] = {
    "new": {"title": "Été à Turin"},
    "basics": {
        "title": "Été à Turin",
        "summary": "A summer night in winter.",
        "category": "music",
        "starts": "2026-12-12T20:30",
        "ends": "",
        "doors": "",
        "zone": "Europe/Rome",
        "venue": "Teatro Carignano",
        "address": "Piazza Carignano 6",
        "city": "Turin",
        "online_url": "",
        "publish_at": "",
    },
    "tickets": {
        "currency": "EUR",
        "per_buyer": "6",
        "presale_hours": "48",
        "presale_per_buyer": "",
        "refund_hours": "",
        "refund_fee": "",
    },
    "page": {
        "do": "save",
        "description": "Bring a **scarf**.",
        "hue": "plum",
        "tone": "night",
        "motif": "stars",
        "kept": "",
    },
    "access": {"minimum_age": "", "access": "Lift at the side entrance"},
    "type": {
        "name": "Stalls",
        "note": "",
        "price": "18.50",
        "capacity": "100",
        "per_booking": "6",
        "sale_from": "",
        "sale_to": "",
        "presale_from": "",
        "presale_places": "",
        "access_code": "",
    },
    "quota": {"name": "House", "places": "50"},
    "question": {"wording": "What do you eat?", "answer": "choice", "lines": "Meat\nNo meat", "per": "ticket"},
}
# Boxes to tick are sent only when they are ticked.
BOXES = {"is_online": "basics", "no_picture": "page", "needs_code": "type", "must": "question"}
_OF_TYPE = "types_0_"


def section_of(field: str) -> str:
    """Where a field stands; those of the ticket type are written as types_0_name."""
    if field.startswith(_OF_TYPE):
        return "type"
    return BOXES.get(field) or next(name for name, fields in SECTIONS.items() if name != "new" and field in fields)


def typed(section: str, *, seen: str = "", **changes: Any) -> dict[str, Any]:
    """A complete section with some fields changed; fields of other sections are passed over. `seen` is the page's hidden mark."""
    fields = SECTIONS[section]
    renamed = {name.removeprefix(_OF_TYPE): value for name, value in changes.items() if section_of(name) == section}
    if section == "new":
        renamed = {name: changes[name] for name in fields if name in changes}
    return fields | renamed | ({"seen": seen} if seen else {})


def addresses(slug: str) -> dict[str, str]:
    """Section -> where it is sent, for an event that has no ticket type yet."""
    desk = f"/manager/events/{slug}"
    return {
        **{name: f"{desk}/edit/{name}" for name in ("basics", "tickets", "page", "access")},
        "type": f"{desk}/types/new",
    }


def slug_in(answer: httpx.Response) -> str:
    """The event's slug, read from where an answer leads to."""
    return str(answer.headers["location"].split("/")[3])


async def propose(browser: httpx.AsyncClient, *, files: Any = None, **changes: Any) -> httpx.Response:
    """Writes a whole event, section by section, with one ticket type: the last answer, or the first that is a refusal."""
    answer = await browser.post("/manager/events/new", data=typed("new", **changes))
    if answer.status_code == 303:
        for section, address in addresses(slug_in(answer)).items():
            sent = {"files": files} if files and section == "page" else {}
            answer = await browser.post(address, data=typed(section, **changes), **sent)
            if answer.status_code != 303:
                break
    return answer


async def revise(browser: httpx.AsyncClient, slug: str, section: str, **changes: Any) -> httpx.Response:
    """Sends one section of an event again."""
    return await browser.post(addresses(slug)[section], data=typed(section, **changes))


def type_wish(kind: TicketType, **changes: Any) -> TypeWish:
    """A ticket type as it is, with some changes."""
    return replace(TypeWish(**{field.name: getattr(kind, field.name) for field in fields(TypeWish)}), **changes)


async def seen(slug: str, **more: Any) -> dict[str, Any]:
    """What an admin's page says about which version of a submitted event they look at, as the browser sends it."""
    async with reading() as db:
        event = await queries.by_slug(db, slug)
    return {"seen": event.submitted_at.isoformat() if event and event.submitted_at else ""} | more
