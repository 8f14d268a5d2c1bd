"""Every string of the list into every kind of field, and the nastiest into every field, cookie, header and file name there is."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
import wtforms
from litestar.routes import HTTPRoute

from app.web.forms import BaseForm
from main import litestar_app
from tests.events import gallery
from tests.hostile import EVENT, FORM, FORMS, Form, body, mistakes
from tests.naughty import BYTES, ENCODED, NASTIEST, NASTIEST_ENCODED, WORDS
from tests.routes import RULES, Rule
from tests.town import Town


def test_the_list_is_long_enough() -> None:
    """At least as many as the list that everybody else uses, and 120 of our own kinds beside it."""
    assert len(WORDS) + len(BYTES) >= 515 + 120
    assert len({*NASTIEST}) >= 60
    assert {*NASTIEST} <= {*WORDS}


# ---------- every string, every kind of field ----------


@dataclass(frozen=True)
class Kind:
    """A kind of field: the form where it stands and the fields that are of it."""

    path: str
    fields: tuple[str, ...]
    who: str = "client"
    thing: str = ""
    others: tuple[tuple[str, str], ...] = ()

    def bodies(self) -> Iterator[str]:
        """All strings, as many at once as there are fields; what else the form wants is good."""
        for at in range(0, len(ENCODED), len(self.fields)):
            # Names and values of `others` are plain words, those of the list are percent-encoded already.
            good = {name: quote(word) for name, word in self.others}
            yield body(good | dict(zip(self.fields, ENCODED[at : at + len(self.fields)], strict=False)))


# The section of an event's form in which fields of a kind stand, and which these are.
_OF_EVENT = {
    "one line of text": ("basics", ("title", "summary", "venue", "address", "city")),
    "a number": ("type", ("capacity", "per_booking", "presale_places")),
    "a date": ("basics", ("starts", "ends", "doors", "publish_at")),
    "a choice": ("page", ("hue", "tone", "motif")),
    "a list to choose from": ("basics", ("category", "zone")),
    "a price and the words beside it": ("type", ("price", "name", "note", "access_code")),
    "a hidden field and a tick": ("page", ("kept", "no_picture", "do", "seen")),
    "a link and a tick": ("basics", ("online_url", "is_online")),
    "an age": ("access", ("minimum_age", "access")),
}


def _of_event(section: str, fields: tuple[str, ...]) -> Kind:
    thing = "early form" if section == "type" else f"{section} of the draft"
    others = tuple((field, word) for field, word in EVENT[section].items() if field not in fields)
    return Kind("/manager/events/{}", fields, who="alice", thing=thing, others=others)


KINDS = {
    **{name: _of_event(section, fields) for name, (section, fields) in _OF_EVENT.items()},
    "many lines of text": Kind("/admin/texts/imprint", ("body",), who="dora"),
    "an e-mail address": Kind("/password/forgot", ("email",)),
    "a code": Kind("/events/{}/unlock", ("code",), thing="event"),
    "where to go next": Kind("/theme", ("next",), others=(("theme", "dark"),)),
    "an amount": Kind("/manager/events/{}/amount", ("amount", "why", "kept"), who="alice", thing="refund desk"),
}  # fmt: skip


@pytest.mark.asvs("V1.2.1", "V1.2.4", "V1.4.2", "V2.2.1", "V2.2.2", "V1.3.7", "V1.3.10")
@pytest.mark.parametrize("name", KINDS)
async def test_no_kind_of_field_falls_over_any_string(shop: Any, small_town: Town, name: str) -> None:
    kind, found = KINDS[name], []
    form = Form(kind.path, {}, kind.who, kind.thing)
    async with small_town.browser(shop, kind.who) as browser:
        for sent in kind.bodies():
            answer = await browser.post(form.address(small_town), content=sent.encode(), headers=FORM)
            found += mistakes(answer, sent[:80])
    assert found == [], found


@pytest.mark.asvs("V1.2.1", "V1.2.4")
async def test_the_search_falls_over_no_string(shop: Any, small_town: Town) -> None:
    found: list[str] = []
    names = ("q", "city", "category")
    async with small_town.browser(shop, "client") as browser:
        for at in range(0, len(ENCODED), len(names)):
            query = body({name: word[:3000] for name, word in zip(names, ENCODED[at:], strict=False)})
            found += mistakes(await browser.get(f"/events?{query}"), query[:80])
    assert found == [], found


# ---------- the nastiest, every route ----------


def field_names() -> list[str]:
    """The name of every field of every form of the shop: a route without a form of its own in FORMS gets them all.

    Forms that are made for an event at hand are not counted: which of them there are depends on what was opened before.
    """
    import main  # noqa: F401  It imports every page.

    forms, found = [BaseForm], set[str]()
    while forms:
        form = forms.pop()
        forms += form.__subclasses__()
        if form.__module__.startswith("app.") and hasattr(sys.modules[form.__module__], form.__name__):
            found |= {name for name in dir(form) if isinstance(getattr(form, name), wtforms.fields.core.UnboundField)}
    return sorted(found)


def _writing() -> list[Rule]:
    """One rule for each POST route: the one that lets somebody in."""
    rules = {rule.route: rule for rule in reversed(RULES) if rule.method == "POST"}
    return list(rules.values())


def test_every_writing_route_is_tried() -> None:
    routes = [route for route in litestar_app().routes if isinstance(route, HTTPRoute)]
    assert {rule.route for rule in _writing()} == {route.path for route in routes if "POST" in route.methods}
    assert len(field_names()) > 40


@pytest.mark.asvs("V1.2.1", "V2.2.2", "V15.3.5", "V15.3.7")
@pytest.mark.parametrize("rule", _writing(), ids=str)
async def test_no_route_falls_over_fields_that_it_does_not_have(shop: Any, small_town: Town, rule: Rule) -> None:
    found: list[str] = []
    names, most = field_names(), len(NASTIEST_ENCODED)
    # Those with a form in FORMS have seen everything there.
    declared = any(rule.route.split("{")[0] == form.path.split("{")[0] for form in FORMS)
    async with small_town.browser(shop, "dora" if rule.route.startswith(("/admin", "/manager")) else "bob") as browser:
        for at in range(0, most, 8 if declared else 1):
            sent = body({name: NASTIEST_ENCODED[(at + 7 * place) % most][:1500] for place, name in enumerate(names)})
            answer = await browser.post(rule.path(small_town, "dora"), content=sent.encode(), headers=FORM)
            found += mistakes(answer, f"{at}")
    assert found == [], found


# ---------- JSON ----------

KINDS_OF_JSON = ("application/json", "application/csp-report", "application/reports+json")
KEYS = ("email", "password", "name", "id", "type", "response", "rawId")
JSON = {
    "nothing": b"null",
    "a word": b'"<script>alert(1)</script>"',
    "a number": b"1e999",
    "no number": b"NaN",
    "a list": b"[1,2,3]",
    "lists a hundred thousand deep": b"[" * 100_000 + b"]" * 100_000,
    "objects a hundred thousand deep": b'{"a":' * 100_000,
    "half a surrogate pair": b'{"email":"\\ud800","id":"\\ud800","token":"\\ud800"}',
    "broken UTF-8": b'{"email":"\xff\xfe"}',
    "the same key twice": b'{"email":"a@b.example","email":"c@d.example","id":1,"id":2}',
    "a prototype": b'{"__proto__":{"admin":true},"constructor":{"prototype":{}}}',
    "a long number": b'{"id":' + b"9" * 5000 + b"}",
    "cut off": b'{"email":"a@b.ex',
    "two at once": b"{}{}",
    "a mark before it": b"\xef\xbb\xbf{}",
    "in sixteen bits": '{"email":"a"}'.encode("utf-16"),
    "words for everything": json.dumps(dict.fromkeys(KEYS, NASTIEST)).encode(),
    "objects for everything": json.dumps({name: {"$gt": ""} for name in KEYS}).encode(),
}  # fmt: skip


@pytest.mark.asvs("V1.5.2", "V15.3.5", "V1.4.2")
@pytest.mark.parametrize("name", JSON)
async def test_no_route_falls_over_json(shop: Any, small_town: Town, name: str) -> None:
    found: list[str] = []
    async with small_town.browser(shop, "dora") as browser:
        for at, rule in enumerate(_writing()):
            kind = (
                "application/json" if "csp" not in rule.route else ("application/csp-report", "application/reports+json")[at % 2]
            )
            answer = await browser.post(rule.path(small_town, "dora"), content=JSON[name], headers={"Content-Type": kind})
            found += mistakes(answer, f"{name} as {kind} to {rule.route}")
    assert found == [], found


# ---------- headers, cookies, file names ----------

HEADERS = """
User-Agent Referer Accept Accept-Language Accept-Encoding Cookie Range If-None-Match If-Modified-Since Origin Sec-Fetch-Site
HX-Request HX-Request-Type HX-Target HX-Trigger HX-Current-URL HX-History-Restore-Request X-Forwarded-For X-Forwarded-Host
X-Forwarded-Proto Forwarded X-Real-IP X-HTTP-Method-Override X-Original-URL Content-Type Authorization Last-Event-ID
Stripe-Signature Purpose X-Request-ID Traceparent Upgrade Expect
""".split()  # noqa: SIM905  A list would take a screen.
# A header is bytes of one line, at most some thousand: line ends cannot come in over HTTP.
_AS_HEADERS = [word.replace("\r", "").replace("\n", "").replace("\0", "").encode()[:3000] for word in NASTIEST]


@pytest.mark.asvs("V1.2.1", "V2.2.2")
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_no_header_makes_it_fall_over(shop: Any, small_town: Town, method: str) -> None:
    found: list[str] = []
    async with small_town.browser(shop, "client") as browser:
        for at in range(len(_AS_HEADERS)):
            # All at once, among them what decides how the rest is read; and each in turn alone.
            several = {name: _AS_HEADERS[(at + 7 * place) % len(_AS_HEADERS)] for place, name in enumerate(HEADERS)}
            alone = {HEADERS[at % len(HEADERS)]: _AS_HEADERS[at]}
            for headers in (several, alone):
                path = "/events" if method == "GET" else "/theme"
                answer = await browser.request(method, path, headers=headers)  # type: ignore[arg-type]
                found += mistakes(answer, f"{at} {method}")
    assert found == [], found


async def test_a_login_from_a_strange_browser_is_listed_as_text(shop: Any, small_town: Town) -> None:
    """The device's name comes from a header and is shown on the page about security."""
    async with small_town.browser(shop, "bob") as bobs:
        for agent in _AS_HEADERS:
            answer = await bobs.post("/login", content=b"email=bob%40example.com&password=nine+pianos+in+the+rain",
                                     headers={**FORM, "User-Agent": agent})  # type: ignore[dict-item]  # fmt: skip
            assert mistakes(answer, repr(agent[:60])) == []
        assert mistakes(await bobs.get("/me/security"), "the list") == []


