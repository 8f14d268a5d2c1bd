"""Who may what: every route, and what each group of people gets there."""

import re
from dataclasses import dataclass, field

from tests.town import Town

ALLOWED, LOGIN, FORBIDDEN, UNKNOWN = "allowed", "to the login", "403", "404"

# What each group means for: client, Bob, Carol (another user), Mallory (another manager), Alice (the manager), Dora (admin),
# Erin (who helps at the door of Alice's events), Sam (who sells for them).
EVERYBODY = (ALLOWED,) * 8
NOBODY = (UNKNOWN,) * 8
SIGNED_IN = (LOGIN, *(ALLOWED,) * 7)
BOB_ALONE = (LOGIN, ALLOWED, *(UNKNOWN,) * 6)
BOB_OR_ADMIN = (LOGIN, ALLOWED, UNKNOWN, UNKNOWN, UNKNOWN, ALLOWED, UNKNOWN, UNKNOWN)
# Whoever is signed in may ask, and there is nothing to show before an app is set up.
NO_APP_YET = (LOGIN, *(UNKNOWN,) * 7)
MANAGERS = (LOGIN, FORBIDDEN, FORBIDDEN, ALLOWED, ALLOWED, ALLOWED, FORBIDDEN, FORBIDDEN)
# Managers, and who helps some manager.
DESKS = (LOGIN, FORBIDDEN, FORBIDDEN, *(ALLOWED,) * 5)
# The pages of one event, by the right that they ask for: of the manager alone ("team", "edit"), "sales" or "desk", "door".
ITS_MANAGER = (LOGIN, UNKNOWN, UNKNOWN, UNKNOWN, ALLOWED, ALLOWED, FORBIDDEN, FORBIDDEN)
ITS_SELLER = (LOGIN, UNKNOWN, UNKNOWN, UNKNOWN, ALLOWED, ALLOWED, FORBIDDEN, ALLOWED)
ALICE_OR_ADMIN = (LOGIN, UNKNOWN, UNKNOWN, UNKNOWN, ALLOWED, ALLOWED, UNKNOWN, UNKNOWN)
AT_ITS_DOOR = (LOGIN, UNKNOWN, UNKNOWN, UNKNOWN, ALLOWED, ALLOWED, ALLOWED, FORBIDDEN)
ADMIN = (LOGIN, *(FORBIDDEN,) * 4, ALLOWED, FORBIDDEN, FORBIDDEN)
# The admin may, but an empty form names nothing that there is.
NO_OTHER = (LOGIN, *(FORBIDDEN,) * 4, UNKNOWN, FORBIDDEN, FORBIDDEN)


@dataclass(frozen=True)
class Rule:
    """Who gets what at a route. `things` name what stands for each parameter of the address."""

    method: str
    route: str
    group: tuple[str, ...]
    things: dict[str, str] = field(default_factory=dict)

    def path(self, town: Town, visitor: str) -> str:
        return re.sub(r"\{(\w+):\w+\}", lambda found: town.thing(self.things[found[1]], visitor), self.route)

    def __str__(self) -> str:
        return " ".join([self.method, self.route, *self.things.values()])


def both(route: str, group: tuple[str, ...], **things: str) -> list[Rule]:
    """A page with a form that is sent to the page's own address."""
    return [Rule("GET", route, group, things), Rule("POST", route, group, things)]


def get(route: str, group: tuple[str, ...], **things: str) -> Rule:
    return Rule("GET", route, group, things)


def post(route: str, group: tuple[str, ...], **things: str) -> Rule:
    return Rule("POST", route, group, things)


