"""Nothing passes by the catalogue: in a language that nobody speaks, every word of every page, mail and paper is in brackets."""

import dataclasses
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import pytest
import time_machine

from app.core import i18n
from app.core.db import Database
from app.core.settings import settings
from app.tickets.pdf import tickets_pdf
from tests import pseudo, town
from tests.conftest import whole_shop
from tests.hostile import FORMS, never_too_often
from tests.notifications.test_write_mails import FACTS, LETTER, MAILED
from tests.notifications.test_write_mails import written as composed
from tests.routes import ALLOWED, RULES, Rule
from tests.tickets.test_print import TICKET, pages
from tests.town import VISITORS, Town

# What people and the shop have written, by the names of the columns; words that stand for a state are none of these.
WRITTEN = {
    "title", "summary", "description", "name", "label", "address", "city", "access", "email", "holder", "code",
    "short_code", "reference", "reason", "note", "body", "subject", "slug", "organisation", "website", "online_url",
    "help", "options", "answer", "choices", "wished_changes", "called_off_reason", "postponed_reason", "hint",
    "about", "events_planned", "disabled_reason", "refusal", "device", "said", "why", "text",
}  # fmt: skip
# Words that are the same in every language: brands, formats, names of languages and currencies.
SAME = [
    "EventTicket", "Stripe", "English", "Français", "Italiano", "Deutsch", "Español", "Long", "Mirrored", "PDF", "CSV", "UTC",
    "EUR", "CHF", "GBP", "USD", "SEK", "DKK", "NOK", "PLN", "CZK", "JPY",
]  # fmt: skip
# Addresses, names of files, and time zones as everybody's devices have them.
NO_WORDS = re.compile(
    r"\bhttps?://\S*|[\w.+-]+@[\w.-]+|\b\w+\.(?:csv|pdf|zip)\b"
    r"|\b(?:America|Asia|Atlantic|Australia|Europe|Pacific)/\w+(?: York| Angeles| Paulo)?"
)


@pytest.fixture(scope="module")
def kept_town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("town") / "town.db"


@pytest.fixture
async def small_town(
    sqlite_database: Database, moment: time_machine.Traveller, kept_town: Path, monkeypatch: pytest.MonkeyPatch
) -> Town:
    opened = await town.opened(kept_town)
    never_too_often(monkeypatch)
    pseudo.speak(monkeypatch)
    return opened


def written(path: Path) -> list[str]:
    """Everything in the database that somebody has typed, the longest first."""
    found: set[str] = set()
    with closing(sqlite3.connect(path)) as db:
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            columns = [row[1] for row in db.execute(f'PRAGMA table_info("{table}")') if row[1] in WRITTEN]
            for column in columns:
                for (value,) in db.execute(f'SELECT DISTINCT "{column}" FROM "{table}"'):
                    found |= {line.strip() for line in str(value or "").splitlines()}
    return pseudo.words_of(found)


def who(rule: Rule) -> str:
    """The first visitor who may."""
    return next((visitor for visitor, answer in zip(VISITORS, rule.group, strict=True) if answer == ALLOWED), "client")


async def test_every_page_speaks_the_language_that_was_chosen(small_town: Town) -> None:
    data, found = [*SAME, *written(settings().data / "test.db")], {}
    seen = 0
    for visitor in VISITORS:
        async with in_language(small_town, visitor) as browser:
            for rule in (one for one in RULES if who(one) == visitor):
                answer = await browser.request(rule.method, rule.path(small_town, visitor))
                seen += "[" in answer.text
                if faults := faults_of(answer, data):
                    found[f"{answer.status_code} {rule}"] = faults
    assert found == {}
    assert seen > 200


async def test_every_mistake_is_explained_in_the_language_that_was_chosen(small_town: Town) -> None:
    data, found = [*SAME, *written(settings().data / "test.db")], {}
    seen = 0
    for form in FORMS:
        async with in_language(small_town, form.who) as browser:
            wrong = dict.fromkeys(form.good, "x" * 600)
            answer = await browser.post(form.address(small_town), data=wrong)
            seen += answer.status_code == 422
            if faults := [fault for fault in faults_of(answer, data) if "xxx" not in fault]:
                found[f"{answer.status_code} {form.path}"] = faults
    assert found == {}
    assert seen > 30


@pytest.mark.parametrize("kind", MAILED)
def test_every_mail_is_in_its_readers_language(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pseudo.speak(monkeypatch)
    subject, text, html, _unsubscribe = composed(kind, language=pseudo.LONG, title="Nine Pianos", subject="Nine Pianos")
    typed = [line for value in FACTS.values() for line in str(value).splitlines()]
    data = [
        *SAME,
        *pseudo.words_of({*typed, *typed_in(FACTS), "Nine Pianos", *re.split("<b>|</b>|[*]", LETTER.body), LETTER.body}),
    ]
    assert (bare(subject, data), bare(text, data), pseudo_of(html, data)) == ("", "", [])


def test_papers_are_in_the_language_of_their_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    pseudo.speak(monkeypatch)
    (text,) = pages(tickets_pdf([TICKET, dataclasses.replace(TICKET, is_valid=False)], language=pseudo.LONG))
    for line in asdict(TICKET).values():
        text = text.replace(str(line), " ")
    assert "[" in text
    assert bare(re.sub(r"\s+", " ", text), SAME) == ""


def test_what_was_forgotten_is_found() -> None:
    """The negative control."""
    page = f'<p>{pseudo.pseudo("Fine <b>too</b>")} Forgotten</p><i title="Hidden">Bob</i><p>{pseudo.pseudo("Hello")}</p>'
    assert pseudo_of(page, ["Bob"]) == ["Forgotten", "Hidden"]
    assert bare("Τρίτη 5, 20:30", []) == "" and bare("Tuesday 5, 20:30", []) == "Tuesday 5, 20:30"


@asynccontextmanager
async def in_language(small_town: Town, visitor: str) -> AsyncIterator[httpx.AsyncClient]:
    async with small_town.browser(whole_shop(), visitor) as browser:
        browser.cookies.set("language", pseudo.LONG, domain="testserver.local", path="/")
        yield browser


def faults_of(answer: httpx.Response, data: list[str]) -> list[str]:
    """What came out past the catalogue, and links that lose the language."""
    kind = answer.headers.get("content-type", "")
    if kind.startswith("text/csv") and not answer.url.path.startswith("/manager/jobs/"):
        return [said for cell in answer.text.splitlines()[0].split(",") if (said := bare(cell, data))]
    if not kind.startswith("text/html"):
        return []
    there = set(re.findall(r'(?:href|action|formaction|hx-get|hx-post)="(/[^"]*)"', answer.text))
    lost = [address for address in there if i18n.address_in(pseudo.LONG, address) != address]
    # These two stand in the middle of sentences.
    return sorted({*pseudo_of(answer.text, data), *lost} - {"/terms", "/privacy"})


def pseudo_of(html: str, data: list[str]) -> list[str]:
    return [left for one in pseudo.Page(html).bare(data) if (left := bare(one, data))]


def bare(text: str, data: list[str]) -> str:
    return pseudo.bare(NO_WORDS.sub(" ", text), data)


def typed_in(facts: dict[str, Any]) -> Iterator[str]:
    for value in facts.values():
        if isinstance(value, dict):
            yield from value.values()
        elif isinstance(value, list):
            yield from (str(part) for one in value for part in (one if isinstance(one, list) else [one]))
