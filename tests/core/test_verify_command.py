"""`python main.py verify-activity`, as an operator runs it."""

import sqlite3
from pathlib import Path

import pytest

from tests.test_commands import run

SECRET = {"SECRET_KEY": "k" * 32}


@pytest.mark.asvs("V16.4.2")
def test_the_command_says_what_it_found_and_ends_with_1_when_that_is_bad(tmp_path: Path) -> None:
    assert run(tmp_path, "migrate", **SECRET).returncode == 0
    whole = run(tmp_path, "verify-activity", **SECRET)
    assert (whole.returncode, whole.stderr) == (0, "")
    assert "The activity log is as it was sealed." in whole.stdout
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute(
            "INSERT INTO activities (kind, about, at, details) "
            "VALUES ('text.saved', 'text:terms', '2026-11-16 12:00:00.000000', '{}')"
        )
    unsealed = run(tmp_path, "verify-activity", **SECRET)
    assert unsealed.returncode == 1
    assert "There are 1 activities and not one seal. Does the worker run?" in unsealed.stdout
    assert "is NOT as it was sealed" in unsealed.stdout


def test_a_head_that_is_none_is_refused(tmp_path: Path) -> None:
    refused = run(tmp_path, "verify-activity", "--head", "17", **SECRET)
    assert refused.returncode == 2
    assert "--head" in refused.stderr
