"""The panel: one's own notifications, newest first, and what was read."""

import httpx
import pytest
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.db import Database, reading, writing
from app.events.models import Event
from app.notifications import actions, queries
from app.notifications.models import Notification
from tests import world
from tests.notifications.scenes import bought, bought_by_guest, happened

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


async def bob_bought(times: int = 1) -> tuple[object, Event]:
    async with writing() as tx:
        bob, event = await world.bob(tx), await world.event(tx, title="Nine Pianos", per_buyer=100)
    for _time in range(times):
        booking = await bought(event, bob, 1)
        await happened("booking.paid", f"booking:{booking.id}")
    return bob, event


async def codes(db: AsyncSession) -> list[str]:
    """The codes of all notifications, in the order in which they were written."""
    return list((await db.exec(select(Notification.code).order_by(col(Notification.id)))).all())


@pytest.mark.asvs("V8.2.2")
async def test_read_is_read_by_its_own_reader_only(database: Database) -> None:
    bob, event = await bob_bought(2)
    guest = await bought_by_guest(event, "gast@example.com")
    await happened("booking.paid", f"booking:{guest.id}")
    async with writing() as tx:
        mallory = await world.mallory(tx)
        first, second, guests = await codes(tx)
        assert not await actions.mark_read(tx, mallory.id or 0, first)
        assert not await actions.mark_read(tx, mallory.id or 0, guests)
        assert await actions.mark_read(tx, bob.id, first)  # type: ignore[attr-defined]
    async with reading() as db:
        lines, pages = await queries.panel(db, bob.id, 1)  # type: ignore[attr-defined]
        assert [(line.code, line.is_unread) for line in lines] == [(second, True), (first, False)]
        assert pages == 1
        assert await queries.panel(db, mallory.id or 0, 1) == ([], 1)
    async with writing() as tx:
        await actions.mark_all_read(tx, bob.id)  # type: ignore[attr-defined]
    async with reading() as db:
        assert await queries.unread_count(db, bob.id) == 0  # type: ignore[attr-defined]


async def test_the_page_says_what_is_new_and_forgets_it_when_marked(client: httpx.AsyncClient, sign_in) -> None:  # type: ignore[no-untyped-def]
    bob, _event = await bob_bought()
    await sign_in(client, bob)
    shown = (await client.get("/me/notifications")).text
    assert "Your ticket for Nine Pianos is ready." in shown
    assert "Unread" in shown
    assert "1<span" in (await client.get("/me/notifications/unread")).text
    async with reading() as db:
        (code,) = await codes(db)
    answer = await client.post(f"/me/notifications/{code}/read")
    assert (answer.status_code, answer.headers["location"]) == (303, "/me/notifications")
    assert "Unread" not in (await client.get("/me/notifications")).text
    assert (await client.get("/me/notifications/unread")).text.strip() == '<span id="unread"></span>'


async def test_with_htmx_the_line_and_the_number_in_the_header_change_in_place(client: httpx.AsyncClient, sign_in) -> None:  # type: ignore[no-untyped-def]
    bob, _event = await bob_bought(2)
    await sign_in(client, bob)
    async with reading() as db:
        _first, code = await codes(db)
    answer = await client.post(f"/me/notifications/{code}/read", headers=PARTIAL)
    assert answer.text.lstrip().startswith(f'<li id="notification-{code}">')
    assert 'hx-swap-oob="outerHTML:#unread"' in answer.text
    assert "1<span" in answer.text


async def test_all_at_once(client: httpx.AsyncClient, sign_in) -> None:  # type: ignore[no-untyped-def]
    bob, _event = await bob_bought(3)
    await sign_in(client, bob)
    assert (await client.post("/me/notifications/read-all")).status_code == 303
    assert "Mark all as read" not in (await client.get("/me/notifications")).text


async def test_older_ones_are_on_the_next_page(client: httpx.AsyncClient, sign_in) -> None:  # type: ignore[no-untyped-def]
    bob, _event = await bob_bought(21)
    await sign_in(client, bob)
    first = await client.get("/me/notifications")
    assert first.text.count("<li id=") == 20
    assert 'href="/me/notifications?page=2"' in first.text
    second = await client.get("/me/notifications?page=2", headers=PARTIAL)
    assert second.text.count("<li id=") == 1
    assert "<html" not in second.text
    for strange in ("0", "-1", "x", "9" * 30, "%00", "²"):
        assert (await client.get(f"/me/notifications?page={strange}")).status_code == 200


async def test_strangers_and_unknown_codes_find_nothing(client: httpx.AsyncClient, sign_in) -> None:  # type: ignore[no-untyped-def]
    await bob_bought()
    assert (await client.get("/me/notifications")).headers["location"].startswith("/login")
    async with writing() as tx:
        mallory = await world.mallory(tx)
    await sign_in(client, mallory)
    async with reading() as db:
        (code,) = await codes(db)
    assert (await client.post(f"/me/notifications/{code}/read")).status_code == 404
    assert (await client.post(f"/me/notifications/{'9' * 30}/read")).status_code == 404
    assert "No notifications yet." in (await client.get("/me/notifications")).text
