"""Pure rules about an event as it was at one moment, with its parts, and what is different between two such moments."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from app.core import formats
from app.core.i18n import LANGUAGES, lazy, word_key
from app.core.i18n import gettext as _
from app.events.models import Category, Event, Question, TicketType, Venue
from app.events.rules import sharing
from app.events.rules.sharing import Shared

# Comparing takes more than the product of the two numbers of words: a tenth of a second for these, at worst.
MOST_COMPARED = 200 * 200
_WORD = re.compile(r"\S+\s*|\s+")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
# So much of what stays the same stands around a change.
CONTEXT = 60

Snapshot = dict[str, Any]


class Shown(NamedTuple):
    """How a column is shown: in which section of the form it stands, its name, and what kind of value it has."""

    section: str
    label: Any
    kind: str


EVENT_FIELDS = {
    "title": Shown("basics", lazy("Title"), "text"),
    "summary": Shown("basics", lazy("Summary"), "text"),
    "language": Shown("basics", lazy("Language"), "language"),
    "category": Shown("basics", lazy("Category"), "word"),
    "venue": Shown("basics", lazy("Venue"), "word"),
    "is_online": Shown("basics", lazy("It takes place online"), "yes_no"),
    "online_url": Shown("basics", lazy("Link to take part"), "text"),
    "starts_at": Shown("basics", lazy("Starts"), "moment"),
    "ends_at": Shown("basics", lazy("Ends"), "moment"),
    "doors_at": Shown("basics", lazy("Doors"), "moment"),
    "zone": Shown("basics", lazy("Time zone"), "word"),
    "publish_at": Shown("basics", lazy("Publish at"), "moment"),
    "currency": Shown("tickets", lazy("Currency"), "word"),
    "per_buyer": Shown("tickets", lazy("Most tickets per buyer"), "word"),
    "presale_hours": Shown("tickets", lazy("Hours to pay a pre-sale booking"), "word"),
    "presale_per_buyer": Shown("tickets", lazy("Most tickets per buyer in the pre-sale"), "word"),
    "refund_hours": Shown("tickets", lazy("Hours before the start until which buyers may give tickets back"), "word"),
    "refund_fee_minor": Shown("tickets", lazy("Fee for a ticket given back"), "money"),
    "description": Shown("page", lazy("Description"), "text"),
    "texts": Shown("page", lazy("In other languages"), "text"),
    "hue": Shown("page", lazy("Colour"), "word"),
    "tone": Shown("page", lazy("Tone"), "word"),
    "motif": Shown("page", lazy("Drawing"), "word"),
    "picture": Shown("page", lazy("Picture"), "picture"),
    "minimum_age": Shown("access", lazy("Minimum age"), "word"),
    "access": Shown("access", lazy("Access"), "text"),
}
TYPE_FIELDS = {
    "name": Shown("tickets", lazy("Name"), "word"),
    "note": Shown("tickets", lazy("Note"), "text"),
    "price_minor": Shown("tickets", lazy("Price"), "money"),
    "capacity": Shown("tickets", lazy("Places"), "word"),
    "per_booking": Shown("tickets", lazy("Most per booking"), "word"),
    "sale_from": Shown("tickets", lazy("General sale from"), "moment"),
    "sale_to": Shown("tickets", lazy("General sale until"), "moment"),
    "presale_from": Shown("tickets", lazy("Pre-sale from"), "moment"),
    "presale_places": Shown("tickets", lazy("Places in the pre-sale"), "word"),
    "needs_code": Shown("tickets", lazy("Only with an access code"), "yes_no"),
}
QUOTA_FIELDS = {
    "name": Shown("tickets", lazy("Name"), "word"),
    "capacity": Shown("tickets", lazy("Places"), "word"),
    "types": Shown("tickets", lazy("Ticket types that share them"), "word"),
}
KIND_NAMES = {"text": lazy("Words"), "choice": lazy("One of several answers"), "yes_no": lazy("Yes or no")}
QUESTION_FIELDS = {
    "label": Shown("access", lazy("Question"), "text"),
    "kind": Shown("access", lazy("Answer"), "answer"),
    "choices": Shown("access", lazy("Answers to choose from"), "text"),
    "per_ticket": Shown("access", lazy("Asked for every ticket"), "yes_no"),
    "is_required": Shown("access", lazy("It must be answered"), "yes_no"),
}
# What an event and a ticket type have besides, and what is no manager's word about them (a test insists on the rest).
UNSHOWN = {
    "id", "slug", "manager_id", "category_id", "venue_id", "series_id", "state", "wished_changes",
    "called_off_reason", "postponed_reason", "postponed_at", "redated_at", "previous_starts_at", "return_days", "created_at",
    "submitted_at", "rejected_at", "published_at", "called_off_at", "changed_at",
    "version", "saved_sections", "is_waiting_list_open", "offer_hours", "has_exit",
}  # fmt: skip
UNSHOWN_OF_TYPE = {"id", "code", "event_id", "position", "held", "sold", "aside", "waiting", "presale_taken", "quota_id"}


class Piece(NamedTuple):
    """A stretch of a text that stayed ("same"), went ("gone") or came ("new")."""

    what: str
    text: str


@dataclass(frozen=True)
class Difference:
    """One field that is another now. A text has `pieces` as well; `before` and `after` are written out for people."""

    section: str
    label: str
    before: str
    after: str
    pieces: Sequence[Piece] = ()


@dataclass(frozen=True)
class PartDifference:
    """A part of an event that was "added", "removed" or "changed"; an added one has all its fields as differences."""

    name: str
    done: str
    fields: Sequence[Difference]


@dataclass(frozen=True)
class Differences:
    fields: Sequence[Difference]
    types: Sequence[PartDifference] = ()
    questions: Sequence[PartDifference] = ()
    quotas: Sequence[PartDifference] = ()

    def __bool__(self) -> bool:
        return bool(self.fields or self.types or self.questions or self.quotas)


def taken(
    event: Event,
    category: Category,
    venue: Venue | None,
    types: Sequence[TicketType],
    *,
    questions: Sequence[Question] = (),
    quotas: Sequence[Shared] = (),
) -> Snapshot:
    """The event as JSON can hold it: columns under their names, the category and the venue in words, its parts by their codes.

    Questions that have ended are none of its parts any more.
    """
    named = {"category": category.name, "venue": place(venue), "texts": in_others(event.texts)}
    return {
        "event": {name: named[name] if name in named else stored(getattr(event, name)) for name in EVENT_FIELDS},
        "types": _columns(types, TYPE_FIELDS),
        "questions": _columns([question for question in questions if question.ended_at is None], QUESTION_FIELDS),
        "quotas": {each.quota.code: sharing.stored(each.wish) for each in quotas},
    }


def place(venue: Venue | None) -> str:
    """A venue in words; empty without one."""
    return ", ".join(part for part in (venue.name, venue.address, venue.city) if part) if venue else ""


def in_others(texts: Mapping[str, Mapping[str, str]]) -> str:
    """What is written in other languages, one after the other, as a person reads it."""
    return "\n\n".join("\n".join([LANGUAGES.get(code, code), *_lines(texts[code])]) for code in sorted(texts))


def _lines(written: Mapping[str, str]) -> Iterator[str]:
    """A translation of some words stands behind them: "Gallery: Galerie"."""
    for name, text in written.items():
        words = name.removeprefix(word_key(""))
        yield text if words == name else f"{words}: {text}"


def stored(value: Any) -> Any:
    """A column's value as JSON holds it."""
    return value.isoformat() if isinstance(value, datetime) else value


