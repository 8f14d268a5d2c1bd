"""Fields for passwords: hidden while typed, friendly to password managers, and nothing asks for anything weaker."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import time_machine

from app.accounts.models import User
from app.core import db
from tests import world
from tests.accounts.links import newest_token

ROOT = Path(__file__).parents[2]
SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]


@pytest.mark.asvs("V6.2.6", "V6.2.7")
@pytest.mark.parametrize(
    ("page", "kind"),
    [("/login", "current-password"), ("/register", "new-password"), ("reset", "new-password"), ("/me/password", "new-password")],
)
async def test_a_password_is_hidden_and_managers_know_the_field(
    client: httpx.AsyncClient, sign_in: SignIn, page: str, kind: str
) -> None:
    async with db.writing() as tx:
        bob = await world.bob(tx)
    if page == "reset":
        await client.post("/password/forgot", data={"email": bob.email})
        page = f"/password/reset/{await newest_token('reset')}"
    if page.startswith("/me"):
        await sign_in(client, bob)
    fields = [tag for tag in re.findall(r"<input [^>]*>", (await client.get(page)).text) if 'name="password"' in tag]
    assert len(fields) == 1
    assert 'type="password"' in fields[0]
    assert f'autocomplete="{kind}"' in fields[0]
    assert not re.search(r"maxlength|onpaste|readonly|pattern", fields[0])


@pytest.mark.asvs("V6.2.7")
def test_no_script_listens_to_pasting() -> None:
    scripts = [path.read_text(encoding="utf-8") for path in (ROOT / "static").glob("app*.js")]
    assert scripts
    assert not any("paste" in script for script in scripts)


@pytest.mark.asvs("V6.4.2")
def test_nobody_is_asked_for_a_hint_or_a_secret_question() -> None:
    columns = {name.lower() for table in ("users", "mailed_links") for name in _columns(table)}
    assert "password_hash" in columns
    assert not any(word in name for name in columns for word in ("hint", "question", "answer"))
    names = re.compile(r'name="[^"]*(?:hint|question|maiden)[^"]*"')
    assert not any(names.search(path.read_text(encoding="utf-8")) for path in (ROOT / "templates" / "accounts").glob("*.html"))


@pytest.mark.asvs("V6.2.10")
async def test_a_password_is_good_for_years(client: httpx.AsyncClient, moment: time_machine.Traveller) -> None:
    async with db.writing() as tx:
        bob = await world.bob(tx)
    moment.shift(timedelta(days=5 * 365))
    answer = await client.post("/login", data={"email": bob.email, "password": world.PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/me")


@pytest.mark.asvs("V7.4.4")
@pytest.mark.parametrize("page", ["/", "/me", "/me/security", "/me/tickets", "/manager", "/admin"])
async def test_every_page_for_somebody_signed_in_has_a_button_that_signs_out(
    client: httpx.AsyncClient, sign_in: SignIn, page: str
) -> None:
    async with db.writing() as tx:
        dora = await world.dora(tx)
    await sign_in(client, dora)
    answer = await client.get(page)
    assert answer.status_code == 200
    assert '<form method="post" action="/logout">' in answer.text


@pytest.mark.asvs("V6.2.8", "V6.2.9")
async def test_256_characters_with_spaces_at_the_ends_pass_through_the_forms_unchanged(client: httpx.AsyncClient) -> None:
    long = " nine pianos, in the rain! 한 " * 9
    long = long[:255] + " "
    await client.post("/register", data={"email": "carol@example.com", "password": long})
    await client.post(f"/verify/{await newest_token('register')}")
    for typed, status in ((long.strip(), 422), (long[:-1], 422), (long.upper(), 422), (long, 303)):
        client.cookies.clear()
        answer = await client.post("/login", data={"email": "carol@example.com", "password": typed})
        assert answer.status_code == status


def _columns(table: str) -> list[str]:
    from app.tables import metadata

    return [column.name for column in metadata.tables[table].columns]
