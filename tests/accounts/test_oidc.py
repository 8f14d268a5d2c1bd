"""Bob signs in with an OpenID provider: what it proves is believed when all of it is right, and no account is taken over."""

import base64
import hashlib
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlmodel import select, update

from app.accounts import oidc, queries
from app.accounts.models import Challenge, Passkey, User
from app.core import clock, db
from app.core.settings import Settings, SettingsError, read, use
from tests import world
from tests.accounts.links import told
from tests.accounts.provider import (
    CLIENT,
    NOT_ACCEPTED,
    SECRET,
    AtProvider,
    Forger,
    all_identities,
    come_back,
    hushed,
    is_signed_in,
    said,
    start,
)
from tests.accounts.test_passkeys import Open

pytestmark = hushed
NOT_BEGUN = "This sign-in was not begun in this browser, or it took too long. Start again."


# ---------- the way in ----------


@pytest.mark.asvs("V6.8.1", "V10.5.2")
async def test_a_new_address_opens_an_account_and_the_next_time_signs_in(
    client: httpx.AsyncClient, provider: AtProvider, open_browser: Open
) -> None:
    await provider.has("eve-7", email="Eve@Example.com")
    sent_to = await start(client, next="/me/tickets")
    answer = await client.get(await provider.sign_in(sent_to, "eve-7"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/me/tickets")
    assert await is_signed_in(client)
    identity = (await all_identities())[0]
    assert (identity.issuer, identity.subject, identity.email) == (provider.issuer, "eve-7", "eve@example.com")
    # The provider's own name for the account counts; an address may change hands.
    await provider.has("eve-7", email="new@example.com")
    at_home = await open_browser()
    assert (await come_back(at_home, provider, "eve-7")).headers["location"] == "/me"
    async with db.reading() as reader:
        assert [user.email for user in (await reader.exec(select(User))).all()] == ["eve@example.com"]
    assert len(await told("account.opened")) == 1


@pytest.mark.asvs("V10.2.1", "V10.1.2", "V10.1.1")
async def test_the_question_is_bound_to_a_secret_that_stays_here(client: httpx.AsyncClient, forger: Forger) -> None:
    """PKCE: the browser carries the digest, the token request the verifier."""
    issuer = AtProvider(oidc.settings().oidc_issuer)
    await issuer.has("eve-7", email="eve@example.com")
    url = await start(client)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert (asked["code_challenge_method"], asked["response_type"], asked["scope"]) == ("S256", "code", "openid email")
    answer = await client.get(await issuer.sign_in(url, "eve-7"))
    assert answer.headers["location"] == "/me"
    digest = hashlib.sha256(forger.sent[0]["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
    assert "verifier" not in url
    assert "id_token" not in answer.text + str(answer.headers)


async def test_a_browser_may_be_sent_to_the_provider(client: httpx.AsyncClient, provider: AtProvider) -> None:
    page = await client.get("/login")
    assert "Sign in with Example ID" in page.text
    assert f"form-action 'self' https://checkout.stripe.com {provider.issuer};" in page.headers["content-security-policy"]


async def test_a_provider_with_another_host_is_reached_by_a_link(
    client: httpx.AsyncClient, provider: AtProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await oidc.provider()

    async def elsewhere() -> oidc.Provider:
        return replace(found, authorization="https://login.example.org/authorize?tenant=7")

    monkeypatch.setattr(oidc, "provider", elsewhere)
    answer = await client.post("/login/oidc")
    assert answer.status_code == 200
    assert 'href="https://login.example.org/authorize?tenant=7&amp;response_type=code' in answer.text


@pytest.mark.asvs("V6.3.4")
async def test_a_second_factor_is_asked_for_all_the_same(
    client: httpx.AsyncClient, provider: AtProvider, open_browser: Open
) -> None:
    await provider.has("eve-7", email="eve@example.com")
    await come_back(client, provider, "eve-7")
    async with db.writing() as tx:
        eve = await queries.by_email(tx, "eve@example.com")
        assert eve
        tx.add(Passkey(user_id=eve.id or 0, name="Phone", credential_id="x", public_key="x", created_at=clock.now()))
    browser = await open_browser()
    assert (await come_back(browser, provider, "eve-7")).headers["location"].startswith("/login/second")
    assert not await is_signed_in(browser)


# ---------- what is refused ----------


@pytest.mark.asvs("V10.2.1")
async def test_another_state_is_refused(client: httpx.AsyncClient, provider: AtProvider) -> None:
    await provider.has("eve-7", email="eve@example.com")
    answer = await come_back(client, provider, "eve-7", state="f" * 32)
    assert NOT_BEGUN in await said(client, answer)
    for query in ("", "?state=&code=x", "?code=x", "?state=%00&code=%00"):
        assert NOT_BEGUN in await said(client, await client.get(f"/login/oidc/callback{query}"))


@pytest.mark.asvs("V7.6.2", "V10.1.2", "V10.2.1")
async def test_what_another_browser_began_is_refused(client: httpx.AsyncClient, provider: AtProvider, open_browser: Open) -> None:
    """Mallory sends Carol the end of her own sign-in, so that Carol would buy in Mallory's account."""
    await provider.has("mallory", email="mallory@example.com")
    mallorys, carols = client, await open_browser()
    link = await provider.sign_in(await start(mallorys), "mallory")
    await start(carols)
    assert NOT_BEGUN in await said(carols, await carols.get(link))
    assert not await is_signed_in(carols)


async def test_without_the_browser_s_cookie_the_same_attack_works(
    client: httpx.AsyncClient, provider: AtProvider, open_browser: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    import app.accounts.pages.oidc as pages

    await provider.has("mallory", email="mallory@example.com")
    link, carols = await provider.sign_in(await start(client), "mallory"), await open_browser()
    monkeypatch.setattr(pages, "_kept_id", lambda request: request.query_params.get("state", ""))
    await carols.get(link)
    assert await is_signed_in(carols)


async def test_a_callback_counts_once(client: httpx.AsyncClient, provider: AtProvider) -> None:
    await provider.has("eve-7", email="eve@example.com")
    link = await provider.sign_in(await start(client), "eve-7")
    kept = client.cookies["oidc"]
    assert (await client.get(link)).headers["location"] == "/me"
    await client.post("/logout")
    client.cookies.set("oidc", kept, domain="testserver.local", path="/")
    assert "This took too long or was done before." in await said(client, await client.get(link))
    assert not await is_signed_in(client)


async def test_a_callback_that_comes_too_late_is_refused(client: httpx.AsyncClient, provider: AtProvider) -> None:
    await provider.has("eve-7", email="eve@example.com")
    link = await provider.sign_in(await start(client), "eve-7")
    async with db.writing() as tx:
        await tx.exec(update(Challenge).values(expires_at=clock.now()))
    assert "This took too long or was done before." in await said(client, await client.get(link))


@pytest.mark.asvs("V10.5.1")
async def test_an_answer_to_another_request_is_refused(client: httpx.AsyncClient, provider: AtProvider) -> None:
    await provider.has("eve-7", email="eve@example.com")
    assert NOT_ACCEPTED in await said(client, await come_back(client, provider, "eve-7", nonce="n" * 43))
    assert not await is_signed_in(client)


@pytest.mark.parametrize("verified", [False, "true", None])
async def test_an_address_that_nobody_has_verified_is_refused(
    client: httpx.AsyncClient, provider: AtProvider, verified: object
) -> None:
    async with db.writing() as tx:
        await world.bob(tx)
    await provider.has("mallory", email="bob@example.com", verified=verified)
    assert "has not verified your email address" in await said(client, await come_back(client, provider, "mallory"))
    assert await all_identities() == []


@pytest.mark.parametrize("email", ["", "bob", "bob@example.com\n", "bob@", "b\x00b@example.com", ["bob@example.com"], 7])
async def test_what_is_no_address_is_refused(client: httpx.AsyncClient, provider: AtProvider, email: Any) -> None:
    await provider.has("mallory", email=email)
    assert "has not verified your email address" in await said(client, await come_back(client, provider, "mallory"))
    assert await all_identities() == []


async def test_whoever_turns_back_at_the_provider_hears_so(client: httpx.AsyncClient, provider: AtProvider) -> None:
    state = parse_qs(urlsplit(await start(client)).query)["state"][0]
    answer = await client.get(f"/login/oidc/callback?state={state}&error=access_denied")
    assert "You did not finish signing in with Example ID." in await said(client, answer)


async def test_a_provider_that_is_down_is_a_sentence(client: httpx.AsyncClient, provider: AtProvider, settings: Settings) -> None:
    await provider.has("eve-7", email="eve@example.com")
    link = await provider.sign_in(await start(client), "eve-7")
    down = {"oidc_issuer": "http://localhost:9", "oidc_client_id": CLIENT, "oidc_client_secret": SECRET}
    use(replace(settings, oidc_name="Example ID", **down))
    sentence = "Example ID does not answer. Try again in a few minutes, or sign in another way."
    assert sentence in await said(client, await client.get(link))
    assert sentence in await said(client, await client.post("/login/oidc"))


@pytest.mark.asvs("V10.5.3")
async def test_a_provider_that_calls_itself_otherwise_is_refused(
    client: httpx.AsyncClient, provider: AtProvider, settings: Settings
) -> None:
    other = provider.issuer.replace("localhost", "127.0.0.1") + "/"
    use(replace(oidc.settings(), oidc_issuer=other))
    assert NOT_ACCEPTED in await said(client, await client.post("/login/oidc"))


async def test_keys_and_codes_travel_over_https(provider: AtProvider) -> None:
    use(replace(oidc.settings(), oidc_issuer="https://id.example.org"))
    with pytest.raises(ValueError, match="not https"):
        oidc._safe("http://id.example.org/token")


# ---------- settings ----------

OIDC = {
    "OIDC_ISSUER": "https://id.example.org",
    "OIDC_CLIENT_ID": "shop",
    "OIDC_CLIENT_SECRET": "secret",
    "OIDC_NAME": "Example ID",
}


@pytest.mark.parametrize("missing", OIDC)
def test_the_settings_of_a_provider_go_together(missing: str) -> None:
    assert read({"DEMO": "1"} | OIDC).oidc_name == "Example ID"
    with pytest.raises(SettingsError, match="go together"):
        read({"DEMO": "1"} | {name: value for name, value in OIDC.items() if name != missing})


@pytest.mark.parametrize("issuer", ["http://id.example.org", "id.example.org", "ftp://localhost"])
def test_a_provider_is_reached_over_https(issuer: str) -> None:
    assert read({"DEMO": "1"} | OIDC | {"OIDC_ISSUER": "http://localhost:9000"}).oidc_issuer
    with pytest.raises(SettingsError, match="OIDC_ISSUER begins with https"):
        read({"DEMO": "1"} | OIDC | {"OIDC_ISSUER": issuer})
