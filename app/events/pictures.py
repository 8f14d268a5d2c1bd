"""Uploaded pictures: what comes in is never what goes out. Every one is drawn again as WebP, which leaves its metadata behind."""

import asyncio
import io
import re
import struct
import zlib
from pathlib import Path

from PIL import Image, ImageOps

from app.core.codes import secret_code
from app.core.db import outside_writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.settings import settings

LARGEST_UPLOAD = 8_000_000
SIZE = (1600, 1000)
FORMATS = ("JPEG", "PNG", "WEBP")

# A few kilobytes of PNG can ask for gigabytes of memory; a phone's photo has 12 to 50 million dots.
# Pillow's own limit first warns and then raises; ours is lower, and it looks before anything is drawn.
MOST_PIXELS = 60_000_000
Image.MAX_IMAGE_PIXELS = None

_BROKEN = (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error)

_ADDRESS = re.compile(r"/pictures/([A-Za-z0-9_-]{22}\.webp)")


async def store(upload: bytes) -> str:
    """Keeps a picture and returns its address, such as "/pictures/….webp". Raises Refused when it cannot be used."""
    outside_writing("Drawing a picture")
    return await asyncio.to_thread(_store, upload)


async def load(name: str) -> bytes | None:
    """The WebP of that name, if there is one."""
    path = _path(f"/pictures/{name}")
    return await asyncio.to_thread(path.read_bytes) if path and path.is_file() else None


def remove(address: str) -> None:
    """Forgets a picture that no event shows any more."""
    if path := _path(address):
        path.unlink(missing_ok=True)


def _store(upload: bytes) -> str:
    webp = _drawn_again(upload)
    address = f"/pictures/{secret_code()}.webp"
    path = _path(address)
    assert path is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(webp)
    return address


def _drawn_again(upload: bytes) -> bytes:
    try:
        with Image.open(io.BytesIO(upload), formats=FORMATS) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise Refused(_("The picture has too many dots. Make it smaller, 1600 by 1000 is enough."))
            picture.draft("RGB", SIZE)
            upright = ImageOps.exif_transpose(picture).convert("RGB")
            upright.thumbnail(SIZE)
            drawn = io.BytesIO()
            upright.save(drawn, "WEBP", quality=82, method=4)
            return drawn.getvalue()
    except _BROKEN as broken:
        raise Refused(_("The picture could not be read. Use a JPEG, PNG or WebP file.")) from broken


def _path(address: str) -> Path | None:
    """Where the picture of this address lies; None for an address that we did not make."""
    found = _ADDRESS.fullmatch(address)
    return settings().data / "pictures" / found[1] if found else None
