"""Forms: all mistakes at once, what was typed is kept, and nothing strange gets through."""

import unicodedata
from collections.abc import Iterable
from typing import Any, TypeVar

from email_validator import EmailNotValidError, validate_email
from litestar import Request
from litestar.exceptions import ClientException
from wtforms import (  # type: ignore[attr-defined]
    EmailField,
    Field,
    FileField,
    Form,
    IntegerField,
    RadioField,
    SelectChoice,
    SelectMultipleField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.fields.core import UnboundField
from wtforms.validators import InputRequired, Length, NumberRange, Optional, StopValidation
from wtforms.widgets import CheckboxInput, ListWidget

from app.core import i18n
from app.core.errors import Refused
from app.core.i18n import gettext as _

F = TypeVar("F", bound="BaseForm")

# The largest number that both databases hold in an INTEGER column.
LARGEST = 2_147_483_647

# What WTForms says by itself about fields of ours, so that the catalogue has it.
_NOT_A_CHOICE = i18n.lazy("Not a valid choice.")
_THEIRS = (
    _NOT_A_CHOICE,
    i18n.lazy("Not a valid integer value."),
    i18n.lazy("Not a valid decimal value."),
    i18n.lazy("Not a valid date value."),
    i18n.lazy("Not a valid datetime value."),
    i18n.lazy("This field is required."),
)


class _Sentences:
    """Hands WTForms' own sentences to our catalogue."""

    def gettext(self, sentence: str) -> str:
        return i18n.gettext(sentence)

    def ngettext(self, one: str, many: str, number: int) -> str:
        return i18n.ngettext(one, many, number)


class BaseForm(Form):
    """The base of every form. Read one with read(); then `rejected` says whether to show it again."""

    is_recheck = False

    class Meta:
        def get_translations(self, _form: Form) -> _Sentences:
            return _Sentences()

    @property
    def rejected(self) -> bool:
        """Mistakes, or htmx only asked whether one field is right now: show the form again, change nothing."""
        return bool(self.errors) or self.is_recheck

    @property
    def status(self) -> int:
        return 422 if self.errors else 200

    def refuse(self, refused: Refused) -> None:
        """Puts a refusal from below at the top of the form."""
        self.form_errors.append(refused.sentence)


class ManyLines(TextAreaField):
    """Typed text in which line breaks are allowed."""

    many_lines = True


class _Values(dict[str, Any]):
    """What WTForms wants of the values: every value of a name, as a list."""

    def getlist(self, name: str) -> list[Any]:
        return list(self[name])


async def read(form_class: type[F], request: Request[Any, Any, Any], **given: Any) -> F:
    """The form filled from the request and validated. `given` are the constructor's other arguments.

    Raises a 400 when the body cannot be read as a form.
    """
    try:
        body = await request.form()
    except (ValueError, UnicodeError) as broken:
        raise ClientException(_("The form could not be read. Go back and send it again.")) from broken
    form = form_class(_Values({name: _meant(form_class, name, body.getall(name)) for name in body}), **given)
    form.validate()
    form.is_recheck = "check" in request.query_params
    return form


def _meant(form_class: type[BaseForm], name: str, values: list[Any]) -> list[Any]:
    """What was sent for a field; a file for a field of words counts as not sent."""
    field = getattr(form_class, name, None)
    takes_files = isinstance(field, UnboundField) and issubclass(field.field_class, FileField)
    return values if takes_files else [value for value in values if isinstance(value, str)]


def plain(text: str | None) -> str:
    """Filter for every typed text: surrounding spaces go, characters become one canonical form (NFC)."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip() if text else ""


def no_control_characters(_form: Form, field: Field) -> None:
    """NUL would be a server error on PostgreSQL; the others forge log lines; U+FFFD is what broken UTF-8 becomes."""
    text = field.data if isinstance(field.data, str) else ""
    allowed = "\n\t" if getattr(field, "many_lines", False) else ""
    if any((unicodedata.category(char) in ("Cc", "Cs") and char not in allowed) or char == "\ufffd" for char in text):
        raise ValidationError(_("Remove the characters that cannot be printed."))


class Filled(InputRequired):
    """Something was sent, and it is not only blanks."""

    def __call__(self, form: Any, field: Field) -> None:
        super().__call__(form, field)
        if isinstance(field.data, str) and not field.data.strip():
            field.errors = []
            raise StopValidation(self.message or "")


class InRange(NumberRange):
    """WTForms makes a float of the number on the way, and four hundred digits do not become one."""

    def __call__(self, form: Any, field: Field) -> None:
        if isinstance(field.data, int) and abs(field.data) > 10**18:
            raise ValidationError(self.message or "")
        super().__call__(form, field)


def required(sentence: Any) -> InputRequired:
    """The field must be filled; the sentence is an instruction such as "Enter your name"."""
    return Filled(message=sentence)


def text(
    label: Any,
    *,
    most: int,
    missing: Any = "",
    least: int = 0,
    sentence: Any = "",
    field: type[Field] = StringField,
    **given: Any,
) -> Any:
    """A text field: stripped, canonical, printable, at most so many characters. Without `missing` it is optional."""
    too_long = sentence or i18n.lazy("Use %(max)d characters or fewer.")
    rules: list[Any] = [required(missing) if missing else Optional(), no_control_characters, Length(max=most, message=too_long)]
    if least:
        rules.append(Length(min=least, message=sentence))
    return field(label, rules, filters=[plain], **given)


def number(label: Any, *, least: int, most: int = LARGEST, sentence: Any, missing: Any = "", **given: Any) -> Any:
    """A whole number within a range; 30 digits are as wrong as letters."""
    rules: list[Any] = [required(missing) if missing else Optional(), InRange(min=least, max=most, message=sentence)]
    return IntegerField(label, rules, **given)


def how_many(label: Any, *, least: int = 0, most: int) -> Any:
    """A radio for each number of places. What none of them says, 30 digits too, is a mistake; `least` counts meanwhile."""

    def one_of_them(given: Any) -> int:
        if (found := int(given)) not in range(least, most + 1):
            raise ValueError(given)
        return found

    choices = [SelectChoice(number, str(number)) for number in range(least, most + 1)]
    field: Any = RadioField
    return field(label, [Optional()], coerce=one_of_them, choices=choices, default=least, invalid_value_message=_NOT_A_CHOICE)


def boxes(label: Any, choices: Iterable[tuple[str, Any]] = (), *, missing: Any = "") -> Any:
    """Boxes to tick, any number of them; `choices` are (word, label). With `missing` one at least must be ticked."""
    return SelectMultipleField(
        label,
        [required(missing)] if missing else [],
        choices=[SelectChoice(word, name) for word, name in choices],
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )


def email_address(_form: Form, field: Field) -> None:
    """Accepts what can be an address and stores it in its usual spelling, in lower case."""
    try:
        found = validate_email(field.data or "", check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise ValidationError(_("Enter an email address in the format name@example.com")) from None
    field.data = found.normalized.lower()


def email(label: Any = i18n.lazy("Email"), *, missing: Any = i18n.lazy("Enter your email address"), **given: Any) -> Any:
    """An e-mail field."""
    return EmailField(
        label,
        [
            required(missing),
            no_control_characters,
            Length(max=254, message=i18n.lazy("Use %(max)d characters or fewer.")),
            email_address,
        ],
        filters=[plain],
        **given,
    )
