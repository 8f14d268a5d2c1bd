"""What a manager types in the sections of an event, and what of it is wrong. Each section is a form that saves by itself."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from litestar.datastructures import UploadFile
from wtforms import BooleanField, FileField, HiddenField, RadioField, SelectField, StringField
from wtforms.validators import Length

from app.core import clock, tokens
from app.core.errors import Refused
from app.core.i18n import LANGUAGES, lazy, word_key
from app.core.i18n import gettext as _
from app.core.money import CURRENCIES, major
from app.core.usual import category_name
from app.events import pictures
from app.events.models import Category, Event, Question, TicketType, Venue
from app.events.pages.writing.fields import Watched, choices, local, mark_of, price_minor
from app.events.rules import languages, proposing
from app.events.rules.languages import TEXTS
from app.events.rules.looks import HUES, MOTIFS, TONES
from app.events.rules.proposing import LASTS_BY_DEFAULT, Place
from app.web.forms import BaseForm, ManyLines, number, required, text

# In the order of HUES, TONES and MOTIFS.
HUE_NAMES = [
    lazy("Poppy"), lazy("Amber"), lazy("Lemon"), lazy("Moss"), lazy("Fern"), lazy("Teal"),
    lazy("Sky"), lazy("Cobalt"), lazy("Iris"), lazy("Plum"), lazy("Magenta"), lazy("Rose"),
]  # fmt: skip
TONE_NAMES = [lazy("Deep"), lazy("Bright"), lazy("Night")]
MOTIF_NAMES = [
    lazy("Piano keys"), lazy("Laughing face"), lazy("Tiles"), lazy("Contour lines"), lazy("Loaf"), lazy("Graph"), lazy("Shadow"),
    lazy("Track"), lazy("Mountains"), lazy("Candles"), lazy("Radio waves"), lazy("Stars"), lazy("Letters"),
    lazy("Record"), lazy("Curtain"), lazy("Flower"), lazy("Kites"),
]  # fmt: skip

_WEB_ADDRESS = re.compile(r"https?://[^\s/]+\S*", re.IGNORECASE)


@dataclass(frozen=True)
class Known:
    """An event with what its sections need to know of it."""

    event: Event
    venue: Venue | None
    kinds: Sequence[Category]
    venues: Sequence[Venue] = ()
    types: Sequence[TicketType] = ()
    questions: Sequence[Question] = ()

    @property
    def words(self) -> list[str]:
        """What stands beside its texts and can be written in other languages, too."""
        return languages.words_of(self.types, self.questions)


def title_field() -> Any:
    return text(lazy("Title"), most=120, missing=lazy("Enter the event’s title"))


class TitleForm(BaseForm):
    title = title_field()


class SectionForm(Watched):
    """A section knows its event, says what is wrong, and which columns it saves."""

    section: ClassVar[str]
    # The template when it is not called like the section, and whether saving the form completes its section.
    template: ClassVar[str] = ""
    completes: ClassVar[bool] = True
    # Columns that stand in fields of the same name.
    same: ClassVar[tuple[str, ...]]
    # An admin has seen what a published event says, so these stay filled.
    needed: ClassVar[dict[str, Any]] = {}

    def __init__(self, formdata: Any = None, *, known: Known, **given: Any) -> None:
        self.known = known
        super().__init__(formdata, data=None if formdata is not None else self.values(known), **given)
        self.offer(known)
        if formdata is None:
            self.seen.data = self.mark()

    @classmethod
    def values(cls, known: Known) -> dict[str, Any]:
        """The event as this section shows it: times on the zone's clock, prices as they are typed."""
        return {name: getattr(known.event, name) for name in cls.same}

    def offer(self, known: Known) -> None:
        """Fills the lists to choose from."""

    def validate(self, extra_validators: Mapping[str, Any] | None = None) -> bool:
        super().validate(extra_validators)
        self.check(clock.now())
        if self.known.event.state != "draft":
            for name, sentence in self.needed.items():
                if not self[name].data and not self[name].errors:
                    self[name].errors = [sentence]
        return not self.errors

    def check(self, now: datetime) -> None:
        """What only makes sense together."""

    @property
    def is_preview(self) -> bool:
        """Whether the button asked only to see how it looks."""
        return False

    def columns(self) -> dict[str, Any]:
        return {name: self[name].data for name in self.same}

    def place(self) -> Place | None:
        return None

    @property
    def outdated(self) -> list[str]:
        """The languages in which a translation was written for words that a ticket type has had no more since."""
        words = self.known.words
        return [code for code, written in sorted(self.known.event.texts.items()) if languages.outdated(written, words)]

    def changed(self) -> list[str]:
        """Names of the columns that become others by this form."""
        event, place = self.known.event, self.place()
        moved = ["venue_id"] if place is not None and place != place_of(self.known.venue) else []
        return [*moved, *(name for name, value in self.columns().items() if getattr(event, name) != value)]


