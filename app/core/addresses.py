"""Absolute addresses of public pages, for feeds, site maps and canonical links."""

from app.core.settings import settings


def absolute(path: str) -> str:
    """Where a path of ours is found from outside, such as "https://tickets.example.org/events"."""
    return settings().base_url + path
