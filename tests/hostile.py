"""What is thrown at the shop, where it is thrown, and what must not come back."""

import re
from dataclasses import dataclass
from urllib.parse import quote

import httpx

from tests.events.forms import GOOD
from tests.town import Town
from tests.world import PASSWORD

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PART = {"HX-Request": "true", "HX-Request-Type": "partial"}
SCRIPT = """<script>alert(1)</script>"'>"""

# As they stand in the body of a form or in a query: percent-encoded bytes.
HOSTILE = {
    "nothing": "",
    "a script": quote(SCRIPT),
    "a NUL": "a%00b",
    "control characters": "a%01%08%1b%7fb%0d%0aSet-Cookie:%20x=y",
    "broken UTF-8": "a%ff%feb",
    "half a surrogate pair": "%ed%a0%80",
    "an overlong encoding": "%c0%ae%c0%ae/",
    "a right-to-left override": "%e2%80%aegpj.exe",
    "30 digits": "9" * 30,
    "30 negative digits": "-" + "9" * 30,
    "no number": "NaN",
    "other digits": quote("٣٣"),
    "5,000 digits": "9" * 5000,
    "100 kB": "x" * 100_000,
    "a template": quote("{{7*7}}${7*7}%(x)s{0.__class__}%s%"),
    "SQL": quote("' OR 1=1; DROP TABLE users; --"),
    "a path": quote("//evil.example/\\..\\../etc/passwd"),
}


@dataclass(frozen=True)
class Form:
    """A form with something good in every field, and who may send it."""

    path: str
    good: dict[str, str]
    who: str = "client"
    thing: str = ""

    def address(self, town: Town) -> str:
        return self.path.format(town.things[self.thing]) if self.thing else self.path

    def bodies(self, hostile: str) -> list[str]:
        """One body for each field, in which that one alone is hostile; and one in which all are."""
        good = {name: quote(value) for name, value in self.good.items()}
        each = [good | {name: hostile} for name in good]
        return [
            "&".join(f"{quote(name)}={value}" for name, value in fields.items())
            for fields in [*each, dict.fromkeys(good, hostile)]
        ]


