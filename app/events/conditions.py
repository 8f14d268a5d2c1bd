"""Conditions about events that several questions share."""

from datetime import datetime
from typing import Any

from sqlalchemy import or_
from sqlmodel import col

from app.events.models import Event


def is_ahead(now: datetime) -> Any:
    """The event is not over; one that is postponed never is."""
    return or_(col(Event.ends_at) > now, col(Event.postponed_at).is_not(None))


def upcoming(now: datetime) -> tuple[Any, ...]:
    """What lists for everybody show: public events that are not over by their date."""
    return Event.state == "published", Event.ends_at > now
