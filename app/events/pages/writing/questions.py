"""A question to buyers has a page of its own: its words, what kind of answer it takes, and how often it is asked."""

from collections.abc import Mapping
from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from wtforms import BooleanField, RadioField

from app.accounts.models import Visitor
from app.bookings import queries as booking_queries
from app.core import clock
from app.core.db import reading, writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.events import drafts
from app.events.actions import questions
from app.events.actions.questions import Answered
from app.events.actions.revising import Overtaken
from app.events.models import QUESTION_KINDS, Event, Question
from app.events.pages.writing import common
from app.events.pages.writing.fields import Watched, choices
from app.events.rules import asking
from app.events.rules.asking import QuestionWish
from app.events.rules.snapshots import KIND_NAMES
from app.web.forms import ManyLines, read, text
from app.web.limits import writes_at_most
from app.web.page import see_other
from app.web.visitor import Db, Who, team

TEMPLATE = "manager/form/question.html"
PER = ("booking", "ticket")


class QuestionForm(Watched):
    """`per` is how often it is asked: once a booking, or once for every ticket."""

    wording = text(lazy("Question"), most=200, missing=lazy("Enter the question"))
    answer = RadioField(
        lazy("Answer"), choices=choices((word, KIND_NAMES[word]) for word in QUESTION_KINDS), default=QUESTION_KINDS[0]
    )
    lines = text(lazy("Answers to choose from"), most=2000, field=ManyLines)
    per = RadioField(
        lazy("Asked"),
        choices=choices(zip(PER, (lazy("Once a booking"), lazy("For every ticket")), strict=True)),
        default=PER[0],
    )
    must = BooleanField(lazy("It must be answered"))

    def __init__(self, formdata: Any = None, *, question: Question | None = None, **given: Any) -> None:
        self.question = question
        super().__init__(formdata, data=_values(question) if question and formdata is None else None, **given)
        if formdata is None:
            self.seen.data = self.mark()

    def validate(self, extra_validators: Mapping[str, Any] | None = None) -> bool:
        super().validate(extra_validators)
        lines = asking.choices(self.lines.data or "")
        if self.answer.data == "choice" and not self.lines.errors:
            if len(lines) < 2:
                self.lines.errors = [_("Enter at least two answers, one on each line")]
            elif len(lines) > asking.MOST_CHOICES or any(len(line) > asking.LONGEST_CHOICE for line in lines):
                limits = {"lines": asking.MOST_CHOICES, "letters": asking.LONGEST_CHOICE}
                self.lines.errors = [_("Enter %(lines)s answers at most, each of %(letters)s characters or fewer") % limits]
        return not self.errors

    def wish(self) -> QuestionWish:
        lines = asking.choices(self.lines.data or "") if self.answer.data == "choice" else []
        return QuestionWish(
            label=self.wording.data,
            kind=self.answer.data,
            choices="\n".join(lines),
            is_required=self.must.data,
            per_ticket=self.per.data == "ticket",
        )


def _values(question: Question) -> dict[str, Any]:
    return {
        "wording": question.label,
        "answer": question.kind,
        "lines": question.choices,
        "per": PER[question.per_ticket],
        "must": question.is_required,
    }


