"""Hostile uploads: what is no picture is refused, what is one loses all but its dots, and no bomb goes off."""

import asyncio
import io
import json
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from app.core.db import reading, writing
from app.core.errors import Refused
from app.core.settings import settings
from app.events import pictures, queries
from tests import world
from tests.events import gallery
from tests.events.forms import propose, typed
from tests.hostile import never_too_often

Client = httpx.AsyncClient
SignIn = Callable[[Client, Any], Awaitable[None]]
ROOT = Path(__file__).parents[2]


def kept() -> list[Path]:
    return sorted((settings().data / "pictures").glob("*"))


@pytest.mark.asvs("V5.2.2", "V1.3.4", "V5.3.1")
@pytest.mark.parametrize("name", gallery.NO_PICTURES)
async def test_what_is_no_picture_is_refused_whatever_it_is_called(name: str) -> None:
    with pytest.raises(Refused, match="could not be read"):
        await pictures.store(gallery.NO_PICTURES[name])
    assert kept() == []


@pytest.mark.asvs("V5.2.2", "V5.3.1", "V5.3.2")
@pytest.mark.parametrize("name", gallery.TELLTALES)
async def test_nothing_but_the_dots_is_kept(name: str) -> None:
    upload = gallery.TELLTALES[name]
    address = await pictures.store(upload)
    stored = await pictures.load(address.removeprefix("/pictures/"))
    assert stored
    with Image.open(io.BytesIO(stored)) as drawn:
        assert (drawn.format, dict(drawn.getexif()), drawn.info.get("icc_profile"), drawn.info.get("xmp")) == (
            "WEBP",
            {},
            None,
            None,
        )
    assert _parts(stored) == []


def _parts(stored: bytes) -> list[bytes]:
    words = (gallery.SECRET, gallery.SCRIPT, b"EXIF", b"XMP ", b"ICCP", b"<?php", b"PK\x03\x04")
    return [word for word in words if word in stored]


def test_the_files_above_would_be_noticed() -> None:
    """The negative control: each of them holds what must be gone, or is none of ours to keep."""
    for name, upload in gallery.TELLTALES.items():
        with Image.open(io.BytesIO(upload)) as picture:
            held = {gallery.SECRET, gallery.SCRIPT} & {*_parts(upload)} or picture.getexif() or picture.info.get("Comment")
        assert held, name
    assert len(gallery.NO_PICTURES) + len(gallery.TELLTALES) >= 40