@pytest.mark.asvs("V2.2.2")
@pytest.mark.parametrize("name", ["login", "visitor", "flash", "favourites", "theme", "language", "unknown"])
async def test_no_cookie_makes_it_fall_over(shop: Any, small_town: Town, name: str) -> None:
    found: list[str] = []
    async with small_town.browser(shop, "client") as browser:
        for word in [*_AS_HEADERS, b"x" * 8000, b"; ".join(b"c%d=x" % number for number in range(200))]:
            for path in ("/events", "/me"):
                answer = await browser.get(path, headers={"Cookie": name.encode() + b"=" + word})  # type: ignore[dict-item]
                found += mistakes(answer, f"{word[:60]!r} on {path}")
    assert found == [], found


@pytest.mark.asvs("V5.3.2", "V5.4.1")
async def test_no_file_name_makes_it_fall_over(shop: Any, small_town: Town) -> None:
    found: list[str] = []
    picture = gallery.photo()
    async with small_town.browser(shop, "alice") as alices:
        for word in NASTIEST:
            name = word.encode()[:2000].replace(b'"', b"%22")
            part = (
                b'--x\r\nContent-Disposition: form-data; name="picture"; filename="'
                + name
                + b'"\r\nContent-Type: image/jpeg\r\n\r\n'
            )
            sent = part + picture + b"\r\n--x--\r\n"
            address = f"/manager/events/{small_town.things['page of the draft']}"
            answer = await alices.post(address, content=sent, headers={"Content-Type": "multipart/form-data; boundary=x"})
            found += mistakes(answer, repr(name[:60]))
    assert found == [], found
