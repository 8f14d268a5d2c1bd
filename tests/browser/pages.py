"""Every kind of page, and how to get there: for the tests that look at all of them."""

from itsdangerous import URLSafeSerializer
from playwright.async_api import Page

from app.core.settings import DEMO_SECRET_KEY
from app.core.tokens import SIGNED_WITH
from tests.browser.accounts import SECOND, WAYS_IN, app_set_up, new_user
from tests.browser.checkouts import answers, details, questions, wrong_answers, wrong_details
from tests.browser.desk import DESK
from tests.browser.finding import FINDING
from tests.browser.looks import Look, sent
from tests.browser.people import ADA, JONAS, MARTINA, SOFIA, address, buy, choose, fill_in, follow, go_to_pay, open_mail
from tests.browser.saved import SAVED
from tests.browser.series import SERIES
from tests.browser.writing import WRITING

DOOR = "/manager/events/shorts-on-the-roof/checkin"
JOIN = "Join waiting list"


async def payment(page: Page) -> None:
    await details(page)
    await fill_in(page, address("bob"), "Bob Bauer")
    await go_to_pay(page)


async def declined(page: Page) -> None:
    await payment(page)
    await page.get_by_role("button", name="Decline the card").click()
    await page.get_by_role("alert").wait_for()


async def being_paid(page: Page) -> None:
    await payment(page)
    await page.get_by_role("link", name="Cancel and go back").click()
    await page.get_by_role("button", name="Release tickets").wait_for()


async def at_the_bank(page: Page) -> None:
    await payment(page)
    await page.get_by_text("Other test outcomes").click()
    await page.get_by_role("button", name="bank refuses").click()
    await page.get_by_role("heading", name="Your bank is confirming").wait_for()


async def closed_payment(page: Page) -> None:
    await payment(page)
    session = page.url
    await page.get_by_role("link", name="Cancel and go back").click()
    await page.get_by_role("button", name="Release tickets").click()
    await page.get_by_role("button", name="Hold them again").wait_for()
    await page.goto(session)


async def released(page: Page) -> None:
    await details(page)
    await page.get_by_role("button", name="Release tickets").click()
    await page.get_by_role("button", name="Hold them again").wait_for()


async def paid(page: Page) -> None:
    await buy(page, "radio-silence", email=address("bob"), name="Bob Bauer", Standing=2)


async def all_tickets(page: Page) -> None:
    await paid(page)
    await page.get_by_role("link", name="Show my tickets").click()


async def ticket(page: Page) -> None:
    await all_tickets(page)
    await page.get_by_role("link", name="A link for this ticket alone").first.click()


async def mail_of_tickets(page: Page) -> None:
    email = address("bob")
    await buy(page, "radio-silence", email=email, name="Bob Bauer", Standing=1)
    await open_mail(page, email)


async def nothing_chosen(page: Page) -> None:
    await page.goto("/events/the-fog-machine-orchestra")
    await page.get_by_role("button", name="Continue").click()
    await page.get_by_role("alert").wait_for()


async def a_booking(page: Page) -> None:
    await page.goto("/manager/events/the-fog-machine-orchestra/bookings?state=paid")
    await page.get_by_role("main").locator(".todo a").first.click()


async def a_holder(page: Page) -> None:
    await a_booking(page)
    await page.get_by_role("link", name="Change name").first.click()


async def an_announcement(page: Page) -> None:
    await page.goto("/manager/events/the-fog-machine-orchestra/announcements")
    await page.get_by_label("Subject").fill("Doors at eight")
    await page.get_by_label("Text").fill("Come **early**, and bring a friend.")
    await page.get_by_role("button", name="Look at it").click()
    await page.get_by_role("button", name="Send it to").wait_for()


async def wrong_codes(page: Page) -> None:
    await page.goto("/manager/events/nine-pianos/sales")
    await page.get_by_text("New codes for one booking each").first.click()
    await page.get_by_label("How many codes").first.fill("9999")
    await page.get_by_role("button", name="Make the codes").first.click()
    await page.get_by_role("alert").wait_for()


