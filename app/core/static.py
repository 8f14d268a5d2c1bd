"""The files of static/: each under a name that carries a mark of its content, packed once, and held in memory.

A marked address never shows anything else, so browsers and proxies keep it for a year. There is nothing to build: the marks are
made when the first page is, and a file is packed when the first browser asks for it.
"""

import gzip
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path, PurePosixPath

import brotli  # type: ignore[import-untyped]

FOLDER = Path(__file__).parents[2] / "static"
# What is packed already, or so small that packing makes it larger.
PACKED = {".woff2", ".png", ".ico"}
# The last step of brotli takes five seconds for the decoder of the door, and a quarter of a second for the style sheet.
LARGE = 256 * 1024
# What every page needs comes in one piece: a request costs a phone more than its bytes.
JOINED = {"shop.js": ("htmx-4.0.1.min.js", "app.js")}

_LINKED = re.compile(rb'url\("([^":]+?)(?:\?[^"]*)?"\)')
_COMMENT = re.compile(rb"^ *//.*\n", re.MULTILINE)
_MARK = re.compile(r"\.[0-9a-f]{10}(?=\.\w+$)")
_TYPES = {
    ".js": "text/javascript",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
    ".ico": "image/x-icon",
    ".md": "text/plain",
}


@dataclass(frozen=True)
class StaticFile:
    """One file as it is served; `name` is its path below /static/."""

    name: str
    body: bytes

    @cached_property
    def mark(self) -> str:
        return hashlib.sha256(self.body).hexdigest()[:10]

    @cached_property
    def address(self) -> str:
        """Where the file lies with its mark, such as /static/app.1f2e3d4c5b.css."""
        path = PurePosixPath(self.name)
        return f"/static/{path.with_suffix(f'.{self.mark}{path.suffix}')}"

    @property
    def media_type(self) -> str:
        ending = PurePosixPath(self.name).suffix
        return _TYPES.get(ending) or mimetypes.guess_type(self.name)[0] or "application/octet-stream"

    @property
    def is_packed(self) -> bool:
        """Whether the file is served as it lies there."""
        return PurePosixPath(self.name).suffix in PACKED

    @cached_property
    def as_gzip(self) -> bytes:
        return gzip.compress(self.body, 9, mtime=0)

    @cached_property
    def as_brotli(self) -> bytes:
        packed: bytes = brotli.compress(self.body, quality=9 if len(self.body) > LARGE else 11)
        return packed


@cache
def files() -> dict[str, StaticFile]:
    """Every file by its path below /static/. A style sheet links to what it needs by marked addresses, too."""
    found: dict[str, StaticFile] = {}
    paths = [path for path in FOLDER.rglob("*") if path.is_file()]
    for path in sorted(paths, key=lambda path: path.suffix == ".css"):
        name = path.relative_to(FOLDER).as_posix()
        body = path.read_bytes()
        if path.suffix == ".css":
            body = _LINKED.sub(lambda link: f'url("{found[link[1].decode()].address}")'.encode(), body)
        found[name] = StaticFile(name, body)
    for name, parts in JOINED.items():
        # Comments are for who reads the source; htmx has none left.
        found[name] = StaticFile(name, _COMMENT.sub(b"", b"\n".join(found[part].body for part in parts)))
    return found


def address(name: str) -> str:
    """The address of a static file, which changes with its content. Raises KeyError when there is no such file."""
    return files()[name].address


def find(path: str) -> tuple[StaticFile | None, bool]:
    """The file at an address below /static/, and whether the address is its own for ever.

    Without a mark, or with that of another version, it is the present file: a page from before an update still finds its style.
    """
    found = files().get(path) or files().get(_MARK.sub("", path))
    return found, found is not None and found.address == f"/static/{path}"
