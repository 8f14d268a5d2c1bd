"""Posters: every motif looks different, every ink carries its words, and a PNG is drawn once, whoever asks."""

import asyncio
import io
import random
import re
from itertools import combinations, product
from pathlib import Path
from typing import Any

import httpx
import pytest
import typst
from PIL import Image, ImageChops

from app.core.db import writing
from app.events import pictures, posters
from app.events.posters import MOST_IN_MAIL, SHAPES, Look
from app.events.rules.looks import HUES, MOTIFS, TONES, palette
from app.tickets.inks import INKS
from tests import world

CSS = (Path(__file__).parents[2] / "static" / "app.css").read_text()
LOOK = Look("Nine Pianos in the Dark", "EventTicket", "cobalt", "deep", "keys")


def opened(file: bytes) -> Image.Image:
    return Image.open(io.BytesIO(file)).convert("RGB")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Look]:
    """Every look that was drawn, in order."""
    looks: list[Look] = []
    draw = posters._drawn

    def noted(look: Look, size: tuple[int, int]) -> bytes:
        looks.append(look)
        return draw(look, size)

    monkeypatch.setattr(posters, "_drawn", noted)
    return looks


# ---------- what is drawn ----------


def as_on_a_card(motif: str) -> Image.Image:
    """The motif at the size of a card on a phone, in one ink, so that nothing but the drawing differs."""
    svg = posters.drawing(motif, palette("cobalt", "deep"), (140, 140))
    source = b'#set page(width: 140pt, height: 140pt, margin: 0pt)\n#image(bytes(sys.inputs.svg), format: "svg", width: 100%)'
    made = typst.compile(source, format="png", ppi=72, sys_inputs={"svg": svg})
    assert isinstance(made, bytes)
    return opened(made).convert("L")


def other_dots(one: Image.Image, two: Image.Image) -> float:
    """How much of two pictures is plainly different, from 0 to 1."""
    far = ImageChops.difference(one, two).point(lambda gap: 255 if gap > 24 else 0)
    return far.histogram()[255] / (far.width * far.height)


def test_sixteen_motifs_and_more_look_different_on_a_card() -> None:
    cards = {motif: as_on_a_card(motif) for motif in MOTIFS}
    assert len(cards) >= 16
    alike = [(one, two) for one, two in combinations(MOTIFS, 2) if other_dots(cards[one], cards[two]) < 0.15]
    assert alike == []
    assert other_dots(cards["keys"], as_on_a_card("keys")) == 0
    assert all(other_dots(card, as_on_a_card("nothing of ours")) > 0.1 for card in cards.values())


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, two: str) -> float:
    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_words_stand_out_from_their_ground_in_every_ink_and_tone() -> None:
    assert (len(HUES), len(TONES)) == (12, 3)
    for hue, tone in product(HUES, TONES):
        colours = palette(hue, tone)
        assert contrast(colours["paper"], colours["ink"]) >= 4.5, (hue, tone)
        assert len({colours[name] for name in ("ground", "p1", "p2", "p3", "p4")}) == 5, (hue, tone)


def test_the_stylesheet_mixes_the_same_inks() -> None:
    """Its numbers are those of rules/looks.py: so pages, mails, PDFs and PNGs agree."""
    mixed = re.findall(r"\.hue-(\w+) \{ --h: ([\d.]+); --cd: ([\d.]+); --cb: ([\d.]+); --h2: ([\d.]+); \}", CSS)
    from app.events.rules.looks import _MIXED

    assert {name: tuple(float(number) for number in numbers) for name, *numbers in mixed} == _MIXED
    assert set(INKS) == set(HUES)


# ---------- the files ----------


async def test_a_poster_comes_in_three_shapes_and_stays_small() -> None:
    for shape, size in SHAPES.items():
        png = await posters.png(LOOK, shape)
        with Image.open(io.BytesIO(png)) as poster:
            assert (poster.format, poster.size) == ("PNG", size)
        assert len(png) < 100_000, shape


async def test_words_never_stand_on_the_drawing() -> None:
    """The panel of the words looks the same whatever is drawn beside it, and the drawing whatever is written."""
    one = opened(await posters.png(LOOK, "16x9"))
    other_art = opened(await posters.png(Look(LOOK.title, LOOK.site, LOOK.hue, LOOK.tone, "tiles"), "16x9"))
    other_words = opened(await posters.png(Look("W" * 119, LOOK.site, LOOK.hue, LOOK.tone, LOOK.motif), "16x9"))
    edge = one.width * 48 // 100
    left, right = (0, 0, edge, one.height), (edge, 0, one.width, one.height)
    assert other_dots(one.crop(left).convert("L"), other_art.crop(left).convert("L")) == 0
    assert other_dots(one.crop(right).convert("L"), other_art.crop(right).convert("L")) > 0.1
    assert other_dots(one.crop(right).convert("L"), other_words.crop(right).convert("L")) == 0
    assert other_dots(one.crop(left).convert("L"), other_words.crop(left).convert("L")) > 0.05


