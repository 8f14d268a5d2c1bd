"""What buyers are asked is added, changed, put in order and ended. An answer is never lost: its question ends, and stays.

Whether somebody has answered stands in a feature above this one, so the callers say it. They ask after to_change() has locked
the question: from there on whoever answers waits, and then finds it as it has become.
"""

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import delete, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import activity
from app.core.db import changed
from app.core.errors import NotFound, Refused
from app.core.i18n import gettext as _
from app.events import drafts
from app.events.actions.revising import keep
from app.events.models import Event, Question
from app.events.rules import changes, proposing
from app.events.rules.asking import MOST_QUESTIONS, QuestionWish


class Answered(Refused):
    """Somebody has answered, so what kind of answer there is cannot become another."""


async def add_question(tx: AsyncSession, event: Event, wish: QuestionWish, *, by: int, now: datetime) -> Question:
    """A new question behind the others. Raises Refused when there are as many as an event may ask."""
    await _change_event(tx, event, now)
    present = await drafts.questions(tx, event)
    if len([question for question in present if question.ended_at is None]) >= MOST_QUESTIONS:
        raise Refused(_("An event asks %(number)s questions at most. Remove another one first.") % {"number": MOST_QUESTIONS})
    position = max((question.position for question in present), default=-1) + 1
    added = Question(event_id=event.id or 0, position=position, **asdict(wish))
    tx.add(added)
    await tx.flush()
    details = {"question": added.id, "fields": changes.differences(None, asdict(wish))}
    await activity.record(tx, "question.added", about=f"event:{event.id}", by=by, **details)
    return added


async def to_change(tx: AsyncSession, event: Event, code: str, *, now: datetime) -> Question:
    """The question, locked until the block ends, and its event counts as changed: two managers take turns.

    Raises NotFound for one of another event, and for one that has ended.
    """
    await _change_event(tx, event, now)
    asked = select(Question).where(Question.event_id == event.id, Question.code == code, col(Question.ended_at).is_(None))
    found = (await tx.exec(asked.with_for_update().execution_options(populate_existing=True))).first()
    if not found:
        raise NotFound(_("This event does not ask this question."))
    return found


async def change_question(
    tx: AsyncSession, event: Event, question: Question, wish: QuestionWish, *, is_answered: bool, by: int
) -> None:
    """Its words, its order of answers and whether it must be answered may change at any time.

    Raises Answered when answers would not fit any more: it takes another kind of them, or one for every ticket.
    """
    if is_answered and (wish.kind, wish.per_ticket) != (question.kind, question.per_ticket):
        raise Answered(_("Somebody has answered this question, so it keeps its kind. Remove it, and ask another one."))
    fields = changes.differences(question, asdict(wish))
    if not fields:
        return
    await changed(tx, update(Question).where(col(Question.id) == question.id).values(**asdict(wish)))
    await tx.refresh(question)
    details = {"question": question.id, "fields": fields}
    await activity.record(tx, "question.changed", about=f"event:{event.id}", by=by, **details)


async def move_question(tx: AsyncSession, event: Event, question: Question, *, up: bool, by: int) -> None:
    """One place up or down among those that are asked; at the end of the list nothing happens."""
    order = [each for each in await drafts.questions(tx, event) if each.ended_at is None]
    place = next(number for number, each in enumerate(order) if each.id == question.id)
    other = place - 1 if up else place + 1
    if not 0 <= other < len(order):
        return
    order[place], order[other] = order[other], order[place]
    for number, each in enumerate(order):
        await changed(tx, update(Question).where(col(Question.id) == each.id).values(position=number))
    details = {"question": question.id, "places": [place + 1, other + 1]}
    await activity.record(tx, "question.moved", about=f"event:{event.id}", by=by, **details)


async def remove_question(
    tx: AsyncSession, event: Event, question: Question, *, is_answered: bool, by: int, now: datetime
) -> None:
    """Nobody is asked it any more. With answers it stays beside them; without it is gone."""
    if is_answered:
        await changed(tx, update(Question).where(col(Question.id) == question.id).values(ended_at=now))
        await activity.record(tx, "question.ended", about=f"event:{event.id}", by=by, question=question.id)
        return
    await changed(tx, delete(Question).where(col(Question.id) == question.id))
    tx.expunge(question)
    await activity.record(tx, "question.removed", about=f"event:{event.id}", by=by, question=question.id)


async def _change_event(tx: AsyncSession, event: Event, now: datetime) -> None:
    if not event.is_editable:
        raise Refused(_("This event cannot be changed now."))
    await keep(tx, event, saved_sections=proposing.with_saved(event, "access"), changed_at=now)
