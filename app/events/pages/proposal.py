"""What a manager types about an event and its ticket types, and what of it is wrong."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from litestar.datastructures import UploadFile
from wtforms import (  # type: ignore[attr-defined]
    BooleanField,
    DateTimeLocalField,
    FieldList,
    FileField,
    FormField,
    HiddenField,
    RadioField,
    SelectChoice,
    SelectField,
    StringField,
)
from wtforms.validators import Length, Optional

from app.core import clock, tokens
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.core.money import CURRENCIES, minor_units
from app.core.settings import settings
from app.events import pictures
from app.events.models import Category, Event
from app.events.rules import proposing
from app.events.rules.proposing import LASTS_BY_DEFAULT
from app.web.forms import BaseForm, ManyLines, number, required, text

MOST_TYPES = 20

HUES = ("poppy", "amber", "lemon", "moss", "fern", "teal", "sky", "cobalt", "iris", "plum", "magenta", "rose")
TONES = ("deep", "bright", "night")
MOTIFS = ("keys", "laugh", "tiles", "contour", "loaf", "graph", "shadow", "track", "alps", "candle", "radio", "stars", "type")

# In the order of HUES, TONES and MOTIFS.
HUE_NAMES = [
    lazy("Poppy"), lazy("Amber"), lazy("Lemon"), lazy("Moss"), lazy("Fern"), lazy("Teal"),
    lazy("Sky"), lazy("Cobalt"), lazy("Iris"), lazy("Plum"), lazy("Magenta"), lazy("Rose"),
]  # fmt: skip
TONE_NAMES = [lazy("Deep"), lazy("Bright"), lazy("Night")]
MOTIF_NAMES = [
    lazy("Piano keys"), lazy("Laughing face"), lazy("Tiles"), lazy("Contour lines"), lazy("Loaf"), lazy("Graph"), lazy("Shadow"),
    lazy("Track"), lazy("Mountains"), lazy("Candles"), lazy("Radio waves"), lazy("Stars"), lazy("Letters"),
]  # fmt: skip

_PRICE = re.compile(r"[0-9]{1,7}([.,][0-9]{1,3})?")


def _minor_units(typed: str, currency: str) -> int:
    """The integer behind a typed price. Raises ValueError for anything that is no price, such as "1e5" or "NaN"."""
    return minor_units(typed if _PRICE.fullmatch(typed) else "", currency)


def _choices(pairs: Iterable[tuple[str, Any]]) -> list[SelectChoice]:
    return [SelectChoice(value, label) for value, label in pairs]


class LocalTime(DateTimeLocalField):
    """A date and time on the clock of the event's zone. Validating the form turns it into `moment`, in UTC."""

    moment: datetime | None = None

    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(_("Enter a date and a time such as 2026-12-12 20:30")) from None
        if self.data and not 2000 <= self.data.year <= 2100:
            self.data = None
            raise ValueError(_("Enter a year from 2000 to 2100"))

    def place(self, zone: str) -> None:
        """Finds the moment in the zone; an hour that the zone skips is a mistake."""
        try:
            self.moment = proposing.in_utc(self.data, zone) if self.data and not self.errors else None
        except ValueError:
            self.wrong(_("Clocks skip this hour on that day. Choose another time"))

    def wrong(self, sentence: str) -> None:
        self.errors = [*self.errors, sentence]


class TypeList(FieldList):  # type: ignore[type-arg]
    """Ticket types by number. Names with numbers that we never wrote are not ours."""

    def _extract_indices(self, prefix: str, formdata: Any) -> Iterator[int]:
        numbers = re.compile(re.escape(prefix) + r"-([0-9]{1,3})-")
        return (int(found[1]) for name in formdata if (found := numbers.match(name)))

    def drop(self, place: str) -> None:
        """Takes out the entry at a place and counts the others anew, as the next request will."""
        if place.isascii() and place.isdigit() and len(place) < 4 and int(place) < len(self.entries) > 1:
            del self.entries[int(place)]
            self._compact_indices()  # type: ignore[attr-defined]


def _local(label: Any, *, missing: Any = "") -> Any:
    return LocalTime(
        label, [required(missing) if missing else Optional()], format=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"]
    )


