"""Light, dark, or as the device has it."""

import httpx
import pytest


@pytest.mark.parametrize(("chosen", "attribute"), [("dark", 'data-theme="dark"'), ("light", 'data-theme="light"')])
async def test_the_chosen_theme_is_on_every_page(client: httpx.AsyncClient, chosen: str, attribute: str) -> None:
    answer = await client.post("/theme", data={"theme": chosen, "next": "/login"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert attribute in (await client.get("/login")).text


async def test_the_device_decides_again_after_the_empty_choice(client: httpx.AsyncClient) -> None:
    await client.post("/theme", data={"theme": "dark", "next": "/login"})
    await client.post("/theme", data={"theme": "", "next": "/login"})
    assert "data-theme" not in (await client.get("/login")).text


@pytest.mark.parametrize(
    ("data", "leads"), [({"theme": "purple"}, "/"), ({"theme": "dark", "next": "//evil.example"}, "/"), ({}, "/")]
)
async def test_strange_choices_lead_nowhere_strange(client: httpx.AsyncClient, data: dict[str, str], leads: str) -> None:
    answer = await client.post("/theme", data=data)
    assert (answer.status_code, answer.headers["location"]) == (303, leads)
