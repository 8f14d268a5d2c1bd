"""A mail server that takes every mail, and people who buy."""

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.core.settings import settings, use
from app.sandbox.mailbox import Mailbox


@pytest.fixture
async def mailbox(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Mailbox]:
    """Real SMTP on a free port; name it after the database, whose settings it completes."""
    made = Mailbox(tmp_path / "mail")
    port = await made.start()
    use(dataclasses.replace(settings(), smtp_url=f"smtp://127.0.0.1:{port}"))
    yield made
    await made.stop()
