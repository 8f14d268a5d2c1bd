"""The file of erasures beside the database. Lines are only added; a restore of the database leaves it alone."""

import os
from collections.abc import Sequence
from pathlib import Path

from app.core.settings import settings
from app.privacy import rules
from app.privacy.rules import Line


def path() -> Path:
    return settings().data / "erasures.jsonl"


def read() -> list[Line]:
    """Every erasure in the file. Slow: it reads the disk."""
    return rules.lines_of(path().read_text("utf-8")) if path().exists() else []


def append(lines: Sequence[Line]) -> None:
    """Adds lines and waits until the disk has them. Raises OSError."""
    path().parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path(), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b") as file:
        # A line that was cut off by a full disk must not swallow the next one.
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        start = b"" if size == 0 or file.read(1) == b"\n" else b"\n"
        file.write(start + b"".join(rules.as_text(line).encode() + b"\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())
