"""Strings that break programs, in families: what people, programs and attackers put into a field.

naughty.json lists what has to be written out, family by family; the rest is made here from short rules. `WORDS` are text.
`BYTES` stand as they are in the body of a form, percent-encoded, because no text holds them. `NASTIEST` every field sees.
"""

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from urllib.parse import quote

CANARY = "\"'><i x=1>"
FORGED = "FORGED by a visitor"
ENDS = ("\r\n", "\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "%0d%0a", "\\r\\n")

# Where a run of letters of the world's scripts begins; the astral ones come last.
ALPHABETS = (
    *(0xC0, 0x100, 0x180, 0x250, 0x370, 0x400, 0x531, 0x5D0, 0x620, 0x710, 0x780, 0x904, 0x985, 0xA05, 0xA85, 0xB05, 0xB85),
    *(0xC05, 0xC85, 0xD05, 0xD85, 0xE01, 0xE81, 0xF40, 0x1000, 0x10A0, 0x1100, 0x1200, 0x13A0, 0x1401, 0x1680, 0x16A0, 0x1780),
    *(0x1820, 0x1E00, 0x1F00, 0x2070, 0x20A0, 0x2100, 0x2190, 0x2200, 0x2300, 0x2460, 0x2500, 0x2580, 0x25A0, 0x2600, 0x2700),
    *(0x2800, 0x2C00, 0x2D30, 0x3041, 0x30A1, 0x3105, 0x3131, 0x3400, 0x4E00, 0xA000, 0xA4D0, 0xAC00, 0xF900, 0xFB00, 0xFB1D),
    *(0xFE70, 0xFF01, 0xFF66, 0x10000, 0x10280, 0x10330, 0x10380, 0x10400, 0x10900, 0x12000, 0x13000, 0x1D100, 0x1D400),
    *(0x1D7CE, 0x1F000, 0x1F100, 0x20000, 0x2F800),
)

# Soft hyphens, joiners, marks of direction, line and paragraph ends, interlinear notes.
MARKS = (
    0xAD,
    0x61C,
    *range(0x200B, 0x2010),
    *range(0x2028, 0x202F),
    *range(0x2060, 0x2065),
    *range(0x2066, 0x2070),
    0xFEFF,
    0xFFF9,
)

ELEMENTS = ("img src=x", "svg", "body", "details open", "input autofocus", "video src=x", "marquee", "iframe", "a href=#")
HANDLERS = ("onerror", "onload", "ontoggle", "onfocus")
CLOSERS = ("", '"', "'", '">', "'>", "</title>", "</textarea>", "</script>", "-->", "]]>", "</style>", '\\"', "`")
SCHEMES = ("javascript:", "JaVaScRiPt:", "java\tscript:", " javascript:", "\x01javascript:", "vbscript:", "data:text/html,")
HTMX = ("get", "on:click", "post", "trigger", "vals='js:alert(1)'", "swap-oob", "boost", "ext", "headers", "include", "sync")
DAYS = (
    "0000-00-00",
    "0001-01-01",
    "1582-10-10",
    "1900-02-29",
    "1969-12-31",
    "2026-02-30",
    "2026-13-01",
    "2038-01-19",
    "9999-12-31",
)


def _made() -> Iterator[str]:
    words = ("null", "undefined", "nil", "none", "true", "false", "NaN", "inf", "constructor", "__proto__", "hasOwnProperty")
    yield from (form(word) for word in words for form in (str, str.upper, str.capitalize))
    yield from (str(2**bits + more) for bits, more in product((31, 32, 53, 63, 64, 128), (-1, 0, 1)))
    yield from (str(-(2**bits)) for bits in (31, 63, 64))
    yield from ("9" * 30, "-" + "9" * 30, "0." + "1" * 40, "1" + "0" * 400, "9" * 5000)
    yield from (f"{day}T{time}" for day, time in product(DAYS, ("00:00", "23:59", "24:00")))
    yield from (f"a{chr(number)}b" for number in (*range(0x20), *range(0x7F, 0xA0), *MARKS))
    yield from ("".join(map(chr, range(start, start + 9))) for start in ALPHABETS)
    yield from (f"one{end}{FORGED}{end}two" for end in ENDS)
    yield from (f"x{end}{line}" for end in ENDS for line in ("Bcc: victim@example.org", "END:VEVENT", "Set-Cookie: x=y"))
    yield CANARY
    yield from (f"<{element} {handler}=alert(1)>" for element, handler in product(ELEMENTS, HANDLERS))
    yield from (f"{closer}<script>alert(1)</script>" for closer in CLOSERS)
    yield from (f"{scheme}alert(1)" for scheme in SCHEMES)
    yield from (f"<b {prefix}-{name}=x>" for prefix, name in product(("hx", "data-hx"), HTMX))
    yield from ("../" * depth + "etc/passwd" for depth in (1, 4, 12))
    zalgo = "".join(map(chr, range(0x300, 0x34F)))
    yield from (
        "".join(letter + zalgo[at : at + 12] for at, letter in enumerate("He comes")),
        "a" + "\u0301" * 1000,
        "\u0301" * 90,
    )
    yield from ("x" * size for size in (59, 60, 61, 100, 101, 120, 121, 254, 255, 256, 4096, 65_536))
    yield from (sign * 3000 for sign in "<&\n([*`>_~#|-.")
    yield from (
        "a@" + "b." * 120 + "example",
        "x" * 320 + "@b.example",
        "x" * 64 + "@" + "y" * 63 + ".example",
        "a" * 300 + ".txt",
    )


LISTED: dict[str, list[str]] = json.loads(Path(__file__).with_name("naughty.json").read_text())
WORDS = list(dict.fromkeys([word for family in LISTED.values() for word in family] + list(_made())))

# Broken UTF-8 and broken percent signs: bytes that are no text.
BYTES = [
    "%ff",
    "a%ff%feb",
    "%c0%80",
    "%c0%ae%c0%ae/",
    "%e0%80%af",
    "%ed%a0%80",
    "%ed%bf%bf",
    "%f4%90%80%80",
    "%f8%88%80%80%80",
    "%fe%ff",
    "%80",
    "%c3",
    "%e2%82",
    "%f0%9f%98",
    "%",
    "%%",
    "%zz",
    "%u0041",
    "%00",
    "a%00b",
    "%0",
    "%c3%28",
    "%a0",
    "%ff%fe%3c%00",
    "%00%3c",
]

NASTIEST = [
    CANARY,
    *(f"{closer}<script>alert(1)</script>" for closer in ("", '">', "</textarea>", "</title>")),
    *("<img src=x onerror=alert(1)>", "<b hx-on:click=x>", '" onmouseover="alert(1)', "javascript:alert(1)"),
    *(
        "{{7*7}}",
        "${7*7}",
        "%(x)s",
        "{0.__class__}",
        "%s%s%s%s",
        "' OR 1=1; --",
        "\\",
        "%",
        '#import "/etc/passwd"',
        "\x1b[2J\x1b[H",
    ),
    *("a\x00b", "a\x1bb", "a\x7fb", "a\x85b", "a\u2028b", "\ufffd", "\uffff", "\U0010ffff", "\u202egpj.exe", "\ufeff", "\ue000"),
    *(f"one\r\n{FORGED}\r\ntwo", f"one\n{FORGED}\ntwo", "x\r\nBcc: victim@example.org", "a" + "\u0301" * 1000, "İı", "ﷺ"),
    *(
        "x" * 4096,
        "x" * 65_536,
        "\n" * 3000,
        "(" * 3000,
        "9" * 30,
        "9" * 5000,
        "-1",
        "1e3",
        "NaN",
        "٣٣",
        "1.5",
        str(2**31),
        str(2**63),
    ),
    *("0001-01-01T00:00", "9999-12-31T23:59", "2026-02-30T00:00", "2026-03-29T02:30", "../../../../etc/passwd", "//evil.example"),
    *("/\\evil.example", "=cmd|'/C calc'!A0", "a@b.example, c@d.example", "x" * 320 + "@b.example", "null"),
]

# Percent-encoded, as the body of a form and an address carry them.
ENCODED = [quote(word) for word in WORDS] + BYTES
NASTIEST_ENCODED = [quote(word) for word in NASTIEST] + ["a%ff%feb", "%ed%a0%80", "%c0%ae%c0%ae/", "%zz"]