@pytest.mark.asvs("V5.3.2", "V5.4.1", "V5.4.2", "V5.2.2", "V15.3.1")
@pytest.mark.usefixtures("moment")
async def test_pictures_keep_none_of_the_senders_names_and_go_out_with_one_of_ours(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        alice, _kind = await world.alice(tx), await world.category(tx)
    await sign_in(client, alice)
    names = [
        "../../main.py",
        "..\\..\\x.png",
        "/etc/passwd",
        "con.png",
        "a\x00b.png",
        "x" * 900 + ".png",
        "p.php",
        'q".svg',
        "\u202egnp.exe",
    ]
    for number, name in enumerate(names):
        file = {"picture": (name, gallery.photo(), "text/html")}
        assert (await propose(client, title=f"Night {number}", files=file)).status_code == 303
    assert len(kept()) == len(names)
    for path in kept():
        shown = await client.get(f"/pictures/{path.name}")
        assert shown.headers["content-type"] == "image/webp"
        assert shown.headers["content-disposition"] == 'inline; filename="picture.webp"'
        assert shown.headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert shown.headers["x-content-type-options"] == "nosniff"
    assert {path.name for path in settings().data.iterdir()} <= {"pictures", "test.db", "test.db-wal", "test.db-shm"}


@pytest.mark.asvs("V5.2.1", "V5.2.2")
@pytest.mark.usefixtures("moment")
async def test_each_hostile_file_is_a_mistake_of_its_field(
    client: Client, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_too_often(monkeypatch)
    async with writing() as tx:
        alice, _event = await world.alice(tx), await world.event(tx)
    await sign_in(client, alice)
    bombs = gallery.bombs()
    sent = {
        **gallery.NO_PICTURES,
        "one column.png": bombs["one column"],
        "passes.jpg": bombs["2,000 passes"],
        "big.png": b"x" * 5_100_000,
    }
    del sent["nothing.png"]
    for name, upload in sent.items():
        file = {"picture": (name, upload, "image/png")}
        answer = await client.post("/manager/events/nine-pianos/edit/page", data=typed("page"), files=file)
        assert answer.status_code == 422, name
        assert "The picture " in answer.text, name
    assert kept() == []
    async with reading() as db:
        event = await queries.by_slug(db, "nine-pianos")
        assert event
        assert event.picture == ""


# ---------- bombs ----------

# In a process of its own, because memory that was once asked for shows for ever. It gets the files ready made.
_MEASURE = """
import json, pathlib, resource, sys, time, warnings
from app.core.errors import Refused
from app.events import pictures

if sys.argv[2:]:
    pictures.MOST_PASSES, pictures.Image.MAX_IMAGE_PIXELS = 10**9, None
most = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
found = {}
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    upload, before, start = path.read_bytes(), most(), time.process_time()
    try:
        pictures._drawn_again(upload)
        said = "drawn"
    except Refused as refused:
        said = refused.sentence
    found[path.name] = {"said": said, "seconds": time.process_time() - start, "megabytes": most() - before}
print(json.dumps(found))
"""


def measured(folder: Path, files: dict[str, bytes], *options: str) -> dict[str, dict[str, Any]]:
    """What became of each file, and what it took."""
    for name, upload in files.items():
        assert len(upload) < pictures.LARGEST_UPLOAD, name
        (folder / name).write_bytes(upload)
    told = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(folder), *options], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    ).stdout
    found: dict[str, dict[str, Any]] = json.loads(told)
    return found


@pytest.mark.asvs("V5.2.6", "V5.2.1", "V5.2.3", "V15.2.2")
def test_a_bomb_is_refused_at_once_and_takes_no_memory(tmp_path_factory: pytest.TempPathFactory) -> None:
    bombs = gallery.bombs()
    found = measured(tmp_path_factory.mktemp("bombs"), bombs | gallery.swollen())
    assert len(bombs) == 12
    assert {name for name, one in found.items() if "too many dots" in one["said"]} == set(bombs)
    for name, one in found.items():
        # None of the swollen ones unpacks what it brought, whether it is a good picture otherwise or not.
        assert one["seconds"] < 1, (name, one)
        assert one["megabytes"] <= 50, (name, one)


def test_without_the_limits_the_bombs_go_off(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The negative control, with the two bombs that a machine survives."""
    two = {name: bomb for name, bomb in gallery.bombs().items() if name in ("60 passes", "169 million dots")}
    found = measured(tmp_path_factory.mktemp("bombs"), two, "without limits")
    assert {one["said"] for one in found.values()} == {"drawn"}
    assert found["169 million dots"]["megabytes"] > 50


@pytest.mark.asvs("V15.2.2")
async def test_pictures_are_drawn_one_at_a_time_and_never_by_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, most, threads = 0, 0, set()

    def slowly(_upload: bytes) -> bytes:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        threads.add(threading.current_thread())
        time.sleep(0.02)
        at_once -= 1
        return b"RIFF"

    monkeypatch.setattr(pictures, "_drawn_again", slowly)
    await asyncio.gather(*(pictures.store(b"") for _number in range(5)))
    assert most == 1
    assert threading.main_thread() not in threads


async def test_a_photo_from_a_phone_is_still_welcome() -> None:
    """16 million dots with its thumbnail, and a PNG with all its passes."""
    await pictures.store(gallery.photo(size=(4900, 3200), progressive=True, exif=gallery._exif()))
    await pictures.store(gallery.photo("PNG", size=(1600, 1000), mode="RGBA"))
    assert len(kept()) == 2
