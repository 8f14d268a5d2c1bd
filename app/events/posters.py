"""Posters as files: PNGs for search engines, for whoever shares a page, and for mails. Drawn once and kept on disk.

The drawing is the one of the pages (templates/_posters.html) in the same colours (rules/looks.py). An organiser's picture takes
its place, and the words keep a panel of their own.
"""

import asyncio
import base64
import hashlib
import io
import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from pathlib import Path

import typst
from PIL import Image, ImageOps

from app.core.codes import secret_code
from app.core.db import outside_writing
from app.core.settings import settings
from app.core.templates import ROOT, environment
from app.events import pictures
from app.events.models import Event
from app.events.rules.looks import palette

# Google asks for all three; the widest is what most programs show beside a shared link.
SHAPES = {"1x1": (1200, 1200), "4x3": (1200, 900), "16x9": (1200, 675)}
# The drawing alone, twice as fine as it is shown at the head of a mail.
STRIP = (1120, 280)

# Three for each event, and again when it changes; the oldest go first.
MOST_KEPT = 3000
# A mail with its picture stays small enough to be shown whole.
MOST_IN_MAIL = 30_000

HERE = Path(__file__).parent
FONTS = ROOT / "app" / "tickets" / "fonts"

# One at a time: each takes a core for some 50 ms.
_EASEL = ThreadPoolExecutor(max_workers=1, thread_name_prefix="posters")
_drawing: dict[str, asyncio.Task[bytes]] = {}


@dataclass(frozen=True)
class Look:
    """All that a poster shows. Two events that look the same share a file. `picture` is its address or empty."""

    title: str
    site: str
    hue: str
    tone: str
    motif: str
    picture: str = ""

    @property
    def mark(self) -> str:
        """Another one when anything is different that can be seen, so that addresses with it can be kept for ever."""
        return _mark_of(self)


def look_of(event: Event) -> Look:
    return Look(event.title, settings().site_name, event.hue, event.tone, event.motif, event.picture)


def path(slug: str, shape: str, look: Look) -> str:
    """The address of an event's poster, another one whenever it looks otherwise."""
    return f"/events/{slug}/poster/{shape}.png?v={look.mark}"


def card_path() -> str:
    return f"/card.png?v={house().mark}"


def house() -> Look:
    """The shop's own card, for pages that are about no single event."""
    return Look(settings().site_name, "", "cobalt", "night", "stars")


async def png(look: Look, shape: str) -> bytes:
    """The poster in one of SHAPES. However many ask at once, it is drawn once in each process."""
    return await _kept(f"{look.mark}-{shape}.png", look, SHAPES[shape])


async def strip(look: Look) -> bytes:
    """The drawing or picture alone, for the head of a mail: a PNG or a JPEG of 30 kB at most."""
    return await _kept(f"{look.mark}-strip", look, STRIP)


async def _kept(name: str, look: Look, size: tuple[int, int]) -> bytes:
    outside_writing("Drawing a poster")
    where = settings().data / "posters" / name
    key = str(where)
    if not (task := _drawing.get(key)):
        task = _drawing[key] = asyncio.create_task(_read_or_drawn(where, look, size))
        task.add_done_callback(lambda _done: _drawing.pop(key))
    return await asyncio.shield(task)


async def _read_or_drawn(where: Path, look: Look, size: tuple[int, int]) -> bytes:
    try:
        return await asyncio.to_thread(where.read_bytes)
    except FileNotFoundError:
        return await asyncio.get_running_loop().run_in_executor(_EASEL, _store, where, look, size)


def _store(where: Path, look: Look, size: tuple[int, int]) -> bytes:
    drawn = _small(_drawn(look, size)) if size == STRIP else _drawn(look, size)
    where.parent.mkdir(parents=True, exist_ok=True)
    # Another process may draw the same; whoever reads finds a whole file or none.
    unfinished = where.with_name(f"{secret_code()}.part")
    unfinished.write_bytes(drawn)
    os.replace(unfinished, where)
    _tidy(where.parent)
    return drawn