RULES = [
    # Looking around.
    get("/", EVERYBODY),
    get("/events", EVERYBODY),
    get("/events.atom", EVERYBODY),
    get("/events.ics", EVERYBODY),
    get("/sitemap.xml", EVERYBODY),
    get("/sitemaps/{name:str}", EVERYBODY, name="part of the map"),
    get("/robots.txt", EVERYBODY),
    get("/categories/{slug:str}", EVERYBODY, slug="category"),
    get("/venues/{slug:str}", EVERYBODY, slug="venue page"),
    get("/cities/{slug:str}", EVERYBODY, slug="city"),
    get("/managers/{slug:str}", EVERYBODY, slug="alice's code"),
    get("/managers/{slug:str}", NOBODY, slug="bob's code"),
    get("/events/{slug:str}", EVERYBODY, slug="event"),
    get("/events/{slug:str}", NOBODY, slug="draft"),
    get("/events/{slug:str}", NOBODY, slug="submitted"),
    get("/series/{slug:str}", EVERYBODY, slug="series"),
    get("/series/{slug:str}", NOBODY, slug="unseen series"),
    get("/events/{slug:str}/availability", EVERYBODY, slug="event"),
    get("/events/{slug:str}/availability", NOBODY, slug="draft"),
    get("/events/{slug:str}/live", EVERYBODY, slug="event"),
    get("/events/{slug:str}/live", NOBODY, slug="draft"),
    get("/events/{slug:str}/poster/{name:str}", EVERYBODY, slug="event", name="poster"),
    get("/events/{slug:str}/poster/{name:str}", NOBODY, slug="draft", name="poster"),
    get("/card.png", EVERYBODY),
    get("/events/{slug:str}/calendar.ics", EVERYBODY, slug="event"),
    get("/events/{slug:str}/calendar.ics", NOBODY, slug="draft"),
    post("/events/{slug:str}/quote", EVERYBODY, slug="event"),
    post("/events/{slug:str}/quote", NOBODY, slug="draft"),
    post("/events/{slug:str}/unlock", EVERYBODY, slug="event"),
    post("/events/{slug:str}/unlock", NOBODY, slug="draft"),
    post("/events/{slug:str}/hold", EVERYBODY, slug="event"),
    post("/events/{slug:str}/hold", NOBODY, slug="draft"),
    # The event is not sold out, so everybody is told that.
    post("/events/{slug:str}/waiting-list", EVERYBODY, slug="event"),
    post("/events/{slug:str}/waiting-list", NOBODY, slug="draft"),
    get("/waiting-list/{code:str}", EVERYBODY, code="place in line"),
    post("/waiting-list/{code:str}/leave", EVERYBODY, code="place in line"),
    # The sale has opened, so everybody is told that there is nothing to wait for.
    post("/events/{slug:str}/remind", EVERYBODY, slug="event"),
    post("/events/{slug:str}/remind", NOBODY, slug="draft"),
    get("/events/{slug:str}/opening.ics", EVERYBODY, slug="soon on sale"),
    get("/events/{slug:str}/opening.ics", NOBODY, slug="event"),
    get("/reminders/{token:str}", EVERYBODY, token="reminder token"),
    post("/reminders/{token:str}/confirm", EVERYBODY, token="reminder token"),
    post("/reminders/{token:str}/stop", EVERYBODY, token="reminder token"),
    post("/events/{slug:str}/favourite", EVERYBODY, slug="event"),
    post("/events/{slug:str}/favourite", NOBODY, slug="draft"),
    post("/categories/{slug:str}/favourite", EVERYBODY, slug="category"),
    get("/favourites", EVERYBODY),
    get("/pictures/{name:str}", EVERYBODY, name="picture"),
    get("/imprint", EVERYBODY),
    get("/terms", EVERYBODY),
    get("/accessibility", EVERYBODY),
    get("/privacy", EVERYBODY),
    get("/healthz", EVERYBODY),
    get("/static/{file_path:path}", EVERYBODY, file_path="file"),
    post("/theme", EVERYBODY),
    post("/language", EVERYBODY),
    post("/csp-report", EVERYBODY),
    # A booking of an account is its owner's; a guest's opens for whoever has its link; a ticket too.
    get("/bookings/{code:str}", BOB_OR_ADMIN, code="bob's booking"),
    get("/bookings/{code:str}", EVERYBODY, code="guest's booking"),
    post("/bookings/{code:str}/checkout", BOB_OR_ADMIN, code="bob's booking"),
    post("/bookings/{code:str}/checkout", EVERYBODY, code="guest's booking"),
    post("/bookings/{code:str}/extend", BOB_OR_ADMIN, code="bob's booking"),
    post("/bookings/{code:str}/extend", EVERYBODY, code="guest's booking"),
    *both("/bookings/{code:str}/answers", BOB_OR_ADMIN, code="bob's booking"),
    *both("/bookings/{code:str}/answers", EVERYBODY, code="guest's booking"),
    post("/bookings/{code:str}/release", BOB_OR_ADMIN, code="bob's booking"),
    post("/bookings/{code:str}/release", EVERYBODY, code="guest's booking"),
    get("/bookings/{code:str}/tickets", EVERYBODY, code="paid booking"),
    get("/bookings/{code:str}/tickets.pdf", EVERYBODY, code="paid booking"),
    get("/bookings/{code:str}/deadline.ics", BOB_OR_ADMIN, code="bob's booking"),
    get("/bookings/{code:str}/deadline.ics", EVERYBODY, code="guest's booking"),
    get("/bookings/{code:str}/return", EVERYBODY, code="paid booking"),
    get("/tickets/{code:str}", EVERYBODY, code="ticket"),
    post("/webhooks/stripe", EVERYBODY),
    # Giving back, and receipts.
    *both("/bookings/{code:str}/refund", BOB_OR_ADMIN, code="bob's booking"),
    *both("/bookings/{code:str}/refund", EVERYBODY, code="guest's booking"),
    post("/bookings/{code:str}/refund/code", BOB_OR_ADMIN, code="bob's booking"),
    post("/bookings/{code:str}/refund/code", EVERYBODY, code="guest's booking"),
    get("/bookings/{code:str}/receipts", BOB_OR_ADMIN, code="bob's booking"),
    get("/bookings/{code:str}/receipts", EVERYBODY, code="paid booking"),
    get("/bookings/{code:str}/receipts/{number:str}", EVERYBODY, code="paid booking", number="receipt"),
    # Accounts.
    *both("/register", EVERYBODY),
    *both("/login", EVERYBODY),
    *both("/login/second", EVERYBODY),
    *both("/login/again", SIGNED_IN),
    *both("/login/link", EVERYBODY),
    *both("/login/link/{token:str}", EVERYBODY, token="login token"),
    post("/login/passkey/options", EVERYBODY),
    post("/login/passkey", EVERYBODY),
    # The tests' shop has no OpenID provider.
    post("/login/oidc", NOBODY),
    get("/login/oidc/callback", NOBODY),
    *both("/login/oidc/link", NOBODY),
    post("/logout", EVERYBODY),
    *both("/password/forgot", EVERYBODY),
    *both("/password/reset/{token:str}", EVERYBODY, token="reset token"),
    *both("/verify/{token:str}", EVERYBODY, token="register token"),
    *both("/invitations/{token:str}", EVERYBODY, token="invitation token"),
    *both("/helping/{token:str}", EVERYBODY, token="helping token"),
    *both("/unsubscribe/{token:str}", EVERYBODY, token="unsubscribe token"),
    *both("/unsubscribe/{token:str}", NOBODY, token="register token"),
    get("/me", SIGNED_IN),
    get("/me/tickets", SIGNED_IN),
    get("/me/presales", SIGNED_IN),
    get("/me/payments", SIGNED_IN),
    *both("/me/favourites", SIGNED_IN),
    *both("/me/name", SIGNED_IN),
    *both("/me/manager", SIGNED_IN),
    *both("/me/email", SIGNED_IN),
    *both("/me/password", SIGNED_IN),
    get("/me/security", SIGNED_IN),
    post("/me/security/{session:str}/end", BOB_ALONE, session="bob's other browser"),
    post("/me/security/end-others", SIGNED_IN),
    *both("/me/security/second-factor", SIGNED_IN),
    get("/me/security/passkeys", SIGNED_IN),
    post("/me/security/passkeys", SIGNED_IN),
    get("/me/security/passkeys/new", SIGNED_IN),
    post("/me/security/passkeys/options", SIGNED_IN),
    *both("/me/security/passkeys/{code:str}", BOB_ALONE, code="bob's passkey"),
    *both("/me/security/passkeys/{code:str}/remove", BOB_ALONE, code="bob's passkey"),
    get("/me/security/identities", SIGNED_IN),
    *both("/me/security/identities/{code:str}/remove", BOB_ALONE, code="bob's identity"),
    get("/me/security/second-factor.svg", NO_APP_YET),
    post("/me/security/second-factor/confirm", SIGNED_IN),
    post("/me/security/second-factor/codes", SIGNED_IN),
    post("/me/security/second-factor/codes.txt", NO_APP_YET),
    post("/me/security/second-factor/off", SIGNED_IN),
    get("/me/notifications", SIGNED_IN),
    get("/me/notifications/unread", SIGNED_IN),
    post("/me/notifications/{code:str}/read", BOB_ALONE, code="bob's notification"),
    post("/me/notifications/read-all", SIGNED_IN),
    *both("/me/notifications/preferences", SIGNED_IN),
    # One's own data.
    get("/me/data", SIGNED_IN),
    *both("/me/data/export", SIGNED_IN),
    get("/me/data/exports/{code:str}", BOB_ALONE, code="bob's copy"),
    *both("/me/data/erase", SIGNED_IN),
    # The manager's desk.
    get("/manager", DESKS),
    get("/manager/events", MANAGERS),
    *both("/manager/events/new", MANAGERS),
    post("/manager/events/poster", MANAGERS),
    get("/manager/events/{slug:str}", ITS_SELLER, slug="event"),
    get("/manager/events/{slug:str}", ITS_SELLER, slug="draft"),
    post("/manager/events/description", MANAGERS),
    get("/manager/events/{slug:str}/edit", ITS_MANAGER, slug="draft"),
    *both("/manager/events/{slug:str}/edit/{section:str}", ITS_MANAGER, slug="draft", section="section"),
    *both("/manager/events/{slug:str}/types/new", ITS_MANAGER, slug="draft"),
    *both("/manager/events/{slug:str}/types/{code:str}", ITS_MANAGER, slug="early", code="early type"),
    post("/manager/events/{slug:str}/types/{code:str}/remove", ITS_MANAGER, slug="draft", code="type to remove"),
    *both("/manager/events/{slug:str}/quotas/new", ITS_MANAGER, slug="draft"),
    *both("/manager/events/{slug:str}/quotas/{code:str}", ITS_MANAGER, slug="draft", code="quota"),
    post("/manager/events/{slug:str}/quotas/{code:str}/remove", ITS_MANAGER, slug="draft", code="quota to remove"),
    *both("/manager/events/{slug:str}/questions/new", ITS_MANAGER, slug="draft"),
    *both("/manager/events/{slug:str}/questions/{code:str}", ITS_MANAGER, slug="draft", code="question"),
    post("/manager/events/{slug:str}/questions/{code:str}/up", ITS_MANAGER, slug="draft", code="question"),
    post("/manager/events/{slug:str}/questions/{code:str}/down", ITS_MANAGER, slug="draft", code="question"),
    post("/manager/events/{slug:str}/questions/{code:str}/remove", ITS_MANAGER, slug="draft", code="question to remove"),
    post("/manager/events/{slug:str}/submit", ITS_MANAGER, slug="draft"),
    post("/manager/events/{slug:str}/changes/withdraw", ITS_MANAGER, slug="changing"),
    post("/manager/events/{slug:str}/withdraw", ITS_MANAGER, slug="submitted"),
    post("/manager/events/{slug:str}/copy", ITS_MANAGER, slug="draft"),
    *both("/manager/events/{slug:str}/repeat", ITS_MANAGER, slug="draft"),
    *both("/manager/events/{slug:str}/dates/change", ITS_MANAGER, slug="draft"),
    post("/manager/events/{slug:str}/dates/submit", ITS_MANAGER, slug="draft"),
    post("/manager/events/{slug:str}/delete", ITS_MANAGER, slug="old draft"),
    *both("/manager/events/{slug:str}/call-off", ITS_MANAGER, slug="event"),
    *both("/manager/events/{slug:str}/postpone", ITS_MANAGER, slug="event"),
    post("/manager/events/{slug:str}/keep-date", ITS_MANAGER, slug="event"),
    *both("/manager/events/{slug:str}/waiting-list", ITS_SELLER, slug="full house"),
    post("/manager/events/{slug:str}/waiting-list/{code:str}/add", ITS_SELLER, slug="full house", code="full type"),
    post("/manager/events/{slug:str}/waiting-list/offer", ITS_SELLER, slug="full house"),
    get("/manager/events/{slug:str}/waiting-list.csv", ITS_SELLER, slug="full house"),
    get("/manager/events/{slug:str}/sales", ITS_SELLER, slug="early"),
    post("/manager/events/{slug:str}/sales/{code:str}/share", ITS_SELLER, slug="early", code="early type"),
    *both("/manager/events/{slug:str}/sales/{code:str}/codes", ITS_SELLER, slug="early", code="early type"),
    get("/manager/events/{slug:str}/sales/{code:str}/codes.csv", ITS_SELLER, slug="early", code="early type"),
    post("/manager/events/{slug:str}/sales/{code:str}/withdraw", ITS_SELLER, slug="early", code="early type"),
    post("/manager/events/{slug:str}/sales/{code:str}/move", ITS_SELLER, slug="early", code="early type"),
    post("/manager/events/{slug:str}/sales/{code:str}/open", ITS_SELLER, slug="early", code="early type"),
    get("/manager/events/{slug:str}/codes", ITS_SELLER, slug="event"),
    get("/manager/events/{slug:str}/codes.csv", ITS_SELLER, slug="event"),
    post("/manager/events/{slug:str}/codes/promo", ITS_SELLER, slug="event"),
    post("/manager/events/{slug:str}/codes/vouchers", ITS_SELLER, slug="event"),
    post("/manager/events/{slug:str}/codes/pause", ITS_SELLER, slug="event"),
    post("/manager/events/{slug:str}/codes/resume", ITS_SELLER, slug="event"),
    post("/manager/events/{slug:str}/codes/withdraw", ITS_SELLER, slug="event"),
    *both("/manager/events/{slug:str}/comps", ITS_SELLER, slug="event"),
    post("/manager/events/{slug:str}/comps/{reference:str}/take-back", ITS_SELLER, slug="big house", reference="comp"),
    *both("/manager/events/{slug:str}/box-office", ITS_SELLER, slug="event"),
    get("/manager/events/{slug:str}/box-office/{reference:str}", ITS_SELLER, slug="big house", reference="door sale"),
    get("/manager/events/{slug:str}/payments", ITS_SELLER, slug="event"),
    get("/manager/events/{slug:str}/refunds", ITS_SELLER, slug="event"),
    *both("/manager/events/{slug:str}/bookings/{reference:str}/refund", ITS_SELLER, slug="big house", reference="reference"),
    post(
        "/manager/events/{slug:str}/bookings/{reference:str}/refund/amount", ITS_SELLER, slug="big house", reference="reference"
    ),
    post("/manager/events/{slug:str}/refunds/{refund:str}/handed-back", ITS_SELLER, slug="big house", refund="cash refund"),
    get("/manager/events/{slug:str}/bookings", ITS_SELLER, slug="event"),
    post("/manager/events/{slug:str}/bookings/file", ITS_SELLER, slug="event"),
    get("/manager/events/{slug:str}/bookings/{reference:str}", ITS_SELLER, slug="big house", reference="reference"),
    post("/manager/events/{slug:str}/bookings/{reference:str}/send", ITS_SELLER, slug="big house", reference="reference"),
    get("/manager/events/{slug:str}/attendees", ITS_SELLER, slug="event"),
    post("/manager/events/{slug:str}/attendees/file", ITS_SELLER, slug="event"),
    *both("/manager/events/{slug:str}/attendees/{short_code:str}", ITS_SELLER, slug="big house", short_code="short code"),
    *both("/manager/events/{slug:str}/announcements", ITS_SELLER, slug="event"),
    post("/manager/events/{slug:str}/announcements/preview", ITS_SELLER, slug="event"),
    get("/manager/events/{slug:str}/announcements/{code:str}", ITS_SELLER, slug="big house", code="announcement"),
    get("/manager/jobs", SIGNED_IN),
    get("/manager/jobs/{code:str}", ALICE_OR_ADMIN, code="alice's job"),
    get("/manager/jobs/{code:str}/file", ALICE_OR_ADMIN, code="alice's job"),
    post("/manager/jobs/{code:str}/again", ALICE_OR_ADMIN, code="alice's job"),
    # The team and the door.
    *both("/manager/events/{slug:str}/team", ITS_MANAGER, slug="event"),
    post("/manager/events/{slug:str}/team/{code:str}", ITS_MANAGER, slug="event", code="helper"),
    post("/manager/events/{slug:str}/team/{code:str}/again", ITS_MANAGER, slug="event", code="helper"),
    post("/manager/events/{slug:str}/team/{code:str}/remove", ITS_MANAGER, slug="event", code="helper"),
    *both("/manager/events/{slug:str}/checkin", AT_ITS_DOOR, slug="event"),
    post("/manager/events/{slug:str}/checkin/undo", AT_ITS_DOOR, slug="event"),
    get("/manager/events/{slug:str}/checkin/list", AT_ITS_DOOR, slug="event"),
    post("/manager/events/{slug:str}/checkin/merge", AT_ITS_DOOR, slug="event"),
    get("/manager/events/{slug:str}/checkin/worker.js", AT_ITS_DOOR, slug="event"),
    post("/manager/events/{slug:str}/checkin/gates", ITS_MANAGER, slug="event"),
    post("/manager/events/{slug:str}/checkin/gates/{code:str}/remove", ITS_MANAGER, slug="event", code="gate"),
    post("/manager/events/{slug:str}/checkin/exit", ITS_MANAGER, slug="event"),
    get("/manager/events/{slug:str}/checkins.csv", ITS_SELLER, slug="event"),
    # The operator's desk.
    get("/admin/payments", ADMIN),
    post("/admin/payments/file", ADMIN),
    get("/admin", ADMIN),
    *both("/admin/managers", ADMIN),
    post("/admin/managers/{code:str}/trust", ADMIN, code="manager's code"),
    post("/admin/managers/{code:str}/untrust", ADMIN, code="manager's code"),
    get("/admin/managers/{code:str}", ADMIN, code="manager's code"),
    post("/admin/managers/{code:str}/suspend", ADMIN, code="manager's code"),
    post("/admin/managers/{code:str}/reinstate", ADMIN, code="manager's code"),
    post("/admin/managers/{code:str}/propose", ADMIN, code="manager's code"),
    get("/admin/applications/{code:str}", ADMIN, code="application"),
    post("/admin/applications/{code:str}/approve", ADMIN, code="application"),
    post("/admin/applications/{code:str}/reject", ADMIN, code="application"),
    get("/admin/users", ADMIN),
    get("/admin/users/{code:str}", ADMIN, code="bob's code"),
    post("/admin/users/{code:str}/details", ADMIN, code="bob's code"),
    post("/admin/users/{code:str}/suspend", ADMIN, code="bob's code"),
    post("/admin/users/{code:str}/reinstate", ADMIN, code="bob's code"),
    post("/admin/users/{code:str}/sign-out", ADMIN, code="bob's code"),
    post("/admin/users/{code:str}/make-admin", ADMIN, code="bob's code"),
    post("/admin/users/{code:str}/end-admin", ADMIN, code="bob's code"),
    post("/admin/users/{code:str}/export", ADMIN, code="bob's code"),
    post("/admin/users/{code:str}/erase", ADMIN, code="bob's code"),
    post("/admin/users/{code:str}/second-factor/ask", ADMIN, code="bob's code"),
    post("/admin/users/{code:str}/second-factor/take", ADMIN, code="bob's code"),
    post("/admin/users/{code:str}/second-factor/keep", ADMIN, code="bob's code"),
    get("/admin/guests/{reference:str}", ADMIN, reference="reference"),
    post("/admin/guests/{reference:str}/export", ADMIN, reference="reference"),
    post("/admin/guests/{reference:str}/erase", ADMIN, reference="reference"),
    get("/admin/events", ADMIN),
    get("/admin/events/{slug:str}", ADMIN, slug="submitted"),
    get("/admin/series/{slug:str}", ADMIN, slug="series"),
    post("/admin/series/{slug:str}/approve", ADMIN, slug="series"),
    post("/admin/series/{slug:str}/return", ADMIN, slug="series"),
    post("/admin/events/{slug:str}/approve", ADMIN, slug="submitted"),
    post("/admin/events/{slug:str}/return", ADMIN, slug="submitted"),
    post("/admin/events/{slug:str}/reject", ADMIN, slug="submitted"),
    post("/admin/events/{slug:str}/changes/{code:str}/approve", ADMIN, slug="changing", code="change"),
    post("/admin/events/{slug:str}/changes/{code:str}/decline", ADMIN, slug="changing", code="change"),
    post("/admin/events/{slug:str}/call-off", ADMIN, slug="event"),
    get("/admin/mails", ADMIN),
    post("/admin/mails/retry", ADMIN),
    post("/admin/mails/{number:int}/retry", ADMIN, number="failed mail"),
    post("/admin/mails/{number:int}/drop", ADMIN, number="failed mail"),
    get("/admin/activity", ADMIN),
    get("/admin/activity/{number:int}", ADMIN, number="activity"),
    post("/admin/activity/file", ADMIN),
    get("/admin/activity/head.txt", ADMIN),
    get("/admin/invariants", ADMIN),
    post("/admin/invariants/check", ADMIN),
    get("/admin/reports", ADMIN),
    post("/admin/reports/clear", ADMIN),
    post("/admin/alarms/{number:int}/settle", ADMIN, number="alarm"),
    *both("/admin/categories", ADMIN),
    *both("/admin/categories/{slug:str}", ADMIN, slug="category"),
    post("/admin/categories/{slug:str}/up", ADMIN, slug="category"),
    post("/admin/categories/{slug:str}/down", ADMIN, slug="category"),
    # An empty form names no category to merge into.
    post("/admin/categories/{slug:str}/merge", NO_OTHER, slug="category"),
    post("/admin/categories/{slug:str}/delete", ADMIN, slug="category"),
    *both("/admin/venues", ADMIN),
    *both("/admin/venues/{number:int}", ADMIN, number="venue"),
    post("/admin/venues/{number:int}/merge", NO_OTHER, number="venue"),
    post("/admin/venues/{number:int}/delete", ADMIN, number="venue"),
    *both("/admin/settings", ADMIN),
    post("/admin/settings/mail", ADMIN),
    post("/admin/settings/stripe", ADMIN),
    get("/admin/texts", ADMIN),
    *both("/admin/texts/{name:str}", ADMIN, name="text"),
]

# They prove themselves by a signature or by a token of their own, so they may come from anywhere; and browsers send their
# reports without saying where they come from.
FROM_ANYWHERE = {"POST /webhooks/stripe", "POST /unsubscribe/{token:str}", "POST /csp-report"}

# Pages that send some visitors on by design; everything else that may be opened answers 200.
SENT_ON = {"GET /favourites", "GET /login", "GET /login/second", "GET /bookings/{code:str}/return"}
