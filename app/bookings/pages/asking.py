"""What an event asks its buyers: the fields at the checkout, and the page on which answers are changed until it starts."""

from collections.abc import Collection, Sequence
from typing import Any, ClassVar, NamedTuple

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession
from wtforms import Field, RadioField, SelectChoice, SelectField  # type: ignore[attr-defined]
from wtforms.validators import Optional

from app.accounts.models import Visitor
from app.bookings import actions, queries, rules
from app.bookings.models import HOLDING, Booking
from app.bookings.pages.found import found
from app.bookings.queries import BookingView
from app.bookings.rules import AnswerKey, Asked
from app.core import clock
from app.core.db import writing
from app.core.errors import NotFound, Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy, told
from app.events.models import Event
from app.tickets import queries as ticket_queries
from app.web.forms import BaseForm, read, required, text
from app.web.limits import looks_at_most
from app.web.page import page, see_other
from app.web.visitor import Db, Who

LONGEST_ANSWER = 500


class Group(NamedTuple):
    """Questions that stand together: about the booking (no legend), or about one place."""

    legend: str
    fields: list[Field]


class AskingForm(BaseForm):
    """A form that also asks what the event asks; form_asking() adds a field for each question and place."""

    event: ClassVar[Event]
    asked: ClassVar[Sequence[Asked]] = ()

    def answers(self) -> dict[AnswerKey, str]:
        """What was typed or chosen, with "" where nothing was."""
        return {asked.key: self[name].data or "" for name, asked in _named(self.asked)}

    def groups(self) -> list[Group]:
        """The fields as they are shown: first those about the booking, then place by place."""
        groups: dict[tuple[int, int], Group] = {}
        for name, asked in _named(self.asked):
            place = (asked.line.id or 0, asked.n) if asked.line else (0, 0)
            if place not in groups:
                groups[place] = Group(self._legend(asked, len([one for one in groups if one != (0, 0)]) + 1), [])
            groups[place].fields.append(self[name])
        return list(groups.values())

    def _legend(self, asked: Asked, number: int) -> str:
        if not asked.line:
            return ""
        return _("Ticket %(number)s: %(name)s") % {"number": number, "name": told(asked.line.name, self.event)}


def form_asking(base: type[AskingForm], event: Event, asked: Sequence[Asked]) -> type[Any]:
    """The form with a field for everything that is asked."""
    fields = {name: _field(one, event) for name, one in _named(asked)}
    return type(f"{base.__name__}OfEvent", (base,), {"event": event, "asked": asked, **fields})


def answered(asked: Sequence[Asked], answers: dict[AnswerKey, str]) -> dict[str, str]:
    """What was answered before, by the names of the form's fields."""
    return {name: answers[one.key] for name, one in _named(asked) if one.key in answers}


async def asked_now(db: AsyncSession, view: BookingView) -> list[Asked]:
    """What the booking is asked now; places whose tickets are void are not asked about."""
    asking = await queries.questions(db, view.event.id or 0)
    if not asking:
        return []
    tickets = await ticket_queries.of_booking(db, view.booking.id or 0) if view.booking.is_paid else []
    void = {(one.ticket.line_id, one.ticket.n) for one in tickets if not one.ticket.is_valid}
    return rules.asked(asking, view.lines, void=void)


def missing(asked: Collection[Asked], answers: dict[AnswerKey, str]) -> int:
    """How many answers that must be given are not there."""
    return sum(one.question.is_required and one.key not in answers for one in asked)


@get("/bookings/{code:str}/answers", guards=[looks_at_most("secret")])
async def show(request: Request[Any, Any, Any], db: Db, visitor: Who, code: FromPath[str]) -> Response[str]:
    view, asked = await _asked(db, code, visitor)
    before = await queries.answers(db, view.booking.id or 0)
    form = form_asking(AskingForm, view.event, asked)(data=answered(asked, before))
    return page(request, "bookings/answers.html", **_context(view, form))


@post("/bookings/{code:str}/answers")
async def answer(request: Request[Any, Any, Any], db: Db, visitor: Who, code: FromPath[str]) -> Response[Any]:
    view, asked = await _asked(db, code, visitor)
    form = await read(form_asking(AskingForm, view.event, asked), request)
    if form.rejected:
        return page(request, "bookings/answers.html", status=form.status, **_context(view, form))
    async with writing() as tx:
        await queries.lock(tx, view.booking.id or 0)
        booking = await queries.by_id(tx, view.booking.id or 0)
        if not booking or not _may_change(view, booking):
            raise Refused(_("The event has begun, or this booking has ended, so the answers stay as they are."))
        await actions.answer(tx, booking, form.answers(), by=visitor.user_id)
    return see_other(request, f"/bookings/{code}", flash=_("Your answers are saved."))


async def _asked(db: AsyncSession, code: str, visitor: Visitor) -> tuple[BookingView, list[Asked]]:
    """Raises NotFound when the booking is asked nothing, or is over."""
    view = await found(db, code, visitor)
    asked = await asked_now(db, view) if view.booking.state in (*HOLDING, "paid") else []
    if not asked:
        raise NotFound(_("Nothing is asked about this booking."))
    return view, asked


def _may_change(view: BookingView, booking: Booking) -> bool:
    return booking.state in (*HOLDING, "paid") and clock.now() < view.event.starts_at


def _context(view: BookingView, form: AskingForm) -> dict[str, Any]:
    can_change = _may_change(view, view.booking)
    return {"view": view, "booking": view.booking, "event": view.event, "form": form, "can_change": can_change}


def _named(asked: Sequence[Asked]) -> list[tuple[str, Asked]]:
    """A name for each field: the question's code, and the number of the place."""
    places = list(dict.fromkeys((one.line.id, one.n) for one in asked if one.line))
    number = {place: str(count) for count, place in enumerate(places, start=1)}
    return [(f"a-{one.question.code}-{number[one.line.id, one.n] if one.line else 0}", one) for one in asked]


def _field(asked: Asked, event: Event) -> Any:
    """In the buyer's language, where that is written; a choice is kept in the event's own words, so that it is one answer."""
    question, label = asked.question, told(asked.question.label, event)
    missing = lazy("Answer “%(question)s”") % {"question": label} if question.is_required else ""
    if question.kind == "text":
        return text(label, most=LONGEST_ANSWER, missing=missing)
    validators = [required(missing)] if missing else [Optional()]
    if question.kind == "yes_no":
        words = [SelectChoice("yes", lazy("Yes")), SelectChoice("no", lazy("No"))]
        return RadioField(label, validators, choices=words, validate_choice=True)
    nothing = SelectChoice("", lazy("Choose") if missing else lazy("No answer"))
    lines = [SelectChoice(line, told(line, event)) for line in rules.choices(question)]
    return SelectField(label, validators, choices=[nothing, *lines])


router = Router("/", route_handlers=[show, answer])