def _tidy(folder: Path) -> None:
    if len(os.listdir(folder)) <= MOST_KEPT:
        return
    kept = []
    for one in folder.iterdir():
        # Another process may tidy in the same moment.
        with suppress(FileNotFoundError):
            kept.append((one.stat().st_mtime, one))
    for _at, one in sorted(kept)[: MOST_KEPT // 10]:
        one.unlink(missing_ok=True)


def _drawn(look: Look, size: tuple[int, int]) -> bytes:
    wide, high = size
    words = (0, 0) if size == STRIP else (wide * 48 // 100, high) if wide > high * 1.5 else (wide, high * 42 // 100)
    art = (wide - words[0], high) if wide > high * 1.5 else (wide, high - words[1])
    colours = palette(look.hue, look.tone)
    # A picture that is gone leaves its place to the drawing.
    found = pictures.path_of(look.picture)
    sheet = {
        "title": look.title,
        "site": look.site,
        "size": size,
        "words": words,
        "art": art,
        "colours": colours,
        "drawing": drawing(look.motif, colours, art, keep="xMidYMid" if size == STRIP else "xMaxYMax"),
        "picture": look.picture if found and found.is_file() else "",
    }
    # A picture's address is also its path below the data folder, and the typesetter may look nowhere else.
    made = typst.compile(  # type: ignore[call-overload]  # The stubs want the source and the folder to be of one type.
        (HERE / "poster.typ").read_bytes(),
        root=settings().data,
        font_paths=[FONTS],
        ignore_system_fonts=True,
        format="png",
        ppi=72,
        sys_inputs={"poster": json.dumps(sheet)},
    )
    assert isinstance(made, bytes)
    return _fewer_colours(made)


def panel(look: Look, size: tuple[int, int]) -> str:
    """The drawing on its ground, or the picture, as an SVG that prints sharp. Takes some milliseconds: not for the event loop."""
    found = pictures.path_of(look.picture)
    if found and found.is_file():
        inside = f'<image href="data:image/jpeg;base64,{_printed(found, size)}" width="{size[0]}" height="{size[1]}"/>'
        return f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]}">{inside}</svg>'
    colours = palette(look.hue, look.tone)
    ground = f'<rect x="-400" y="-400" width="1200" height="1200" fill="{colours["ground"]}"/>'
    return drawing(look.motif, colours, size).replace("</style>", f"</style>{ground}", 1)


def _printed(found: Path, size: tuple[int, int]) -> str:
    """A picture cut to the shape of its panel, at 300 dots an inch, in base64."""
    with Image.open(found) as picture:
        cut = ImageOps.fit(picture.convert("RGB"), (size[0] * 300 // 72, size[1] * 300 // 72))
        written = io.BytesIO()
        cut.save(written, "JPEG", quality=80)
        return base64.b64encode(written.getvalue()).decode()


def drawing(motif: str, colours: dict[str, str], size: tuple[int, int], *, keep: str = "xMaxYMax") -> str:
    """The motif as an SVG by itself, which fills that size; `keep` is the part that stays in view, as in preserveAspectRatio."""
    round_ends = "stroke-linecap:round;stroke-linejoin:round"
    inks = "".join(f".f{n}{{fill:{colours[f'p{n}']}}}.l{n}{{stroke:{colours[f'p{n}']};{round_ends}}}" for n in range(1, 5))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]}" '
    style = f"<style>{inks}.f0{{fill:{colours['paper']}}}.nf{{fill:none}}</style>"
    panel = str(environment().get_template("_posters.html").module.art(motif, keep))  # type: ignore[attr-defined]
    tag, _end, shapes = panel.removeprefix("<svg ").partition(">")
    return f"{head}{tag}>{style}{shapes}"


def _fewer_colours(made: bytes) -> bytes:
    """The same with a palette, in a third of the bytes."""
    with Image.open(io.BytesIO(made)) as poster:
        written = io.BytesIO()
        poster.convert("RGB").quantize(255, method=Image.Quantize.FASTOCTREE).save(written, "PNG", optimize=True)
        return written.getvalue()


def _small(made: bytes) -> bytes:
    """A photo becomes a JPEG, as fine as the limit allows."""
    if len(made) <= MOST_IN_MAIL:
        return made
    with Image.open(io.BytesIO(made)) as poster:
        photo = poster.convert("RGB")
    photo.thumbnail((STRIP[0] * 3 // 4, STRIP[1]))
    for quality in (80, 70, 60, 45, 30, 15):
        written = io.BytesIO()
        photo.save(written, "JPEG", quality=quality, optimize=True)
        if written.tell() <= MOST_IN_MAIL:
            break
    return written.getvalue()


@lru_cache(maxsize=1000)
def _mark_of(look: Look) -> str:
    return hashlib.sha256(json.dumps(asdict(look)).encode() + _manner()).hexdigest()[:20]


@cache
def _manner() -> bytes:
    """Part of each mark: a new version that draws otherwise draws anew."""
    return (HERE / "poster.typ").read_bytes() + (ROOT / "templates" / "_posters.html").read_bytes()
