"""The commands of the door, each run as an operator runs it: in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SECONDS = 180


def surroundings(folder: Path, **own: str) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return inherited | {"DATA_DIR": str(folder), "DATABASE_URL": f"sqlite:///{folder}/shop.db", "BCRYPT_COST": "4"} | own


def run(folder: Path, *words: str, typed: str = "", **own: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "main.py", *words]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=surroundings(folder, **own),
        input=typed,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port = free_port()
    own = surroundings(folder, DEMO="1", PORT=str(port))
    server = subprocess.Popen([sys.executable, "main.py"], cwd=ROOT, env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        for _attempt in range(10 * SECONDS):
            assert server.poll() is None, server.communicate()[0]
            try:
                urllib.request.urlopen(f"{address}/healthz", timeout=10).close()
                break
            except OSError:
                time.sleep(0.1)
        yield server, address
    finally:
        server.kill()
        server.communicate()


def test_help_lists_every_command(tmp_path: Path) -> None:
    said = run(tmp_path, "--help")
    assert said.returncode == 0
    assert all(command in said.stdout for command in ("serve", "migrate", "seed", "create-admin", "worker", "prove"))


def test_a_start_without_secrets_says_what_is_missing(tmp_path: Path) -> None:
    refused = run(tmp_path, BASE_URL="https://tickets.example.org")
    assert refused.returncode == 1
    assert "SECRET_KEY is missing" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.asvs("V6.3.2")
def test_migrate_makes_the_tables_and_an_admin_can_be_created_once(tmp_path: Path) -> None:
    secret = {"SECRET_KEY": "k" * 32}
    assert run(tmp_path, "migrate", **secret).returncode == 0
    password = "keys to every theatre\n"
    made = run(tmp_path, "create-admin", "dora@example.com", typed=password, **secret)
    assert (made.returncode, "Traceback" in made.stderr) == (0, False)
    again = run(tmp_path, "create-admin", "dora@example.com", typed=password, **secret)
    assert (again.returncode, "Traceback" in again.stderr) == (1, False)


@pytest.mark.asvs("V6.2.1")
def test_an_admin_needs_a_long_password(tmp_path: Path) -> None:
    refused = run(tmp_path, "create-admin", "dora@example.com", typed="short\n", SECRET_KEY="k" * 32)
    assert refused.returncode == 1
    assert "15" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_demo_world_is_only_for_the_demo(tmp_path: Path) -> None:
    refused = run(tmp_path, "seed", SECRET_KEY="k" * 32)
    assert refused.returncode == 1
    assert "DEMO=1" in refused.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_a_signal_ends_the_server_cleanly_and_meanwhile_the_file_is_its_own(tmp_path: Path, number: signal.Signals) -> None:
    with served(tmp_path) as (server, address):
        second = run(tmp_path, "migrate", DEMO="1")
        # An SQLite that is new enough lets several processes write; an older one does not.
        if second.returncode:
            assert "Another process uses" in second.stderr
            assert "Traceback" not in second.stderr
        assert urllib.request.urlopen(f"{address}/events", timeout=SECONDS).status == 200
        # A stream is open meanwhile: without being told it would go on for minutes.
        asked = urllib.request.Request(
            f"{address}/events/the-fog-machine-orchestra/live", headers={"Accept": "text/event-stream"}
        )
        stream = urllib.request.urlopen(asked, timeout=SECONDS)
        while not stream.readline().startswith(b"data:"):
            continue
        server.send_signal(number)
        said, _nothing = server.communicate(timeout=SECONDS)
        stream.read()
    assert server.returncode == 0
    assert b"Traceback" not in said
    assert b"sofia@example.com" in said
