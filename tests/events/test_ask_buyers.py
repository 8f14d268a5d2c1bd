"""Alice asks her buyers: she writes questions, puts them in order, changes them and asks them no more. No answer is ever lost."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlmodel import select

from app.accounts.models import Visitor
from app.bookings import actions as bookings
from app.bookings import queries as booking_queries
from app.bookings.models import Answer, Booking
from app.core import clock
from app.core.db import Database, reading, retried, writing
from app.core.errors import NotFound
from app.events import drafts, reviews
from app.events.actions import deciding, questions
from app.events.models import Event, Question
from app.events.rules.asking import MOST_QUESTIONS
from app.events.rules.reviewing import Said
from tests import world
from tests.admin.logbook import said
from tests.events.forms import typed

pytestmark = pytest.mark.usefixtures("moment")

DESK = "/manager/events/nine-pianos"


@pytest.fixture
async def alices(client: httpx.AsyncClient, sign_in: Any) -> httpx.AsyncClient:
    async with writing() as tx:
        alice, _event = await world.alice(tx), await world.event(tx)
    await sign_in(client, alice)
    return client


async def asked() -> list[Question]:
    """What buyers are asked now."""
    async with reading() as db:
        event = (await db.exec(select(Event))).first()
        return await booking_queries.questions(db, (event and event.id) or 0)


async def add(browser: httpx.AsyncClient, **changes: Any) -> httpx.Response:
    return await browser.post(f"{DESK}/questions/new", data=typed("question") | changes)


async def held() -> Booking:
    """Bob holds two places of the event that there is."""
    async with writing() as tx:
        event = (await tx.exec(select(Event))).one()
        kind = await world.only_type(tx, event)
        return await bookings.hold(tx, event, {kind.id or 0: 2}, by=Visitor(key="bobs-browser"), now=clock.now())


async def answers(booking: Booking, question: Question, value: str) -> None:
    async with writing() as tx:
        await bookings.answer(tx, booking, {(question.id or 0, None, 0): value}, by=None)


# ---------- writing ----------


async def test_what_alice_writes_is_asked_at_the_checkout(alices: httpx.AsyncClient, open_browser: Any) -> None:
    assert (await add(alices, must="y", lines="Meat\n\n No meat \nMeat")).status_code == 303
    [question] = await asked()
    assert (question.label, question.kind, question.choices) == ("What do you eat?", "choice", "Meat\nNo meat")
    assert question.is_required and question.per_ticket
    assert "What do you eat?" in (await alices.get(f"{DESK}/edit/access")).text
    booking = await held()
    bobs = await open_browser()
    bobs.cookies.set("visitor", "bobs-browser")
    page = (await bobs.get(f"/bookings/{booking.code}")).text
    assert page.count("What do you eat?") >= 2 and '<option value="No meat">' in page


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"wording": " "}, "Enter the question"),
        ({"lines": "Meat"}, "Enter at least two answers, one on each line"),
        ({"lines": "\n".join(str(number) for number in range(51))}, "Enter 50 answers at most"),
        ({"answer": "essay"}, "Not a valid choice"),
    ],
)
async def test_what_is_wrong_is_said_and_the_rest_stays(
    alices: httpx.AsyncClient, changes: dict[str, str], sentence: str
) -> None:
    answer = await add(alices, **({"wording": "What do you like?"} | changes))
    assert answer.status_code == 422
    assert sentence in answer.text and 'id="errors"' in answer.text
    assert changes.get("wording") or "What do you like?" in answer.text
    assert await asked() == []


async def test_answers_to_choose_from_belong_only_to_a_choice(alices: httpx.AsyncClient) -> None:
    await add(alices, answer="yes_no")
    assert [question.choices for question in await asked()] == [""]


async def test_an_event_asks_twenty_questions_at_most(alices: httpx.AsyncClient) -> None:
    async with writing() as tx:
        event = (await tx.exec(select(Event))).one()
        for number in range(MOST_QUESTIONS):
            await world.question(tx, event, f"Number {number}?", position=number)
    answer = await add(alices)
    assert answer.status_code == 422 and "asks 20 questions at most" in answer.text
    assert len(await asked()) == MOST_QUESTIONS
    assert "asks 20 questions at most" in (await alices.get(f"{DESK}/edit/access")).text


async def test_questions_move_up_and_down_and_stop_at_the_ends(alices: httpx.AsyncClient) -> None:
    for wording in ("First?", "Second?", "Third?"):
        await add(alices, wording=wording)
    third = (await asked())[2]
    for _twice in range(3):
        assert (await alices.post(f"{DESK}/questions/{third.code}/up")).status_code == 303
    assert [question.label for question in await asked()] == ["Third?", "First?", "Second?"]
    await alices.post(f"{DESK}/questions/{third.code}/down")
    assert [question.label for question in await asked()] == ["First?", "Third?", "Second?"]
    assert (await said())[-1].endswith("moved a question to the buyers of “Nine Pianos” from place 1 to place 2.")


async def test_who_saves_later_sees_what_was_saved_before(alices: httpx.AsyncClient) -> None:
    await add(alices)
    [question] = await asked()
    address = f"{DESK}/questions/{question.code}"
    seen = (await alices.get(address)).text.partition('name="seen" type="hidden" value="')[2].partition('"')[0]
    assert (await alices.post(address, data=typed("question", wording="What do you drink?", seen=seen))).status_code == 303
    late = await alices.post(address, data=typed("question", wording="What do you read?", seen=seen))
    assert late.status_code == 409
    assert "What do you drink?" in late.text and "What do you read?" in late.text
    assert [question.label for question in await asked()] == ["What do you drink?"]


# ---------- once somebody has answered ----------


async def test_an_answered_question_keeps_its_kind_and_may_get_other_words(alices: httpx.AsyncClient) -> None:
    await add(alices, answer="text", per="booking")
    [question] = await asked()
    booking = await held()
    await answers(booking, question, "Nuts")
    address = f"{DESK}/questions/{question.code}"
    assert "stay as they are" in (await alices.get(address)).text
    for wrong in ({"answer": "yes_no", "per": "booking"}, {"answer": "text", "per": "ticket"}):
        refused = await alices.post(address, data=typed("question") | wrong)
        assert refused.status_code == 422 and "so it keeps its kind" in refused.text
    kept = typed("question") | {"wording": "What can you not eat?", "answer": "text", "per": "booking", "must": "y"}
    assert (await alices.post(address, data=kept)).status_code == 303
    [now] = await asked()
    assert (now.label, now.kind, now.per_ticket, now.is_required) == ("What can you not eat?", "text", False, True)
    told = (await said())[-1]
    assert "words of the question rewritten, 16 letters before and 21 now, need of an answer from no to yes" in told


async def test_an_answered_question_ends_and_its_answers_stay(alices: httpx.AsyncClient) -> None:
    await add(alices, answer="text", per="booking")
    [question] = await asked()
    await answers(await held(), question, "Nuts")
    answer = await alices.post(f"{DESK}/questions/{question.code}/remove")
    assert answer.status_code == 303
    assert await asked() == []
    async with reading() as db:
        assert [row.value for row in (await db.exec(select(Answer))).all()] == ["Nuts"]
    page = (await alices.get(f"{DESK}/edit/access")).text
    assert "Asked no more" in page and "What do you eat?" in page
    assert (await alices.get(f"{DESK}/questions/{question.code}")).status_code == 404
    assert (await said())[-1].endswith("its answers stay.")


async def test_a_question_that_nobody_has_answered_is_gone(alices: httpx.AsyncClient) -> None:
    await add(alices)
    [question] = await asked()
    await alices.post(f"{DESK}/questions/{question.code}/remove")
    async with reading() as db:
        assert (await db.exec(select(Question))).all() == []


# ---------- at the same time ----------


@retried
async def removes(event: Event, code: str) -> None:
    async with writing() as tx:
        here = await tx.get_one(Event, event.id)
        question = await questions.to_change(tx, here, code, now=clock.now())
        is_answered = await booking_queries.is_answered(tx, question)
        alice = await world.alice(tx)
        await questions.remove_question(tx, here, question, is_answered=is_answered, by=alice.id or 0, now=clock.now())


async def test_bob_answers_in_the_moment_in_which_alice_removes_the_question(database: Database) -> None:
    """Either his answer was first and the question only ended, or there was nothing to answer any more."""
    for _round in range(4):
        async with writing() as tx:
            event = await world.event(tx, per_buyer=50)
            question = await world.question(tx, event, "What do you eat?")
            kind = await world.only_type(tx, event)
            booking = await bookings.hold(tx, event, {kind.id or 0: 1}, by=Visitor(key="bobs-browser"), now=clock.now())
        await asyncio.gather(retried(answers)(booking, question, "Nuts"), removes(event, question.code))
        async with reading() as db:
            left = (await db.exec(select(Question.ended_at).where(Question.id == question.id))).all()
            given = (await db.exec(select(Answer.value).where(Answer.question_id == question.id))).all()
        assert (len(left), list(given)) in ((1, ["Nuts"]), (0, []))
        assert all(left)


async def test_a_question_that_is_not_locked_would_be_deleted_under_an_answer(database: Database) -> None:
    """The control: who asks first whether somebody has answered, and then deletes, meets the answer that came between."""
    async with writing() as tx:
        event = await world.event(tx)
        question = await world.question(tx, event, "What do you eat?")
        kind = await world.only_type(tx, event)
        booking = await bookings.hold(tx, event, {kind.id or 0: 1}, by=Visitor(key="bobs-browser"), now=clock.now())
    async with reading() as db:
        was_answered = await booking_queries.is_answered(db, question)
    await answers(booking, question, "Nuts")
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        async with writing() as tx:
            here, mine = await tx.get_one(Event, event.id), await tx.get_one(Question, question.id)
            await questions.remove_question(tx, here, mine, is_answered=was_answered, by=1, now=clock.now())


# ---------- others ----------


async def test_a_question_of_another_event_is_not_found(database: Database) -> None:
    async with writing() as tx:
        mine, other = await world.event(tx), await world.event(tx, title="Other Evening")
        question = await world.question(tx, other, "What do you eat?")
        with pytest.raises(NotFound):
            await drafts.question_of(tx, mine, question.code)
        with pytest.raises(NotFound):
            await questions.to_change(tx, mine, question.code, now=clock.now())


async def test_an_admin_reads_which_questions_of_a_returned_draft_are_others_now(database: Database) -> None:
    async with writing() as tx:
        alice, dora = await world.alice(tx), await world.dora(tx)
        event = await world.event(tx, state="submitted", published_at=None)
        kept, gone = await world.question(tx, event, "What do you eat?"), await world.question(tx, event, "Why?")
        await deciding.return_for_changes(tx, event, Said("Ask less."), by=dora.id or 0, now=clock.now())
        for question, wish in ((kept, "What can you not eat?"), (gone, "")):
            locked = await questions.to_change(tx, event, question.code, now=clock.now())
            if wish:
                as_it_is = {"kind": "text", "choices": "", "is_required": True, "per_ticket": False}
                changed = questions.QuestionWish(label=wish, **as_it_is)
                await questions.change_question(tx, event, locked, changed, is_answered=False, by=alice.id or 0)
            else:
                await questions.remove_question(tx, event, locked, is_answered=False, by=alice.id or 0, now=clock.now())
        found = (await reviews.compared(tx, event)).differences.questions
    assert [(part.name, part.done) for part in found] == [("What can you not eat?", "changed"), ("Why?", "removed")]
    assert [(field.label, field.after) for field in found[0].fields][1] == ("It must be answered", "Yes")
