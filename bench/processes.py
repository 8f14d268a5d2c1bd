"""Starts and stops the measured processes, and reads from /proc what they cost. Linux only; elsewhere costs are 0."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from app.prove.client import Connection, get

ROOT = Path(__file__).parents[1]
LOG = Path(__file__).parent / "results/log.txt"
TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 60


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def running(*arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process of this project, ended with the block. What it says goes into LOG."""
    with LOG.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT), **(environment or {})},
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def answering(process: subprocess.Popen[bytes], port: int, path: str) -> float:
    """Waits for the first good answer; how many seconds that took. Raises RuntimeError when it does not come."""
    begun = time.perf_counter()
    while time.perf_counter() < begun + START_SECONDS and process.poll() is None:
        connection = Connection(port)
        try:
            if (await connection.ask(get(path))).status < 400:
                return time.perf_counter() - begun
        except OSError:
            pass
        finally:
            connection.close()
        await asyncio.sleep(0.01)
    raise RuntimeError(f"{process.args!r} does not answer at {path}; see {LOG}")


def cpu_seconds(pid: int) -> float:
    """Processor time that the process and its children have used so far."""
    used = 0
    for each in _tree(pid):
        fields = _read(f"/proc/{each}/stat").rpartition(")")[2].split()
        used += int(fields[11]) + int(fields[12]) if fields else 0
    return used / TICKS


def memory_mb(pid: int) -> float:
    """Memory of the process and its children, shared pages counted in part (PSS), in MB."""
    lines = (line for each in _tree(pid) for line in _read(f"/proc/{each}/smaps_rollup").splitlines())
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _tree(pid: int) -> list[int]:
    children = _read(f"/proc/{pid}/task/{pid}/children").split()
    return [pid, *(each for child in children for each in _tree(int(child)))]


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
