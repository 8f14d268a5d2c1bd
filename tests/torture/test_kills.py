"""Processes die by SIGKILL while eight people buy, give back and come: nothing that anybody was told is lost."""

import random

from app.accounts.models import Visitor
from app.bookings import actions
from app.core import clock
from app.core.db import writing
from tests import world
from tests.tickets.doors import evening
from tests.torture.kills import Journal, run_kills, untrue, untrue_at_door
from tests.torture.stand import Stand

RESTART_SECONDS = 15


async def test_what_was_answered_survives_kill_minus_nine(stand: Stand) -> None:
    havoc = await run_kills(stand, kills=5, dice=random.Random(6))
    assert havoc.faults == []
    assert max(havoc.restarts) < RESTART_SECONDS
    assert havoc.journal.paid and havoc.journal.charged and havoc.journal.admitted


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


async def test_a_lost_check_in_would_be_noticed(stand: Stand) -> None:
    """The negative control: people whom Erin admitted and who are not in, and one who is in without her."""
    async with stand.books():
        tonight = await evening(3)
        sneaked, *outside = tonight.codes
        await tonight.scan(sneaked)
        told = await untrue_at_door(Journal(admitted={*outside, "a-lost-ticket"}))
    assert sorted(told) == sorted(
        [
            f"nobody admitted {sneaked}",
            *(f"ticket {code} was admitted, but is not in once" for code in (*outside, "a-lost-ticket")),
        ]
    )
