"""A stand on each of the two databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.core import migrate
from tests.postgres import Cluster, MissingBinaries
from tests.torture.stand import DATABASES, Stand, standing


@pytest.fixture(params=DATABASES)
async def stand(request: pytest.FixtureRequest, tmp_path: Path, cluster: Cluster) -> AsyncIterator[Stand]:
    """A shop that is not started yet, once on each kind of database."""
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path / 'torture.db'}"
        await migrate.upgrade(url)
    else:
        try:
            url = await cluster.clone()
        except MissingBinaries as missing:
            pytest.skip(str(missing))
    async with standing(request.param, url, tmp_path) as made:
        yield made
    if request.param == "postgresql":
        await cluster.drop(url)
