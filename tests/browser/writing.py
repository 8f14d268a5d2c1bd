"""The pages on which an event is written."""

from playwright.async_api import Page

from app.events.models import SECTIONS
from tests.browser.looks import Look, sent
from tests.browser.people import MARTINA

FOUND_FOOTAGE = "/manager/events/found-footage-weddings-19741989"


async def wrong_event(page: Page) -> None:
    await sent(page, "/manager/events/untitled-evening-with-cello/edit/basics", "Save", Starts="2020-01-01T20:30")


async def a_question(page: Page) -> None:
    await page.goto(f"{FOUND_FOOTAGE}/edit/access")
    await page.get_by_role("link", name="Cake or crisps").click()


async def a_quota(page: Page) -> None:
    await page.goto("/manager/events/brass-for-breakfast/edit/tickets")
    await page.get_by_role("link", name="All chairs").click()


WRITING: tuple[Look, ...] = (
    Look("new event", "/manager/events/new", MARTINA),
    Look("new event, wrong", wrong_event, MARTINA, 422),
    Look("edit an event", "/manager/events/nine-pianos/edit", MARTINA),
    Look("sections of a draft", "/manager/events/untitled-evening-with-cello/edit", MARTINA),
    *(Look(f"the section {name}", f"/manager/events/nine-pianos/edit/{name}", MARTINA) for name in SECTIONS),
    Look("texts in French", "/manager/events/the-fog-machine-orchestra/edit/texts-fr", MARTINA),
    Look("new ticket type", "/manager/events/nine-pianos/types/new", MARTINA),
    Look("a quota", a_quota, MARTINA),
    Look("new quota, wrong", lambda page: sent(page, "/manager/events/nine-pianos/quotas/new", "Save"), MARTINA, 422),
    Look("questions to buyers", f"{FOUND_FOOTAGE}/edit/access", MARTINA),
    Look("new question, wrong", lambda page: sent(page, f"{FOUND_FOOTAGE}/questions/new", "Save"), MARTINA, 422),
    Look("a question", a_question, MARTINA),
)
