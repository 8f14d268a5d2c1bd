"""Promo codes: a lower price, fixed in the hold; used as often as they say and no more; given back when the hold ends."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlmodel import select

from app.accounts.models import Visitor
from app.bookings import actions, boxoffice, codes, flows, queries, rules, stock
from app.bookings.boxoffice import Held, Wish
from app.bookings.codes import PromoTerms
from app.bookings.models import Booking, PromoCode, Voucher
from app.core import clock
from app.core.db import Database, reading, writing
from app.core.errors import Refused
from app.events.models import Event, TicketType
from app.tickets import actions as tickets
from tests import invariants, world


async def with_code(*, price_minor: int = 2000, types: int = 1, **terms: Any) -> tuple[Event, list[TicketType]]:
    """An event with the code SPRING, made by its manager; twenty percent off unless the terms say otherwise."""
    if "off_minor" not in terms:
        terms.setdefault("percent", 20)
    async with writing() as tx:
        event = await world.event(tx, price_minor=price_minor)
        kinds = [await world.only_type(tx, event)]
        kinds += [await world.ticket_type(tx, event, name=f"Type {n}", price_minor=price_minor) for n in range(1, types)]
        if terms.pop("for_first", False):
            terms["ticket_type_id"] = kinds[0].id
        await codes.make_promos(tx, event, PromoTerms(**terms), word=" spring ", by=event.manager_id, now=clock.now())
    return event, kinds


def wish(event: Event, kind: TicketType, qty: int = 1, *, browser: str = "bobs-browser", code: str = "spring") -> Wish:
    return Wish(event.slug, {kind.code: qty}, by=Visitor(key=browser), access_code=code)


async def booking(held: Held) -> Booking:
    async with reading() as db:
        found = await queries.by_id(db, held.id)
    assert found
    return found


async def code() -> PromoCode:
    """The code as it is now; the invariants hold."""
    async with reading() as db:
        assert await invariants.broken(db) == []
        return (await db.exec(select(PromoCode))).one()


async def test_the_price_of_the_hold_is_the_lower_one(database: Database) -> None:
    event, [kind] = await with_code(price_minor=2000, percent=15)
    held = await booking(await boxoffice.hold(wish(event, kind, 3)))
    async with reading() as db:
        [line] = await queries.lines(db, held.id or 0)
    assert (held.total_minor, line.unit_minor, line.full_minor, line.was_minor) == (5100, 1700, 2000, 2000)
    assert (await code()).used == 1


@pytest.mark.parametrize(
    "price, terms, wanted",
    [
        (990, {"percent": 15}, 841),  # 148.5 off: the half unit is the buyer's
        (333, {"percent": 10}, 300),
        (1, {"percent": 50}, 0),
        (1800, {"percent": 100}, 0),
        (1800, {"off_minor": 500}, 1300),
        (1800, {"off_minor": 9900}, 0),
        (0, {"percent": 10}, 0),
    ],
)
def test_a_reduction_is_whole_and_never_below_nothing(price: int, terms: dict[str, int], wanted: int) -> None:
    assert rules.reduced(price, **{"percent": None, "off_minor": None} | terms) == wanted


async def test_a_code_for_one_type_leaves_the_others(database: Database) -> None:
    event, [first, second] = await with_code(types=2, for_first=True)
    both = Wish(event.slug, {first.code: 1, second.code: 1}, by=Visitor(key="bobs-browser"), access_code="SPRING")
    held = await booking(await boxoffice.hold(both))
    assert held.total_minor == 1600 + 2000
    other = await booking(await boxoffice.hold(wish(event, second, browser="carols-browser")))
    assert other.total_minor == 2000
    assert (await code()).used == 1


async def test_a_free_place_uses_no_code(database: Database) -> None:
    event, [kind] = await with_code(price_minor=0)
    await boxoffice.hold(wish(event, kind))
    assert (await code()).used == 0


async def test_a_code_used_up_while_two_type_it_goes_to_one_of_them(database: Database) -> None:
    event, [kind] = await with_code(max_uses=1)
    both = [wish(event, kind, browser="bobs-browser"), wish(event, kind, browser="carols-browser")]
    answers = await asyncio.gather(*map(boxoffice.hold, both), return_exceptions=True)
    assert Counter(map(type, answers)) == {Held: 1, Refused: 1}
    assert "The code SPRING is used up." in {str(answer) for answer in answers}
    assert (await code()).used == 1


async def test_forty_people_use_a_code_for_ten_exactly_ten_times(database: Database) -> None:
    event, [kind] = await with_code(max_uses=10)
    many = (wish(event, kind, browser=f"browser-{n}") for n in range(40))
    answers = await asyncio.gather(*map(boxoffice.hold, many), return_exceptions=True)
    assert Counter(map(type, answers)) == {Held: 10, Refused: 30}
    assert (await code()).used == 10


async def test_without_its_guard_the_code_is_used_more_often(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the number of uses is looked at beforehand, and everybody finds one left."""
    event, [kind] = await with_code(max_uses=10)
    unguarded = stock._USE_PROMO.replace("used + 1", "used").split(" AND ended_at")[0]
    monkeypatch.setattr(stock, "_USE_PROMO", f"{unguarded} AND :now <> created_at RETURNING id")
    many = (wish(event, kind, browser=f"browser-{n}") for n in range(40))
    answers = await asyncio.gather(*map(boxoffice.hold, many), return_exceptions=True)
    assert Counter(map(type, answers)) == {Held: 40}
    async with reading() as db:
        assert await invariants.broken(db) == ["I11"]


