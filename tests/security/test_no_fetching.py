"""Nothing that a visitor writes is ever fetched: addresses in any field lead to no connection, and few modules can open one."""

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.events import gallery
from tests.events.forms import propose, seen, slug_in
from tests.hostile import FORMS
from tests.town import Town

ROOT = Path(__file__).parents[2]

# Who opens connections, and where to; every address comes from the settings.
TALKERS = {
    "app/core/mail.py": "SMTP_URL",
    "app/payments/stripe.py": "Stripe",
    "app/accounts/oidc.py": "OIDC_ISSUER",
    "app/sandbox/webhooks.py": "the shop itself, in the demo",
    "app/notifications/flows.py": "nobody: it knows the errors of those who do",
    "app/admin/flows.py": "nobody: it says in words what those errors mean",
    "app/prove/client.py": "the server that the command started",
    "app/prove/shop.py": "a free port of this machine",
}
NETWORK = {
    "httpx",
    "aiohttp",
    "requests",
    "urllib3",
    "urllib.request",
    "http.client",
    "socket",
    "ssl",
    "smtplib",
    "ftplib",
    "telnetlib",
    "poplib",
    "imaplib",
    "xmlrpc",
    "aiosmtplib",
    "websockets",
    "paramiko",
    "pycurl",
    "authlib.integrations.httpx_client",
}
# What is typed as a password must not come out anywhere, and here the same words stand in every field.
PASSWORDS = {"password", "present"}
CALLS = {"open_connection", "create_connection", "urlopen", "urlretrieve", "sock_connect", "open_unix_connection"}

_HOSTS = (
    "localhost",
    "LOCALHOST",
    "localhost.",
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.000.000.001",
    "0",
    "0.0.0.0",
    "0x7f000001",
    "0x7f.1",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:169.254.169.254]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[fe80::1%25eth0]",
    "[fc00::1]",
    "169.254.169.254",
    "[fd00:ec2::254]",
    "metadata.google.internal",
    "100.100.100.200",
    "192.168.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "localtest.me",
    "127.0.0.1.nip.io",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "evil@127.0.0.1",
    "127.0.0.1#@evil.example",
    "127.0.0.1\\@evil.example",
    "evil.example:80@127.0.0.1",
    "1.1.1.1 &@127.0.0.1",
)
_PATHS = ("latest/meta-data/", "x.png")
URLS = [f"http://{host}/{path}" for host in _HOSTS for path in _PATHS] + [
    "https://127.0.0.1:9/x",
    "gopher://127.0.0.1:25/_HELO",
    "dict://127.0.0.1:11211/stat",
    "file:///etc/passwd",
    "ftp://127.0.0.1/",
    "ldap://127.0.0.1/",
    "jar:http://127.0.0.1!/",
    "netdoc:///etc/passwd",
    "sftp://127.0.0.1/",
    "tftp://127.0.0.1/",
    "//127.0.0.1/x.png",
    "unix:///var/run/docker.sock",
]


@pytest.mark.asvs("V1.3.6", "V15.3.2")
def test_few_modules_can_open_a_connection() -> None:
    found = {}
    for path in sorted((ROOT / "app").rglob("*.py")):
        names = {name for name in reaching(path.read_text()) if name}
        if names:
            found[path.relative_to(ROOT).as_posix()] = sorted(names)
    assert set(found) <= set(TALKERS), {path: names for path, names in found.items() if path not in TALKERS}
    assert {"app/core/mail.py", "app/payments/stripe.py"} <= set(found)


def reaching(source: str) -> Iterator[str]:
    """What of a module could open a connection."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Attribute) and node.attr in CALLS:
            yield node.attr
        yield from (name for name in names if name in NETWORK or name.split(".")[0] in NETWORK)


def test_another_one_would_be_found() -> None:
    """The negative control."""
    assert list(reaching("import httpx")) == ["httpx"]
    assert list(reaching("from urllib.request import urlopen")) == ["urllib.request"]
    assert list(reaching("async def f(): await asyncio.open_connection('x', 1)")) == ["open_connection"]


_connections: list[Any] = []
_watching = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        _connections.append((event, arguments[-1] if event == "socket.connect" else arguments[0]))


sys.addaudithook(_hook)


@contextmanager
def watched() -> Iterator[list[Any]]:
    """Every connection and every name that is looked up meanwhile, told by Python itself."""
    global _watching
    _connections.clear()
    _watching = True
    yield _connections
    _watching = False


@pytest.mark.asvs("V1.3.6")
async def test_no_address_in_any_field_leads_to_a_connection(shop: Any, small_town: Town) -> None:
    assert len(URLS) >= 80
    with watched() as connections:
        for at, form in enumerate(FORMS):
            async with small_town.browser(shop, form.who) as browser:
                for url in URLS[at % 8 :: 8]:
                    await browser.post(
                        form.address(small_town), data=form.good | dict.fromkeys(form.good.keys() - PASSWORDS, url)
                    )
        async with small_town.browser(shop, "alice") as alices, small_town.browser(shop, "dora") as doras:
            words = "\n\n".join(f"![a]({url}) [b]({url}) <{url}> <img src='{url}'>" for url in URLS)
            texts = dict.fromkeys(("venue", "address", "city", "access", "types_0_name"), URLS[0][:50])
            slug = slug_in(await propose(alices, **texts, description=words[:20_000], kept=URLS[1]))
            await alices.post(f"/manager/events/{slug}/submit")
            await doras.post(f"/admin/events/{slug}/approve", data=await seen(slug))
            await doras.post("/admin/texts/imprint", data={"body": words})
            for path in (f"/events/{slug}", "/imprint", f"/manager/events/{slug}", f"/events/{slug}/calendar.ics"):
                assert (await alices.get(path, headers={"Referer": URLS[2], "Origin": URLS[3]})).status_code == 200
            svg = b"<svg xmlns:xlink='http://www.w3.org/1999/xlink'><image xlink:href='http://127.0.0.1/'/></svg>"
            for upload in (svg, gallery.photo(comment=URLS[0].encode())):
                await propose(alices, files={"picture": (URLS[0], upload, "image/jpeg")})
    assert connections == []


async def test_a_connection_would_be_seen() -> None:
    """The negative control."""
    with watched() as connections:
        async with httpx.AsyncClient(trust_env=False, timeout=2) as careless:
            with pytest.raises(httpx.HTTPError):
                await careless.get("http://127.0.0.1:9/latest/meta-data/")
    assert connections
