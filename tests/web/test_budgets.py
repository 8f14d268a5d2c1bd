"""What every page may weigh and ask: its budget in bytes, and in questions to the database.

The kilobytes are those of the pages' design, packed, without organisers' pictures. A number of questions that grows with the rows
is one question for each row: at three times as many it shows itself here, and at a thousand times as many to everybody else.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import time_machine

import app.events.queries
from app.core import static
from app.core.db import Database
from tests import town
from tests.accounts.watching import watched
from tests.conftest import whole_shop
from tests.hostile import never_too_often
from tests.routes import Rule
from tests.test_headers import PUBLIC
from tests.town import Town
from tests.web.counting import READ, cost_of, multiply

# Route: packed kilobytes of the page (0: no page, or a part of one), statements beside the look at who it is.
BUDGET: dict[str, tuple[float, int]] = {
    "/": (8, 3),
    "/events": (8, 3),
    "/events.atom": (0, 1),
    "/events.ics": (0, 1),
    "/sitemap.xml": (0, 5),
    "/sitemaps/{name:str}": (0, 3),
    "/robots.txt": (0, 0),
    "/categories/{slug:str}": (8, 3),
    "/venues/{slug:str}": (8, 3),
    "/cities/{slug:str}": (8, 3),
    "/managers/{slug:str}": (8, 3),
    "/events/{slug:str}": (8, 3),
    "/series/{slug:str}": (8, 3),
    "/events/{slug:str}/live": (0, 2),
    "/events/{slug:str}/availability": (0.3, 2),
    "/events/{slug:str}/poster/{name:str}": (0, 1),
    "/card.png": (0, 0),
    "/events/{slug:str}/calendar.ics": (0, 2),
    "/events/{slug:str}/opening.ics": (0, 2),
    "/waiting-list/{code:str}": (4, 4),
    "/reminders/{token:str}": (4, 2),
    "/favourites": (4, 1),
    "/pictures/{name:str}": (0, 0),
    "/imprint": (4, 1),
    "/terms": (4, 1),
    "/accessibility": (4, 1),
    "/privacy": (4, 1),
    "/healthz": (0, 1),
    "/static/{file_path:path}": (0, 0),
    "/bookings/{code:str}": (4, 8),
    "/bookings/{code:str}/answers": (4, 5),
    "/bookings/{code:str}/tickets": (8, 5),
    "/bookings/{code:str}/tickets.pdf": (0, 5),
    "/bookings/{code:str}/deadline.ics": (0, 3),
    "/bookings/{code:str}/return": (0.3, 2),
    "/tickets/{code:str}": (4, 3),
    "/bookings/{code:str}/refund": (4, 6),
    "/bookings/{code:str}/receipts": (4, 5),
    "/bookings/{code:str}/receipts/{number:str}": (4, 6),
    "/register": (2.5, 0),
    "/login": (2.5, 0),
    "/login/second": (0.3, 0),
    "/login/again": (4, 3),
    "/login/link": (4, 0),
    "/login/link/{token:str}": (4, 1),
    "/password/forgot": (2, 0),
    "/password/reset/{token:str}": (2.2, 2),
    "/verify/{token:str}": (4, 1),
    "/invitations/{token:str}": (4, 1),
    "/helping/{token:str}": (4, 1),
    "/unsubscribe/{token:str}": (4, 1),
    "/me": (4, 4),
    "/me/tickets": (5, 4),
    "/me/presales": (4, 4),
    "/me/payments": (4, 2),
    "/me/favourites": (4, 3),
    "/me/name": (4, 0),
    "/me/manager": (4, 1),
    "/me/email": (4, 0),
    "/me/password": (4, 1),
    "/me/security": (4, 4),
    "/me/security/second-factor": (4, 4),
    "/me/security/passkeys": (4, 1),
    "/me/security/passkeys/new": (4, 0),
    "/me/security/passkeys/{code:str}": (4, 1),
    "/me/security/passkeys/{code:str}/remove": (4, 1),
    "/me/security/identities": (4, 1),
    "/me/security/identities/{code:str}/remove": (4, 1),
    "/me/notifications": (3, 3),
    "/me/notifications/unread": (0.3, 1),
    "/me/notifications/preferences": (4, 1),
    "/me/data": (4, 1),
    "/me/data/export": (4, 0),
    "/me/data/exports/{code:str}": (0, 1),
    "/me/data/erase": (4, 7),
    "/manager": (4, 6),
    "/manager/events": (4, 1),
    "/manager/events/new": (4, 0),
    "/manager/events/{slug:str}": (6, 17),
    "/manager/events/{slug:str}/edit": (4, 6),
    "/manager/events/{slug:str}/edit/{section:str}": (6, 6),
    "/manager/events/{slug:str}/types/new": (4, 1),
    "/manager/events/{slug:str}/types/{code:str}": (4, 4),
    "/manager/events/{slug:str}/quotas/new": (4, 4),
    "/manager/events/{slug:str}/quotas/{code:str}": (4, 7),
    "/manager/events/{slug:str}/questions/new": (4, 1),
    "/manager/events/{slug:str}/questions/{code:str}": (4, 3),
    "/manager/events/{slug:str}/repeat": (4, 2),
    "/manager/events/{slug:str}/dates/change": (4, 2),
    "/manager/events/{slug:str}/call-off": (4, 2),
    "/manager/events/{slug:str}/postpone": (4, 2),
    "/manager/events/{slug:str}/waiting-list": (4, 4),
    "/manager/events/{slug:str}/waiting-list.csv": (0, 3),
    "/manager/events/{slug:str}/sales": (8, 5),
    "/manager/events/{slug:str}/sales/{code:str}/codes": (4, 3),
    "/manager/events/{slug:str}/sales/{code:str}/codes.csv": (0, 3),
    "/manager/events/{slug:str}/codes": (4, 4),
    "/manager/events/{slug:str}/codes.csv": (0, 4),
    "/manager/events/{slug:str}/comps": (4, 5),
    "/manager/events/{slug:str}/box-office": (4, 6),
    "/manager/events/{slug:str}/box-office/{reference:str}": (4, 6),
    "/manager/events/{slug:str}/payments": (4, 6),
    "/manager/events/{slug:str}/refunds": (4, 4),
    "/manager/events/{slug:str}/bookings/{reference:str}/refund": (4, 7),
    "/manager/events/{slug:str}/bookings": (8, 4),
    "/manager/events/{slug:str}/bookings/{reference:str}": (4, 8),
    "/manager/events/{slug:str}/attendees": (8, 7),
    "/manager/events/{slug:str}/attendees/{short_code:str}": (4, 5),
    "/manager/events/{slug:str}/announcements": (4, 3),
    "/manager/events/{slug:str}/announcements/{code:str}": (4, 3),
    "/manager/jobs": (4, 1),
    "/manager/jobs/{code:str}": (4, 2),
    "/manager/jobs/{code:str}/file": (0, 2),
    "/manager/events/{slug:str}/team": (5, 2),
    "/manager/events/{slug:str}/checkin": (3.5, 11),
    "/manager/events/{slug:str}/checkin/list": (0, 2),
    "/manager/events/{slug:str}/checkin/worker.js": (0, 1),
    "/manager/events/{slug:str}/checkins.csv": (0, 2),
    "/admin/payments": (4, 6),
    "/admin": (4, 20),
    "/admin/managers": (5, 4),
    "/admin/managers/{code:str}": (4, 10),
    "/admin/applications/{code:str}": (4, 1),
    "/admin/users": (5, 1),
    "/admin/users/{code:str}": (5, 18),
    "/admin/guests/{reference:str}": (4, 14),
    "/admin/events": (6, 4),
    "/admin/events/{slug:str}": (6, 13),
    "/admin/series/{slug:str}": (4, 6),
    "/admin/mails": (4, 4),
    "/admin/activity": (8, 6),
    "/admin/activity/{number:int}": (4, 2),
    "/admin/activity/head.txt": (0, 1),
    "/admin/invariants": (4, 1),
    "/admin/reports": (4, 1),
    "/admin/categories": (4, 2),
    "/admin/categories/{slug:str}": (4, 5),
    "/admin/venues": (4, 2),
    "/admin/venues/{number:int}": (4, 4),
    "/admin/settings": (4, 0),
    "/admin/texts": (4, 1),
    "/admin/texts/{name:str}": (4, 1),
}

PUBLIC_QUERIES = 3
# What else a page loads: one style sheet, one script, and of a few pages a script of their own.
SCRIPTS = {"shop.js": 15_000, "checkin.js": 4_500, "passkeys.js": 1_500, "checkin-worker.js": 1_500}
STYLE = 14_000


def test_every_page_has_a_budget() -> None:
    assert {rule.route for rule in READ} == BUDGET.keys()


def test_a_public_page_takes_three_questions() -> None:
    assert {route: BUDGET[route][1] for route in PUBLIC if BUDGET[route][1] > PUBLIC_QUERIES} == {}


def test_style_and_scripts_stay_small() -> None:
    packed = {name: len(file.as_gzip) for name, file in static.files().items() if name.endswith((".js", ".css"))}
    assert {name: packed[name] for name, most in SCRIPTS.items() if packed[name] > most} == {}
    assert packed["app.css"] <= STYLE
    parts = {part for parts in static.JOINED.values() for part in parts}
    # Nothing else is loaded by a page, but for the decoder of the door.
    assert {name for name in packed if "barcode" not in name} == {"app.css", *SCRIPTS, *parts}


@pytest.fixture
async def small_town(sqlite_database: Database, moment: time_machine.Traveller, tmp_path: Path) -> Town:
    return await town.opened(tmp_path / "town.db")


async def over_budget(small_town: Town, rules: Sequence[Rule], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Pages that weigh or ask too much when everything is there three times, or that ask more then than when it is there once."""
    shop, found = whole_shop(), {}
    with watched(monkeypatch) as work:
        once = [await cost_of(shop, small_town, rule, work) for rule in rules]
        await multiply()
        for rule, first in zip(rules, once, strict=True):
            cost = await cost_of(shop, small_town, rule, work)
            kilobytes, questions = BUDGET[rule.route]
            if len(cost.statements) > len(first.statements):
                found[str(rule)] = f"grows from {len(first.statements)} to {len(cost.statements)} questions"
            elif len(cost.statements) > questions:
                found[str(rule)] = f"{len(cost.statements)} questions: {cost.statements}"
            elif cost.bytes > kilobytes * 1000:
                found[str(rule)] = f"{cost.bytes} bytes"
    return found


async def test_every_page_keeps_its_budget_however_many_rows_there_are(small_town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    never_too_often(monkeypatch)
    assert await over_budget(small_town, READ, monkeypatch) == {}


async def test_a_question_for_each_row_is_found(small_town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: the ticket types of a list are asked for event by event."""
    together = app.events.queries._types_of

    async def one_by_one(db: Any, event_ids: list[int]) -> dict[int, Any]:
        return {event_id: types for one in event_ids for event_id, types in (await together(db, [one])).items()}

    monkeypatch.setattr(app.events.queries, "_types_of", one_by_one)
    home = [rule for rule in READ if rule.route == "/"]
    assert "grows" in (await over_budget(small_town, home, monkeypatch))["GET /"]
