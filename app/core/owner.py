"""Who may open a SQLite file. An old SQLite lets only one process write it safely in WAL mode, so that one holds a lock."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from app.core.db import one_process_owns_the_file

_held: list[IO[str]] = []


class FileInUse(Exception):
    """A sentence for whoever started a second process on the same file."""


def own(url: str) -> None:
    """Makes this process the owner of the file until it ends. Raises FileInUse; does nothing for PostgreSQL or a newer SQLite."""
    lock = _locked(url)
    if lock:
        _held.append(lock)


@contextmanager
def owned(url: str) -> Iterator[None]:
    """The same for the length of a block, so that another process can have the file afterwards."""
    lock = _locked(url)
    try:
        yield
    finally:
        if lock:
            lock.close()


def _locked(url: str) -> IO[str] | None:
    if not url.startswith("sqlite") or not one_process_owns_the_file():
        return None
    path = Path(url.partition(":///")[2])
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f"{path.name}.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise FileInUse(
            f"Another process uses {path}. This SQLite lets one process own the file: stop the server first."
        ) from None
    return lock
