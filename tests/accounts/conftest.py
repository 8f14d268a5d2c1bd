"""An OpenID provider for the tests that sign in with one."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.accounts import oidc
from app.core.settings import Settings, use
from tests.accounts.provider import CLIENT, SECRET, AtProvider, Forger, open_provider


@pytest.fixture(scope="module")
def running() -> Iterator[AtProvider]:
    with open_provider() as provider:
        yield provider


@pytest.fixture
def provider(running: AtProvider, settings: Settings) -> AtProvider:
    """The shop knows the provider."""
    chosen = {"oidc_issuer": running.issuer, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET, "oidc_name": "Example ID"}
    use(replace(settings, **chosen))
    return running


@pytest.fixture
def forger(provider: AtProvider, monkeypatch: pytest.MonkeyPatch) -> Forger:
    """Stands between the shop and the provider; what it does not alter is as the provider said it."""
    made = Forger(oidc._json)
    monkeypatch.setattr(oidc, "_json", made)
    return made
