"""Choosing mails: on the page of preferences, and by the link that each optional mail carries."""

import httpx
import pytest

from app.core.db import Database, reading, writing
from app.notifications import queries, rules
from tests import world

ALL_ON = {"favourites": True, "saved": True, "reminders": True, "presales": True}


async def wanted(recipient: str) -> dict[str, bool]:
    async with reading() as db:
        return await queries.preferences(db, recipient)


async def test_what_is_chosen_is_kept(client: httpx.AsyncClient, sign_in) -> None:  # type: ignore[no-untyped-def]
    async with writing() as tx:
        bob = await world.bob(tx)
    await sign_in(client, bob)
    shown = (await client.get("/me/notifications/preferences")).text
    assert shown.count("checked") == 4
    assert "Tickets, payments and refunds" in shown
    answer = await client.post("/me/notifications/preferences", data={"reminders": "y"})
    assert answer.status_code == 303
    assert await wanted(f"user:{bob.id}") == ALL_ON | {"favourites": False, "saved": False, "presales": False}
    await client.post("/me/notifications/preferences", data=dict.fromkeys(ALL_ON, "y"))
    assert await wanted(f"user:{bob.id}") == ALL_ON


async def test_a_mail_program_unsubscribes_by_itself_without_cookie_or_origin(client: httpx.AsyncClient) -> None:
    token = rules.unsubscribe_token("mail:gast@example.com", "reminders")
    del client.headers["Origin"]
    answer = await client.post(f"/unsubscribe/{token}", data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert await wanted("mail:gast@example.com") == ALL_ON | {"reminders": False}


@pytest.mark.asvs("V3.5.3")
async def test_opening_the_link_changes_nothing_until_the_button_is_pressed(client: httpx.AsyncClient) -> None:
    address = f"/unsubscribe/{rules.unsubscribe_token('user:1', 'favourites')}"
    page = await client.get(address)
    assert "Stop these e-mails?" in page.text
    assert await wanted("user:1") == ALL_ON
    assert "These e-mails have stopped." in (await client.post(address, data={"wanted": "no"})).text
    assert "These e-mails have stopped." in (await client.get(address)).text
    assert "You get these e-mails again." in (await client.post(address, data={"wanted": "yes"})).text
    assert await wanted("user:1") == ALL_ON


@pytest.mark.asvs("V9.1.1", "V9.2.2")
async def test_only_our_own_tokens_count(client: httpx.AsyncClient) -> None:
    for token in ("x", rules.unsubscribe_token("user:1", "money"), rules.unsubscribe_token("user:1", "favourites")[:-2]):
        assert (await client.get(f"/unsubscribe/{token}")).status_code == 404
        assert (await client.post(f"/unsubscribe/{token}")).status_code == 404


async def test_choosing_twice_keeps_the_last_choice(database: Database) -> None:
    from app.notifications import actions

    for last in (False, True, False):
        async with writing() as tx:
            await actions.set_preferences(tx, "mail:gast@example.com", {"reminders": last}, by=None)
    assert (await wanted("mail:gast@example.com"))["reminders"] is False
