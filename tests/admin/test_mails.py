"""Dora sends again what reached nobody, or drops it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
from sqlmodel import col, select

from app.accounts.models import User
from app.core import activity, clock, db
from app.notifications import actions
from app.notifications.models import Delivery, Notification
from tests import world
from tests.accounts.links import told

SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]


@pytest.fixture
async def dora(client: httpx.AsyncClient, sign_in: SignIn) -> User:
    """Dora, signed in."""
    async with db.writing() as tx:
        user = await world.dora(tx)
    await sign_in(client, user)
    return user


async def given_up(*names: str, state: str = "failed") -> list[int]:
    """A mail to each of these, tried for a day."""
    long_ago = clock.now() - timedelta(days=2)
    ids = []
    async with db.writing() as tx:
        for name in names:
            row = await activity.record(tx, "preferences.changed", about="preferences:mail", by=None)
            email = f"{name}@example.com"
            line = Notification(
                activity_id=row.id or 0, kind="booking_paid", recipient=f"mail:{email}", email=email, created_at=long_ago
            )
            tx.add(line)
            await tx.flush()
            mail = Delivery(notification_id=line.id or 0, state=state, attempts=30, created_at=long_ago, next_try_at=long_ago)
            mail.error = "550 no such mailbox"
            tx.add(mail)
            await tx.flush()
            ids.append(mail.id or 0)
    return ids


async def states() -> list[str]:
    async with db.reading() as reader:
        return list((await reader.exec(select(Delivery.state).order_by(col(Delivery.id)))).all())


async def test_each_mail_stands_there_with_what_the_server_said(client: httpx.AsyncClient, dora: User) -> None:
    assert "No mail was given up" in (await client.get("/admin/mails")).text
    await given_up("gone", "away")
    shown = (await client.get("/admin/mails")).text
    assert "2 mails were given up" in shown
    assert "gone@example.com" in shown
    assert shown.count("550 no such mailbox") == 2


async def test_one_is_sent_again_for_another_day(client: httpx.AsyncClient, dora: User) -> None:
    [number, _other] = await given_up("gone", "away")
    assert (await client.post(f"/admin/mails/{number}/retry")).headers["location"] == "/admin/mails"
    assert await states() == ["queued", "failed"]
    async with db.reading() as reader:
        mail = await reader.get_one(Delivery, number)
    assert (mail.attempts, clock.now() - mail.created_at < timedelta(minutes=1)) == (0, True)
    assert [(row.about, row.by_user_id) for row in await told("delivery.retried")] == [(f"delivery:{number}", dora.id)]
    assert (await client.post(f"/admin/mails/{number}/retry")).status_code == 404


async def test_one_is_dropped_and_stays_unsent(client: httpx.AsyncClient, dora: User) -> None:
    [number] = await given_up("gone")
    await client.post(f"/admin/mails/{number}/drop")
    assert await states() == ["dropped"]
    assert (await client.post(f"/admin/mails/{number}/retry")).status_code == 404
    assert await states() == ["dropped"]


async def test_all_are_sent_again_but_those_that_failed_meanwhile(database: db.Database) -> None:
    ids = await given_up("one", "two", "three")
    await given_up("sent", state="sent")
    async with db.writing() as tx:
        dora = await world.dora(tx)
        assert await actions.retry_failed(tx, until=ids[1], by=dora.id or 0, now=clock.now()) == 2
    assert await states() == ["queued", "queued", "failed", "sent"]
    assert [row.details["rows"] for row in await told("delivery.all_retried")] == [2]


async def test_the_button_for_all_means_those_that_were_shown(client: httpx.AsyncClient, dora: User) -> None:
    ids = await given_up("one", "two")
    assert f'name="until" value="{ids[1]}"' in (await client.get("/admin/mails")).text
    await given_up("three")
    answer = await client.post("/admin/mails/retry", data={"until": str(ids[1])})
    assert answer.headers["location"] == "/admin/mails"
    assert await states() == ["queued", "queued", "failed"]
    assert (await client.post("/admin/mails/retry", data={"until": "x"})).status_code == 303
    assert await states() == ["queued", "queued", "failed"]
