"""Whose hearts a page shows: the user's rows, or the marks that the browser keeps until its owner signs in."""

from typing import Any

from litestar import Request

from app.accounts.models import Visitor
from app.events.queries import Watcher
from app.events.rules import searching
from app.web.cookies import FAVOURITES, read_signed


def marks_of(request: Request[Any, Any, Any]) -> list[str]:
    """What the browser keeps: "c:slug" for categories and "e:slug" for events."""
    return searching.marks(read_signed(request.cookies, FAVOURITES))


def marked_categories(request: Request[Any, Any, Any]) -> set[str]:
    """Slugs of the categories that the browser keeps."""
    return {mark[2:] for mark in marks_of(request) if mark.startswith("c:")}


def watcher_of(request: Request[Any, Any, Any], visitor: Visitor) -> Watcher:
    """Whose hearts are full on this page."""
    if visitor.is_signed_in:
        return Watcher(visitor.user_id)
    return Watcher(slugs=frozenset(mark[2:] for mark in marks_of(request) if mark.startswith("e:")))
