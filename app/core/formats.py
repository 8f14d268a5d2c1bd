"""How values look wherever a person reads them, on pages, in mails and in PDFs: money, dates in the event's zone, Markdown."""

import json
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import nh3
from babel import Locale
from babel.dates import format_date, format_datetime, format_skeleton
from markdown_it import MarkdownIt
from markupsafe import Markup

from app.core import clock, i18n
from app.core.money import money as money_text

_markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_TAGS = {
    "p",
    "br",
    "em",
    "strong",
    "s",
    "ul",
    "ol",
    "li",
    "a",
    "h2",
    "h3",
    "h4",
    "blockquote",
    "code",
    "pre",
    "hr",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
}

_FIRST = re.compile(r"(?<!\d)1(\s[^\W\d])")

# CLDR says for each language how its dates are put together, but not with a time and without a comma after the English weekday.
# The day in lists, the same with the year, and in full with the time.
_DATES = {
    "en": ("EEE d MMM", "EEE d MMM y", "EEEE d MMMM y, HH:mm"),
    "fr": ("EEE d MMM", "EEE d MMM y", "EEEE d MMMM y 'à' HH:mm"),
    "it": ("EEE d MMM", "EEE d MMM y", "EEEE d MMMM y, HH:mm"),
    "de": ("EEE, d. MMM", "EEE, d. MMM y", "EEEE, d. MMMM y, HH:mm"),
    "es": ("EEE, d MMM", "EEE, d MMM y", "EEEE, d 'de' MMMM 'de' y, HH:mm"),
}


def money(minor: int, currency: str, short: bool = False) -> str:
    """ "€37.00"; with short "€37". Zero is "Free" only where a template says so."""
    return money_text(minor, currency, locale=i18n.locale(), short=short)


def full_date(moment: datetime, zone: str) -> str:
    """ "Saturday 12 December 2026, 20:30" in the event's zone."""
    return _written(moment, zone, _dates()[2], i18n.locale())


def list_date(moment: datetime, zone: str) -> str:
    """ "Sat 12 Dec, 20:30"; the year only when it is not this one."""
    local = _local(moment, zone)
    pattern = _dates()[0] if local.year == clock.now().year else _dates()[1]
    return _written(moment, zone, f"{pattern}, HH:mm", i18n.locale())


def short_date(moment: datetime, zone: str) -> str:
    """ "12 Dec 2026"."""
    local = _local(moment, zone)
    return _in_words(format_skeleton("yMMMd", local, locale=i18n.locale()), local.day, i18n.locale())


def day(date: date) -> str:
    """ "12 Dec"; the year only when it is not this one. For what is a day and no moment."""
    skeleton = "MMMd" if date.year == clock.now().year else "yMMMd"
    return _in_words(format_skeleton(skeleton, date, locale=i18n.locale()), date.day, i18n.locale())


def clock_time(moment: datetime, zone: str) -> str:
    """ "20:30"."""
    return _written(moment, zone, "HH:mm", i18n.locale())


def day_number(moment: datetime, zone: str) -> str:
    """ "12"."""
    return str(_local(moment, zone).day)


def month_short(moment: datetime, zone: str) -> str:
    """ "Dec"."""
    return _written(moment, zone, "LLL", i18n.locale())


def number(value: int) -> str:
    """ "1,284"."""
    return str(i18n.Counted(value))


def month_year(day: date) -> str:
    """ "December 2026", as a heading: with a capital also where months have none in a sentence."""
    written = str(format_skeleton("yMMMM", day, locale=i18n.locale()))
    return written[:1].upper() + written[1:]


def weekday_day(day: date) -> str:
    """ "Sat 12 Dec"."""
    return _in_words(format_date(day, _dates()[0], locale=i18n.locale()), day.day, i18n.locale())


def language_name(code: str) -> str:
    """ "French", in the language of the reader."""
    return str(Locale.parse(i18n.locale()).languages[code])


@dataclass(frozen=True)
class Weekday:
    short: str
    long: str


def first_weekday() -> int:
    """On which day the week begins where the language is spoken; 0 is Monday."""
    return int(Locale.parse(i18n.locale()).first_week_day)


def weekdays() -> list[Weekday]:
    """Their names, in the order of the week."""
    names, monday = i18n.locale(), date(2024, 1, 1)
    days = [monday + timedelta(days=(first_weekday() + number) % 7) for number in range(7)]
    return [Weekday(format_date(day, "EEE", locale=names), format_date(day, "EEEE", locale=names)) for day in days]


def iso(moment: datetime, zone: str = "UTC") -> str:
    """For <time datetime> and data attributes, with the offset."""
    return _local(moment, zone).isoformat(timespec="seconds")


@lru_cache(maxsize=200)
def markdown(text: str, under: int = 2) -> Markup:
    """A manager's or the operator's Markdown as harmless HTML: no pictures, links are nofollow.

    Its highest headings are one level below `under`, the heading of the page that the text stands under (1 or 2).
    """
    rendered, first = _markdown.render(text), under + 1
    for level in range(under, 0, -1):
        rendered = rendered.replace(f"<h{level}>", f"<h{first}>").replace(f"</h{level}>", f"</h{first}>")
    return Markup(
        nh3.clean(
            rendered,
            tags=_TAGS,
            attributes={"a": {"href"}, "*": set()},
            link_rel="nofollow noopener",
            url_schemes={"http", "https", "mailto"},
        )
    )


def json_ld(value: dict[str, Any]) -> Markup:
    """JSON for a script element: nothing in it can close the element."""
    text = json.dumps(value, ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def sentence(translated: str) -> Markup:
    """A sentence of a template, translated. It may hold HTML, as templates do; what is put into it is escaped."""
    return Markup(translated)


def drawing(svg: str) -> Markup:
    """An SVG that we drew ourselves, as an element of a page."""
    return Markup(svg)


def _dates() -> tuple[str, str, str]:
    return _DATES.get(i18n.language(), _DATES[i18n.DEFAULT])


@lru_cache(maxsize=4096)
def _written(moment: datetime, zone: str, pattern: str, locale: str) -> str:
    """Lists show the same dates again and again, and CLDR patterns are slow to apply."""
    local = _local(moment, zone)
    return _in_words(format_datetime(local, pattern, locale=locale), local.day, locale)


def _in_words(written: str, day: int, locale: str) -> str:
    """French counts the first of a month, and no other day: "1er décembre". CLDR knows nothing of it."""
    return _FIRST.sub(r"1er\1", written, count=1) if day == 1 and locale == "fr" else str(written)


def _local(moment: datetime, zone: str) -> datetime:
    return moment.astimezone(ZoneInfo(zone))


ALL = {
    "money": money,
    "full_date": full_date,
    "list_date": list_date,
    "short_date": short_date,
    "day": day,
    "clock_time": clock_time,
    "day_number": day_number,
    "month_short": month_short,
    "month_year": month_year,
    "weekday_day": weekday_day,
    "language_name": language_name,
    "number": number,
    "iso": iso,
    "markdown": markdown,
    "json_ld": json_ld,
}
