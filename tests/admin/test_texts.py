"""The operator's own words: ours until Dora writes hers."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from app.accounts.models import User
from app.admin import actions, queries
from app.core import clock, db
from tests import world

SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]


@pytest.fixture
async def dora(client: httpx.AsyncClient, sign_in: SignIn) -> User:
    """Dora, signed in."""
    async with db.writing() as tx:
        user = await world.dora(tx)
    await sign_in(client, user)
    return user


@pytest.mark.parametrize(
    ("path", "says"), [("/imprint", "EventTicket"), ("/terms", "whole price back"), ("/accessibility", "keyboard")]
)
async def test_everybody_reads_our_text_until_there_is_another(client: httpx.AsyncClient, path: str, says: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 200
    assert says in answer.text
    assert answer.headers["cache-control"].startswith("public")


async def test_a_text_is_written_changed_and_taken_back(database: db.Database) -> None:
    for body in ("First", "Second", ""):
        async with db.writing() as tx:
            await actions.save_text(tx, "imprint", body, by=None, now=clock.now())
        async with db.reading() as reader:
            stored = await queries.site_text(reader, "imprint")
        assert (stored.body if stored else "") == body


async def test_dora_writes_the_imprint(client: httpx.AsyncClient, dora: User) -> None:
    form = await client.get("/admin/texts/imprint")
    assert "open-source program" in form.text
    answer = await client.post(
        "/admin/texts/imprint", data={"body": "### Teatro Baretti\r\nVia Baretti 4 <script>alert(1)</script>"}
    )
    assert answer.headers["location"] == "/imprint"
    shown = (await client.get("/imprint")).text
    assert "<h3>Teatro Baretti</h3>" in shown
    assert "<script>alert" not in shown
    assert "Your text, changed" in (await client.get("/admin/texts")).text
    await client.post("/admin/texts/imprint", data={"body": ""})
    assert "open-source program" in (await client.get("/imprint")).text


async def test_there_are_three_texts_and_no_others(client: httpx.AsyncClient, dora: User) -> None:
    assert (await client.get("/admin/texts/secrets")).status_code == 404
    assert (await client.post("/admin/texts/secrets", data={"body": "x"})).status_code == 404


async def test_a_text_that_is_too_long_is_kept_in_the_form(client: httpx.AsyncClient, dora: User) -> None:
    answer = await client.post("/admin/texts/terms", data={"body": "pianos " * 8000})
    assert answer.status_code == 422
    assert "Use 50000 characters or fewer." in answer.text
    assert "pianos pianos" in answer.text