def differences(before: Snapshot, after: Snapshot) -> Differences:
    """What is different, in the order of the form. What one of the two does not know, as an older one may, is passed over."""
    old, new = before["event"], after["event"]
    fields = list(_changed(EVENT_FIELDS, old, new, old, new))
    types = list(_parts("types", TYPE_FIELDS, before, after))
    questions = list(_parts("questions", QUESTION_FIELDS, before, after))
    # A type that has got another name is called by it on both sides: it is in the same quota.
    names = {code: kind["name"] for snapshot in (before, after) for code, kind in snapshot["types"].items()}
    quotas = list(_parts("quotas", QUOTA_FIELDS, _with_names(before, names), _with_names(after, names)))
    return Differences(fields, types, questions, quotas)


def pieces(before: str, after: str) -> list[Piece]:
    """Both texts as one: what stayed, what went and what came, word by word. Long stretches that stayed are cut.

    Where that would take too long, whole lines come and go instead.
    """
    found = list(_by_words(before, after, most=MOST_COMPARED))
    return _cut([piece for piece in found or _by_lines(before, after) if piece.text])


def _by_lines(before: str, after: str) -> Iterator[Piece]:
    """The lines that were rewritten are compared by words as long as that goes quickly."""
    left = MOST_COMPARED
    whole = [Piece("gone", before), Piece("new", after)]
    for piece, following in pairwise([*(list(_compared(before, after, _LINE, most=MOST_COMPARED)) or whole), Piece("", "")]):
        if piece.what == "gone" and following.what == "new":
            size = len(_WORD.findall(piece.text)) * len(_WORD.findall(following.text))
            finer = list(_by_words(piece.text, following.text, most=left))
            left -= size if finer else 0
            yield from finer or (piece, following)
        elif piece.what == "same":
            yield piece


def _by_words(before: str, after: str, *, most: int) -> Iterator[Piece]:
    return _compared(before, after, _WORD, most=most)


