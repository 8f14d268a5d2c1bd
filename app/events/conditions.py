"""Conditions about events that several questions share."""

from datetime import datetime
from typing import Any

from sqlalchemy import UnaryExpression, bindparam, func, or_
from sqlalchemy.sql.operators import custom_op
from sqlmodel import col, select

from app.core.db import database
from app.events.models import Event

# For questions that are prepared: the moment at which they are asked.
NOW: Any = bindparam("now")


def is_ahead(now: datetime) -> Any:
    """The event is not over; one that is postponed never is."""
    return or_(col(Event.ends_at) > now, col(Event.postponed_at).is_not(None))


def public() -> tuple[Any, ...]:
    """Events that have a page for everybody, also when they are over or were called off."""
    return col(Event.state).in_(("published", "called_off")), col(Event.published_at).is_not(None)


def upcoming(now: Any) -> tuple[Any, ...]:
    """What lists for everybody show: public events that are not over by their date."""
    return Event.state == "published", Event.ends_at > now


def in_order(now: Any, *, since: Any = None) -> tuple[Any, ...]:
    """The same for whoever takes the first few by their start. Nothing that begins before `since` is looked at."""
    return Event.state == "published", only(Event.ends_at) > now, *([Event.starts_at >= since] if since is not None else [])


def earliest(since: datetime) -> Any:
    """When the first of the events began that are not over since then: whoever walks in order need not begin before."""
    return select(func.min(Event.starts_at)).where(Event.state == "published", Event.ends_at > since).scalar_subquery()


def only(column: Any) -> Any:
    """The column where it may decide what matches, and not how the events are walked through.

    SQLite keeps no statistics of its own accord: it would rather fetch ten thousand events of a city, one by one, and put them
    in order, than take the first twelve from the index that has them in order. PostgreSQL knows better.
    """
    return UnaryExpression(column, operator=custom_op("+"), type_=column.type) if database().is_sqlite else column
