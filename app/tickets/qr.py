"""The QR code of a ticket: its address, so that any phone can open what the door scans."""

import io

import segno
from markupsafe import Markup

from app.core.formats import drawing


def svg(url: str) -> str:
    """An SVG element that takes the size of its box: black on white in both colour schemes, with the quiet zone scanners need."""
    return _svg(url, border=4, light="#fff")


def element(url: str) -> Markup:
    """The same as an element of a page."""
    return drawing(svg(url))


def bare_svg(url: str) -> str:
    """The same without quiet zone and ground, for paper that is white around it."""
    return _svg(url, border=0, light=None)


def png(url: str, *, scale: int = 8) -> bytes:
    """A PNG with `scale` pixels per module, for programs that show no SVG."""
    drawn = io.BytesIO()
    code(url).save(drawn, kind="png", scale=scale, border=4)
    return drawn.getvalue()


def code(url: str) -> segno.QRCode:
    """The modules. Medium error correction survives a cracked screen; more would make them smaller."""
    return segno.make(url, error="m", micro=False, boost_error=False)


def _svg(url: str, *, border: int, light: str | None) -> str:
    drawn = io.BytesIO()
    shape = {"xmldecl": False, "omitsize": True, "svgclass": None, "lineclass": None, "nl": False}
    code(url).save(drawn, kind="svg", border=border, dark="#000", light=light, **shape)
    return drawn.getvalue().decode()
