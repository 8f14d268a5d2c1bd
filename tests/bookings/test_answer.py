"""What an event asks its buyers: asked at the checkout, kept with the booking, changed until it starts."""

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from sqlmodel import col, select, update

from app.accounts.models import Visitor
from app.bookings import actions
from app.bookings.models import Answer, Booking
from app.core import clock
from app.core.db import Database, reading, writing
from app.events.models import Question
from app.payments.flows.checkout import checkout
from app.tickets import actions as tickets
from tests import world
from tests.payments.story import now_is, tickets_of

BUYER = {"email": "bob@example.com", "name": "Bob Buyer"}


async def held(*questions: dict[str, Any], qty: int = 2, price_minor: int = 0) -> tuple[Booking, list[Question]]:
    """Bob, a guest, holds places of an event that asks these questions."""
    async with writing() as tx:
        event = await world.event(tx, price_minor=price_minor)
        asked = [await world.question(tx, event, position=n, **given) for n, given in enumerate(questions)]
        kind = await world.only_type(tx, event)
        booking = await actions.hold(tx, event, {kind.id or 0: qty}, by=Visitor(key="bobs-browser"), now=clock.now())
    return booking, asked


def field(question: Question, place: int = 0) -> str:
    return f"a-{question.code}-{place}"


async def answers_of(booking: Booking) -> list[tuple[int, int, str]]:
    async with reading() as db:
        rows = (await db.exec(select(Answer).where(Answer.booking_id == booking.id).order_by(col(Answer.id)))).all()
    return [(row.question_id, row.n, row.value) for row in rows]


COMING = {"label": "How do you come?", "kind": "choice", "choices": "On foot\nBy tram"}
EATING = {"label": "What can you not eat?", "per_ticket": True}
BAKED = {"label": "Have you baked before?", "kind": "yes_no", "is_required": True}


# ---------- at the checkout ----------


async def test_without_questions_two_fields_are_all(client: httpx.AsyncClient) -> None:
    booking, _none = await held()
    page = (await client.get(f"/bookings/{booking.code}")).text
    assert re.findall(r'<(?:input|select)[^>]* name="([^"]+)"', page.partition("</form>")[2].partition("</form>")[0]) == [
        "email",
        "name",
    ]


async def test_bob_is_asked_about_the_booking_and_about_each_place(client: httpx.AsyncClient) -> None:
    booking, (coming, eating, baked) = await held(COMING, EATING, BAKED)
    page = (await client.get(f"/bookings/{booking.code}")).text
    names = re.findall(r'name="(a-[^"]+)"', page)
    assert list(dict.fromkeys(names)) == [field(coming), field(baked), field(eating, 1), field(eating, 2)]
    assert page.index("How do you come?") < page.index("Ticket 1: Standard") < page.index("Ticket 2: Standard")
    sent = BUYER | {field(coming): "By tram", field(baked): "no", field(eating, 1): "Nuts", field(eating, 2): ""}
    answer = await client.post(f"/bookings/{booking.code}/checkout", data=sent)
    assert answer.status_code == 303
    assert await answers_of(booking) == [(coming.id, 0, "By tram"), (baked.id, 0, "no"), (eating.id, 1, "Nuts")]


async def test_everything_that_is_missing_is_said_at_once_and_what_was_typed_stays(client: httpx.AsyncClient) -> None:
    booking, (coming, baked) = await held(EATING | {"is_required": True}, BAKED)
    sent = {"email": "bob at example", "name": "Bob Buyer", field(coming, 1): "Nuts"}
    answer = await client.post(f"/bookings/{booking.code}/checkout", data=sent)
    assert answer.status_code == 422
    summary = answer.text.partition('id="errors"')[2].partition("</section>")[0]
    assert summary.count("<li>") == 3
    assert summary.count("What can you not eat?") == summary.count("Have you baked before?") == 1
    assert 'value="Nuts"' in answer.text and 'value="bob at example"' in answer.text
    assert (await now_is(booking)).state == "held"
    assert await answers_of(booking) == []
    assert baked.is_required


@pytest.mark.parametrize("wrong", ["By plane", "x" * 501, "bell\x07"])
async def test_an_answer_that_cannot_be_is_refused(client: httpx.AsyncClient, wrong: str) -> None:
    asked = COMING if wrong == "By plane" else {"label": "Who comes with you?"}
    booking, (question,) = await held(asked)
    answer = await client.post(f"/bookings/{booking.code}/checkout", data=BUYER | {field(question): wrong})
    assert answer.status_code == 422
    assert await answers_of(booking) == []


