"""What was written is shown as text wherever it comes out again: pages, mails, PDFs, calendar files, feeds and the log."""

import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import httpx
import pypdfium2
import pytest
import structlog
from icalendar import Calendar
from sqlmodel import update

from app.core import clock, logs
from app.core.db import reading, writing
from app.events.models import Event, TicketType, Venue
from app.notifications import mails, queries
from app.worker import Worker
from tests import canaries
from tests.events.forms import propose, seen, slug_in
from tests.naughty import CANARY, FORGED, NASTIEST, WORDS
from tests.town import Town

# One title, summary, description … after the other until every string has been shown.
PLACES = {
    "title": 120,
    "summary": 200,
    "description": 20_000,
    "venue": 120,
    "address": 200,
    "city": 80,
    "access": 500,
    "types_0_name": 60,
    "types_0_note": 120,
}


def storable(word: str) -> bool:
    """Those that the forms take: what cannot be printed is refused there."""
    refused = any(ord(char) < 32 or 127 <= ord(char) < 160 or char == "\ufffd" for char in word)
    return bool(word.strip()) and not refused and len(word) < 5000


STORED = [word for word in WORDS if storable(word)]


ADDRESSES = ("href", "src", "action", "formaction", "data", "hx-get", "hx-post")


class Shape(HTMLParser):
    """The kinds of elements and attributes of a page: with words in it that are only words, they are always the same."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parts |= {f"<{tag} {name}>" for name, _value in attrs} | {f"<{tag}>"}
        addresses = [value or "" for name, value in attrs if name in ADDRESSES]
        foreign = [value for value in addresses if re.match(r"\s*(?!https?:)[a-z]+:", value, re.IGNORECASE)]
        # What is shared by mail is said behind the signs of equality, where it is only text.
        self.parts |= {f"address {re.sub(r'=[^&]*', '=', value)}" for value in foreign}


# Markdown makes these of an innocent description.
_TAGS = re.findall(r"\w+", "p br em strong s ul ol li a h3 h4 blockquote code pre hr table thead tbody tr th td")
_OF_MARKDOWN = {f"<{tag}>" for tag in _TAGS}
_OF_MARKDOWN |= {"<a href>", "<a rel>"}


PAGES = [
    ("client", "/events/{}"),
    ("client", "/events"),
    ("alice", "/manager/events/{}"),
    ("alice", "/manager/events/{}/edit"),
    ("alice", "/manager/events/{}/edit/basics"),
    ("alice", "/manager/events/{}/edit/tickets"),
    ("alice", "/manager/events/{}/edit/page"),
    ("alice", "/manager/events/{}/edit/access"),
    ("alice", "/manager/events"),
    ("dora", "/admin/events/{}"),
    ("dora", "/admin/events"),
]


async def shown(browsers: dict[str, httpx.AsyncClient], slug: str) -> dict[str, str]:
    """Every page that says something about an event."""
    found = {}
    for who, path in PAGES:
        answer = await browsers[who].get(path.format(slug))
        assert answer.status_code == 200, (path, answer.status_code)
        found[path] = answer.text
    return found


async def published(browsers: dict[str, httpx.AsyncClient], words: dict[str, str]) -> str:
    made = await propose(browsers["alice"], **words)
    assert made.status_code == 303, words
    slug = slug_in(made)
    assert (await browsers["alice"].post(f"/manager/events/{slug}/submit")).status_code == 303
    assert (await browsers["dora"].post(f"/admin/events/{slug}/approve", data=await seen(slug))).status_code == 303
    return slug


def batches() -> Iterator[dict[str, str]]:
    for at in range(0, len(STORED), len(PLACES)):
        words = STORED[at : at + len(PLACES)]
        yield {place: word[:most].strip() or "x" for (place, most), word in zip(PLACES.items(), words, strict=False)}


@pytest.mark.asvs("V1.2.1", "V1.1.2", "V1.2.3", "V1.3.7")
@pytest.mark.parametrize("half", [0, 1])
async def test_words_are_words_on_every_page(shop: Any, small_town: Town, half: int) -> None:
    async with (
        small_town.browser(shop, "client") as client,
        small_town.browser(shop, "alice") as alices,
        small_town.browser(shop, "dora") as doras,
    ):
        browsers = {"client": client, "alice": alices, "dora": doras}
        # So many that the lists have a second page, as they will have below.
        slugs = [await published(browsers, dict.fromkeys(PLACES, "word")) for _number in range(25)]
        # A long title is set smaller.
        slugs.append(await published(browsers, {place: ("word " * 40)[:most].strip() for place, most in PLACES.items()}))
        plain = [await shown(browsers, slug) for slug in slugs[-2:]]
        usual = {path: Shape(plain[0][path] + plain[1][path]).parts | _OF_MARKDOWN for _who, path in PAGES}
        for words in list(batches())[half::2]:
            for path, html in (await shown(browsers, await published(browsers, words))).items():
                assert Shape(html).parts <= usual[path], (path, Shape(html).parts - usual[path], words)
                assert "<script>alert" not in html


def test_an_echo_would_be_seen() -> None:
    """The negative control."""
    usual = Shape('<p class="x">word</p>').parts
    for echo in (f"<p class='x'>{CANARY}</p>", '<p class="x" onmouseover="alert(1)">', "<p class='x'><script>alert(1)</script>"):
        assert not Shape(echo).parts <= usual


# ---------- papers, calendars, mails ----------


@pytest.mark.asvs("V1.2.1", "V1.3.3", "V1.3.11", "V5.4.2")
async def test_words_are_words_in_papers_calendars_and_mails(shop: Any, small_town: Town) -> None:
    """Straight into the tables, as if the forms had let them through; a few at a time, because a paper takes long."""
    words = [word[:60] for word in NASTIEST if "\0" not in word]
    async with small_town.browser(shop, "client") as client:
        for at in range(0, len(words), 5):
            title, name, venue, city, reason = (words[at:] + words)[:5]
            async with writing() as tx:
                await tx.exec(update(Event).values(title=title, called_off_reason=reason))
                await tx.exec(update(TicketType).values(name=name))
                await tx.exec(update(Venue).values(name=venue, city=city))
            for path in _papers(small_town):
                answer = await client.get(path)
                assert answer.status_code == 200, (path, words[at : at + 5])
                assert "\n" not in answer.headers["content-disposition"]
                if path.endswith(".pdf"):
                    with pypdfium2.PdfDocument(answer.content) as document:
                        assert len(document) >= 1
                else:
                    _one_entry(answer.content)


def _papers(a_town: Town) -> list[str]:
    ticket, booking, event = (a_town.things[name] for name in ("ticket", "paid booking", "event"))
    return [
        f"/tickets/{ticket}.pdf",
        f"/tickets/{ticket}.ics",
        f"/events/{event}/calendar.ics",
        f"/bookings/{booking}/tickets.pdf",
    ]


def _one_entry(content: bytes) -> None:
    """No line of a calendar file was opened by what stands in another."""
    calendar = Calendar.from_ical(content)
    assert len(calendar.events) == 1
    assert {name.upper() for name in calendar.events[0]} <= {
        "UID", "DTSTAMP", "URL", "SUMMARY", "DTSTART", "DTEND", "LOCATION", "SEQUENCE", "STATUS", "DESCRIPTION",
    }  # fmt: skip


async def test_words_are_words_in_mails(shop: Any, small_town: Town) -> None:
    """Every mail that the town's story causes, written anew for every title."""
    async with small_town.browser(shop, "alice") as alices:
        await alices.post(f"/manager/events/{small_town.things['big house']}/call-off", data={"reason": "Rain"})
    await Worker().run_until_idle()
    async with reading() as db:
        due = [await queries.delivery(db, one) for one in await queries.due(db, now=clock.now(), most=50)]
    assert due
    for delivery, notification in due:
        usual = _mail_shape(delivery, notification, {})
        texts = [name for name in notification.facts if name in ("title", "reason", "place", "name")]
        for word in NASTIEST:
            assert _mail_shape(delivery, notification, dict.fromkeys(texts, word[:200])) <= usual