def _compared(before: str, after: str, token: re.Pattern[str], *, most: int) -> Iterator[Piece]:
    """Nothing when it would take too long. What went is always followed by what came, which may be empty."""
    old, new = token.findall(before), token.findall(after)
    # Blanks behind a word do not make it another word.
    bare = [word.rstrip() for word in old], [word.rstrip() for word in new]
    start = _same_at_start(*bare)
    end = _same_at_start(bare[0][start:][::-1], bare[1][start:][::-1])
    changed = old[start : len(old) - end], new[start : len(new) - end]
    if len(changed[0]) * len(changed[1]) > most:
        return
    yield Piece("same", "".join(new[:start]))
    words = bare[0][start : len(old) - end], bare[1][start : len(new) - end]
    for what, since, until, new_since, new_until in SequenceMatcher(None, *words, autojunk=False).get_opcodes():
        if what == "equal":
            yield Piece("same", "".join(changed[1][new_since:new_until]))
        else:
            yield Piece("gone", "".join(changed[0][since:until]))
            yield Piece("new", "".join(changed[1][new_since:new_until]))
    yield Piece("same", "".join(new[len(new) - end :]))


def _cut(found: Sequence[Piece]) -> list[Piece]:
    joined = [Piece(what, "".join(piece.text for piece in group)) for what, group in groupby(found, key=lambda piece: piece.what)]
    last = len(joined) - 1
    return [
        Piece(piece.what, _shortened(piece.text, head=place > 0, tail=place < last)) if piece.what == "same" else piece
        for place, piece in enumerate(joined)
    ]


def _shortened(text: str, *, head: bool, tail: bool) -> str:
    """The beginning of the text, when a change stands before it, and its end, when one follows."""
    if len(text) <= 3 * CONTEXT:
        return text
    return f"{text[:CONTEXT] if head else ''} … {text[-CONTEXT:] if tail else ''}"


def _same_at_start(old: Sequence[str], new: Sequence[str]) -> int:
    length = min(len(old), len(new))
    return next((place for place in range(length) if old[place] != new[place]), length)


def _columns(parts: Sequence[Any], shown: Mapping[str, Shown]) -> Snapshot:
    return {part.code: {name: stored(getattr(part, name)) for name in shown} for part in parts}


def _with_names(snapshot: Snapshot, names: Mapping[str, str]) -> Snapshot:
    """The snapshot with the names of the types that are in its quotas instead of their codes."""
    if "quotas" not in snapshot:
        return snapshot
    in_words = {
        code: quota | {"types": ", ".join(name for each, name in names.items() if each in quota["types"])}
        for code, quota in snapshot["quotas"].items()
    }
    return {**snapshot, "quotas": in_words}


def _parts(what: str, shown: Mapping[str, Shown], before: Snapshot, after: Snapshot) -> Iterator[PartDifference]:
    """How the parts of one kind differ; the first of the columns shown is what such a part is called by."""
    if what not in before or what not in after:
        return
    old, new, called = before["event"], after["event"], next(iter(shown))
    for code in [*after[what], *(code for code in before[what] if code not in after[what])]:
        was, becomes = before[what].get(code), after[what].get(code)
        if was is None:
            yield PartDifference(becomes[called], "added", list(_all(shown, becomes, new)))
        elif becomes is None:
            yield PartDifference(was[called], "removed", ())
        elif found := list(_changed(shown, was, becomes, old, new)):
            yield PartDifference(becomes[called], "changed", found)


def _changed(
    shown: Mapping[str, Shown], old: Snapshot, new: Snapshot, old_event: Snapshot, new_event: Snapshot
) -> Iterator[Difference]:
    for name, (section, label, kind) in shown.items():
        if name in old and name in new and old[name] != new[name]:
            before, after = written(kind, old[name], old_event), written(kind, new[name], new_event)
            in_pieces = pieces(old[name] or "", new[name] or "") if kind == "text" else ()
            # Two moments of one minute, or texts with other blanks, look the same to people.
            if before != after and (kind != "text" or any(piece.what != "same" for piece in in_pieces)):
                yield Difference(section, str(label), before, after, in_pieces)


def _all(shown: Mapping[str, Shown], part: Snapshot, event: Snapshot) -> Iterator[Difference]:
    for name, (section, label, kind) in list(shown.items())[1:]:
        if name in part and part[name] not in (None, "", False):
            yield Difference(section, str(label), "", written(kind, part[name], event))


def written(kind: str, value: Any, event: Snapshot) -> str:
    """A stored value as people read it, in the zone and the currency of the snapshot's event."""
    if kind == "yes_no":
        return _("Yes") if value else _("No")
    if kind == "picture":
        return _("An uploaded picture") if value else _("The drawing")
    if value is None or value == "":
        return "–"
    if kind == "language":
        return LANGUAGES.get(str(value), str(value))
    if kind == "answer":
        return str(KIND_NAMES[value])
    if kind == "moment":
        return formats.full_date(datetime.fromisoformat(value), event["zone"])
    return formats.money(value, event["currency"]) if kind == "money" else str(value)
