"""Dora looks through the payments of all events, and takes them away as a file."""

import csv
import io
from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import time_machine

from app.accounts.models import User
from app.core.db import writing
from tests import world
from tests.admin.logbook import said
from tests.payments.refund_story import an_event, paid

SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]


async def test_payments_are_narrowed_by_way_and_day_and_taken_away(
    moment: time_machine.Traveller, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    event = await an_event()
    card = await paid(event)
    moment.shift(timedelta(days=1))
    cash = await paid(event, provider="cash")
    async with writing() as tx:
        dora = await world.dora(tx)
    await sign_in(client, dora)
    shown = {
        "": {card.reference, cash.reference},
        "?provider=cash": {cash.reference},
        "?provider=stripe": {card.reference},
        "?provider=gold": {card.reference, cash.reference},
        "?to=2026-11-16": {card.reference},
        "?from=2026-11-17": {cash.reference},
        "?from=soon&show=paid": {card.reference, cash.reference},
        "?from=2026-11-18": set(),
    }
    for query, expected in shown.items():
        page = (await client.get(f"/admin/payments{query}")).text
        assert {reference for reference in (card.reference, cash.reference) if reference in page} == expected, query
        answer = await client.get(f"/admin/payments.csv{query}")
        assert {row[1] for row in rows_of(answer)} == expected, query
    [row] = rows_of(await client.get("/admin/payments.csv?provider=cash"))
    assert row[4:] == ["cash", "captured", "37.00", "37.00", "0.00", "EUR"]
    assert (await said())[-1] == "Dora (dora@example.com) took 1 payment away as a file."


def rows_of(answer: httpx.Response) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))[1:]
