"""Processes die by SIGKILL while eight people buy and give back: nothing that anybody was told is lost."""

import random

from app.accounts.models import Visitor
from app.bookings import actions
from app.core import clock
from app.core.db import writing
from tests import world
from tests.torture.kills import Journal, run_kills, untrue
from tests.torture.stand import Stand

RESTART_SECONDS = 15


async def test_what_was_answered_survives_kill_minus_nine(stand: Stand) -> None:
    havoc = await run_kills(stand, kills=5, dice=random.Random(6))
    assert havoc.faults == []
    assert max(havoc.restarts) < RESTART_SECONDS
    assert havoc.journal.paid and havoc.journal.charged


async def test_a_lost_answer_would_be_noticed(stand: Stand) -> None:
    """The negative control: a journal of things that the shop knows nothing of."""
    async with stand.books():
        async with writing() as tx:
            event = await world.event(tx)
            kind = await world.only_type(tx, event)
            code = (await actions.hold(tx, event, {kind.id or 0: 1}, by=Visitor(key="bob"), now=clock.now())).code
        journal = Journal(held={code}, paid={code}, released={code})
        journal.returned[code] = 1
        told = "\n".join(await untrue(stand, journal, code, came={}) + await untrue(stand, journal, "a-lost-booking", came={}))
    for wrong in ("was paid", "was released", "gave tickets back", "is at rest", "a-lost-booking is not there"):
        assert wrong in told