async def new_codes(page: Page) -> None:
    await page.goto("/manager/events/nine-pianos/sales")
    await page.get_by_text("New codes for one booking each").first.click()
    await page.get_by_label("How many codes").first.fill("12")
    await page.get_by_role("button", name="Make the codes").first.click()
    await page.get_by_role("link", name="See and print").first.click()


async def unlocked(page: Page) -> None:
    await sent(page, "/events/nine-pianos", "Use the code", Code="NINEPIANOS")


async def in_line(page: Page) -> None:
    await sent(page, "/events/print-your-own-poster", JOIN)
    await page.get_by_role("heading", name="You are number").wait_for()


async def presale_hold(page: Page) -> None:
    await page.goto("/me/presales")
    await page.locator("main a[href^='/bookings/']:not([href*='.ics'])").first.click()
    await page.wait_for_url("**/bookings/**")


async def invitation(page: Page) -> None:
    email = address("mallory")
    await sent(page, "/admin/managers", "Add manager", Email=email)
    await open_mail(page, email)
    await follow(page, "/invitations/")


async def unsubscribe(page: Page) -> None:
    # Which mails have come depends on the day of the week, but everybody knows the demo's key.
    signer = URLSafeSerializer(DEMO_SECRET_KEY, salt="link:unsubscribe", signer_kwargs=SIGNED_WITH)
    await page.goto(f"/unsubscribe/{signer.dumps(f'mail:{SOFIA[1]}|reminders')}")


async def too_often(page: Page) -> None:
    async def refused_for() -> int:
        tried = {"form": {"code": "x"}, "headers": {"Sec-Fetch-Site": "same-origin"}}
        answer = await page.request.post("/events/nine-pianos/unlock", **tried)
        return int(answer.headers.get("retry-after", 0))

    # What was used up comes back with the next minute: one that ends soon is let go by.
    for _attempt in range(40):
        if (seconds := await refused_for()) >= 15:
            break
        await page.wait_for_timeout(1000 * seconds)
    await page.goto("/events/nine-pianos")
    # Sent past htmx, so that the answer is a whole page.
    async with page.expect_navigation():
        await page.evaluate("document.querySelector('form[action$=unlock]').submit()")


async def give_back(page: Page) -> None:
    """Tickets that cost nothing can be given back under every rule."""
    await choose(page, "the-choir-that-cannot-read-music", Chair=2)
    await fill_in(page, address("bob"), "Bob Bauer")
    await page.get_by_role("button", name="Get tickets").click()
    await page.get_by_role("link", name="Give tickets back").click()


async def give_back_by_code(page: Page) -> None:
    await give_back(page)
    await page.get_by_role("button", name="Send me the code").click()
    await page.get_by_label("Code from the mail").wait_for()


async def wrong_code(page: Page) -> None:
    await give_back_by_code(page)
    await page.get_by_label("Code from the mail").fill("1234")
    await page.get_by_role("button", name="Give the chosen tickets back").click()
    await page.get_by_role("alert").wait_for()


async def receipts(page: Page) -> None:
    await paid(page)
    await page.get_by_role("link", name="Receipts").click()


async def receipt(page: Page) -> None:
    await receipts(page)
    await page.get_by_role("main").get_by_role("link", name="Show").first.click()


async def refund_desk(page: Page) -> None:
    await page.goto("/manager/events/the-fog-machine-orchestra/payments")
    await page.get_by_role("main").get_by_role("link", name="Refund").last.click()


async def door_sale(page: Page) -> None:
    await page.goto("/manager/events/the-fog-machine-orchestra/box-office")
    await page.locator("input[type=radio][value='1']").first.check(force=True)
    await page.get_by_role("button", name="Paid in cash").click()
    await page.get_by_role("link", name="Next sale").wait_for()


