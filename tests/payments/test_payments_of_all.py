"""Dora looks through the payments of all events, and takes them away as a file."""

import csv
import io
from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import time_machine
from sqlalchemy import text

from app.accounts.models import User
from app.core.db import writing
from app.worker import work_jobs
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
        answer = await client.post(f"/admin/payments/file{query}")
        assert {row[1] for row in rows_of(answer)} == expected, query
    [row] = rows_of(await client.post("/admin/payments/file?provider=cash"))
    assert row[4:] == ["cash", "captured", "37.00", "37.00", "0.00", "EUR"]
    assert (await said())[-1] == "Dora (dora@example.com) took 1 payment away as a file."


async def test_more_than_ten_thousand_payments_are_written_by_a_job(
    moment: time_machine.Traveller, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    event = await an_event()
    booking = await paid(event, email="=carol@example.com")
    async with writing() as tx:
        dora = await world.dora(tx)
        await tx.exec(text(MANY).bindparams(booking=booking.id, number=10_000))  # type: ignore[call-overload]
    await sign_in(client, dora)
    refused = await client.post("/admin/payments/file?q=example")
    assert refused.status_code == 409
    assert "take the file without it" in refused.text
    page = (await client.post("/admin/payments/file?show=paid")).headers["location"]
    assert (await said())[-1] == "Dora (dora@example.com) took 10,001 payments away as a file."
    while await work_jobs():
        pass
    rows = rows_of(await client.get(f"{page}/file"))
    assert len(rows) == 10_001
    assert {(row[1], row[2], row[5]) for row in rows} == {(booking.reference, "'=carol@example.com", "captured")}
    assert len({row[0] for row in rows}) == 10_001


# Payments of one booking, each a second after the other.
MANY = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :number)
    INSERT INTO payments (id, booking_id, provider, state, amount_minor, currency, params, session_url, captured_minor,
        reserved_minor, returned_minor, dispute, pay_until, created_at)
    SELECT 'p' || i, :booking, 'stripe', 'captured', 100, 'EUR', '{}', '', 100, 0, 0, '', '2026-11-16 12:00:00',
        datetime('2020-01-01', '+' || i || ' seconds') FROM n
"""


def rows_of(answer: httpx.Response) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))[1:]
