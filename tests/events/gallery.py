"""Files for the tests of uploads, made in memory: what pretends to be a picture, and what is one and holds more than it shows."""

import gzip
import io
import struct
import zipfile
import zlib

from PIL import Image, PngImagePlugin

SECRET = b"4th floor, Via Baretti"
SCRIPT = b"<script>alert(document.domain)</script>"
PNG = b"\x89PNG\r\n\x1a\n"


def photo(kind: str = "JPEG", *, size: tuple[int, int] = (60, 40), mode: str = "RGB", **saved: object) -> bytes:
    written = io.BytesIO()
    Image.new(mode, size).save(written, kind, **saved)  # type: ignore[arg-type]
    return written.getvalue()


def _exif() -> Image.Exif:
    """As a phone writes it: where, with what, by whom."""
    exif = Image.Exif()
    exif[0x010E], exif[0x013B] = SECRET.decode(), SECRET.decode()
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0" + SECRET
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2], gps[3], gps[4] = "N", (45.0, 2.0, 41.2), "E", (7.0, 40.0, 33.1)
    return exif


def _png(*chunks: tuple[bytes, bytes]) -> bytes:
    return PNG + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def _head(width: int, height: int, *, depth: int = 8, colour: int = 2) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)


def _riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP" + b"".join(name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _jpeg_with(marker: int, body: bytes) -> bytes:
    """A good photo with one more segment behind its first two bytes."""
    whole = photo()
    return whole[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + whole[2:]


def _text(words: bytes) -> PngImagePlugin.PngInfo:
    told = PngImagePlugin.PngInfo()
    told.add_text("Comment", words.decode())
    told.add_itxt("XML:com.adobe.xmp", words.decode(), zip=True)
    return told


def _zip() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("index.html", SCRIPT)
    return packed.getvalue()


_SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">' + SCRIPT + b"</svg>"

# Refused, by what they are; the name is what the browser calls the file.
NO_PICTURES: dict[str, bytes] = {
    "script.svg": _SVG,
    "script.svg.png": b'<?xml version="1.0"?>' + _SVG,
    "entity.svg": b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg><text>&x;</text></svg>',
    "packed.svgz": gzip.compress(_SVG),
    "page.png": b"<!doctype html>" + SCRIPT,
    "page.jpg": SCRIPT + photo(),
    "gif.jpg": photo("GIF"),
    "gif with a page.gif": b"GIF89a/*" + SCRIPT + b"*/=1;",
    "windows.bmp": photo("BMP"),
    "fax.tiff": photo("TIFF"),
    "icon.ico": photo("ICO"),
    "portable.ppm": photo("PPM"),
    "print.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run\n",
    "paper.pdf": b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n%%EOF",
    "packed.zip": _zip(),
    "program.php.png": b"<?php system($_GET[0]); ?>",
    "program.exe": b"MZ" + bytes(200),
    "shell.sh": b"#!/bin/sh\ntouch /tmp/owned\n",
    "magick.mvg": b"push graphic-context\nfill 'url(https://evil.example/x.png)'\npop graphic-context\n",
    "playlist.jpg": b"#EXTM3U\n#EXTINF:10,\nconcat:file:///etc/passwd\n",
    "nothing.png": b"",
    "only a head.png": PNG,
    "only a head.jpg": b"\xff\xd8\xff\xe0",
    "only a head.webp": b"RIFF\x10\0\0\0WEBPVP8 ",
    "zeros.png": bytes(5000),
    "half.jpg": photo(size=(300, 300))[:700],
    "half.png": photo("PNG", size=(300, 300))[:100],
    "no body.png": _png(_head(20, 20), (b"IEND", b"")),
    "no dots.png": _png(_head(0, 20), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")),
    "wrong depth.png": _png(_head(20, 20, depth=3), (b"IDAT", zlib.compress(bytes(2000))), (b"IEND", b"")),
}

# Drawn again: nothing but the dots is left of them. Each holds SECRET or SCRIPT.
TELLTALES: dict[str, bytes] = {
    "where it was taken.jpg": photo(exif=_exif()),
    "where it was taken.png": photo("PNG", exif=_exif()),
    "where it was taken.webp": photo("WEBP", exif=_exif()),
    "a comment.jpg": photo(comment=SECRET),
    "words.png": photo("PNG", pnginfo=_text(SECRET)),
    "XMP.jpg": _jpeg_with(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + SECRET + b"</x:xmpmeta>"),
    "captions.jpg": _jpeg_with(0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x20" + SECRET.ljust(32)),
    "colours.jpg": photo(icc_profile=SECRET * 10),
    "a page behind it.jpg": photo() + SCRIPT,
    "a program behind it.png": photo("PNG") + b"<?php system($_GET[0]); ?>" + SCRIPT,
    "an archive behind it.webp": photo("WEBP") + _zip() + SCRIPT,
    "a script in a comment.jpg": _jpeg_with(0xFE, b"*/=1;alert(1)/*" + SCRIPT),
    "..%2f..%2fmain.py": photo("PNG", pnginfo=_text(SCRIPT)),
    'a" onerror="x.png': photo("PNG") + SCRIPT,
}


def _many_passes(times: int) -> bytes:
    """A JPEG that asks to be gone over again and again: each pass costs thirty bytes, and a look at every dot."""
    whole = photo(size=(4000, 4000), mode="L", progressive=True, quality=50)
    last = whole[whole.rfind(b"\xff\xda") : -2]
    return whole[:-2] + last * times + b"\xff\xd9"


def _claims(width: int, height: int, *, depth: int, colour: int) -> bytes:
    """A PNG that claims a size and brings a few kilobytes."""
    return _png(_head(width, height, depth=depth, colour=colour), (b"IDAT", zlib.compress(bytes(1_000_000))), (b"IEND", b""))


def _claims_jpeg(width: int, height: int) -> bytes:
    whole = bytearray(photo())
    at = whole.index(b"\xff\xc0") + 5
    whole[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(whole)


def bombs() -> dict[str, bytes]:
    """Small files that ask for much: memory by their size, or time by their passes. The first one is the 169 Mpx of half a
    megabyte that Pillow by itself only warns of."""
    big = (16_382).to_bytes(3, "little")
    return {
        "169 million dots": photo("PNG", size=(13_000, 13_000), mode="L"),
        "400 million in one bit": _claims(20_000, 20_000, depth=1, colour=0),
        "900 million": _claims(30_000, 30_000, depth=8, colour=6),
        "all that PNG can say": _claims(2**31 - 1, 2**31 - 1, depth=16, colour=6),
        "one line": _claims(2**31 - 1, 1, depth=8, colour=2),
        "one column": _claims(1, 2**31 - 1, depth=8, colour=2),
        "just too many": _claims(4473, 4473, depth=8, colour=2),
        "a JPEG of 4,294 million": _claims_jpeg(65_500, 65_500),
        "a WebP of 268 million": _riff((b"VP8L", b"\x2f" + struct.pack("<I", 16_382 | 16_382 << 14) + bytes(40))),
        "a moving WebP of 268 million": _riff((b"VP8X", b"\x02\0\0\0" + big + big), (b"ANIM", bytes(6))),
        "2,000 passes": _many_passes(2000),
        "60 passes": _many_passes(60),
    }


def swollen() -> dict[str, bytes]:
    """Good pictures with something packed in them that would be large unpacked; what is refused or ignored is Pillow's to say."""
    zeros = zlib.compress(bytes(200_000_000), 9)
    dots = (b"IDAT", zlib.compress(bytes(20 * 61)))
    return {
        "words": _png(_head(20, 20), (b"zTXt", b"Comment\0\0" + zeros), dots, (b"IEND", b"")),
        "colours": _png(_head(20, 20), (b"iCCP", b"name\0\0" + zeros), dots, (b"IEND", b"")),
        "dots": _png(_head(20, 20), (b"IDAT", zeros), (b"IEND", b"")),
    }
