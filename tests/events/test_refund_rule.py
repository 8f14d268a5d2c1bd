"""A manager says until when tickets can be given back, and for which fee; buyers read it beside the price."""

import re
from typing import Any

import httpx
import pytest
from sqlmodel import select

from app.core.db import reading, writing
from app.events.models import Event
from tests import world
from tests.events.forms import propose
from tests.reading import words

# The clock stands still on a Monday at noon.
pytestmark = pytest.mark.usefixtures("moment")


@pytest.fixture
async def alice(client: httpx.AsyncClient, sign_in: Any) -> httpx.AsyncClient:
    """Alice's browser."""
    async with writing() as tx:
        manager = await world.alice(tx)
        await world.category(tx)
    await sign_in(client, manager)
    return client


async def the_event() -> Event:
    async with reading() as db:
        return (await db.exec(select(Event))).one()


@pytest.mark.parametrize(
    ("hours", "fee", "kept", "said"),
    [
        ("", "", (None, 0), "Never, but for free tickets"),
        ("0", "", (0, 0), "Until the start"),
        ("48", "2,50", (48, 250), "Until 48 hours before the start Fee for a ticket given back €2.50"),
    ],
)
async def test_the_rule_is_kept_and_shown(
    alice: httpx.AsyncClient, hours: str, fee: str, kept: tuple[Any, int], said: str
) -> None:
    await propose(alice, refund_hours=hours, refund_fee=fee)
    event = await the_event()
    assert (event.refund_hours, event.refund_fee_minor) == kept
    assert said in words((await alice.get(f"/manager/events/{event.slug}")).text)
    form = (await alice.get(f"/manager/events/{event.slug}/edit/tickets")).text
    assert [re.findall(rf'name="{name}"[^>]*value="([^"]*)"', form) for name in ("refund_hours", "refund_fee")] == [
        [hours],
        [fee.replace(",", ".")],
    ]


@pytest.mark.asvs("V2.2.3")
@pytest.mark.parametrize(
    ("hours", "fee", "sentence"),
    [
        ("-1", "", "Enter 0 to 8,760 hours"),
        ("9" * 30, "", "Enter 0 to 8,760 hours"),
        ("48", "-2", "Enter a fee such as 2.00, or leave it empty"),
        ("48", "NaN", "Enter a fee such as 2.00, or leave it empty"),
        ("48", "2.005", "Enter a fee such as 2.00, or leave it empty"),
        ("", "2", "Say until when tickets can be given back, or leave the fee empty"),
    ],
)
async def test_a_rule_that_makes_no_sense_is_a_mistake(alice: httpx.AsyncClient, hours: str, fee: str, sentence: str) -> None:
    answer = await propose(alice, refund_hours=hours, refund_fee=fee)
    assert answer.status_code == 422
    assert sentence in words(answer.text)


@pytest.mark.parametrize(
    ("hours", "fee", "sentence"),
    [
        (48, 250, "You can give tickets back until 48 hours before the start. That costs €2.50 a ticket."),
        (1, 0, "You can give tickets back until 1 hour before the start."),
        (0, 0, "You can give tickets back until the start."),
        (None, 0, ""),
    ],
)
async def test_buyers_read_the_rule_beside_the_price(
    client: httpx.AsyncClient, hours: int | None, fee: int, sentence: str
) -> None:
    async with writing() as tx:
        event = await world.event(tx, refund_hours=hours, refund_fee_minor=fee)
    said = words((await client.get(f"/events/{event.slug}")).text)
    assert sentence in said and ("give tickets back" in said) is bool(sentence)