class BasicsForm(SectionForm):
    section = "basics"
    same = ("title", "summary", "language", "is_online", "online_url", "zone")
    needed: ClassVar = {"summary": lazy("Enter a summary")}

    title = title_field()
    summary = text(lazy("Summary"), most=200)
    language = SelectField(lazy("Language"), choices=choices(LANGUAGES.items()), validate_choice=False)
    category = SelectField(lazy("Category"), [required(lazy("Choose a category"))])
    starts = local(lazy("Starts"), missing=lazy("Enter when it starts"))
    ends = local(lazy("Ends"))
    doors = local(lazy("Doors"))
    zone = SelectField(lazy("Time zone"))
    venue = text(lazy("Venue"), most=120)
    address = text(lazy("Address"), most=200)
    city = text(lazy("City"), most=80)
    is_online = BooleanField(lazy("It takes place online"))
    online_url = text(lazy("Link to take part"), most=500)
    publish_at = local(lazy("Publish at"))

    def offer(self, known: Known) -> None:
        self.category.choices = choices((kind.slug, category_name(kind.name)) for kind in known.kinds)
        zones = sorted({*proposing.ZONES, known.event.zone})
        self.zone.choices = choices((name, name.replace("_", " ")) for name in zones)

    @classmethod
    def values(cls, known: Known) -> dict[str, Any]:
        event, venue = known.event, known.venue
        times = {"starts": event.starts_at, "ends": event.ends_at, "doors": event.doors_at, "publish_at": event.publish_at}
        return {
            **super().values(known),
            **{name: proposing.in_zone(moment, event.zone) for name, moment in times.items()},
            **({"venue": venue.name, "address": venue.address, "city": venue.city} if venue else {}),
            "category": next((kind.slug for kind in known.kinds if kind.id == event.category_id), ""),
        }

    def check(self, now: datetime) -> None:
        event = self.known.event
        if not self.zone.errors:
            present = (event.starts_at, event.ends_at, event.doors_at, event.publish_at)
            for field, was in zip((self.starts, self.ends, self.doors, self.publish_at), present, strict=True):
                field.place(self.zone.data, was=was)
        starts = self.starts.moment
        if starts and starts <= now and starts != event.starts_at:
            self.starts.wrong(_("Starts must be in the future"))
        if starts and self.ends.moment and self.ends.moment <= starts:
            self.ends.wrong(_("Ends must be after Starts"))
        if starts and self.doors.moment and self.doors.moment > starts:
            self.doors.wrong(_("Doors must open before it starts"))
        if starts and self.publish_at.moment and self.publish_at.moment >= starts:
            self.publish_at.wrong(_("Publish at must be before Starts"))
        self._check_place()

    def _check_place(self) -> None:
        if self.online_url.data and not self.online_url.errors and not _WEB_ADDRESS.fullmatch(self.online_url.data):
            self.online_url.errors = [_("Enter a link that begins with https://")]
        if self.is_online.data:
            return
        if self.online_url.data:
            self.is_online.errors = [_("Say that it takes place online, or leave the link empty")]
        self._fill_in_known_place()
        if bool(self.venue.data) != bool(self.city.data):
            lacking = self.city if self.venue.data else self.venue
            lacking.errors = [*lacking.errors, _("Enter the venue and its city, or neither")]
        elif not self.venue.data and self.known.event.state != "draft":
            self.venue.errors = [_("Enter the venue")]

    def _fill_in_known_place(self) -> None:
        """Whoever names a venue that the shop knows need not type where it is."""
        named = (self.venue.data or "").casefold()
        known = [venue for venue in self.known.venues if venue.name.casefold() == named]
        if len(known) == 1 and not self.city.data and not self.address.data:
            self.venue.data, self.address.data, self.city.data = known[0].name, known[0].address, known[0].city

    def columns(self) -> dict[str, Any]:
        return super().columns() | {
            "category_id": next(kind.id for kind in self.known.kinds if kind.slug == self.category.data),
            "starts_at": self.starts.moment,
            "ends_at": self.ends.moment or self.starts.moment + LASTS_BY_DEFAULT,
            "doors_at": self.doors.moment,
            "publish_at": self.publish_at.moment,
            "language": self.language.data if self.language.data in LANGUAGES else self.known.event.language,
            "online_url": self.online_url.data or "",
        }

    def place(self) -> Place:
        """An online event has none, whatever still stands in the fields."""
        return Place() if self.is_online.data else Place(self.venue.data or "", self.address.data or "", self.city.data or "")