async def test_however_many_ask_it_is_drawn_once(drawn: list[Look]) -> None:
    made = await asyncio.gather(*(posters.png(LOOK, "1x1") for _visitor in range(20)))
    assert len(drawn) == 1 and len(set(made)) == 1
    assert await posters.png(LOOK, "1x1") == made[0]
    assert len(drawn) == 1
    await posters.png(Look("Ten Pianos", LOOK.site, LOOK.hue, LOOK.tone, LOOK.motif), "1x1")
    assert len(drawn) == 2


async def test_a_drawing_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_given: object) -> bytes:
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(posters, "_drawn", broken)
        with pytest.raises(OSError, match="disk"):
            await posters.png(LOOK, "16x9")
    assert (await posters.png(LOOK, "16x9")).startswith(b"\x89PNG")


async def test_old_posters_make_room(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posters, "MOST_KEPT", 10)
    monkeypatch.setattr(posters, "_drawn", lambda look, _size: look.title.encode())
    (settings.data / "posters").mkdir(parents=True)
    # Another process took it away between the list and the look at it.
    (settings.data / "posters" / "gone").symlink_to("nowhere")
    for number in range(40):
        await posters.png(Look(str(number), "", "moss", "deep", "keys"), "1x1")
    assert len(list((settings.data / "posters").iterdir())) <= 11


@pytest.mark.parametrize("title", ['#panic("x") $1$ *a* <b> @c', "= \\ // /* `", "W" * 120, "مهرجان الموسيقى", "音乐节 🎹", " "])
async def test_any_title_is_words_and_nothing_else(title: str) -> None:
    assert (await posters.png(Look(title, "EventTicket", "iris", "bright", "type"), "4x3")).startswith(b"\x89PNG")


# ---------- a picture in the place of the drawing ----------


def photo() -> bytes:
    """The worst for a small file: every dot another colour."""
    dots = random.Random(9).randbytes(1600 * 1000 * 3)
    written = io.BytesIO()
    Image.frombytes("RGB", (1600, 1000), dots).save(written, "JPEG", quality=80)
    return written.getvalue()


async def test_an_organisers_picture_takes_the_place_of_the_drawing_and_stays_small_in_mails() -> None:
    written = io.BytesIO()
    Image.new("RGB", (800, 500), "#00ff00").save(written, "PNG")
    look = Look("Nine Pianos", "EventTicket", "rose", "night", "stars", await pictures.store(written.getvalue()))
    poster = opened(await posters.png(look, "16x9"))
    red, green, blue = poster.getpixel((1100, 600))  # type: ignore[misc]
    assert green > 200 > 60 > max(red, blue)
    assert "#{:02x}{:02x}{:02x}".format(*poster.getpixel((20, 650))) == palette("rose", "night")["paper"]  # type: ignore[misc]
    noisy = Look("Nine Pianos", "EventTicket", "rose", "night", "stars", await pictures.store(photo()))
    for strip in (await posters.strip(LOOK), await posters.strip(look), await posters.strip(noisy)):
        assert len(strip) <= MOST_IN_MAIL
        assert opened(strip).width >= 840


async def test_a_picture_that_is_gone_leaves_its_place_to_the_drawing() -> None:
    look = Look("Nine Pianos", "EventTicket", "rose", "night", "stars", f"/pictures/{'A' * 22}.webp")
    assert (await posters.png(look, "16x9")).startswith(b"\x89PNG")


# ---------- its address ----------


async def test_with_its_mark_a_poster_is_kept_for_ever_and_without_for_minutes(client: httpx.AsyncClient) -> None:
    async with writing() as tx:
        event = await world.event(tx)
    mark = posters.look_of(event).mark
    for query, kept in (("", "max-age=600"), ("?v=old", "max-age=600"), (f"?v={mark}", "max-age=31536000, immutable")):
        answer = await client.get(f"/events/{event.slug}/poster/16x9.png{query}")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, f"public, {kept}")
        assert answer.headers["content-type"] == "image/png"


async def test_there_are_no_other_shapes_and_none_of_a_draft(client: httpx.AsyncClient, drawn: list[Look]) -> None:
    async with writing() as tx:
        event = await world.event(tx)
        await world.event(tx, slug="a-draft", state="draft", published_at=None)
    for address in (
        f"/events/{event.slug}/poster/9x16.png",
        f"/events/{event.slug}/poster/16x9",
        f"/events/{event.slug}/poster/16x9.jpg",
        "/events/a-draft/poster/16x9.png",
        "/events/nothing/poster/16x9.png",
    ):
        assert (await client.get(address)).status_code == 404, address
    assert drawn == []
