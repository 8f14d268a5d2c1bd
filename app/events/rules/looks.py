"""What posters are drawn of: inks, how they are laid on, and motifs.

The stylesheet mixes the same colours from the same numbers; here they become plain sRGB, for mails, PDFs and PNGs.
"""

from collections.abc import Iterator
from functools import cache
from math import cos, radians, sin

# Each ink by three numbers and a companion: hue, chroma at lightness .50 and at .86, and the hue of the one accent.
_MIXED = {
    "poppy": (28, 0.19, 0.073, 85),
    "amber": (66, 0.108, 0.099, 28),
    "lemon": (98, 0.1, 0.145, 28),
    "moss": (128, 0.127, 0.145, 346),
    "fern": (154, 0.122, 0.145, 66),
    "teal": (188, 0.084, 0.145, 85),
    "sky": (232, 0.099, 0.082, 28),
    "cobalt": (262, 0.19, 0.067, 92),
    "iris": (288, 0.19, 0.071, 66),
    "plum": (318, 0.19, 0.104, 75),
    "magenta": (346, 0.19, 0.091, 190),
    "rose": (12, 0.19, 0.075, 232),
}

HUES = tuple(_MIXED)
TONES = ("deep", "bright", "night")
MOTIFS = (
    "keys", "laugh", "tiles", "contour", "loaf", "graph", "shadow", "track", "alps", "candle", "radio", "stars", "type",
    "disc", "curtain", "bloom", "kites",
)  # fmt: skip

# How much of the first ink lies in the ground of the drawing, which so stands apart from the ground of the words.
_GROUND = 0.16

Lab = tuple[float, float, float]


@cache
def palette(hue: str, tone: str) -> dict[str, str]:
    """The colours of a poster as "#rrggbb": "paper" and "ink" of the words, "ground" of the drawing, and its "p1" to "p4".

    Colours outside sRGB are cut off at its edge, as browsers do it on such screens.
    """
    h, deep, bright, other = _MIXED[hue]
    inks = {
        "deep": _lab(0.5, deep, h),
        "mid": _lab(0.66, deep * 1.05, h),
        "bright": _lab(0.86, bright, h),
        "night": _lab(0.25, deep * 0.5, h),
        "accent": _lab(0.83, 0.15, other),
    }
    white = _lab(1, 0, 0)
    if tone == "bright":
        pale, dark = _lab(0.97, bright * 0.3, h), _lab(0.42, deep * 0.8, h)
        laid = (inks["bright"], _lab(0.2, 0.04, h), inks["mid"], pale, _lab(0.62, 0.19, other), dark)
    elif tone == "night":
        black = _lab(0.17, deep * 0.3, h)
        laid = (inks["night"], white, inks["deep"], inks["bright"], inks["accent"], black)
    else:
        laid = (inks["deep"], white, inks["mid"], inks["bright"], inks["accent"], inks["night"])
    paper, ink, first, *rest = laid
    ground = tuple(one * (1 - _GROUND) + two * _GROUND for one, two in zip(paper, first, strict=True))
    named = zip(("paper", "ink", "ground", "p1", "p2", "p3", "p4"), (paper, ink, ground, first, *rest), strict=True)
    return {name: _hex(*colour) for name, colour in named}


def plain_ink(hue: str) -> tuple[str, str, str, str]:
    """Of a hue: deep, night, bright, and what is legible on bright, as "#rrggbb"."""
    h, deep, bright, _other = _MIXED[hue]
    mixed = (_lab(0.5, deep, h), _lab(0.25, deep * 0.5, h), _lab(0.86, bright, h), _lab(0.21, 0.035, h))
    one, two, three, four = (_hex(*colour) for colour in mixed)
    return one, two, three, four


def _lab(lightness: float, chroma: float, hue: float) -> Lab:
    return lightness, chroma * cos(radians(hue)), chroma * sin(radians(hue))


def _hex(lightness: float, a: float, b: float) -> str:
    """OKLab as sRGB, by the matrices of https://bottosson.github.io/posts/oklab/ (public domain)."""
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )
    return "#" + "".join(f"{part:02x}" for part in _bytes(linear))


def _bytes(linear: Lab) -> Iterator[int]:
    for light in linear:
        cut = min(1.0, max(0.0, light))
        yield round(255 * (12.92 * cut if cut <= 0.0031308 else 1.055 * cut ** (1 / 2.4) - 0.055))
