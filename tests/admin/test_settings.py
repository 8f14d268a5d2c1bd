"""Dora changes the shop while it runs, tries the mail server, and lets Stripe tell the shop what happens there."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import stripe as sdk
from sqlmodel import select

from app.accounts.models import User
from app.admin import flows
from app.core import clock, db, stored
from app.core.settings import Settings, overlay, read, settings, use
from app.core.settings import settings as in_force
from app.core.stored import StoredSetting
from app.payments import stripe
from app.sandbox.app import Sandbox
from tests import world
from tests.accounts.links import told
from tests.payments.conftest import fake  # noqa: F401
from tests.stage import WEBHOOK_SECRET

SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
SENT = {
    "site_name": "Teatro Nuovo",
    "contact": "office@example.org",
    "mail_from": "Teatro <tickets@example.org>",
    "default_currency": "CHF",
    "default_zone": "Europe/Zurich",
    "hold_minutes": "20",
    "extend_minutes": "5",
    "extensions": "1",
}


@pytest.fixture
async def dora(client: httpx.AsyncClient, sign_in: SignIn) -> User:
    """Dora, signed in."""
    async with db.writing() as tx:
        user = await world.dora(tx)
    await sign_in(client, user)
    return user


async def test_what_is_saved_counts_at_once(client: httpx.AsyncClient, dora: User) -> None:
    assert (await client.post("/admin/settings", data=SENT)).headers["location"] == "/admin/settings"
    assert "Teatro Nuovo" in (await client.get("/")).text
    assert (settings().hold_minutes, settings().extensions, settings().default_zone) == (20, 1, "Europe/Zurich")
    async with db.writing() as tx:
        await world.category(tx)
    await client.post("/manager/events/new", data={"title": "Ten Pianos"})
    assert '<option selected value="CHF">' in (await client.get("/manager/events/ten-pianos/edit/tickets")).text
    assert '<option selected value="Europe/Zurich">' in (await client.get("/manager/events/ten-pianos/edit/basics")).text
    [row] = await told("settings.saved")
    assert row.details["values"]["HOLD_MINUTES"] == ["15", "20"]
    assert "example.org" not in str(row.details)
    assert "from “15” to “20”" in (await client.get("/admin/activity")).text


async def test_a_default_comes_back_and_nothing_new_is_no_act(client: httpx.AsyncClient, dora: User) -> None:
    await client.post("/admin/settings", data=SENT)
    await client.post("/admin/settings", data=SENT)
    assert len(await told("settings.saved")) == 1
    await client.post("/admin/settings", data=SENT | {"contact": ""})
    assert settings().contact == ""


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"site_name": ""}, "Enter a name"),
        ({"mail_from": "Tickets"}, "Enter a sender such as"),
        ({"contact": "office"}, "Enter an email address"),
        ({"hold_minutes": "0"}, "Enter 1 to 120 minutes"),
        ({"default_currency": "XXX"}, "Not a valid choice"),
        ({"default_zone": "Europe/Atlantis"}, "Not a valid choice"),
    ],
)
async def test_what_cannot_be_is_said_beside_the_field(
    client: httpx.AsyncClient, dora: User, wrong: dict[str, str], sentence: str
) -> None:
    answer = await client.post("/admin/settings", data=SENT | wrong)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert "Teatro" in answer.text
    assert settings().hold_minutes == 15


async def test_the_environment_goes_first(client: httpx.AsyncClient, dora: User) -> None:
    use(dataclasses.replace(settings(), site_name="Set Outside", named=frozenset({"SITE_NAME"})))
    shown = (await client.get("/admin/settings")).text
    assert "(set by the environment)" in shown
    assert 'name="site_name"' not in shown
    await client.post("/admin/settings", data=SENT)
    assert (settings().site_name, settings().hold_minutes) == ("Set Outside", 20)


def test_the_environment_says_what_it_has_named(settings: Settings) -> None:
    found = read({"BASE_URL": "http://127.0.0.1:8000", "SECRET_KEY": "k" * 40, "SITE_NAME": "Outside", "HOLD_MINUTES": ""})
    assert found.named == {"SITE_NAME"}


def test_a_stored_value_that_does_not_fit_is_passed_over(settings: Settings) -> None:
    overlay({"HOLD_MINUTES": "many", "EXTENSIONS": "7", "SECRET_KEY": "stolen", "DEFAULT_ZONE": "../../etc/passwd"})
    assert (in_force().hold_minutes, in_force().extensions, in_force().default_zone) == (15, 7, "Europe/Rome")
    assert in_force().secret_key == settings.secret_key


async def test_another_process_hears_of_it(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks every few seconds; here more often."""
    monkeypatch.setattr(stored, "LOOK_EVERY", 0.02)
    stop = asyncio.Event()
    following = asyncio.create_task(stored.follow(stop))
    async with db.writing() as tx:
        await stored.keep(tx, {"HOLD_MINUTES": "42"}, now=clock.now())
    async with asyncio.timeout(10):
        while settings().hold_minutes != 42:
            await asyncio.sleep(0.02)
    stop.set()
    await following


# ---------- the mail server ----------


