"""What is thrown at the shop, where it is thrown, and what must not come back."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import httpx
import pytest

import app.web.limits
from app.core import limits
from app.events.rules.reviewing import REASONS
from tests.events.forms import BOXES, SECTIONS
from tests.naughty import NASTIEST_ENCODED
from tests.town import SENT_AT, Town
from tests.world import DRAFT_TYPE, EVENT_TYPE, PASSWORD

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PART = {"HX-Request": "true", "HX-Request-Type": "partial"}
SCRIPT = """<script>alert(1)</script>"'>"""


@dataclass(frozen=True)
class Form:
    """A form with something good in every field, and who may send it."""

    path: str
    good: dict[str, str]
    who: str = "client"
    thing: str = ""

    def address(self, town: Town) -> str:
        return self.path.format(town.things[self.thing]) if self.thing else self.path

    def bodies(self) -> Iterator[str]:
        """Bodies in which every field sees each of the nastiest words among others, and some of them alone among good ones."""
        good = {name: quote(value) for name, value in self.good.items()}
        names, most = list(good), len(NASTIEST_ENCODED)
        for at in range(most):
            yield body({name: NASTIEST_ENCODED[(at + 7 * place) % most] for place, name in enumerate(names)})
        for at in range(max(most, 4 * len(names))):
            yield body(good | {names[at % len(names)]: NASTIEST_ENCODED[at % most]})


def body(fields: dict[str, str]) -> str:
    """Names and percent-encoded values as a browser sends them."""
    return "&".join(f"{quote(name)}={value}" for name, value in fields.items())


# Every field of every section of an event's form.
EVENT = {
    name: fields | {"seen": ""} | {box: "" for box, where in BOXES.items() if where == name} for name, fields in SECTIONS.items()
}
SAID = {
    "seen": SENT_AT.isoformat(),
    "do": "send",
    **dict.fromkeys(("reason", *REASONS), "Shorter"),
    **{f"{section}_reasons": next(iter(reasons)) for section, reasons in REASONS.items()},
}
REPEATED = {"do": "look", "seen": "", "every": "week", "times": "2", "until": "", "days": ""}

AT_THE_DOOR = {f"q-{EVENT_TYPE}": "1", "provider": "cash", "name": "Guest", "email": "guest@example.com", "nonce": "a" * 32}

FORMS = [
    Form("/theme", {"theme": "dark", "next": "/events"}),
    Form("/language", {"language": "fr", "next": "/events"}),
    Form("/register", {"email": "new@example.com", "password": PASSWORD}),
    Form("/login", {"email": "bob@example.com", "password": PASSWORD, "next": "/me"}),
    Form("/password/forgot", {"email": "bob@example.com"}),
    Form("/password/reset/{}", {"password": "seven cellos in the sun"}, thing="reset token"),
    Form("/invitations/{}", {"name": "Eve", "password": "seven cellos in the sun"}, thing="invitation token"),
    Form("/unsubscribe/{}", {"wanted": "yes"}, thing="unsubscribe token"),
    Form("/events/{}/unlock", {"code": "NINEPIANOS"}, thing="event"),
    Form("/events/{}/hold", {f"q-{EVENT_TYPE}": "1", "code": ""}, thing="event"),
    Form("/events/{}/quote", {f"q-{EVENT_TYPE}": "1", "code": ""}, thing="event"),
    Form("/events/{}/waiting-list", {"email": "guest@example.com", "type": "x", "places": "1"}, thing="full house"),
    Form("/bookings/{}/checkout", {"email": "guest@example.com", "name": "Guest"}, thing="guest's booking"),
    Form("/me/name", {"name": "Bob"}, who="bob"),
    Form("/me/email", {"email": "other@example.com", "present": PASSWORD}, who="bob"),
    Form("/me/password", {"present": PASSWORD, "password": "seven cellos in the sun"}, who="carol"),
    Form("/me/favourites", {"categories": "music"}, who="bob"),
    Form("/me/notifications/preferences", {"favourites": "y", "presales": "y", "reminders": "y"}, who="bob"),
    Form("/manager/events/new", SECTIONS["new"], who="alice"),
    Form("/manager/events/{}/edit/basics", EVENT["basics"], who="alice", thing="draft"),
    Form("/manager/events/{}/edit/tickets", EVENT["tickets"], who="alice", thing="draft"),
    Form("/manager/events/{}/edit/page", EVENT["page"], who="alice", thing="draft"),
    Form("/manager/events/{}/edit/access", EVENT["access"], who="alice", thing="draft"),
    Form("/manager/events/{}/types/new", EVENT["type"], who="alice", thing="draft"),
    Form("/manager/events/{}", EVENT["type"], who="alice", thing="early form"),
    Form("/manager/events/{}/quotas/new", EVENT["quota"] | {"shared_by": DRAFT_TYPE}, who="alice", thing="draft"),
    Form("/manager/events/{}", EVENT["quota"] | {"shared_by": DRAFT_TYPE}, who="alice", thing="quota form"),
    Form("/manager/events/{}/questions/new", EVENT["question"], who="alice", thing="draft"),
    Form("/manager/events/{}", EVENT["question"], who="alice", thing="question form"),
    Form("/manager/events/{}/repeat", REPEATED, who="alice", thing="draft"),
    Form("/manager/events/{}/dates/change", {"fields": "access", "kind": "", "was": ""}, who="alice", thing="series"),
    Form("/manager/events/description", {"description": "x"}, who="alice"),
    Form("/manager/events/poster", {"hue": "plum", "tone": "night", "motif": "stars", "kept": "", "title": "x"}, who="alice"),
    Form("/manager/events/{}/postpone", {"reason": "Rain", "return_days": "14"}, who="alice", thing="event"),
    Form("/manager/events/{}/call-off", {"reason": "Rain"}, who="alice", thing="event"),
    Form("/manager/events/{}/share", {"t0-word": "FRIENDS", "t0-max_uses": "5"}, who="alice", thing="early sales"),
    Form("/manager/events/{}/codes", {"t0-codes": "2"}, who="alice", thing="early sales"),
    Form("/manager/events/{}/withdraw", {"t0-word": "FRIENDS"}, who="alice", thing="early sales"),
    Form("/manager/events/{}/move", {"t0-places": "1", "t0-to": "general"}, who="alice", thing="early sales"),
    Form("/manager/events/{}/open", {"t0-at": "2026-11-20T12:00", "t0-do": ""}, who="alice", thing="early sales"),
    Form("/manager/events/{}/box-office", AT_THE_DOOR, who="alice", thing="event"),
    Form("/manager/events/{}/waiting-list", {"hours": "6", "do": "open"}, who="alice", thing="full house"),
    Form("/manager/events/{}/add", {"places": "2"}, who="alice", thing="full line"),
    Form("/bookings/{}/refund", {"ticket": "AAAA-AAAA", "code": "12345678", "chosen": "1"}, thing="paid booking"),
    Form("/manager/events/{}", {"ticket": "AAAA-AAAA", "fee": "2", "reason": "Rain"}, who="alice", thing="refund desk"),
    Form("/manager/events/{}/amount", {"amount": "2", "why": "Rain", "kept": "3600"}, who="alice", thing="refund desk"),
    Form("/admin/managers", {"email": "new.manager@example.com"}, who="dora"),
    Form("/admin/events/{}/approve", {"seen": SENT_AT.isoformat()}, who="dora", thing="submitted"),
    Form("/admin/events/{}/return", SAID, who="dora", thing="submitted"),
    Form("/admin/events/{}/decline", {"reason": "No."}, who="dora", thing="changing change"),
    Form("/admin/events/{}/reject", SAID, who="dora", thing="submitted"),
    Form("/admin/texts/imprint", {"body": "Us."}, who="dora"),
]

