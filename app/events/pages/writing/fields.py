"""What the forms of an event have in common: times on the zone's clock, prices, and the mark of what the writer has seen."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wtforms import BooleanField, DateTimeLocalField, Field, FileField, HiddenField, SelectChoice  # type: ignore[attr-defined]
from wtforms.validators import Length, Optional

from app.core.i18n import gettext as _
from app.core.money import minor_units
from app.events.rules import proposing
from app.web.forms import BaseForm, required

_PRICE = re.compile(r"[0-9]{1,7}([.,][0-9]{1,3})?")


def price_minor(typed: str, currency: str) -> int:
    """The integer behind a typed price. Raises ValueError for anything that is no price, such as "1e5" or "NaN"."""
    return minor_units(typed if _PRICE.fullmatch(typed) else "", currency)


def choices(pairs: Iterable[tuple[str, Any]]) -> list[SelectChoice]:
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

    def place(self, zone: str, *, was: datetime | None = None) -> None:
        """Finds the moment in the zone; an hour that the zone skips or shows twice is a mistake, unless `was` is it already."""
        if not self.data or self.errors:
            return
        if was and proposing.in_zone(was, zone) == self.data:
            self.moment = was
            return
        try:
            self.moment = proposing.in_utc(self.data, zone)
        except proposing.HourSkipped:
            self.wrong(_("Clocks skip this hour on that day. Choose another time"))
        except proposing.HourTwice:
            self.wrong(_("Clocks show this hour twice on that day. Choose another time"))

    def wrong(self, sentence: str) -> None:
        self.errors = [*self.errors, sentence]


def local(label: Any, *, missing: Any = "") -> Any:
    return LocalTime(
        label, [required(missing) if missing else Optional()], format=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"]
    )


@dataclass(frozen=True)
class Other:
    """A field in which somebody else has saved something other than what the visitor typed."""

    label: str
    saved: str
    typed: str


class Watched(BaseForm):
    """A form that knows what its writer has seen: `seen` is a mark of the values that stood in it when it was opened.

    Without a mark, as from a program, it is saved on top of whatever stands there.
    """

    seen = HiddenField(validators=[Length(max=64)])
    is_overtaken = False
    others: tuple[Other, ...] = ()

    def mark(self) -> str:
        """A mark of the values as they are shown."""
        return mark_of([(field.name, words(field)) for field in _shown(self)])

    def overtaken_by(self, fresh: "Watched") -> bool:
        """Whether what stands there now is another than what the writer has seen."""
        return bool(self.seen.data) and self.seen.data != fresh.mark()

    def show_beside(self, fresh: "Watched") -> None:
        """Puts what somebody else saved beside what was typed; sending the form again saves it on top."""
        pairs = [(mine.label.text, words(fresh[mine.name]), words(mine)) for mine in _shown(self)]
        self.others = tuple(Other(label, saved, typed) for label, saved, typed in pairs if saved != typed)
        self.seen.data, self.is_overtaken = fresh.mark(), True

    @property
    def status(self) -> int:
        return 409 if self.is_overtaken and not self.errors else super().status


def mark_of(values: object) -> str:
    return hashlib.sha256(repr(values).encode()).hexdigest()[:16]


def words(field: Field) -> str:
    """What stands in a field, as a person reads it."""
    if isinstance(field, BooleanField):
        return _("Yes") if field.data else _("No")
    if isinstance(field, LocalTime):
        return f"{field.data:%Y-%m-%d %H:%M}" if field.data else ""
    chosen = {str(choice.value): str(choice.label) for choice in getattr(field, "choices", None) or ()}
    if isinstance(field.data, list):
        return ", ".join(chosen.get(str(value), str(value)) for value in field.data)
    return chosen.get(str(field.data), str(field.data if field.data is not None else ""))


def _shown(form: BaseForm) -> Iterator[Field]:
    return (field for field in form if not isinstance(field, HiddenField | FileField) and field.name != "do")