async def test_a_question_that_ended_is_not_asked(client: httpx.AsyncClient) -> None:
    booking, (question,) = await held(BAKED)
    async with writing() as tx:
        await tx.exec(update(Question).values(ended_at=clock.now()))
    assert "Have you baked before?" not in (await client.get(f"/bookings/{booking.code}")).text
    answer = await client.post(f"/bookings/{booking.code}/checkout", data=BUYER | {field(question): "yes"})
    assert answer.status_code == 303
    assert await answers_of(booking) == []


async def test_a_question_that_ends_while_bob_presses_pay_is_passed_over(database: Database) -> None:
    """He has read it, and its manager has ended it since; another one was even deleted."""
    booking, (ended, gone, left) = await held(COMING, BAKED, {"label": "Who comes with you?"})
    async with writing() as tx:
        await tx.exec(update(Question).where(col(Question.id) == ended.id).values(ended_at=clock.now()))
        await tx.delete(await tx.get_one(Question, gone.id))
    answers = {(one.id or 0, None, 0): word for one, word in ((ended, "On foot"), (gone, "yes"), (left, "Carol"))}
    await checkout(booking.id or 0, **BUYER, by=Visitor(), answers=answers)
    assert await answers_of(booking) == [(left.id, 0, "Carol")]
    assert (await now_is(booking)).is_paid


async def test_my_presales_lead_to_the_questions_instead_of_past_them(client: httpx.AsyncClient, sign_in: Any) -> None:
    async with writing() as tx:
        bob = await world.bob(tx)
        asking, quiet = [await world.event(tx, title=title, price_minor=0) for title in ("Asking", "Quiet")]
        await world.question(tx, asking, **BAKED)
        for event in (asking, quiet):
            kind = await world.only_type(tx, event)
            kind.presale_from, kind.sale_from = clock.now() - timedelta(hours=1), clock.now() + timedelta(days=7)
            await tx.flush()
            by = Visitor(bob.id, bob.email, bob.name, "user", key="b")
            await actions.hold(tx, event, {kind.id or 0: 1}, by=by, now=clock.now())
    await sign_in(client, bob)
    page = (await client.get("/me/presales")).text
    assert page.count('/checkout"><input') == 1
    assert page.index('class="btn btn--main" href="/bookings/') < page.index('/checkout"><input')


# ---------- afterwards ----------


async def test_bob_changes_an_answer_until_the_event_starts(client: httpx.AsyncClient, moment: time_machine.Traveller) -> None:
    booking, (coming, eating) = await held(COMING, EATING)
    sent = BUYER | {field(coming): "On foot", field(eating, 2): "Nuts"}
    await client.post(f"/bookings/{booking.code}/checkout", data=sent)
    page = (await client.get(f"/bookings/{booking.code}/answers")).text
    assert 'value="Nuts"' in page and "selected value=" in page
    saved = await client.post(f"/bookings/{booking.code}/answers", data={field(coming): "By tram", field(eating, 1): "Milk"})
    assert saved.status_code == 303
    assert await answers_of(booking) == [(coming.id, 0, "By tram"), (eating.id, 1, "Milk")]
    moment.shift(timedelta(days=28))
    late = await client.post(f"/bookings/{booking.code}/answers", data={field(coming): "On foot"})
    assert late.status_code == 409
    assert (coming.id, 0, "By tram") in await answers_of(booking)
    assert "the answers stay as they are" in (await client.get(f"/bookings/{booking.code}/answers")).text


async def test_what_must_be_answered_stays_answered(client: httpx.AsyncClient) -> None:
    booking, (baked,) = await held(BAKED)
    await client.post(f"/bookings/{booking.code}/checkout", data=BUYER | {field(baked): "yes"})
    assert (await client.post(f"/bookings/{booking.code}/answers", data={})).status_code == 422
    assert await answers_of(booking) == [(baked.id, 0, "yes")]


async def test_a_booking_that_is_asked_nothing_has_no_such_page(client: httpx.AsyncClient) -> None:
    booking, _none = await held()
    assert (await client.get(f"/bookings/{booking.code}/answers")).status_code == 404
    asked, _question = await held(COMING)
    await client.post(f"/bookings/{asked.code}/release")
    assert (await client.get(f"/bookings/{asked.code}/answers")).status_code == 404


async def test_places_that_were_given_back_are_not_asked_about(client: httpx.AsyncClient) -> None:
    booking, (eating,) = await held(EATING)
    await checkout(booking.id or 0, **BUYER, by=Visitor())
    first = (await tickets_of(booking))[0].ticket
    async with writing() as tx:
        await tickets.take_back_one(tx, await tx.get_one(Booking, booking.id), first, now=clock.now())
    page = (await client.get(f"/bookings/{booking.code}/answers")).text
    assert page.count(f'name="a-{eating.code}') == 1


# ---------- for the manager ----------
