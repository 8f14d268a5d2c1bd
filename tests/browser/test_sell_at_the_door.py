"""Martina sells at the door from her phone, and Bob uses a code that she has made: with and without JavaScript."""

from playwright.async_api import expect

from tests.browser.people import MARTINA, People, take

FOG = "the-fog-machine-orchestra"


async def test_martina_sells_two_tickets_and_the_till_knows_it(people: People) -> None:
    page = await people.signed_in(MARTINA)
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto(f"/manager/events/{FOG}/box-office")
    await take(page, "Hall", 2)
    if people.javascript:
        await expect(page.locator("#sum")).to_contain_text("2 tickets")
    await page.get_by_role("button", name="Paid in cash").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("2 tickets, €")
    await expect(page.get_by_role("img", name="QR code of ticket")).to_have_count(2)
    await page.get_by_role("link", name="Next sale").click()
    await expect(page.get_by_role("region", name="The till")).to_contain_text("Martina Rossi")


async def test_bob_types_a_code_and_pays_less(people: People) -> None:
    page = await people.open(width=390, height=844)
    await page.goto(f"/events/{FOG}")
    await page.get_by_text("I have a code").click()
    await page.get_by_label("Code", exact=True).fill("spring")
    await page.get_by_role("button", name="Use the code").click()
    await expect(page.get_by_text("SPRING takes 20 % off.")).to_be_visible()
    await take(page, "Hall", 1)
    if people.javascript:
        await expect(page.locator("#sum")).to_contain_text("1 ticket")
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_text("at €23.20 instead of €29.00")).to_be_visible()