@get("/manager/events/{slug:str}/questions/new")
async def new(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    return _page(request, QuestionForm(), await common.editable(db, slug, visitor))


@post("/manager/events/{slug:str}/questions/new")
async def add(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    event = await common.editable(db, slug, visitor)
    form = await read(QuestionForm, request)
    if form.rejected:
        return _page(request, form, event)
    try:
        async with writing() as tx:
            there = await common.to_change(tx, slug, visitor)
            await questions.add_question(tx, there, form.wish(), by=visitor.user_id or 0, now=clock.now())
    except Refused as refused:
        form.refuse(refused)
        return _page(request, form, event)
    return see_other(request, f"/manager/events/{slug}/edit/access", flash=_("The question is added."))


@get("/manager/events/{slug:str}/questions/{code:str}")
async def edit(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], code: FromPath[str]) -> Response[str]:
    event = await common.editable(db, slug, visitor)
    question = await drafts.question_of(db, event, code)
    is_answered = await booking_queries.is_answered(db, question)
    return _page(request, QuestionForm(question=question), event, is_answered=is_answered)


@post("/manager/events/{slug:str}/questions/{code:str}")
async def save(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], code: FromPath[str]) -> Response[Any]:
    event = await common.editable(db, slug, visitor)
    question = await drafts.question_of(db, event, code)
    form, is_answered = await read(QuestionForm, request, question=question), await booking_queries.is_answered(db, question)
    if form.rejected:
        return _page(request, form, event, is_answered=is_answered)
    try:
        await _save(form, slug, code, visitor)
    except Overtaken:
        return await _beside(request, form, slug, code, visitor)
    except Answered as refused:
        form.answer.errors = [refused.sentence]
        return _page(request, form, event)
    return see_other(request, f"/manager/events/{slug}/edit/access", flash=_("Saved."))


@post("/manager/events/{slug:str}/questions/{code:str}/up")
async def up(request: Request[Any, Any, Any], visitor: Who, slug: FromPath[str], code: FromPath[str]) -> Response[Any]:
    return await _moved(request, visitor, slug, code, up=True)


@post("/manager/events/{slug:str}/questions/{code:str}/down")
async def down(request: Request[Any, Any, Any], visitor: Who, slug: FromPath[str], code: FromPath[str]) -> Response[Any]:
    return await _moved(request, visitor, slug, code, up=False)


@post("/manager/events/{slug:str}/questions/{code:str}/remove")
async def remove(request: Request[Any, Any, Any], visitor: Who, slug: FromPath[str], code: FromPath[str]) -> Response[Any]:
    by_and_when: dict[str, Any] = {"by": visitor.user_id or 0, "now": clock.now()}
    async with writing() as tx:
        event = await common.to_change(tx, slug, visitor)
        question = await questions.to_change(tx, event, code, now=clock.now())
        is_answered = await booking_queries.is_answered(tx, question)
        await questions.remove_question(tx, event, question, is_answered=is_answered, **by_and_when)
    said = _("It is asked no more. The answers stay in your lists.") if is_answered else _("The question is removed.")
    return see_other(request, f"/manager/events/{slug}/edit/access", flash=said)


async def _save(form: QuestionForm, slug: str, code: str, visitor: Visitor) -> None:
    async with writing() as tx:
        event = await common.to_change(tx, slug, visitor)
        question = await questions.to_change(tx, event, code, now=clock.now())
        common.insist(form, QuestionForm(question=question))
        is_answered = await booking_queries.is_answered(tx, question)
        by = visitor.user_id or 0
        await questions.change_question(tx, event, question, form.wish(), is_answered=is_answered, by=by)


async def _moved(request: Request[Any, Any, Any], visitor: Visitor, slug: str, code: str, *, up: bool) -> Response[Any]:
    async with writing() as tx:
        event = await common.to_change(tx, slug, visitor)
        question = await questions.to_change(tx, event, code, now=clock.now())
        await questions.move_question(tx, event, question, up=up, by=visitor.user_id or 0)
    return see_other(request, f"/manager/events/{slug}/edit/access#questions")


async def _beside(request: Request[Any, Any, Any], form: QuestionForm, slug: str, code: str, visitor: Visitor) -> Response[str]:
    async with reading() as db:
        event = await common.editable(db, slug, visitor)
        question = await drafts.question_of(db, event, code)
        form.show_beside(QuestionForm(question=question))
        return _page(request, form, event, is_answered=await booking_queries.is_answered(db, question))


def _page(request: Request[Any, Any, Any], form: QuestionForm, event: Event, *, is_answered: bool = False) -> Response[str]:
    return common.written(request, TEMPLATE, form, event, is_answered=is_answered, kind_names=KIND_NAMES)


router = Router("/", guards=[team, writes_at_most("desk")], route_handlers=[new, add, edit, save, up, down, remove])