async def wrong_refund(page: Page) -> None:
    await refund_desk(page)
    await page.get_by_role("button", name="Give the money back").click()
    await page.get_by_role("alert").wait_for()


PAGES = (
    *FINDING,
    Look("event", "/events/the-fog-machine-orchestra"),
    Look("event in a pre-sale", "/events/nine-pianos"),
    Look("event in a pre-sale, unlocked", unlocked),
    Look("event, wrong code", lambda page: sent(page, "/events/nine-pianos", "Use the code", Code="x"), status=422),
    Look("event with a promo code", "/events/the-fog-machine-orchestra?code=SPRING"),
    Look("event with a voucher", "/events/the-fog-machine-orchestra?code=FRIENDS"),
    Look("event, nothing chosen", nothing_chosen, status=422),
    Look("event, sold out", "/events/songs-for-a-broken-lift"),
    Look("event, waiting list", "/events/print-your-own-poster"),
    Look("waiting list, wrong", lambda page: sent(page, "/events/print-your-own-poster", JOIN, Email="bob"), status=422),
    Look("place in line", in_line, SOFIA),
    Look("event, not on sale yet", "/events/alpine-echo"),
    Look("event, called off", "/events/lost-property-office"),
    Look("event, postponed", "/events/shadow-play-for-grown-ups"),
    Look("event, over", "/events/the-long-goodbye-to-summer"),
    Look("event, free", "/events/the-choir-that-cannot-read-music"),
    Look("booking, details", details),
    Look("booking, wrong details", wrong_details, status=422),
    Look("booking, questions", questions),
    Look("booking, wrong answers", wrong_answers, status=422),
    Look("booking, answers", answers),
    Look("booking, being paid", being_paid),
    Look("booking, at the bank", at_the_bank),
    Look("booking, released", released),
    Look("booking, paid", paid),
    Look("booking of a pre-sale", presale_hold, SOFIA),
    Look("all tickets of a booking", all_tickets),
    Look("ticket", ticket),
    Look("tickets to give back", give_back),
    Look("tickets to give back, with a code", give_back_by_code),
    Look("tickets to give back, wrong code", wrong_code, status=422),
    Look("receipts", receipts),
    Look("receipt", receipt),
    Look("payment", payment),
    Look("payment, declined", declined, status=402),
    Look("payment, closed", closed_payment, status=410),
    Look("mailbox", "/sandbox/mail"),
    Look("mailbox, nothing found", "/sandbox/mail?to=nobody@example.com"),
    Look("mail", mail_of_tickets),
    Look("sandbox, nothing here", "/sandbox/mail/nothing", status=404),
    *WAYS_IN,
    Look("invitation", invitation, ADA),
    Look("unsubscribe", unsubscribe),
    Look("imprint", "/imprint"),
    Look("terms", "/terms"),
    Look("privacy", "/privacy"),
    Look("accessibility", "/accessibility"),
    Look("not found", "/nothing/here", status=404),
    Look("too often", too_often, status=429),
    Look("forbidden", "/admin", SOFIA, status=403),
    Look("me", "/me", SOFIA),
    Look("my name", "/me/name", SOFIA),
    Look("become a manager", "/me/manager", SOFIA),
    Look("my email", "/me/email", SOFIA),
    Look("my password", "/me/password", SOFIA),
    Look("my password, wrong", lambda page: sent(page, "/me/password", "Save the password"), SOFIA, status=422),
    Look("my browsers", "/me/security", SOFIA),
    Look("my passkeys", "/me/security/passkeys", SOFIA),
    Look("my connected sign-ins", "/me/security/identities", SOFIA),
    *SECOND,
    Look("who is it, by password", "/login/again", SOFIA),
    Look("who is it, by password or code", lambda page: app_set_up(page, "/login/again")),
    Look("my data", "/me/data", SOFIA),
    Look("copy my data", "/me/data/export", SOFIA),
    Look("erase my account", "/me/data/erase", SOFIA),
    Look("my tickets", "/me/tickets", SOFIA),
    Look("my pre-sales", "/me/presales", SOFIA),
    Look("my payments", "/me/payments", SOFIA),
    Look("my favourites", "/me/favourites", SOFIA),
    Look("my notifications", "/me/notifications", SOFIA),
    Look("my e-mails", "/me/notifications/preferences", SOFIA),
    Look("no tickets yet", lambda page: new_user(page, "/me/tickets")),
    Look("no pre-sales yet", lambda page: new_user(page, "/me/presales")),
    Look("no payments yet", lambda page: new_user(page, "/me/payments")),
    Look("no favourites yet", lambda page: new_user(page, "/me/favourites")),
    Look("no notifications yet", lambda page: new_user(page, "/me/notifications")),
    Look("desk of a manager", "/manager", MARTINA),
    Look("desk of a new manager", "/manager", ADA),
    Look("events of a manager", "/manager/events", MARTINA),
    Look("event of a manager", "/manager/events/the-fog-machine-orchestra", MARTINA),
    Look("waiting list of an event", "/manager/events/print-your-own-poster/waiting-list", JONAS),
    Look("bookings of an event", "/manager/events/the-fog-machine-orchestra/bookings", MARTINA),
    Look("booking on its manager's desk", a_booking, MARTINA),
    Look("attendees", "/manager/events/the-fog-machine-orchestra/attendees", MARTINA),
    Look("attendees, none like this", "/manager/events/the-fog-machine-orchestra/attendees?q=nobody", MARTINA),
    Look("name on a ticket", a_holder, MARTINA),
    Look("announcements", "/manager/events/the-fog-machine-orchestra/announcements", MARTINA),
    Look("announcement, before it is sent", an_announcement, MARTINA),
    Look("jobs", "/manager/jobs", MARTINA),
    Look("sales", "/manager/events/nine-pianos/sales", MARTINA),
    Look("sales, codes", new_codes, MARTINA),
    Look("sales, wrong", wrong_codes, MARTINA, 422),
    Look("codes", "/manager/events/the-fog-machine-orchestra/codes", MARTINA),
    Look("comps", "/manager/events/the-fog-machine-orchestra/comps", MARTINA),
    Look("box office", "/manager/events/the-fog-machine-orchestra/box-office", MARTINA),
    Look("sale at the door", door_sale, MARTINA),
    Look("door", DOOR, MARTINA),
    Look("team", "/manager/events/shorts-on-the-roof/team", MARTINA),
    Look("door, refused", lambda page: sent(page, DOOR, "Check", **{"Scan or type a code": "AAAA-AAAA"}), MARTINA),
    Look("door, nothing typed", lambda page: sent(page, DOOR, "Check"), MARTINA, 422),
    Look("door, admitted", lambda page: sent(page, f"{DOOR}?q=a", "Check in"), MARTINA),
    Look("payments of an event", "/manager/events/the-fog-machine-orchestra/payments", MARTINA),
    Look("refunds of an event, called off", "/manager/events/lost-property-office/refunds", ADA),
    Look("refund by a manager", refund_desk, MARTINA),
    Look("refund by a manager, wrong", wrong_refund, MARTINA, 422),
    Look("draft", "/manager/events/untitled-evening-with-cello", MARTINA),
    Look("call off", "/manager/events/alpine-echo/call-off", MARTINA),
    Look("postpone", "/manager/events/alpine-echo/postpone", MARTINA),
    Look("postpone, wrong", lambda page: sent(page, "/manager/events/alpine-echo/postpone", "Postpone the event"), MARTINA, 422),
    Look("desk of a postponed event", "/manager/events/shadow-play-for-grown-ups", MARTINA),
    Look("too late", "/manager/events/the-long-goodbye-to-summer/call-off", MARTINA, 409),
    *SAVED,
    *SERIES,
    *WRITING,
    *DESK,
)
