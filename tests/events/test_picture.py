"""Uploaded pictures come out as WebP without metadata; what is no picture, or a bomb, is refused."""

import io
import struct
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from app.core.db import reading, writing
from app.core.errors import Refused
from app.events import pictures, queries
from tests import world
from tests.events.forms import propose, revise

Client = httpx.AsyncClient
SignIn = Callable[[Client, Any], Awaitable[None]]


def _photo(*, kind: str = "JPEG", size: tuple[int, int] = (2400, 1200), turned: bool = False) -> bytes:
    photo, exif = Image.new("RGB", size, "teal"), Image.Exif()
    exif[0x010F] = "A camera that knows where you live"
    if turned:
        exif[0x0112] = 6
    written = io.BytesIO()
    photo.save(written, kind, exif=exif)
    return written.getvalue()


def _bomb() -> bytes:
    """A few kilobytes that claim 30,000 by 30,000 dots."""
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(1_000_000))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_a_picture_is_drawn_again(kind: str, tmp_path: Path) -> None:
    address = await pictures.store(_photo(kind=kind))
    stored = await pictures.load(address.removeprefix("/pictures/"))
    assert stored
    with Image.open(io.BytesIO(stored)) as picture:
        assert (picture.format, picture.size, dict(picture.getexif())) == ("WEBP", (1600, 800), {})
    assert b"camera" not in stored
    pictures.remove(address)
    assert await pictures.load(address.removeprefix("/pictures/")) is None


async def test_a_turned_photo_stands_upright() -> None:
    address = await pictures.store(_photo(size=(800, 400), turned=True))
    stored = await pictures.load(address.removeprefix("/pictures/"))
    assert stored
    with Image.open(io.BytesIO(stored)) as picture:
        assert picture.size == (400, 800)


async def test_a_bomb_is_refused_before_it_goes_off() -> None:
    with pytest.raises(Refused, match="too many dots"):
        await pictures.store(_bomb())


@pytest.mark.parametrize(
    "upload",
    [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a" + bytes(50), _photo()[:3000], b"\x89PNG\r\n\x1a\n" + bytes(99)],
)
async def test_what_is_no_picture_is_refused(upload: bytes) -> None:
    with pytest.raises(Refused, match="could not be read"):
        await pictures.store(upload)


@pytest.mark.usefixtures("moment")
async def test_a_manager_uploads_a_picture_and_takes_it_away_again(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        alice, _kind = await world.alice(tx), await world.category(tx)
    await sign_in(client, alice)
    file = {"picture": ("photo.jpg", _photo(), "image/jpeg")}
    wrong = await propose(client, files=file, hue="mud")
    assert wrong.status_code == 422
    kept = wrong.text.split('name="kept" type="hidden" value="')[1].split('"')[0]
    assert (await revise(client, "ete-a-turin", "page", kept=kept)).status_code == 303
    async with reading() as db:
        event = await queries.by_slug(db, "ete-a-turin")
        assert event
    shown = await client.get(event.picture)
    assert shown.status_code == 200
    assert shown.headers["content-type"] == "image/webp"
    assert shown.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert "immutable" in shown.headers["cache-control"]
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert event.picture in (await client.get("/manager/events/ete-a-turin/edit/page")).text
    await revise(client, "ete-a-turin", "page", no_picture="y")
    assert (await client.get(event.picture)).status_code == 404
    assert (await client.get("/pictures/../test.db")).status_code == 404
    assert (await client.get("/pictures/..%2Ftest.db")).status_code == 404


@pytest.mark.usefixtures("moment")
async def test_a_bomb_in_the_form_is_a_mistake_of_its_field(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        alice, _kind = await world.alice(tx), await world.category(tx)
    await sign_in(client, alice)
    answer = await propose(client, files={"picture": ("bomb.png", _bomb(), "image/png")}, description="Kept")
    assert answer.status_code == 422
    assert "The picture has too many dots" in answer.text
    assert ">\nKept</textarea>" in answer.text.replace("\r", "")
    forged = await propose(client, kept="/pictures/forged.webp")
    assert forged.status_code == 303