class TypeForm(BaseForm):
    price_minor = 0

    code = HiddenField(validators=[Length(max=22)])
    name = text(lazy("Name"), most=60, missing=lazy("Enter the ticket type's name"))
    note = text(lazy("Note"), most=120)
    price = text(lazy("Price"), most=12, missing=lazy("Enter the price, 0 for free places"))
    capacity = number(lazy("Places"), least=0, most=1_000_000, sentence=lazy("Enter how many places there are, up to 1,000,000"),
                      missing=lazy("Enter how many places there are"))  # fmt: skip
    per_booking = number(lazy("Most per booking"), least=1, most=20, sentence=lazy("Enter a number from 1 to 20"), default=6)
    sale_from = _local(lazy("General sale from"))
    sale_to = _local(lazy("General sale until"))
    presale_from = _local(lazy("Pre-sale from"))
    presale_places = number(
        lazy("Places in the pre-sale"), least=0, most=1_000_000, sentence=lazy("Enter a number up to 1,000,000")
    )
    needs_code = BooleanField(lazy("Only with an access code"))
    access_code = text(lazy("Access code"), most=40)

    def check(self, *, zone: str, currency: str, starts: LocalTime, now: datetime) -> None:
        """What only makes sense together with the event."""
        for field in (self.sale_from, self.sale_to, self.presale_from):
            field.place(zone)
        self.sale_from.moment = self.sale_from.moment or now.replace(second=0, microsecond=0)
        self.sale_to.moment = self.sale_to.moment or starts.moment
        self.price_minor = self._price(currency)
        # Without an end of its own the sale ends when the event starts, and what is wrong with that is said there.
        if self.sale_to.moment and self.sale_to.moment <= self.sale_from.moment and (self.sale_to.data or not starts.errors):
            self.sale_to.wrong(_("The sale must end after it begins"))
        if self.presale_from.moment and self.presale_from.moment >= self.sale_from.moment:
            self.presale_from.wrong(_("The pre-sale must begin before the general sale"))
        if (self.presale_places.data or 0) > (self.capacity.data or 0):
            self.presale_places.errors = [_("The pre-sale cannot have more places than there are")]
        if not self.presale_from.data and (self.presale_places.data is not None or self.access_code.data):
            self.presale_from.wrong(_("Say when the pre-sale begins, or leave its places and code empty"))
        self.needs_code.data = bool(self.presale_from.data and (self.needs_code.data or self.access_code.data))

    def _price(self, currency: str) -> int:
        typed = self.price.data or ""
        try:
            return _minor_units(typed, currency)
        except ValueError:
            if not self.price.errors:
                self.price.errors = [_("Enter a price such as 18.50 or 0")]
            return 0

    def wish(self) -> proposing.TypeWish:
        presale_places = self.presale_places.data if self.presale_from.moment else None
        return proposing.TypeWish(
            code=self.code.data or "",
            name=self.name.data,
            note=self.note.data or "",
            price_minor=self.price_minor,
            capacity=self.capacity.data,
            per_booking=self.per_booking.data or 6,
            sale_from=self.sale_from.moment,
            sale_to=self.sale_to.moment,
            presale_from=self.presale_from.moment,
            presale_places=presale_places,
            access_code=self.access_code.data or "",
            needs_code=self.needs_code.data,
        )


