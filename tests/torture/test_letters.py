"""Whatever becomes of Stripe's webhooks: one set of tickets and one mail for each booking that was paid, and balanced money."""

import random

from app.payments.flows import notices
from tests.torture.letters import run_letters
from tests.torture.stand import Stand


async def test_money_and_tickets_agree_with_stripe_after_a_storm_of_webhooks(stand: Stand) -> None:
    outcome = await run_letters(stand, number=40, dice=random.Random(8))
    assert outcome.faults == []
    assert {"good", "late", "wrong mode", "forged"} <= set(outcome.letters)


async def test_without_the_sweeps_the_letters_that_never_came_are_missing(stand: Stand) -> None:
    """The negative control: a shop that believes in webhooks, and looks at nothing else."""

    async def only_what_arrived() -> list[str]:
        await notices.work_notices()
        return []

    outcome = await run_letters(stand, number=20, dice=random.Random(8), sweep=only_what_arrived)
    assert outcome.faults
