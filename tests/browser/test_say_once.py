"""What a page says by itself is said once: how many were found, what was done, how long a hold lasts, who is let in."""

import re

from playwright.async_api import Page, expect

from tests.browser.ears import heard, listen
from tests.browser.people import People, choose, only_js
from tests.browser.test_check_in import at_the_door, scan
from tests.stage import eventually

pytestmark = only_js


async def test_how_many_events_are_found(page: Page):
    await page.goto("/events")
    await listen(page)
    # In one go: whoever types slowly asks more than once, and hears more than one answer.
    await page.get_by_role("searchbox").fill("fog machine")
    await expect(page.locator("#found")).to_have_text("1 event found")
    assert await heard(page) == ["1 event found"]
    await page.get_by_role("searchbox").fill("unicorns")
    await expect(page.locator("#found")).to_have_text("No events found")
    assert await heard(page) == ["No events found"]


async def test_the_first_words_that_somebody_types_on_the_home_page(page: Page):
    await page.goto("/")
    await listen(page)
    await page.get_by_role("searchbox").fill("hamlet")
    await expect(page.locator("#found")).to_have_text("1 event found")
    assert await heard(page) == ["1 event found"]


async def test_more_time_is_said_and_what_is_left_of_it_but_never_the_digits(page: Page):
    await choose(page, "radio-silence", Standing=1)
    await listen(page)
    await page.get_by_role("button", name="I need more time").click()
    await expect(page.locator("#toasts .toast")).to_have_count(1)
    until = await page.locator("#hold time").inner_text()
    assert await heard(page) == [f"You have more time now, until {until}."]
    hold, clock = page.locator("#hold"), page.locator(".hold__clock")
    for seconds in (300, 120, 0):
        words = await hold.get_attribute(f"data-say-{seconds}")
        await hold.evaluate(
            "(one, left) => { one.dataset.until = new Date(Date.now() + left * 1000 + 900).toISOString() }", seconds
        )
        await expect(page.locator("#toasts")).to_contain_text(str(words))
        # The toasts before stand there still, and nobody hears them again.
        assert await heard(page) == [words]
        if seconds:
            # The digits go on, and nobody hears them.
            await expect(clock).not_to_have_text(await clock.inner_text())
    await page.wait_for_timeout(1100)
    assert await heard(page) == []
    assert "/bookings/" in page.url, "nothing navigates by itself"


async def test_whom_the_door_lets_in(people: People):
    page, codes = await at_the_door(people)
    await expect(page.get_by_text("Ready for a time without network")).to_be_visible()
    await listen(page)
    for code, verb in ((codes[-1], "Admit"), (codes[-1], "Already in"), ("hello", "Unknown")):
        await scan(page, code, verb)
        (said,) = await heard(page)
        assert said.startswith(verb)
    # The door looks every 15 seconds whether there is a network; as long as nothing is new, it keeps quiet.
    await page.evaluate("dispatchEvent(new Event('online'))")
    await page.wait_for_timeout(500)
    assert await heard(page) == []


async def test_errors_are_said_once(people: People, page: Page):
    people.allow(422)
    await page.goto("/events/nine-pianos")
    await listen(page)
    await page.get_by_label("Code", exact=True).fill("wrong")
    await page.get_by_role("button", name="Use the code").click()
    await expect(page.locator("#errors")).to_be_focused()
    assert await heard(page) == ["There is a problem No ticket type of this event opens with that code."]


async def test_ears_hear_what_is_said_twice_and_digits_that_are_read_out(page: Page):
    """The negative control: a region that is written anew, toasts that are read as a whole, and a clock that everybody hears."""
    await choose(page, "radio-silence", Standing=1)
    await listen(page)

    async def hears(script: str) -> list[str]:
        await page.evaluate(script)
        await page.wait_for_timeout(50)
        return await heard(page)

    toasts = "const toasts = document.getElementById('toasts'); "
    # They stay, however long it takes until the last of them is there.
    say = (
        "const toast = document.createElement('div'); toast.className = 'toast'; toast.dataset.stay = ''; "
        "toast.textContent = {!r}; toasts.append(toast)"
    )
    assert await hears(f"() => {{ {toasts} {say.format('One.')} }}") == ["One."]
    assert await hears(f"() => {{ {toasts} {say.format('Two.')} }}") == ["Two."]
    assert await hears(f"() => {{ {toasts} toasts.removeAttribute('aria-atomic'); {say.format('Three.')} }}") == [
        "One. Two. Three."
    ]
    assert await hears("() => { document.querySelector('.toast').textContent = 'One.' }") == ["One. Two. Three."]
    digits = await hears(
        "() => { const one = document.querySelector('.hold__clock'); one.removeAttribute('aria-hidden'); one.role = 'status' }"
    )

    async def second_after_second() -> bool:
        digits.extend(await heard(page))
        return len(digits) >= 2

    await eventually(second_after_second)
    assert all(re.fullmatch(r"\d+:\d\d", one) for one in digits)