class TicketsForm(SectionForm):
    section = "tickets"
    same = ("currency", "per_buyer", "presale_hours", "presale_per_buyer", "refund_hours")
    refund_fee_minor = 0

    currency = SelectField(lazy("Currency"), choices=choices(zip(CURRENCIES, CURRENCIES, strict=True)))
    per_buyer = number(
        lazy("Most tickets per buyer"), least=1, most=1000, sentence=lazy("Enter a number from 1 to 1,000"), default=6
    )
    presale_hours = number(
        lazy("Hours to pay a pre-sale booking"), least=1, most=720, sentence=lazy("Enter 1 to 720 hours"), default=48
    )
    presale_per_buyer = number(
        lazy("Most tickets per buyer in the pre-sale"), least=1, most=1000, sentence=lazy("Enter a number from 1 to 1,000")
    )
    refund_hours = number(
        lazy("Hours before the start until which buyers may give tickets back"),
        least=0, most=8760, sentence=lazy("Enter 0 to 8,760 hours"),
    )  # fmt: skip
    refund_fee = text(lazy("Fee for a ticket given back"), most=12)

    @classmethod
    def values(cls, known: Known) -> dict[str, Any]:
        event = known.event
        fee = str(major(event.refund_fee_minor, event.currency)) if event.refund_fee_minor else ""
        return super().values(known) | {"refund_fee": fee}

    def check(self, now: datetime) -> None:
        if (self.presale_per_buyer.data or 0) > (self.per_buyer.data or 6) and not self.presale_per_buyer.errors:
            self.presale_per_buyer.errors = [_("The pre-sale cannot allow a buyer more tickets than the event does")]
        try:
            self.refund_fee_minor = price_minor(self.refund_fee.data or "0", self.currency.data)
        except ValueError:
            self.refund_fee.errors = self.refund_fee.errors or [_("Enter a fee such as 2.00, or leave it empty")]
        if self.refund_fee_minor and self.refund_hours.data is None and not self.refund_hours.errors:
            self.refund_hours.errors = [_("Say until when tickets can be given back, or leave the fee empty")]

    def columns(self) -> dict[str, Any]:
        numbers = {"per_buyer": self.per_buyer.data or 6, "presale_hours": self.presale_hours.data or 48}
        return super().columns() | numbers | {"refund_fee_minor": self.refund_fee_minor}


class PageForm(SectionForm):
    """`do` is the button: save or preview."""

    section = "page"
    same = ("description", "hue", "tone", "motif")
    needed: ClassVar = {"description": lazy("Enter a description")}

    do = StringField(default="save")
    description = text(lazy("Description"), most=20_000, field=ManyLines)
    hue = RadioField(lazy("Colour"), choices=choices(zip(HUES, HUE_NAMES, strict=True)), default="cobalt")
    tone = RadioField(lazy("Tone"), choices=choices(zip(TONES, TONE_NAMES, strict=True)), default="deep")
    motif = RadioField(lazy("Drawing"), choices=choices(zip(MOTIFS, MOTIF_NAMES, strict=True)), default="keys")
    picture = FileField(lazy("Picture"))
    kept = HiddenField(validators=[Length(max=200)])
    no_picture = BooleanField(lazy("Use the drawing instead of the picture"))

    def mark(self) -> str:
        return mark_of((super().mark(), self.known.event.picture))

    @property
    def picture_address(self) -> str:
        """The picture as it would be saved now: the uploaded one, which a mistake elsewhere does not lose, or the event's."""
        uploaded = tokens.unsign("picture", self.kept.data) if self.kept.data else ""
        return "" if self.no_picture.data else uploaded or self.known.event.picture

    @property
    def has_upload(self) -> bool:
        """Whether a picture came with the form, to be drawn again."""
        upload = self.picture.data
        return not self.is_recheck and isinstance(upload, UploadFile) and bool(upload.filename)

    async def take_picture(self) -> None:
        """Keeps an uploaded picture, so that the next try still has it; a broken one is a mistake of its field."""
        if not self.has_upload:
            return
        try:
            self.kept.data = tokens.sign("picture", await pictures.store(await self.picture.data.read()))
        except Refused as refused:
            self.picture.errors = [refused.sentence]

    @property
    def is_preview(self) -> bool:
        return self.do.data == "preview"

    def columns(self) -> dict[str, Any]:
        return super().columns() | {"picture": self.picture_address}

    @property
    def look(self) -> dict[str, str]:
        """What the poster macro wants to know of an event; words that are none of ours count as the first choice."""
        chosen = {name: one_of(self[name].data, words) for name, words in (("hue", HUES), ("tone", TONES), ("motif", MOTIFS))}
        return {**chosen, "title": self.known.event.title, "picture": self.picture_address}


