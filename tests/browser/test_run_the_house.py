"""What admins and managers do to people and events: invite, suspend, call off."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.people import ADA, JONAS, People, address, choose, eventually, follow, go_to_pay, open_mail, pay, sign_in

LONG_PASSWORD = "forty umbrellas and a piano"


async def test_an_admin_invites_a_manager_and_suspends_them_again(people: People):
    people.allow(401, 403, 422)
    adas, email = await people.signed_in(ADA), address("mallory")
    await adas.goto("/admin/managers")
    await adas.get_by_label("Email").fill(email)
    await adas.get_by_role("button", name="Add manager").click()
    await expect(adas.get_by_text(f"{email} is invited by mail.")).to_be_visible()

    mallorys = await people.open()
    await open_mail(mallorys, email)
    await follow(mallorys, "/invitations/")
    await mallorys.get_by_label("Your name").fill("Mallory Miles")
    await mallorys.get_by_label("Password", exact=True).fill(LONG_PASSWORD)
    await mallorys.get_by_role("button", name="Accept the invitation").click()
    await expect(mallorys.get_by_text("Welcome. You can propose your first event now.")).to_be_visible()
    await mallorys.get_by_role("link", name="New event").first.click()
    await expect(mallorys.get_by_role("heading", name="New event")).to_be_visible()

    await adas.goto("/admin/managers")
    await adas.get_by_role("link", name=f"Open {email}").click()
    await adas.get_by_label("Reason").fill("Mallory sold what was not hers.")
    await adas.get_by_role("button", name="Suspend").click()
    await expect(adas.get_by_text(f"{email} is suspended.")).to_be_visible()
    await mallorys.goto("/manager")
    await expect(mallorys).to_have_url(re.compile("/login"))
    await mallorys.get_by_label("Email").fill(email)
    await mallorys.get_by_label("Password", exact=True).fill(LONG_PASSWORD)
    await mallorys.get_by_role("main").get_by_role("button", name="Sign in").click()
    await expect(mallorys.get_by_role("alert")).to_be_visible()

    await adas.get_by_role("button", name="Reinstate").click()
    await expect(adas.get_by_text(f"{email} can sign in again.")).to_be_visible()
    await sign_in(mallorys, email, LONG_PASSWORD)


async def test_a_user_becomes_a_manager_at_once(people: People):
    _carols, email = await people.user("carol")
    adas = await people.signed_in(ADA)
    await adas.goto("/admin/managers")
    await adas.get_by_label("Email").fill(email)
    await adas.get_by_role("button", name="Add manager").click()
    await expect(adas.get_by_text(f"{email} is a manager now")).to_be_visible()
    await open_mail(adas, email, "You can now manage events")


@pytest.mark.parametrize("login", [ADA, JONAS], ids=["an admin", "a manager"])
async def test_a_called_off_event_gives_the_money_back(people: People, login: tuple[str, str, str], javascript: bool):
    # Each event can be called off once.
    slug, ticket_type = {
        (ADA, True): ("low-tide-quartet", "At_a_table"),
        (ADA, False): ("brass-for-breakfast", "With_breakfast"),
        (JONAS, True): ("last-train-from-warschauer", "Standing"),
        (JONAS, False): ("the-stars-above-the-car-park", "Adult"),
    }[login, javascript]
    carols, email = await people.user("carol")
    booking = await buy_signed_in(carols, slug, ticket_type)

    chief = await people.signed_in(login)
    await chief.goto(f"/admin/events/{slug}" if login is ADA else f"/manager/events/{slug}/call-off")
    await chief.get_by_label("Reason").fill("The roof leaks.")
    await chief.get_by_role("button", name="Call off the event").click()
    await expect(chief.get_by_text("The event is called off. Everybody who paid gets the full price back.")).to_be_visible()

    await eventually(carols, booking, "went back on")
    await expect(carols.get_by_role("heading", name="This event was called off")).to_be_visible()
    await expect(carols.get_by_text("The roof leaks.")).to_be_visible()
    await eventually(carols, "/me/notifications", "was called off. Your money is on its way back.")
    await eventually(carols, "/me/payments", "went back on")
    await open_mail(carols, email, "Called off:")
    await open_mail(carols, email, "Refund of")
    await carols.goto(f"/events/{slug}")
    await expect(carols.get_by_text("No tickets are sold any more.")).to_be_visible()


async def buy_signed_in(page: Page, slug: str, ticket_type: str) -> str:
    await choose(page, slug, **{ticket_type: 1})
    await page.get_by_label("Full name").fill("Carol Conti")
    await go_to_pay(page)
    await pay(page)
    return page.url
