"""A small load client: HTTP/1.1 over connections that stay open, one request at a time on each, and storms of them.

It is written on asyncio's bare protocols because client and server share the machine: what the client spends, the server lacks.
It needs only the standard library.

    async def story(connection: Connection) -> str:
        answer = await connection.ask(get("/events"))
        return str(answer.status)

    outcome = await storm(8000, story, clients=32, seconds=3)
    print(outcome.per_second("200"), outcome.ms(0.99))
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

PATIENCE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Answer:
    """`head` is the status line and the headers as they came; `body` is without chunks."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str:
        """The first header of that name (in small letters), "" without one."""
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.lower() == name.encode():
                return value.strip().decode("latin-1")
        return ""

    @property
    def cookies(self) -> dict[str, str]:
        """What the answer asks the browser to remember, by name."""
        lines = [line.partition(b":") for line in self.head.split(b"\r\n")[1:]]
        set_here = (value.split(b";")[0].decode("latin-1").strip() for key, _, value in lines if key.lower() == b"set-cookie")
        return dict(pair.split("=", 1) for pair in set_here)

    @property
    def location(self) -> str:
        """Where a redirect leads, as a path with its query."""
        address = urlsplit(self.header("location"))
        return f"{address.path}?{address.query}" if address.query else address.path


class Connection:
    """A kept connection to one port. It opens itself when it is first used, and again after it was closed."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.host = host
        self.port = port
        self._wire: _Wire | None = None

    async def open(self) -> "_Wire":
        """Raises ConnectionError when nobody listens."""
        if self._wire is None or self._wire.transport.is_closing():
            _, self._wire = await asyncio.get_running_loop().create_connection(_Wire, self.host, self.port)
        return self._wire

    async def ask(self, request: bytes) -> Answer:
        """Sends a request as get() and post() make it. Raises ConnectionError, also when no answer comes in time."""
        wire = await self.open()
        loop = asyncio.get_running_loop()
        wire.waiting = loop.create_future()
        patience = loop.call_later(PATIENCE_SECONDS, self.close)
        wire.transport.write(request)
        try:
            return await wire.waiting
        finally:
            patience.cancel()

    def close(self) -> None:
        if self._wire:
            self._wire.transport.abort()


class _Wire(asyncio.Protocol):
    """One open socket, and whoever waits for its next answer."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.waiting: asyncio.Future[Answer] | None = None
        self._read = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        answer = _answer(self._read)
        if answer is None or self.waiting is None or self.waiting.done():
            return
        self._read.clear()
        if b"\r\nconnection: close" in answer.head.lower():
            self.transport.close()
        self.waiting.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.waiting and not self.waiting.done():
            self.waiting.set_exception(ConnectionError("the server closed the connection before it had answered"))


@dataclass(frozen=True)
class Outcome:
    """What a storm did: how often each ending was reached, and how long every story took (seconds, sorted)."""

    seconds: float
    counts: Counter[str]
    latencies: list[float]

    def per_second(self, *endings: str) -> float:
        return sum(self.counts[ending] for ending in endings) / self.seconds

    def ms(self, share: float) -> float:
        """The time within which that share of the stories ended, in milliseconds."""
        return self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))] * 1000 if self.latencies else 0.0


# What one client does over and over, such as one request or a whole purchase; it gives a word for how that ended.
Story = Callable[[Connection], Awaitable[str]]


async def storm(port: int, story: Story, *, clients: int, seconds: float | None = None, times: int | None = None) -> Outcome:
    """So many clients tell the story at once, again and again: for some seconds, or so many times together.

    A story whose connection breaks ends as "broken".
    """
    assert (seconds is None) != (times is None)
    left = iter(range(times)) if times is not None else itertools.repeat(0)
    counts: Counter[str] = Counter()
    latencies: list[float] = []
    connections = [Connection(port) for _ in range(clients)]
    await asyncio.gather(*(connection.open() for connection in connections))
    begun = time.perf_counter()
    until = begun + (seconds if seconds is not None else float("inf"))

    async def tell(connection: Connection) -> None:
        before = time.perf_counter()
        while before < until and next(left, None) is not None:
            try:
                ending = await story(connection)
            except OSError:
                ending = "broken"
            after = time.perf_counter()
            counts[ending] += 1
            latencies.append(after - before)
            before = after

    await asyncio.gather(*(tell(connection) for connection in connections))
    took = time.perf_counter() - begun
    for connection in connections:
        connection.close()
    return Outcome(took, counts, sorted(latencies))


def get(path: str, headers: Mapping[str, str] | None = None) -> bytes:
    """A GET request, ready to be sent many times."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{_lines(headers)}\r\n".encode("latin-1")


def post(path: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None) -> bytes:
    """A form as a browser sends it from one of the server's own pages."""
    body = urlencode(fields)
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n{_lines(headers)}\r\n{body}"
    ).encode("latin-1")


def addresses() -> Iterator[str]:
    """Sixteen million network addresses, one for each buyer, as a trusted proxy would tell them (X-Forwarded-For)."""
    for number in itertools.count(1):
        yield f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _lines(headers: Mapping[str, str] | None) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())


def _answer(read: bytearray) -> Answer | None:
    """The answer, once all of it has been read."""
    end = read.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(read[:end])
    status, small = int(head[9:12]), head.lower()
    if status in (204, 304):
        return Answer(status, head, b"")
    if b"\r\ntransfer-encoding: chunked" in small:
        body = _joined(read, end + 4)
        return None if body is None else Answer(status, head, body)
    announced = small.find(b"\r\ncontent-length:")
    length = int(small[announced + 17 :].split(b"\r\n", 1)[0]) if announced >= 0 else 0
    return Answer(status, head, bytes(read[end + 4 :])) if len(read) >= end + 4 + length else None


def _joined(read: bytearray, at: int) -> bytes | None:
    """A body that came in chunks, or None while its last one is missing."""
    pieces: list[bytes] = []
    while (line := read.find(b"\r\n", at)) >= 0:
        size = int(read[at:line].split(b";")[0], 16)
        at = line + 2 + size + 2
        if len(read) < at:
            return None
        if size == 0:
            return b"".join(pieces)
        pieces.append(bytes(read[line + 2 : line + 2 + size]))
    return None
