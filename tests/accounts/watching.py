"""What somebody outside can see or measure of an answer: its bytes, its cookies, and the work behind it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from sqlalchemy import event

from app.accounts import flows
from app.core import db


@dataclass
class Work:
    """Statements in their order, as text without values, and how many passwords were hashed."""

    statements: list[str] = field(default_factory=list)
    hashes: int = 0


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    """Writes down the work of what happens inside the block."""
    work, engines = Work(), [db.database().reader.sync_engine, db.database().writer.sync_engine]
    hashing = flows._in_a_thread

    def noted(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        work.statements.append(re.sub(r"\s+", " ", statement))

    async def counted(job: Any) -> Any:
        work.hashes += 1
        return await hashing(job)

    with monkeypatch.context() as patch:
        patch.setattr(flows, "_in_a_thread", counted)
        for engine in engines:
            event.listen(engine, "before_cursor_execute", noted)
        try:
            yield work
        finally:
            for engine in engines:
                event.remove(engine, "before_cursor_execute", noted)


@dataclass(frozen=True)
class Seen:
    """An answer with the typed address taken out; headers and cookies by name and length, because some hold random words."""

    status: int
    headers: tuple[tuple[str, int], ...]
    location: str
    text: str
    statements: tuple[str, ...]
    hashes: int


def seen(answer: httpx.Response, work: Work, email: str) -> Seen:
    headers = sorted((name, len(value)) for name, value in answer.headers.multi_items())
    text = answer.text.replace(email, "X")
    return Seen(answer.status_code, tuple(headers), answer.headers.get("location", ""), text, tuple(work.statements), work.hashes)
