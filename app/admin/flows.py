"""Stories of the operator's desk whose steps must not share a transaction."""

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.admin import actions, invariants
from app.core import alarms, clock
from app.core.db import writing

log = structlog.get_logger()


async def check_invariants() -> None:
    """Looks at all invariants by reading, then writes down what it found, and sounds or ends their alarms."""
    now = clock.now()
    found, unknown = {}, {}
    for invariant in invariants.CHECKS:
        try:
            found[invariant.id] = await invariants.look(invariant, now=now)
        except (SQLAlchemyError, OSError) as error:
            # One that cannot be answered is no better than one that is broken, and the others are still worth asking.
            log.exception("invariant could not be checked", name=invariant.id)
            unknown[invariant.id] = type(error).__name__
    async with writing() as tx:
        for name, result in found.items():
            await actions.note_result(tx, name, result, now=now)
        for name, error_name in unknown.items():
            await alarms.sound(tx, "invariant", about=name, error=error_name)


async def forget_old_reports() -> None:
    """Removes what no browser has reported for a while."""
    async with writing() as tx:
        await actions.forget_old_reports(tx, now=clock.now())
