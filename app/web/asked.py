"""What the address of a page asks for beyond the page: words, days, and which part of a long list."""

from datetime import UTC, date, datetime, time
from typing import Any

from litestar import Request

from app.web.forms import plain

MOST_LETTERS = 100
MOST_PAGES = 100_000


def word(request: Request[Any, Any, Any], name: str, *, most: int = MOST_LETTERS) -> str:
    """A word out of the address, without what no database takes; empty when it is none."""
    typed = plain(request.query_params.get(name, ""))[:most]
    return typed if typed.isprintable() and "\ufffd" not in typed else ""


def page_number(request: Request[Any, Any, Any]) -> int:
    """The page that the address asks for; the first for anything that is no number."""
    typed = request.query_params.get("page", "")
    number = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 7 else 1
    return min(max(1, number), MOST_PAGES)


def day(typed: str) -> datetime | None:
    """The beginning of a day such as "2026-11-29" in UTC; None for anything else."""
    try:
        return datetime.combine(date.fromisoformat(typed), time(), UTC) if typed else None
    except ValueError:
        return None
