"""Every mail there is can be written, in both parts, without anything missing or hostile in it."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from app.core.db import Database
from app.core.settings import Settings, use
from app.notifications import mails, rules
from app.notifications.models import Delivery, Notification
from app.notifications.rules import KINDS

NOON = datetime(2026, 11, 16, 12, 0, tzinfo=UTC)
HOSTILE = 'Nine <b>Pianos</b>\r\nBcc: all@example.com "%(x)s" {{ 7*7 }}'
FACTS = {
    "title": HOSTILE,
    "slug": "nine-pianos",
    "hue": "cobalt",
    "zone": "Europe/Rome",
    "starts_at": NOON,
    "doors_at": NOON,
    "publish_at": NOON,
    "venue": "Teatro <i>Baretti</i>",
    "address": "Via Baretti 4",
    "city": "Turin",
    "summary": "Nine pianists.",
    "category": "Music",
    "booking": "abc",
    "booking_id": 1,
    "reference": "7K2M-9QXD",
    "currency": "EUR",
    "total_minor": 3600,
    "held_until": NOON,
    "places": 2,
    "lines": [[2, "Gallery", 1800, 3600]],
    "minor": 3600,
    "reasons": "The date\nis missing.",
    "is_postponed": False,
    "days": 14,
    "returns_until": NOON,
    "wishes": {"basics": "No <b>prices</b>.", "access": "Which age?"},
    "reason": "The hall is flooded.",
    "was_paid": True,
    "had_been_paying": True,
    "changed": ["doors_at", "starts_at", "venue"],
    "link": "l1",
    "link_kind": "register",
    "email": "ada@example.com",
    "new_email": "new@example.com",
    "name": "Ada",
    "note": "The <b>singer</b> is ill.",
    "in_cash": False,
    "is_over": False,
    "returned": 2,
    "nonce": "n1",
    "application": "a1",
    "organisation": "Nine <b>Pianos</b>",
    "applicant": "ada@example.com",
    "entry": "e1",
    "type": "Gallery",
    "position": 7,
    "hours": 12,
    "wished": 4,
    "is_offer": False,
    "announcement": 1,
    "subject": HOSTILE,
    "phase": "sale",
    "news": "moved",
}
LETTER = mails.Letter("The doors open <b>later</b>, at *eight*.", "alice@example.com")
VOID = {"meta", "br"}


class Reader(HTMLParser):
    """Reads HTML strictly enough to notice a tag that nobody closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def written(kind: str, *, language: str = "en", **facts: object) -> tuple[str, str, str, str]:
    """Subject, plain text, HTML, and the List-Unsubscribe header."""
    given = rules.stored(FACTS | facts)
    notification = Notification(
        id=1,
        activity_id=1,
        kind=kind,
        recipient="mail:ada@example.com",
        email="ada@example.com",
        language=language,
        facts=given,
        created_at=NOON,
    )
    delivery = Delivery(id=1, notification_id=1, created_at=NOON, next_try_at=NOON)
    letter = LETTER if kind == "announcement" else None
    message = mails.compose(delivery, notification, [], [], now=NOON, letter=letter)
    text, html = (message.get_body((part,)).get_content() for part in ("plain", "html"))  # type: ignore[union-attr]
    return str(message["Subject"]), text, html, str(message["List-Unsubscribe"] or "")


MAILED = [name for name, kind in KINDS.items() if kind.is_mailed]


@pytest.mark.asvs("V1.3.11", "V1.3.7", "V1.3.10")
@pytest.mark.parametrize("kind", MAILED)
def test_every_kind_has_subject_text_and_html(kind: str) -> None:
    subject, text, html, unsubscribe = written(kind)
    assert subject
    assert "\n" not in subject
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    assert len(html.encode()) < 12_000
    assert not reader.tags & {"b", "i", "script", "img", "link"}, "a title is text"
    assert bool(unsubscribe) == bool(KINDS[kind].topic)
    leads_to = rules.path(kind, FACTS, token=rules.link_token(FACTS))
    if leads_to:
        assert f"http://testserver.local{leads_to}" in text
        assert f"http://testserver.local{leads_to}" in reader.links
    for part in (text, html):
        assert "http://testserver.local/unsubscribe/" in part if unsubscribe else "/unsubscribe/" not in part
        assert "None" not in part
    assert "&lt;" not in text
    assert not any(word in text.lower() for word in ("oops", "please", "sorry", "invalid"))
    assert "\n\n\n" not in text


def test_a_french_colon_keeps_its_distance() -> None:
    """Also where a label stands before a link or an amount. English, where it follows at once, is the control."""

    def close(language: str) -> list[str]:
        return [kind for kind in MAILED if re.search(r"\w:(?: \W?\d|$)", written(kind, language=language)[1], re.MULTILINE)]

    assert len(close("en")) > 40
    assert close("fr") == []


@pytest.mark.parametrize("kind", MAILED)
def test_every_kind_does_without_what_may_be_missing(kind: str) -> None:
    absent: dict[str, object] = dict.fromkeys(("venue", "address", "city", "summary", "reason", "reasons", "note"), "")
    absent |= dict.fromkeys(("doors_at", "publish_at")) | {"wishes": {}}
    written(
        kind,
        **absent,
        was_paid=False,
        had_been_paying=False,
        total_minor=0,
        lines=[[1, "Free", 0, 0]],
        places=1,
        changed=["ends_at"],
        is_postponed=True,
    )


@pytest.mark.parametrize(
    ("reason", "says"),
    [("called_off", "called off"), ("limit", "as many places as one buyer gets"), ("over", "The sale is over")],
)
def test_the_end_of_a_wait_says_why(reason: str, says: str) -> None:
    _subject, text, html, _unsubscribe = written("waiting_ended", reason=reason)
    assert says in text and says in html


def test_an_offer_says_when_it_is_less_than_the_wish() -> None:
    assert "2 of the 4 places" in written("waiting_offered")[1]
    assert "2 of the" not in written("waiting_offered", wished=2)[1]


def test_what_was_offered_went_to_the_next_in_line() -> None:
    for kind in ("booking_lapsed", "presale_lapses_soon"):
        assert "next in line" in written(kind, is_offer=True)[1]
        assert "next in line" not in written(kind, is_offer=False)[1]


async def test_the_panel_has_a_sentence_for_every_kind(sqlite_database: Database) -> None:
    from app.core.templates import render
    from app.notifications.queries import PanelLine

    for name, kind in KINDS.items():
        if kind.in_panel:
            line = PanelLine("a-code", name, dict(FACTS), rules.path(name, FACTS), NOON, is_unread=True)
            assert len(render("notifications/_line.html", {"line": line}).strip()) > 10, name


@pytest.mark.parametrize(
    ("letter", "answers_to"),
    [(LETTER, "alice@example.com"), (mails.Letter("Soon.", ""), "hello@example.com"), (None, "hello@example.com")],
)
def test_an_answer_goes_to_who_wrote_and_else_to_the_shop(
    settings: Settings, letter: mails.Letter | None, answers_to: str
) -> None:
    use(replace(settings, contact="hello@example.com"))
    kind = "announcement" if letter else "day_before"
    facts = rules.stored(FACTS)
    notification = Notification(
        id=1, activity_id=1, kind=kind, recipient="mail:ada@example.com", email="ada@example.com", facts=facts, created_at=NOON
    )
    delivery = Delivery(id=1, notification_id=1, created_at=NOON, next_try_at=NOON)
    assert mails.compose(delivery, notification, [], [], now=NOON, letter=letter).get_all("Reply-To") == [answers_to]
