"""What a browser's report says that is worth keeping: pure functions over what anybody on the internet may have written."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

# The directives of our policy, and the finer ones that browsers report instead.
DIRECTIVES = (
    "default-src", "script-src", "script-src-elem", "script-src-attr", "style-src", "style-src-elem", "style-src-attr",
    "img-src", "font-src", "connect-src", "manifest-src", "form-action", "frame-ancestors", "base-uri", "object-src",
    "media-src", "worker-src", "child-src", "frame-src",
)  # fmt: skip
KEYWORDS = ("inline", "eval", "wasm-eval", "self", "trusted-types-policy", "trusted-types-sink")
MOST_IN_ONE = 20
LONGEST = 100


class Complaint(NamedTuple):
    """One kind of report: which directive refused what, on which page of ours."""

    directive: str
    blocked: str
    path: str


def complaints(body: bytes, *, base_url: str, secret_paths: Sequence[str]) -> list[Complaint]:
    """The complaints in a report, old kind (application/csp-report) or new (application/reports+json), at most 20.

    Only a directive that exists on a page of ours counts. Raises ValueError when the body is no JSON.
    """
    try:
        told = json.loads(body)
    except RecursionError as deep:
        raise ValueError("nested too deeply") from deep
    found = []
    for page, directive, blocked in _told(told):
        address = _split(page)
        words = directive.split()
        ours = address is not None and (address.scheme, address.netloc) == urlsplit(base_url)[:2]
        if address and ours and words and words[0] in DIRECTIVES:
            found.append(Complaint(words[0], _blocked(blocked), _path(address.path, secret_paths)))
    return found[:MOST_IN_ONE]


def _told(told: Any) -> Iterator[tuple[str, str, str]]:
    """Page, directive and what was blocked, of each report; other kinds of reports are passed over."""
    match told:
        case {"csp-report": {"document-uri": str(page), **rest}}:
            directive = rest.get("effective-directive") or rest.get("violated-directive")
            yield page, str(directive), str(rest.get("blocked-uri", ""))
        case [*reports]:
            for report in reports:
                match report:
                    case {"type": "csp-violation", "body": {"documentURL": str(page), **rest}}:
                        yield page, str(rest.get("effectiveDirective")), str(rest.get("blockedURL", ""))


def _blocked(address: str) -> str:
    """The host, a keyword, or only the scheme, such as "data"; what stands behind a host may be personal."""
    if address in KEYWORDS:
        return address
    parts = _split(address)
    name = (parts.hostname or "" if parts.scheme in ("http", "https", "ws", "wss") else parts.scheme) if parts else ""
    return _printable(name or "unknown")


def _path(path: str, secret_paths: Sequence[str]) -> str:
    """The page without the secrets that may stand in its address."""
    secret = next((start for start in secret_paths if path.startswith(start)), "")
    return _printable(f"{secret}…" if secret else path or "/")


def _split(address: str) -> SplitResult | None:
    try:
        return urlsplit(address)
    except ValueError:
        return None


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() and letter != "\ufffd" else "?" for letter in text)[:LONGEST]
