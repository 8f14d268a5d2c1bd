"""Putting a team together: invited by mail, joined with one button, given other rights, sent away."""

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from sqlmodel import select

from app.accounts import queries as accounts
from app.core import clock, tokens
from app.core.activity import Activity
from app.core.db import Database, reading, writing
from app.core.errors import Refused
from app.events.actions import helping
from app.events.models import Event, Helper
from app.notifications.models import Notification
from app.worker import Worker
from tests import world


async def asked(email: str = "erin@example.com", *rights: str) -> Helper:
    """Alice has asked somebody to help; the door, unless it says otherwise."""
    async with writing() as tx:
        event = await world.event(tx)
        return await helping.invite(tx, event, email, list(rights or ("door",)), by=event.manager_id, now=clock.now())


async def said_yes(helper: Helper) -> tuple[Helper, Any, bool]:
    async with writing() as tx:
        return await helping.accept(tx, helper.code, now=clock.now())


async def test_whoever_has_an_account_joins_with_it(database: Database) -> None:
    async with writing() as tx:
        erin = await world.erin(tx)
    helper, user, is_new = await said_yes(await asked())
    assert (user.id, is_new, helper.code) == (erin.id, False, helper.code)
    async with reading() as db:
        assert (await db.exec(select(Helper.user_id))).one() == erin.id


async def test_whoever_has_none_gets_an_account_of_a_user(database: Database) -> None:
    _helper, user, is_new = await said_yes(await asked("new@example.com"))
    assert (user.email, user.role, user.password_hash, is_new) == ("new@example.com", "user", "", True)


async def test_an_invitation_holds_for_a_week_and_once(database: Database, moment: time_machine.Traveller) -> None:
    helper = await asked()
    moment.shift(timedelta(days=7))
    with pytest.raises(Refused):
        await said_yes(helper)
    async with writing() as tx:
        await helping.invite_again(tx, helper, by=helper.invited_by, now=clock.now())
    await said_yes(helper)
    for again in (said_yes(helper), _invited_again(helper)):
        with pytest.raises(Refused):
            await again


async def _invited_again(helper: Helper) -> None:
    async with writing() as tx:
        await helping.invite_again(tx, helper, by=helper.invited_by, now=clock.now())


async def test_nobody_is_asked_twice_and_the_manager_not_at_all(database: Database) -> None:
    helper = await asked()
    for email in ("erin@example.com", "alice@example.com"):
        with pytest.raises(Refused):
            async with writing() as tx:
                event = await tx.get_one(Event, helper.event_id)
                await helping.invite(tx, event, email, ["door"], by=helper.invited_by, now=clock.now())


async def test_who_was_removed_before_saying_yes_cannot_any_more(database: Database) -> None:
    helper = await asked()
    async with writing() as tx:
        await helping.remove(tx, helper, by=helper.invited_by)
    with pytest.raises(Refused):
        await said_yes(helper)


async def test_every_act_is_written_down(database: Database) -> None:
    helper, user, _is_new = await said_yes(await asked())
    async with writing() as tx:
        await helping.give(tx, helper, ["sales", "door"], by=helper.invited_by)
        await helping.remove(tx, helper, by=helper.invited_by)
    async with reading() as db:
        found = (await db.exec(select(Activity).where(Activity.about == f"helper:{helper.id}"))).all()
    assert [(act.kind, act.by_user_id) for act in found] == [
        ("helper.invited", helper.invited_by),
        ("helper.joined", user.id),
        ("helper.changed", helper.invited_by),
        ("helper.removed", helper.invited_by),
    ]
    assert found[2].details == {"event": helper.event_id, "rights": ["sales", "door"], "before": ["door"]}


# ---------- in the browser ----------


async def alices(client: httpx.AsyncClient, sign_in: Any) -> str:
    """Alice is signed in; gives the address of her team's page."""
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx)
    await sign_in(client, alice)
    return f"/manager/events/{event.slug}/team"


async def mailed() -> str:
    """The address in the one invitation that was mailed."""
    await Worker().react()
    async with reading() as db:
        told = (await db.exec(select(Notification).where(Notification.kind == "helper_invited"))).one()
    return f"/helping/{tokens.sign('helping', told.facts['link'])}"


async def test_from_the_invitation_to_the_door(client: httpx.AsyncClient, sign_in: Any, open_browser: Any) -> None:
    team = await alices(client, sign_in)
    answer = await client.post(team, data={"email": "New@example.com", "rights": ["door"]})
    assert answer.status_code == 303
    browser, link = await open_browser(), await mailed()
    page = await browser.get(link)
    assert "Join the team" in page.text
    assert "new@example.com is invited by mail" in (await client.get(team)).text
    joined = await browser.post(link)
    assert (joined.status_code, joined.headers["location"]) == (303, "/manager")
    assert "Events you help with" in (await browser.get("/manager")).text
    assert (await browser.get(team.replace("/team", "/checkin"))).status_code == 200
    assert (await browser.post(link)).status_code == 410
    assert (await browser.get(link)).status_code == 410


@pytest.mark.asvs("V6.3.4")
async def test_the_mail_signs_nobody_into_an_account_that_exists(
    client: httpx.AsyncClient, sign_in: Any, open_browser: Any
) -> None:
    async with writing() as tx:
        await world.erin(tx)
    team = await alices(client, sign_in)
    await client.post(team, data={"email": "erin@example.com", "rights": ["door"]})
    browser = await open_browser()
    answer = await browser.post(await mailed())
    assert answer.headers["location"].startswith("/login")
    assert (await browser.get("/me")).headers["location"].startswith("/login")


async def test_rights_are_changed_and_people_sent_away(client: httpx.AsyncClient, sign_in: Any) -> None:
    team = await alices(client, sign_in)
    await client.post(team, data={"email": "erin@example.com", "rights": ["door"]})
    (code,) = set(re.findall(rf'action="{team}/([\w-]{{22}})"', (await client.get(team)).text))
    assert (await client.post(f"{team}/{code}", data={})).status_code == 422
    assert (await client.post(f"{team}/{code}", data={"rights": ["own"]})).status_code == 422
    assert (await client.post(f"{team}/{code}", data={"rights": ["edit", "sales"]})).status_code == 303
    async with reading() as db:
        assert (await db.exec(select(Helper))).one().rights == ("edit", "sales")
    await client.post(f"{team}/{code}/remove")
    assert "Nobody helps with this event yet" in (await client.get(team)).text


async def test_a_wrong_invitation_keeps_what_was_typed(client: httpx.AsyncClient, sign_in: Any) -> None:
    team = await alices(client, sign_in)
    answer = await client.post(team, data={"email": "erin@example.com"})
    assert answer.status_code == 422
    assert 'value="erin@example.com"' in answer.text
    assert "Choose at least one" in answer.text
    async with reading() as db:
        assert await accounts.by_email(db, "erin@example.com") is None