async def test_a_mail_comes_and_the_servers_word_is_shown(fake: Sandbox) -> None:  # noqa: F811
    port = await fake.mailbox.start(0)
    use(dataclasses.replace(settings(), smtp_url=f"smtp://127.0.0.1:{port}"))
    async with db.writing() as tx:
        dora = await world.dora(tx)
    tried = await flows.try_mail(dora.email, by=dora.id or 0)
    await fake.mailbox.stop()
    assert tried.works
    assert "took the mail for dora@example.com" in tried.said[0]
    assert ["dora@example.com" in mail.to for mail in await fake.mailbox.messages()] == [True]
    assert [row.details for row in await told("settings.mail_tried")] == [{"works": True}]


async def test_a_server_that_is_not_there_is_said(client: httpx.AsyncClient, dora: User) -> None:
    assert "SMTP_URL is empty" in (await client.post("/admin/settings/mail")).text
    use(dataclasses.replace(settings(), smtp_url="smtp://mallory:umbrellas@127.0.0.1:9"))
    shown = (await client.post("/admin/settings/mail")).text
    assert "does not answer as it should" in shown
    assert "umbrellas" not in shown


# ---------- Stripe ----------


@pytest.fixture
async def without_a_secret(fake: Sandbox) -> Sandbox:  # noqa: F811
    """The shop has a key and knows no secret."""
    use(dataclasses.replace(settings(), stripe_webhook_secret="", base_url=fake.stripe.base_url))
    async with db.writing() as tx:
        await world.dora(tx)
    return fake


async def endpoints() -> list[Any]:
    return list(await stripe.endpoints(f"{settings().base_url}/webhooks/stripe"))


@ON_SQLITE
async def test_the_endpoint_is_made_once_and_its_secret_kept_sealed(without_a_secret: Sandbox) -> None:
    tried = await flows.check_stripe(by=1)
    assert tried.works
    assert "test mode" in tried.said[0]
    assert "was made at Stripe" in tried.said[-1]
    [secret] = settings().webhook_secrets
    assert secret.startswith("whsec_")
    async with db.reading() as reader:
        row = (await reader.exec(select(StoredSetting))).one()
    assert secret not in row.value
    assert "tells us at" in (await flows.check_stripe(by=1)).said[-1]
    assert len(await endpoints()) == 1


@ON_SQLITE
async def test_what_is_signed_with_the_new_secret_is_believed(without_a_secret: Sandbox) -> None:
    await flows.check_stripe(by=1)
    event = {"id": "evt_1", "type": "refund.created", "livemode": False, "object": "event", "data": {"object": {"id": "re_1"}}}
    body, headers = without_a_secret.webhooks.letter(event | {"created": 1, "pending_webhooks": 1})
    assert stripe.told(body.encode(), headers["Stripe-Signature"]).id == "evt_1"
    # The negative control: the same letter without the kept secret.
    use(dataclasses.replace(settings(), stored_webhook_secret="", stripe_webhook_secret="whsec_other"))
    with pytest.raises(stripe.BadSignature):
        stripe.told(body.encode(), headers["Stripe-Signature"])


@ON_SQLITE
async def test_without_any_secret_nothing_is_believed(without_a_secret: Sandbox) -> None:
    """An empty secret would sign for everybody."""
    body = '{"id": "evt_1"}'
    with pytest.raises(stripe.BadSignature):
        stripe.told(body.encode(), sdk.WebhookSignature.generate_signature_header(body, ""))


@ON_SQLITE
async def test_an_endpoint_whose_secret_nobody_knows_is_said(without_a_secret: Sandbox) -> None:
    await stripe.create_endpoint(f"{settings().base_url}/webhooks/stripe")
    tried = await flows.check_stripe(by=1)
    assert not tried.works
    assert "its secret is not known here" in tried.said[-1]
    use(dataclasses.replace(settings(), stripe_webhook_secret=WEBHOOK_SECRET))
    assert (await flows.check_stripe(by=1)).works
    assert len(await endpoints()) == 1


@ON_SQLITE
async def test_an_endpoint_that_tells_too_little_is_widened(without_a_secret: Sandbox) -> None:
    await flows.check_stripe(by=1)
    [endpoint] = await endpoints()
    without_a_secret.stripe.update_endpoint(endpoint.id, {"enabled_events": ["refund.created"], "disabled": True})
    assert not (await endpoints())[0].is_whole
    await flows.check_stripe(by=1)
    assert (await endpoints())[0].is_whole


@ON_SQLITE
async def test_a_wrong_key_is_said(without_a_secret: Sandbox) -> None:
    await stripe.close_client()
    use(dataclasses.replace(settings(), stripe_api_key="sk_test_of_mallory"))
    tried = await flows.check_stripe(by=1)
    assert not tried.works
    assert "refuses the key" in tried.said[0]
    assert [row.details for row in await told("settings.stripe_checked")] == [{"works": False}]


async def test_without_a_key_nobody_is_asked(client: httpx.AsyncClient, dora: User) -> None:
    use(dataclasses.replace(settings(), stripe_api_key=""))
    assert "STRIPE_API_KEY is empty" in (await client.post("/admin/settings/stripe")).text