class EventForm(BaseForm):
    """`do` is the button: save, preview, add (a ticket type) or remove-0, remove-1 …"""

    refund_fee_minor = 0

    do = StringField(default="save")
    title = text(lazy("Title"), most=120, missing=lazy("Enter the event's title"))
    summary = text(lazy("Summary"), most=200)
    description = text(lazy("Description"), most=20_000, field=ManyLines)
    category = SelectField(lazy("Category"), [required(lazy("Choose a category"))])
    venue = text(lazy("Venue"), most=120)
    address = text(lazy("Address"), most=200)
    city = text(lazy("City"), most=80)
    zone = SelectField(lazy("Time zone"), default=lambda: settings().default_zone)
    starts = _local(lazy("Starts"), missing=lazy("Enter when it starts"))
    ends = _local(lazy("Ends"))
    doors = _local(lazy("Doors"))
    currency = SelectField(
        lazy("Currency"), choices=_choices(zip(CURRENCIES, CURRENCIES, strict=True)), default=lambda: settings().default_currency
    )
    hue = RadioField(lazy("Colour"), choices=_choices(zip(HUES, HUE_NAMES, strict=True)), default="cobalt")
    tone = RadioField(lazy("Tone"), choices=_choices(zip(TONES, TONE_NAMES, strict=True)), default="deep")
    motif = RadioField(lazy("Drawing"), choices=_choices(zip(MOTIFS, MOTIF_NAMES, strict=True)), default="keys")
    picture = FileField(lazy("Picture"))
    kept = HiddenField(validators=[Length(max=200)])
    no_picture = BooleanField(lazy("Use the drawing instead of the picture"))
    access = text(lazy("Access"), most=500, field=ManyLines)
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
    publish_at = _local(lazy("Publish at"))
    types = TypeList(FormField(TypeForm), min_entries=1, max_entries=MOST_TYPES)

    def __init__(self, formdata: Any = None, *, categories: Sequence[Category], event: Event | None = None, **given: Any) -> None:
        super().__init__(formdata, **given)
        self.event = event
        self.kinds = {kind.slug: kind for kind in categories}
        self.category.choices = _choices([("", _("Choose a category")), *((kind.slug, kind.name) for kind in categories)])
        zones = sorted({*proposing.ZONES, event.zone if event else settings().default_zone})
        self.zone.choices = _choices((name, name.replace("_", " ")) for name in zones)

    @property
    def picture_address(self) -> str:
        """The picture as it would be saved now: the uploaded one, which a mistake elsewhere does not lose, or the event's."""
        uploaded = tokens.unsign("picture", self.kept.data) if self.kept.data else ""
        return "" if self.no_picture.data else uploaded or (self.event.picture if self.event else "")

    def validate(self, extra_validators: Mapping[str, Any] | None = None) -> bool:
        super().validate(extra_validators)
        if not self.zone.errors and not self.currency.errors:
            self._check(clock.now())
        return not self.errors

    def _check(self, now: datetime) -> None:
        for field in (self.starts, self.ends, self.doors, self.publish_at):
            field.place(self.zone.data)
        starts = self.starts.moment
        was = self.event.starts_at if self.event else None
        if starts and starts <= now and starts != was:
            self.starts.wrong(_("Starts must be in the future"))
        if starts and self.ends.moment and self.ends.moment <= starts:
            self.ends.wrong(_("Ends must be after Starts"))
        if starts and self.doors.moment and self.doors.moment > starts:
            self.doors.wrong(_("Doors must open before it starts"))
        if starts and self.publish_at.moment and self.publish_at.moment >= starts:
            self.publish_at.wrong(_("Publish at must be before Starts"))
        if (self.presale_per_buyer.data or 0) > (self.per_buyer.data or 6) and not self.presale_per_buyer.errors:
            self.presale_per_buyer.errors = [_("The pre-sale cannot allow a buyer more tickets than the event does")]
        self._check_place()
        self._check_refund_rule()
        self._check_types(now)

    def _check_types(self, now: datetime) -> None:
        seen: set[str] = set()
        for entry in self.types.entries:
            entry.form.check(zone=self.zone.data, currency=self.currency.data, starts=self.starts, now=now)
            # A row that was sent twice is a new ticket type the second time.
            entry.form.code.data = "" if entry.form.code.data in seen else entry.form.code.data
            seen.add(entry.form.code.data)
        wrong = [entry.errors for entry in self.types.entries]
        self.types.errors = wrong if any(wrong) else []

    def _check_refund_rule(self) -> None:
        try:
            self.refund_fee_minor = _minor_units(self.refund_fee.data or "0", self.currency.data)
        except ValueError:
            self.refund_fee.errors = self.refund_fee.errors or [_("Enter a fee such as 2.00, or leave it empty")]
        if self.refund_fee_minor and self.refund_hours.data is None and not self.refund_hours.errors:
            self.refund_hours.errors = [_("Say until when tickets can be given back, or leave the fee empty")]

    def _check_place(self) -> None:
        """A draft may lack these; what an admin has seen must keep them."""
        if bool(self.venue.data) != bool(self.city.data):
            lacking = self.city if self.venue.data else self.venue
            lacking.errors = [*lacking.errors, _("Enter the venue and its city, or neither")]
        if self.event and self.event.state != "draft":
            needed = {
                self.summary: _("Enter a summary"), self.description: _("Enter a description"), self.venue: _("Enter the venue"),
            }  # fmt: skip
            for field, sentence in needed.items():
                if not field.data:
                    field.errors = [*field.errors, sentence]

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

    def rearrange(self) -> bool:
        """Whether a button asked only to show the form in another way; then nothing typed counts as wrong yet."""
        if self.do.data == "add" and len(self.types.entries) < MOST_TYPES:
            self.types.append_entry()
        elif str(self.do.data).startswith("remove-"):
            self.types.drop(str(self.do.data).removeprefix("remove-"))
        elif self.do.data not in ("preview", "add"):
            return False
        _forgive(self)
        return True

    def wish(self) -> proposing.EventWish:
        same = {name: self[name].data or "" for name in ("title", "summary", "description", "venue", "address", "city", "access")}
        look = {name: self[name].data for name in ("zone", "currency", "hue", "tone", "motif")}
        return proposing.EventWish(
            **same,
            **look,
            category_id=self.kinds[self.category.data].id or 0,
            picture=self.picture_address,
            starts_at=self.starts.moment,
            ends_at=self.ends.moment or self.starts.moment + LASTS_BY_DEFAULT,
            doors_at=self.doors.moment,
            publish_at=self.publish_at.moment,
            per_buyer=self.per_buyer.data or 6,
            presale_hours=self.presale_hours.data or 48,
            presale_per_buyer=self.presale_per_buyer.data,
            refund_hours=self.refund_hours.data,
            refund_fee_minor=self.refund_fee_minor,
            types=tuple(entry.form.wish() for entry in self.types.entries),
        )


def _forgive(form: BaseForm) -> None:
    """Takes all mistakes away: somebody who adds a ticket type is not done typing."""
    form.form_errors = []
    for field in form:
        field.errors = ()
        for entry in getattr(field, "entries", ()):
            _forgive(entry.form)