QUERIES = {
    "/": ["city", "when", "q"],
    "/events": ["q", "category", "city", "when", "price", "page", "from", "to", "since", "until"],
    "/login": ["next"],
    "/me/notifications": ["page"],
    "/manager/events": ["all"],
    "/admin/events": ["state"],
    "/admin/payments": ["q", "show", "page"],
    "/manager/events/{event}/payments": ["q", "show", "page"],
    "/bookings/{paid booking}/refund": ["ticket", "chosen"],
    "/manager/events/{series}/dates/change": ["fields", "kind", "was"],
    "/events/{event}": ["code"],
    "/events/{event}/availability": ["seen"],
    "/bookings/{paid booking}/return": ["s"],
}

# Wrong passwords make the next try wait, whoever tries.
TRIED_IN_VAIN = {"/login", "/login/again", "/login/second", "/me/password", "/me/email"}

# Those that a client may open.
PUBLIC = {"/", "/events", "/login", "/events/{event}", "/events/{event}/availability"}

# Addresses in which a piece is ours to choose; the hostile text stands there.
PATHS = [
    "/{}", "/series/{}", "/admin/series/{}", "/manager/events/{}/repeat",
    "/events/{}", "/events/{}/availability", "/events/{}/calendar.ics", "/pictures/{}",
    "/bookings/{}", "/bookings/{}/return", "/bookings/{}/deadline.ics", "/bookings/{}/tickets", "/bookings/{}/tickets.pdf",
    "/bookings/{}/refund", "/bookings/{}/receipts", "/bookings/{}/receipts/x", "/manager/events/{}/payments",
    "/manager/events/{}/refunds", "/manager/events/x/bookings/{}/refund",
    "/bookings/{}/answers", "/waiting-list/{}", "/manager/events/{}/waiting-list",
    "/tickets/{}", "/tickets/{}.pdf", "/verify/{}", "/invitations/{}", "/password/reset/{}", "/unsubscribe/{}", "/static/{}",
    "/manager/events/{}", "/manager/events/{}/edit", "/admin/events/{}", "/admin/texts/{}",
    "/me/notifications/{}/read", "/me/security/{}/end",
]  # fmt: skip


def never_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody counts: these tests knock more often than a person does, and a 429 would hide what the page does."""

    async def nothing(*_args: object, **_kwargs: object) -> None:
        return None

    def no_steps(*_args: object, **_kwargs: object) -> Iterator[None]:
        return
        yield

    for name in ("count", "count_all", "check"):
        monkeypatch.setattr(limits, name, nothing)
    monkeypatch.setattr(limits, "spend", no_steps)
    for name in ("check", "note"):
        monkeypatch.setattr(app.web.limits._Memory, name, lambda *_args: None)


def mistakes(answer: httpx.Response, what: str) -> list[str]:
    """What must not be in any answer."""
    text = answer.text if answer.headers.get("content-type", "").startswith("text/html") else ""
    found = {
        # Checkout says that this shop cannot take money, which is a 503.
        "nobody saw it": answer.status_code == 429 and answer.url.path not in TRIED_IN_VAIN,
        f"status {answer.status_code}": answer.status_code >= 500 and not answer.url.path.endswith("/checkout"),
        "echoed a script": SCRIPT in text or "<script>alert" in text,
        "ran a template": "49${" in text,
        "wrote a header": any(pair.strip() == "x=y" for pair in answer.headers.get("set-cookie", "").split(",")),
        "led elsewhere": bool(
            re.match(r"(https?:)?[/\\]{2}", answer.headers.get("location", "") + answer.headers.get("hx-redirect", ""))
        ),
    }
    return [f"{mistake}: {what}" for mistake, so in found.items() if so]