async def test_the_use_comes_back_with_the_places(database: Database, moment: time_machine.Traveller) -> None:
    event, [kind] = await with_code(max_uses=1)
    first = await boxoffice.hold(wish(event, kind))
    await boxoffice.hold(wish(event, kind, 2))
    assert (await code()).used == 1, "a second hold replaces the first, with its code"
    assert (await booking(first)).state == "released"
    moment.shift(timedelta(minutes=16))
    await flows.expire_due()
    assert (await code()).used == 0


async def test_one_buyer_uses_it_as_often_as_one_buyer_may(database: Database) -> None:
    event, [kind] = await with_code(per_buyer=1, percent=100)
    async with writing() as tx:
        bob = await world.bob(tx)
        by = Visitor(user_id=bob.id, email=bob.email, name="Bob", role="user")
        held = await actions.hold(tx, event, {kind.id or 0: 1}, by=by, access_code="spring", now=clock.now())
        await tickets.settle(tx, held, now=clock.now())
    with pytest.raises(Refused, match="for one booking, and you have"):
        await boxoffice.hold(Wish(event.slug, {kind.code: 1}, by=by, access_code="spring"))
    assert (await code()).used == 1


async def test_a_guest_is_known_by_the_address_from_the_checkout_on(database: Database) -> None:
    event, [kind] = await with_code(per_buyer=1)

    async def pays(browser: str) -> None:
        held = await boxoffice.hold(wish(event, kind, browser=browser))
        async with writing() as tx:
            present = await tx.get_one(Booking, held.id)
            await actions.fill_in(tx, present, event, email="bob@example.com", name="Bob", by=Visitor(key=browser))

    await pays("at-home")
    with pytest.raises(Refused, match="for one booking, and you have"):
        await pays("at-work")
    assert (await code()).used == 2


@pytest.mark.parametrize(
    "terms, days, why",
    [
        ({"valid_from": 2}, 0, "is good from"),
        ({"valid_from": 2}, 3, ""),
        ({"valid_until": 2}, 0, ""),
        ({"valid_until": 2}, 3, "was good until"),
    ],
)
async def test_a_code_works_between_its_days(
    sqlite_database: Database, moment: time_machine.Traveller, terms: dict[str, int], days: int, why: str
) -> None:
    event, [kind] = await with_code(**{name: clock.now() + timedelta(days=number) for name, number in terms.items()})
    moment.shift(timedelta(days=days))
    if why:
        with pytest.raises(Refused, match=why):
            await boxoffice.hold(wish(event, kind))
    else:
        assert (await booking(await boxoffice.hold(wish(event, kind)))).total_minor == 1600


