"""What is different about an event, for the activity log: values before and after, of texts only how long they are.

The log is kept for good and its rows never change, so it holds ids, numbers, times and our own words, never what people wrote.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

_WRITTEN_BY_PEOPLE = ("title", "summary", "description", "access", "name", "note", "online_url", "label", "choices")
_MADE_BY_US = ("position",)


def differences(row: object, wanted: Mapping[str, Any]) -> dict[str, list[Any]]:
    """[before, after] by the column's name, such as {"capacity": [100, 120], "summary": [80, 95]}; without a row all is new."""
    found = {}
    for name, value in wanted.items():
        before = getattr(row, name, None)
        if before != value and name not in _MADE_BY_US:
            found[name] = [_told(name, before), _told(name, value)]
    return found


def _told(name: str, value: Any) -> Any:
    if name == "texts":
        return sum(len(text) for written in (value or {}).values() for text in written.values())
    if name in _WRITTEN_BY_PEOPLE:
        return len(value or "")
    if name == "picture":
        return bool(value)
    return value.isoformat() if isinstance(value, datetime) else value