FORMS = [
    Form("/theme", {"theme": "dark", "next": "/events"}),
    Form("/register", {"email": "new@example.com", "password": PASSWORD}),
    Form("/login", {"email": "bob@example.com", "password": PASSWORD, "next": "/me"}),
    Form("/password/forgot", {"email": "bob@example.com"}),
    Form("/password/reset/{}", {"password": "seven cellos in the sun"}, thing="reset token"),
    Form("/invitations/{}", {"name": "Eve", "password": "seven cellos in the sun"}, thing="invitation token"),
    Form("/unsubscribe/{}", {"wanted": "yes"}, thing="unsubscribe token"),
    Form("/events/{}/unlock", {"code": "NINEPIANOS"}, thing="event"),
    Form("/events/{}/hold", {"q-TYPE": "1", "code": ""}, thing="event"),
    Form("/events/{}/quote", {"q-TYPE": "1", "code": ""}, thing="event"),
    Form("/bookings/{}/checkout", {"email": "guest@example.com", "name": "Guest"}, thing="guest's booking"),
    Form("/me/name", {"name": "Bob"}, who="bob"),
    Form("/me/email", {"email": "other@example.com", "present": PASSWORD}, who="bob"),
    Form("/me/password", {"present": PASSWORD, "password": "seven cellos in the sun"}, who="carol"),
    Form("/me/favourites", {"categories": "music"}, who="bob"),
    Form("/me/notifications/preferences", {"favourites": "y", "presales": "y", "reminders": "y"}, who="bob"),
    Form("/manager/events/new", {**GOOD, "ends": "", "doors": "", "publish_at": "", "kept": "", "no_picture": ""}, who="alice"),
    Form(
        "/manager/events/new",
        {
            **GOOD,
            **{
                f"types-0-{name}": ""
                for name in ("note", "sale_from", "sale_to", "presale_from", "presale_places", "access_code", "needs_code")
            },
            "presale_per_buyer": "",
            "refund_hours": "",
            "refund_fee": "",
        },
        who="alice",
    ),
    Form("/manager/events/{}/edit", GOOD, who="alice", thing="draft"),
    Form("/manager/events/poster", {"hue": "plum", "tone": "night", "motif": "stars", "kept": "", "title": "x"}, who="alice"),
    Form("/manager/events/{}/call-off", {"reason": "Rain"}, who="alice", thing="event"),
    Form("/manager/events/{}/share", {"t0-word": "FRIENDS", "t0-max_uses": "5"}, who="alice", thing="early sales"),
    Form("/manager/events/{}/codes", {"t0-codes": "2"}, who="alice", thing="early sales"),
    Form("/manager/events/{}/withdraw", {"t0-word": "FRIENDS"}, who="alice", thing="early sales"),
    Form("/manager/events/{}/move", {"t0-places": "1", "t0-to": "general"}, who="alice", thing="early sales"),
    Form("/manager/events/{}/open", {"t0-at": "2026-11-20T12:00", "t0-do": ""}, who="alice", thing="early sales"),
    Form("/bookings/{}/refund", {"ticket": "AAAA-AAAA", "code": "12345678", "chosen": "1"}, thing="paid booking"),
    Form("/manager/events/{}", {"ticket": "AAAA-AAAA", "fee": "2", "reason": "Rain"}, who="alice", thing="refund desk"),
    Form("/manager/events/{}/amount", {"amount": "2", "why": "Rain", "kept": "3600"}, who="alice", thing="refund desk"),
    Form("/admin/managers", {"email": "new.manager@example.com"}, who="dora"),
    Form("/admin/events/{}/return", {"reason": "Shorter"}, who="dora", thing="submitted"),
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
    "/events/{event}": ["code"],
    "/events/{event}/availability": ["seen"],
    "/bookings/{paid booking}/return": ["s"],
}

# Addresses in which a piece is ours to choose; the hostile text stands there.
PATHS = [
    "/{}", "/events/{}", "/events/{}/availability", "/events/{}/calendar.ics", "/pictures/{}",
    "/bookings/{}", "/bookings/{}/return", "/bookings/{}/deadline.ics", "/bookings/{}/tickets", "/bookings/{}/tickets.pdf",
    "/bookings/{}/refund", "/bookings/{}/receipts", "/bookings/{}/receipts/x", "/manager/events/{}/payments",
    "/manager/events/{}/refunds", "/manager/events/x/bookings/{}/refund",
    "/tickets/{}", "/tickets/{}.pdf", "/verify/{}", "/invitations/{}", "/password/reset/{}", "/unsubscribe/{}", "/static/{}",
    "/manager/events/{}", "/manager/events/{}/edit", "/admin/events/{}", "/admin/texts/{}",
    "/me/notifications/{}/read", "/me/security/{}/end",
]  # fmt: skip


def mistakes(answer: httpx.Response, what: str) -> list[str]:
    """What must not be in any answer."""
    text = answer.text if answer.headers.get("content-type", "").startswith("text/html") else ""
    found = {
        # Checkout says that this shop cannot take money, which is a 503.
        f"status {answer.status_code}": answer.status_code >= 500 and not answer.url.path.endswith("/checkout"),
        "echoed a script": SCRIPT in text or "<script>alert" in text,
        "ran a template": "49${" in text,
        "wrote a header": any(pair.strip() == "x=y" for pair in answer.headers.get("set-cookie", "").split(",")),
        "led elsewhere": bool(
            re.match(r"(https?:)?[/\\]{2}", answer.headers.get("location", "") + answer.headers.get("hx-redirect", ""))
        ),
    }
    return [f"{mistake}: {what}" for mistake, so in found.items() if so]
