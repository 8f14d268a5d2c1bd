"""Uploaded pictures: what comes in is never what goes out. Every one is drawn again as WebP, which leaves its metadata behind."""

import asyncio
import io
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image, ImageOps

from app.core.codes import secret_code
from app.core.db import outside_writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.settings import settings

LARGEST_UPLOAD = 5_000_000
SIZE = (1600, 1000)
FORMATS = ("JPEG", "PNG", "WEBP")

# A few kilobytes of PNG can ask for gigabytes of memory. Pillow looks at the header before anything is drawn; left to
# itself it would only warn, and give up at twice the number.
MOST_PIXELS = 20_000_000
Image.MAX_IMAGE_PIXELS = MOST_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)

# A JPEG may be sent in several passes over the whole picture. Cameras and programs use up to a dozen, and a thumbnail
# has some of its own; five megabytes could ask for a hundred thousand, and for a quarter of an hour.
MOST_PASSES = 50
_PASS = b"\xff\xda"

# One picture at a time: drawing takes a core and up to 200 MB.
_EASEL = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pictures")

_ADDRESS = re.compile(r"/pictures/([A-Za-z0-9_-]{22}\.webp)")


async def store(upload: bytes) -> str:
    """Keeps a picture and returns its address, such as "/pictures/….webp". Raises Refused when it cannot be used."""
    outside_writing("Drawing a picture")
    return await asyncio.get_running_loop().run_in_executor(_EASEL, _store, upload)


async def load(name: str) -> bytes | None:
    """The WebP of that name, if there is one."""
    path = path_of(f"/pictures/{name}")
    return await asyncio.to_thread(path.read_bytes) if path and path.is_file() else None


def remove(address: str) -> None:
    """Forgets a picture that no event shows any more."""
    if path := path_of(address):
        path.unlink(missing_ok=True)


def _store(upload: bytes) -> str:
    webp = _drawn_again(upload)
    address = f"/pictures/{secret_code()}.webp"
    path = path_of(address)
    assert path is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(webp)
    return address


def _drawn_again(upload: bytes) -> bytes:
    if len(upload) > LARGEST_UPLOAD:
        raise Refused(_("The picture is larger than 5 MB. Make it smaller, 1600 by 1000 is enough."))
    try:
        if upload.count(_PASS) > MOST_PASSES:
            raise Image.DecompressionBombError
        return _drawn(upload)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as bomb:
        raise Refused(_("The picture has too many dots. Make it smaller, 1600 by 1000 is enough.")) from bomb
    except Exception as broken:
        # Pillow's readers stumble over broken files in a dozen ways, and each of them means the same.
        raise Refused(_("The picture could not be read. Use a JPEG, PNG or WebP file.")) from broken


def _drawn(upload: bytes) -> bytes:
    with Image.open(io.BytesIO(upload), formats=FORMATS) as picture:
        picture.draft("RGB", SIZE)
        upright = ImageOps.exif_transpose(picture).convert("RGB")
        upright.thumbnail(SIZE)
        drawn = io.BytesIO()
        upright.save(drawn, "WEBP", quality=82, method=4)
        return drawn.getvalue()


def path_of(address: str) -> Path | None:
    """Where the picture of this address lies; None for an address that we did not make."""
    found = _ADDRESS.fullmatch(address)
    return settings().data / "pictures" / found[1] if found else None
