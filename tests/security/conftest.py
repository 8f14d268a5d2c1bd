"""The small town, with nobody counting how often its visitors knock."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import time_machine

from app.core.db import Database
from app.core.settings import settings, use
from tests import town
from tests.conftest import whole_shop
from tests.hostile import never_too_often
from tests.town import Town


@pytest.fixture(scope="session")
def kept_town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("town") / "town.db"


@pytest.fixture
async def small_town(
    sqlite_database: Database, moment: time_machine.Traveller, kept_town: Path, monkeypatch: pytest.MonkeyPatch
) -> Town:
    never_too_often(monkeypatch)
    # Nobody waits here for a Stripe that does not exist.
    use(replace(settings(), stripe_api_key=""))
    return await town.opened(kept_town)


@pytest.fixture
def shop(small_town: Town) -> Any:
    return whole_shop()