async def test_a_code_for_groups_asks_for_a_group(sqlite_database: Database) -> None:
    event, [kind] = await with_code(least_places=4)
    with pytest.raises(Refused, match="needs at least 4 tickets"):
        await boxoffice.hold(wish(event, kind, 3))
    assert (await booking(await boxoffice.hold(wish(event, kind, 4)))).total_minor == 6400


async def test_a_paused_code_waits_and_a_withdrawn_one_is_over(sqlite_database: Database) -> None:
    event, [kind] = await with_code()
    by = event.manager_id
    async with writing() as tx:
        found = await queries.codes_named(tx, event.id or 0, code="spring")
        await codes.pause(tx, event, found, paused=True, by=by)
    with pytest.raises(Refused, match="does not work now"):
        await boxoffice.hold(wish(event, kind))
    async with writing() as tx:
        await codes.pause(tx, event, found, paused=False, by=by)
    await boxoffice.hold(wish(event, kind))
    async with writing() as tx:
        assert await codes.withdraw(tx, event, found, by=by, now=clock.now()) == 0
    with pytest.raises(Refused, match="does not work now"):
        await boxoffice.hold(wish(event, kind, browser="carols-browser"))
    with pytest.raises(Refused, match="withdrawn before"):
        async with writing() as tx:
            await codes.withdraw(tx, event, found, by=by, now=clock.now())
    assert (await code()).used == 1, "the booking that was made with it keeps its price"


async def test_a_word_is_given_once_and_batches_get_words_of_their_own(sqlite_database: Database) -> None:
    event, _kinds = await with_code()
    async with writing() as tx:
        names = await codes.make_promos(
            tx, event, PromoTerms(percent=5, max_uses=1), number=30, by=event.manager_id, now=clock.now()
        )
    assert len(set(names)) == 30
    with pytest.raises(Refused, match="There is a code SPRING already"):
        async with writing() as tx:
            await codes.make_promos(tx, event, PromoTerms(percent=5), word="spring", by=event.manager_id, now=clock.now())
    async with reading() as db:
        batch, alone = sorted(await queries.code_groups(db, event.id or 0), key=lambda group: group.is_one)
    assert (len(batch.codes), batch.most_uses, alone.first.code) == (30, 30, "SPRING")


async def test_an_unknown_code_changes_nothing(sqlite_database: Database) -> None:
    event, [kind] = await with_code()
    assert (await booking(await boxoffice.hold(wish(event, kind, code="nothing")))).total_minor == 2000


async def test_late_money_buys_at_the_price_of_the_hold_without_the_code(database: Database) -> None:
    event, [kind] = await with_code(max_uses=1, percent=100)
    held = await booking(await boxoffice.hold(wish(event, kind)))
    async with writing() as tx:
        await actions.expire(tx, held, now=held.held_until)
    await boxoffice.hold(wish(event, kind, browser="carols-browser"))
    async with writing() as tx:
        assert await tickets.settle_late(tx, held, event, now=clock.now())
    assert (await code()).used == 1


async def test_the_code_is_free_again_when_all_tickets_have_come_back(database: Database) -> None:
    event, [kind] = await with_code(percent=100, max_uses=1)
    held = await booking(await boxoffice.hold(wish(event, kind)))
    async with writing() as tx:
        await tickets.settle(tx, held, now=clock.now())
        await tickets.take_back(tx, held, to="refunded", now=clock.now())
    assert (await code()).used == 0


@pytest.mark.parametrize(
    "terms, sentence",
    [
        ({"percent": 20}, "SPRING takes 20 % off."),
        ({"off_minor": 550}, "SPRING takes €5.50 off each ticket."),
        ({"percent": 5, "least_places": 4}, "SPRING takes 5 % off. The code SPRING needs at least 4 tickets."),
    ],
)
def test_a_code_says_what_it_does(terms: dict[str, int], sentence: str) -> None:
    code = PromoCode(event_id=1, code="SPRING", created_at=clock.now(), **terms)
    assert rules.promise(code, currency="EUR") == sentence


def test_a_voucher_says_how_many_places_it_keeps() -> None:
    code = Voucher(event_id=1, ticket_type_id=1, code="FRIENDS", places=3, aside=1, created_at=clock.now())
    assert rules.promise(code, currency="EUR") == "FRIENDS keeps 1 place for you."
