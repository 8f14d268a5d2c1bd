"""`python main.py erase EMAIL`, as an operator runs it."""

from pathlib import Path

from tests.test_commands import run

SECRET = {"SECRET_KEY": "k" * 32}
PASSWORD = "keys to every theatre\n"


def test_the_operator_erases_by_address_after_typing_it_again(tmp_path: Path) -> None:
    for email in ("dora@example.com", "erin@example.com"):
        assert run(tmp_path, "create-admin", email, typed=PASSWORD, **SECRET).returncode == 0
    unknown = run(tmp_path, "erase", "nobody@example.com", **SECRET)
    assert "knows nobody" in unknown.stdout
    unsure = run(tmp_path, "erase", "dora@example.com", typed="erin@example.com\n", **SECRET)
    assert "Nothing was changed." in unsure.stdout
    erased = run(tmp_path, "erase", "Dora@example.com", typed="dora@example.com\n", **SECRET)
    assert (erased.returncode, "Erased." in erased.stdout) == (0, True)
    assert (tmp_path / "erasures.jsonl").read_text().count("\n") == 1
    last = run(tmp_path, "erase", "erin@example.com", typed="erin@example.com\n", **SECRET)
    assert last.returncode == 1
    assert "only admin" in last.stderr
    assert "Traceback" not in last.stderr
