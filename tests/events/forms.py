"""What a manager types into the form of an event, as the browser sends it."""

from typing import Any

from app.core.db import reading
from app.events import queries

GOOD = {
    "do": "save",
    "title": "Été à Turin",
    "summary": "A summer night in winter.",
    "description": "Bring a **scarf**.",
    "category": "music",
    "venue": "Teatro Carignano",
    "address": "Piazza Carignano 6",
    "city": "Turin",
    "zone": "Europe/Rome",
    "starts": "2026-12-12T20:30",
    "currency": "EUR",
    "hue": "plum",
    "tone": "night",
    "motif": "stars",
    "access": "Lift at the side entrance",
    "per_buyer": "6",
    "presale_hours": "48",
    "types-0-code": "",
    "types-0-name": "Stalls",
    "types-0-price": "18.50",
    "types-0-capacity": "100",
    "types-0-per_booking": "6",
}


def typed(**changes: Any) -> dict[str, Any]:
    """A complete form with some fields changed; field names of ticket types are written with underscores: types_0_name."""
    renamed = {name.replace("types_0_", "types-0-").replace("types_1_", "types-1-"): value for name, value in changes.items()}
    return GOOD | renamed


async def seen(slug: str, **more: Any) -> dict[str, Any]:
    """What an admin's page says about which version of a submitted event they look at, as the browser sends it."""
    async with reading() as db:
        event = await queries.by_slug(db, slug)
    return {"seen": event.submitted_at.isoformat() if event and event.submitted_at else ""} | more