class TextsForm(SectionForm):
    """The texts in another language than the event's own, texts_form() says which, and the words of its ticket types and
    questions, for which with_words() adds fields. What is empty is read in the event's own."""

    section = "page"
    template = "texts"
    completes = False
    same = ()
    language: ClassVar[str]
    words: ClassVar[Mapping[str, str]] = {}  # of ticket types and questions, by the name of their field

    title = text(lazy("Title"), most=120)
    summary = text(lazy("Summary"), most=200)
    description = text(lazy("Description"), most=20_000, field=ManyLines)
    access = text(lazy("Access"), most=500, field=ManyLines)

    @classmethod
    def values(cls, known: Known) -> dict[str, Any]:
        written = known.event.texts.get(cls.language, {})
        return written | {name: written.get(word_key(words), "") for name, words in cls.words.items()}

    @property
    def word_groups(self) -> list[tuple[Any, list[str]]]:
        """Names of the fields for words, under what they belong to; what types and questions share is of the types."""
        of_types = languages.words_of(self.known.types)
        types = [name for name, words in self.words.items() if words in of_types]
        asked = [name for name in self.words if name not in types]
        return [(heading, names) for heading, names in ((_("Ticket types"), types), (_("Questions to buyers"), asked)) if names]

    @property
    def outdated_words(self) -> set[str]:
        """Of `words` those whose translation was written for others."""
        return languages.outdated(self.known.event.texts.get(self.language, {}), self.words.values())

    def columns(self) -> dict[str, Any]:
        texts = {code: written for code, written in self.known.event.texts.items() if code != self.language}
        here = {name: self[name].data or "" for name in TEXTS}
        here |= {word_key(words): self[name].data for name, words in self.words.items() if self[name].data}
        return {"texts": {**texts, **({self.language: here} if any(here.values()) else {})}}


def texts_form(language: str) -> type[TextsForm]:
    return type("TextsFormInLanguage", (TextsForm,), {"language": language})


def with_words(form: type[SectionForm], known: Known) -> type[SectionForm]:
    """A form of texts with a field for everything that ticket types are called and say, and that buyers are asked. A field is
    named after the words themselves: sent when they are others meanwhile, it is nobody's."""
    if not issubclass(form, TextsForm):
        return form
    words = {f"words-{mark_of(each)}": each for each in known.words}
    longest = {kind.note: 120 for kind in known.types} | {kind.name: 60 for kind in known.types}
    fields = {name: text(each, most=longest.get(each, 200)) for name, each in words.items()}
    return type(form.__name__, (form,), {"words": words, **fields})


class AccessForm(SectionForm):
    section = "access"
    same = ("minimum_age", "access")

    minimum_age = number(lazy("Minimum age"), least=1, most=99, sentence=lazy("Enter an age from 1 to 99, or leave it empty"))
    access = text(lazy("Access"), most=500, field=ManyLines)


def place_of(venue: Venue | None) -> Place:
    return Place(venue.name, venue.address, venue.city) if venue else Place()


def one_of(word: str, words: Sequence[str]) -> str:
    return word if word in words else words[0]


FORMS: dict[str, type[SectionForm]] = {form.section: form for form in (BasicsForm, TicketsForm, PageForm, AccessForm)}
FORMS |= {f"texts-{code}": texts_form(code) for code in LANGUAGES}