def _mail_shape(delivery: Any, notification: Any, facts: dict[str, str]) -> set[str]:
    present = notification.facts
    notification.facts = present | facts
    message = mails.compose(delivery, notification, [], [], now=clock.now())
    notification.facts = present
    return Shape(message.get_body(("html",)).get_content()).parts  # type: ignore[union-attr]


# ---------- the log ----------


@pytest.mark.asvs("V1.3.3", "V1.2.1")
@pytest.mark.parametrize("kind", ["text", "json"])
def test_no_word_forges_a_line_of_the_log(kind: str) -> None:
    written = io.StringIO()
    logs.configure(kind, written)
    try:
        for word in WORDS:
            written.truncate(written.seek(0))
            structlog.get_logger().warning("something happened", path=word, reason=f"it said {word}")
            line = written.getvalue()
            assert len(line.splitlines()) == 1, repr(word[:80])
            assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", line), repr(word[:80])
            assert not line.startswith(FORGED)
            if kind == "json":
                assert json.loads(line)["event"] == "something happened"
    finally:
        logs.configure("text", canaries.watch)


async def test_requests_forge_no_line_of_the_log(shop: Any, small_town: Town) -> None:
    """The path, the query, what a form holds, and what the browser says of itself."""
    async with small_town.browser(shop, "client") as client:
        for end in ("%0d%0a", "%0a", "%0d", "%c2%85", "%e2%80%a8", "%1b[2K"):
            line = f"x{end}{FORGED.replace(' ', '%20')}"
            await client.get(f"/{line}?{line}={line}", headers={"User-Agent": f"x {FORGED}"})
            await client.post("/login", content=f"email={line}&password={line}".encode(), headers={"Content-Type": "text/plain"})
            await client.get(f"/tickets/{line}")
    lines = canaries.watch.log.splitlines()
    assert lines
    assert [line for line in lines if not re.match(r"2026-11-16T12:00:00Z ", line)] == []
