"""Carol waits for a sale: she says where to write, her mailbox says yes, and the mail goes out when it opens, once."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from sqlmodel import select, update

from app.core import clock, tokens
from app.core.activity import Activity
from app.core.db import Database, reading, writing
from app.events import queries, reminders
from app.events.actions import deciding, postponing, reminding
from app.events.models import Event, TicketType
from app.notifications.actions import set_preferences
from app.privacy import flows as privacy
from app.worker import Worker
from tests import world
from tests.events.reminding import CAROL, DAY, addresses, ahead, asked, opened, saved
from tests.events.revising import dated
from tests.notifications.scenes import bought, deliveries, kinds, told

Client = httpx.AsyncClient
SignIn = Callable[[Client, Any], Awaitable[None]]


# ---------- in the minute of the opening ----------


async def test_the_mail_goes_out_when_the_sale_opens_and_once(database: Database, moment: time_machine.Traveller) -> None:
    event = await ahead()
    await asked(event)
    bob = await saved(event)
    moment.shift(3 * DAY - timedelta(seconds=1))
    assert await opened() == []
    moment.shift(timedelta(seconds=1))
    expected = [("sale", f"user:{bob.id}"), ("sale", f"mail:{CAROL}")]
    assert await opened() == expected
    moment.shift(timedelta(hours=1))
    assert await opened() == expected


async def test_a_presale_and_the_general_sale_are_told_each_once(database: Database, moment: time_machine.Traveller) -> None:
    await asked(await ahead(presale=DAY))
    moment.shift(DAY)
    assert await opened() == [("presale", f"mail:{CAROL}")]
    moment.shift(2 * DAY)
    assert await opened() == [("presale", f"mail:{CAROL}"), ("sale", f"mail:{CAROL}")]


async def test_a_sale_that_opens_again_is_told_again_to_whoever_waits_for_it(
    database: Database, moment: time_machine.Traveller
) -> None:
    event = await ahead(sale=DAY)
    async with writing() as tx:
        (await world.only_type(tx, event)).sale_to = clock.now() + 2 * DAY
        await world.ticket_type(tx, event, name="Late", sale_from=clock.now() + 6 * DAY)
    bob = await saved(event)
    moment.shift(DAY)
    first = [("sale", f"user:{bob.id}")]
    assert await opened() == first
    moment.shift(2 * DAY)
    await asked(event)
    await privacy.forget()
    moment.shift(3 * DAY)
    expected = [*first, ("sale", f"user:{bob.id}"), ("sale", f"mail:{CAROL}")]
    assert await opened() == expected
    moment.shift(timedelta(hours=1))
    assert await opened() == expected
    assert await addresses() == [CAROL]
    moment.shift(DAY)
    await privacy.forget()
    assert await addresses() == []


async def test_a_sale_that_goes_on_with_other_tickets_has_not_opened(database: Database, moment: time_machine.Traveller) -> None:
    event = await ahead(sale=DAY)
    async with writing() as tx:
        (await world.only_type(tx, event)).sale_to = clock.now() + 2 * DAY
        await world.ticket_type(tx, event, name="Late", sale_from=clock.now() + 2 * DAY)
    await asked(event)
    for _day in range(2):
        moment.shift(DAY)
        assert await opened() == [("sale", f"mail:{CAROL}")]


async def test_whoever_never_said_yes_is_told_nothing(database: Database, moment: time_machine.Traveller) -> None:
    await asked(await ahead(), confirmed=False)
    moment.shift(3 * DAY)
    assert await opened() == []


async def test_a_sale_that_moves_takes_the_reminder_along(database: Database, moment: time_machine.Traveller) -> None:
    event = await ahead()
    await asked(event)
    async with writing() as tx:
        later = update(TicketType).where(TicketType.event_id == event.id)  # type: ignore[arg-type]
        await tx.exec(later.values(sale_from=clock.now() + 5 * DAY))
    moment.shift(3 * DAY)
    assert await opened() == []
    moment.shift(2 * DAY)
    assert await opened() == [("sale", f"mail:{CAROL}")]


async def test_nobody_is_reminded_of_what_was_called_off_or_is_postponed(
    database: Database, moment: time_machine.Traveller
) -> None:
    off, later = await ahead(title="Off"), await ahead(title="Later")
    for event in (off, later):
        await asked(event)
    async with writing() as tx:
        dora = await world.dora(tx)
        await deciding.call_off(tx, await tx.get_one(Event, off.id), reason="Flood", by=dora.id or 0, now=clock.now())
        here = await tx.get_one(Event, later.id)
        await postponing.postpone(tx, here, reason="Flood", return_days=14, by=dora.id or 0, now=clock.now())
    moment.shift(3 * DAY)
    assert await opened() == []
    # With its new date the sale goes on, and that is when it opens for whoever waits.
    moment.shift(4 * DAY)
    async with writing() as tx:
        await dated(tx, await tx.get_one(Event, later.id), later=30 * DAY, by=dora.id or 0)
    assert await opened() == [("sale", f"mail:{CAROL}")]


async def test_a_sale_that_was_open_when_the_event_came_out_is_no_news(
    database: Database, moment: time_machine.Traveller
) -> None:
    async with writing() as tx:
        event = await world.event(tx, published_at=clock.now())
        (await world.only_type(tx, event)).sale_from = clock.now() - timedelta(hours=1)
    await saved(event)
    assert await opened() == []


# ---------- two workers ----------


async def two_workers() -> int:
    """Both have seen that the sale is open before either says so; gives how many activities tell of it."""
    async with reading() as db:
        first, second = await reminders.due(db, now=clock.now()), await reminders.due(db, now=clock.now())
    for event_id, phase, since in [*first, *second]:
        async with writing() as tx:
            await reminding.open_sale(tx, event_id, phase, since, now=clock.now())
    await Worker().react()
    async with reading() as db:
        return len((await db.exec(select(Activity).where(Activity.kind == "event.sale_opened"))).all())


async def test_of_two_workers_one_sends_the_mails(database: Database, moment: time_machine.Traveller) -> None:
    await asked(await ahead())
    moment.shift(3 * DAY)
    assert await two_workers() == 1
    assert await kinds() == [("reminder_asked", f"mail:{CAROL}"), ("sale_opened", f"mail:{CAROL}")]


async def test_control_without_the_row_both_send_them(
    database: Database, moment: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def always(*_all: object) -> bool:
        return True

    monkeypatch.setattr(reminding, "is_first", always)
    await asked(await ahead())
    moment.shift(3 * DAY)
    assert await two_workers() == 2
    assert [kind for kind, _who in await kinds()].count("sale_opened") == 2


# ---------- asking, and taking it back ----------


@pytest.mark.usefixtures("moment")
async def test_a_client_asks_with_one_field_and_says_yes_in_the_mail(client: Client) -> None:
    event = await ahead()
    page = await client.get("/events/nine-pianos")
    assert "Remind me when it opens" in page.text
    answer = await client.post("/events/nine-pianos/remind", data={"email": "Carol@Example.com"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/events/nine-pianos#tickets")
    await Worker().react()
    [mail] = await told()
    assert (mail.kind, mail.recipient, mail.user_id) == ("reminder_asked", f"mail:{CAROL}", None)
    token = tokens.sign(mail.facts["link_kind"], mail.facts["link"])
    shown = await client.get(f"/reminders/{token}")
    assert "Shall we remind you of the sale?" in shown.text
    assert shown.headers["referrer-policy"] == "same-origin"
    async with reading() as db:
        assert await reminders.asked(db, event.id or 0) == []
    await client.post(f"/reminders/{token}/confirm")
    shown = await client.get(f"/reminders/{token}")
    assert "We remind you of the sale" in shown.text
    await client.post(f"/reminders/{token}/stop")
    assert (await client.get(f"/reminders/{token}")).status_code == 404


@pytest.mark.usefixtures("moment")
async def test_the_mailed_link_opens_in_the_readers_language(client: Client) -> None:
    reminder = await asked(await ahead(texts={"fr": {"title": "Neuf pianos"}}), confirmed=False)
    address = f"/reminders/{tokens.sign('reminder', reminder.code)}"
    assert "Neuf pianos" in (await client.get(address, headers={"Accept-Language": "fr"})).text


async def test_a_wrong_address_keeps_the_page_and_says_so(client: Client) -> None:
    await ahead()
    answer = await client.post("/events/nine-pianos/remind", data={"email": "carol at home"})
    assert answer.status_code == 422
    assert "<title>Error: Nine Pianos" in answer.text
    assert 'value="carol at home"' in answer.text
    assert 'id="errors"' in answer.text


@pytest.mark.usefixtures("moment")
async def test_an_address_is_asked_five_times_an_hour_at_most(client: Client) -> None:
    await ahead()
    answers = [await client.post("/events/nine-pianos/remind", data={"email": CAROL}) for _attempt in range(6)]
    assert [answer.status_code for answer in answers] == [303] * 5 + [429]


@pytest.mark.usefixtures("moment")
async def test_a_user_needs_one_tap_and_has_the_event_among_the_favourites(client: Client, sign_in: SignIn) -> None:
    event = await ahead()
    async with writing() as tx:
        bob = await world.bob(tx)
        await set_preferences(tx, f"user:{bob.id}", {"saved": False}, by=bob.id)
    await sign_in(client, bob)
    for _twice in range(2):
        assert (await client.post("/events/nine-pianos/remind")).status_code == 303
    async with reading() as db:
        assert await queries.favourite_events(db, bob.id) == {event.id}
    page = await client.get("/events/nine-pianos")
    assert "You saved this event, so we write to you in that minute." in page.text
    preferences = await client.get("/me/notifications/preferences")
    assert 'checked id="saved"' in preferences.text


@pytest.mark.usefixtures("moment")
async def test_where_nothing_opens_there_is_nothing_to_be_reminded_of(client: Client) -> None:
    async with writing() as tx:
        await world.event(tx)
    assert "Remind me" not in (await client.get("/events/nine-pianos")).text
    assert (await client.post("/events/nine-pianos/remind", data={"email": CAROL})).status_code == 409
    assert (await client.get("/events/nine-pianos/opening.ics")).status_code == 404


@pytest.mark.usefixtures("moment")
async def test_the_opening_goes_into_a_calendar(client: Client) -> None:
    await ahead(presale=DAY)
    file = await client.get("/events/nine-pianos/opening.ics")
    assert file.headers["content-type"].startswith("text/calendar")
    assert "SUMMARY:Tickets for Nine Pianos" in file.text
    assert "DTSTART;TZID=Europe/Rome:20261117T" in file.text


@pytest.mark.usefixtures("moment")
async def test_the_calendar_speaks_the_language_of_the_page_that_leads_to_it(client: Client) -> None:
    await ahead(texts={"fr": {"title": "Neuf pianos"}})
    [address] = re.findall(r'href="([^"]*opening\.ics)"', (await client.get("/fr/events/nine-pianos")).text)
    # A calendar program that fetches it speaks another language, or none.
    file = (await client.get(address, headers={"Accept-Language": "de"})).text.replace("\r\n ", "")
    assert "SUMMARY:Billets pour Neuf pianos" in file and "/fr/events/nine-pianos" in file
    english = (await client.get("/events/nine-pianos/opening.ics")).text.replace("\r\n ", "")
    assert "SUMMARY:Tickets for Nine Pianos" in english and "/fr/" not in english


async def test_one_click_ends_these_mails(database: Database, moment: time_machine.Traveller, client: Client) -> None:
    event = await ahead()
    await asked(event)
    bob = await saved(event)
    async with writing() as tx:
        for recipient in (f"mail:{CAROL}", f"user:{bob.id}"):
            await set_preferences(tx, recipient, {"saved": False}, by=None)
    moment.shift(3 * DAY)
    assert len(await opened()) == 2, "the panel still says it"
    assert len(await deliveries()) == 1, "the one mail is the question from before"


# ---------- what becomes of a saved event ----------


async def news() -> list[tuple[str, str]]:
    await Worker().react()
    return [(one.facts.get("news", one.kind), one.recipient) for one in await told() if "changed" in one.kind]


async def test_who_saved_an_event_hears_that_it_moves_and_buyers_only_as_buyers(
    database: Database, moment: time_machine.Traveller
) -> None:
    async with writing() as tx:
        event, dora, carol = await world.event(tx), await world.dora(tx), await world.carol(tx)
    bob = await saved(event)
    await saved(event, "carol")
    await bought(event, carol)
    async with writing() as tx:
        await dated(tx, await tx.get_one(Event, event.id), later=DAY, by=dora.id or 0)
    assert sorted(await news()) == [("event_changed", f"user:{carol.id}"), ("moved", f"user:{bob.id}")]


async def test_who_saved_an_event_hears_that_it_does_not_take_place(database: Database, moment: time_machine.Traveller) -> None:
    async with writing() as tx:
        event, dora = await world.event(tx), await world.dora(tx)
    bob = await saved(event)
    async with writing() as tx:
        here = await tx.get_one(Event, event.id)
        await postponing.postpone(tx, here, reason="Flood", return_days=14, by=dora.id or 0, now=clock.now())
    async with writing() as tx:
        await postponing.keep_date(tx, await tx.get_one(Event, event.id), by=dora.id or 0, now=clock.now())
    async with writing() as tx:
        await deciding.call_off(tx, await tx.get_one(Event, event.id), reason="Flood", by=dora.id or 0, now=clock.now())
    recipient = f"user:{bob.id}"
    assert await news() == [("postponed", recipient), ("date_kept", recipient), ("called_off", recipient)]


@pytest.mark.usefixtures("moment")
async def test_the_list_of_favourites_says_that_a_date_is_new(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        event, dora = await world.event(tx), await world.dora(tx)
    bob = await saved(event)
    await sign_in(client, bob)
    assert "New date" not in (await client.get("/me/favourites")).text
    async with writing() as tx:
        await dated(tx, await tx.get_one(Event, event.id), later=DAY, by=dora.id or 0)
    assert "New date" in (await client.get("/me/favourites")).text
