"""A sealed activity log, and somebody who has the database itself: raw statements, and the triggers taken away."""

from datetime import timedelta
from typing import Any

import time_machine
from sqlalchemy import delete, text

from app.core import activity, seals
from app.core.activity import ActivityWork
from app.core.db import database, reading, writing
from app.core.seals import Seal
from app.core.verify import Report

A_WHILE = timedelta(minutes=20)

_TRIGGERS = {
    True: "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'",
    False: "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal",
}


async def tamper(statement: str, **values: Any) -> int:
    """Runs a statement as it stands; gives how many rows it changed."""
    async with writing() as tx:
        return int((await (await tx.connection()).execute(text(statement), values)).rowcount)


async def disarm() -> None:
    """Activities and their seals can be changed from now on."""
    on_sqlite = database().is_sqlite
    async with writing() as tx:
        connection = await tx.connection()
        for name, table in (await connection.execute(text(_TRIGGERS[on_sqlite]))).all():
            await connection.execute(text(f"DROP TRIGGER {name}" + ("" if on_sqlite else f" ON {table}")))


async def happen(count: int, *, kind: str = "event.approved") -> list[int]:
    """So many acts of the same moment, about which nothing is left to be done."""
    async with writing() as tx:
        ids = [(await activity.record(tx, kind, about=f"event:{number}", by=None, n=number)).id or 0 for number in range(count)]
        await tx.exec(delete(ActivityWork))
        return ids


async def a_day(moment: time_machine.Traveller, *, rounds: int = 6, each: int = 3) -> Seal:
    """Some rounds of the worker, each with something to seal, twenty minutes apart. Gives the head."""
    for _round in range(rounds):
        await happen(each)
        moment.shift(timedelta(seconds=10))
        await seals.seal()
        moment.shift(A_WHILE)
    return await head()


async def head() -> Seal:
    async with reading() as db:
        found = await seals.last(db)
    assert found
    return found


def kinds(report: Report) -> set[str]:
    return {fault.kind for fault in report.faults}


async def macs() -> dict[int, str]:
    async with reading() as db:
        return {seal.number: seal.mac for seal in await seals.seals_after(db, 0)}
