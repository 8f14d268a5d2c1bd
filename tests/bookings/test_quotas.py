"""A quota caps several ticket types together: whoever holds, pays, is late or gives back counts in both, or in neither."""

import asyncio
import itertools
from collections import Counter
from datetime import timedelta
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest
import time_machine
from sqlmodel import select

from app.accounts.models import Visitor
from app.bookings import actions, boxoffice, codes, flows, stock
from app.bookings.boxoffice import Held, Wish
from app.bookings.codes import PromoTerms, VoucherTerms
from app.bookings.models import Booking
from app.bookings.rules import SoldOut
from app.core import clock, plain
from app.core.db import Database, reading, retried, writing
from app.core.errors import Refused
from app.core.group import GroupCommit, group
from app.events import queries
from app.events.actions import quotas
from app.events.models import Event, Quota, TicketType
from app.events.rules import offering
from app.tickets import actions as tickets
from app.tickets.models import Ticket
from tests import invariants, world

PLACES, BUYERS = 50, 64


async def the_house(places: int = PLACES, **columns: Any) -> tuple[Event, TicketType, TicketType]:
    """An event with stalls and a balcony of a hundred places each, in one house that has fewer."""
    async with writing() as tx:
        event = await world.event(tx)
        quota = Quota(event_id=event.id or 0, name="House", capacity=places)
        tx.add(quota)
        await tx.flush()
        for kind in [await world.only_type(tx, event), await world.ticket_type(tx, event, name="Balcony")]:
            await quotas.put_into(tx, kind, quota.id)
        stalls, balcony = await queries.ticket_types(tx, event.id)
        for name, value in columns.items():
            setattr(balcony, name, value)
        return event, stalls, balcony


async def counted() -> tuple[int, int]:
    """Held and sold in the quota; the invariants hold."""
    async with reading() as db:
        assert await invariants.broken(db) == []
        quota = (await db.exec(select(Quota))).one()
    return quota.held, quota.sold


async def held(event: Event, *places: tuple[TicketType, int], key: str = "bobs-browser") -> Booking:
    wanted = {kind.id or 0: qty for kind, qty in places}
    async with writing() as tx:
        return await actions.hold(tx, event, wanted, by=Visitor(key=key), now=clock.now())


async def storm(event: Event, *kinds: TicketType) -> Counter[type]:
    """Everybody wants one place of one of the types in the same moment, at the box office."""
    wishes = (Wish(event.slug, {kinds[n % len(kinds)].code: 1}, by=Visitor(key=f"browser-{n}")) for n in range(BUYERS))
    return Counter(map(type, await asyncio.gather(*map(boxoffice.hold, wishes), return_exceptions=True)))


async def test_sixty_four_buyers_of_two_types_get_exactly_the_fifty_places_of_the_house(database: Database) -> None:
    event, stalls, balcony = await the_house()
    assert await storm(event, stalls, balcony) == {Held: PLACES, SoldOut: BUYERS - PLACES}
    assert await counted() == (PLACES, 0)


async def test_the_same_in_writing_blocks_of_their_own(database: Database) -> None:
    event, stalls, balcony = await the_house()

    @retried
    async def buy(number: int) -> bool:
        try:
            await held(event, ((stalls, balcony)[number % 2], 1), key=f"browser-{number}")
        except SoldOut:
            return False
        return True

    assert sum(await asyncio.gather(*map(buy, range(BUYERS)))) == PLACES
    assert await counted() == (PLACES, 0)


async def test_without_the_guard_of_the_quota_they_get_more(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the types are guarded each by itself, and the invariants see it."""
    take = stock.take

    def alone(ticket_type_id: int, qty: int, *, quota_id: int | None, **how: Any) -> Any:
        return take(ticket_type_id, qty, quota_id=None, **how)

    monkeypatch.setattr(stock, "take", alone)
    event, stalls, balcony = await the_house()
    assert await storm(event, stalls, balcony) == {Held: BUYERS}
    async with reading() as db:
        assert await invariants.broken(db) == ["I2"]


async def test_a_refusal_says_what_the_house_has_left(database: Database) -> None:
    event, stalls, balcony = await the_house(places=5)
    await held(event, (stalls, 3), key="carols-browser")
    with pytest.raises(SoldOut, match="Balcony: 2 places are left") as refusal:
        await held(event, (balcony, 3))
    assert refusal.value.left == {balcony.id: 2}
    with pytest.raises(SoldOut) as both:
        await held(event, (stalls, 1), (balcony, 2))
    assert both.value.left == {balcony.id: 1}
    assert await counted() == (3, 0)
    await held(event, (stalls, 1), (balcony, 1))
    assert await counted() == (5, 0)


async def test_places_that_come_back_come_back_to_the_house(database: Database, moment: time_machine.Traveller) -> None:
    event, stalls, balcony = await the_house(places=4)
    first = await held(event, (stalls, 2), (balcony, 1), key="carols-browser")
    async with writing() as tx:
        await actions.release(tx, first, now=clock.now())
    assert await counted() == (0, 0)
    await held(event, (stalls, 4), key="carols-browser")
    moment.shift(timedelta(minutes=16))
    await held(event, (balcony, 1), key="bobs-browser")
    assert await counted() == (1, 0)
    moment.shift(timedelta(minutes=16))
    await flows.expire_due()
    assert await counted() == (0, 0)


async def test_paid_places_are_sold_in_the_house_until_they_are_given_back(database: Database) -> None:
    event, stalls, balcony = await the_house()
    booking = await held(event, (stalls, 2), (balcony, 1))
    async with writing() as tx:
        await actions.start_paying(tx, booking, now=clock.now())
        await tickets.settle(tx, booking, now=clock.now())
    async with reading() as db:
        quota, one = (await db.exec(select(Quota))).one(), (await db.exec(select(Ticket))).first()
    assert (quota.held, quota.sold) == (0, 3)
    assert one
    async with writing() as tx:
        await tickets.take_back_one(tx, booking, one, now=clock.now())
        assert (await tx.exec(select(Quota.sold))).one() == 2
        await tickets.take_back(tx, booking, to="refunded", now=clock.now())
    assert await counted() == (0, 0)


@pytest.mark.parametrize("is_full", [False, True])
async def test_late_money_gets_places_only_while_the_house_has_some(database: Database, is_full: bool) -> None:
    event, stalls, balcony = await the_house(places=3)
    async with writing() as tx:
        booking = await actions.hold(tx, event, {stalls.id or 0: 2}, by=Visitor(key="bobs-browser"), now=clock.now())
        booking.total_minor = 0
        await actions.expire(tx, booking, now=booking.held_until)
    await held(event, (balcony, 2 if is_full else 1), key="carols-browser")
    async with writing() as tx:
        assert await tickets.settle_late(tx, booking, event, now=clock.now()) is not is_full
    async with reading() as db:
        quota = (await db.exec(select(Quota))).one()
    assert (quota.held, quota.sold) == ((2, 0) if is_full else (1, 2))


async def test_a_presale_counts_in_the_house_too(database: Database) -> None:
    now = clock.now()
    soon = {"sale_from": now + timedelta(days=1), "presale_from": now - timedelta(days=1), "presale_places": 10}
    event, stalls, balcony = await the_house(places=3, **soon)
    async with writing() as tx:
        bob = await world.bob(tx)
    await held(event, (stalls, 1), key="carols-browser")
    wish = Wish(event.slug, {balcony.code: 2}, by=Visitor(user_id=bob.id, email=bob.email, role="user"))
    assert (await boxoffice.hold(wish)).is_presale
    with pytest.raises(SoldOut, match="just sold out"):
        await boxoffice.hold(wish)
    async with reading() as db:
        taken = (await db.exec(select(TicketType.presale_taken).where(TicketType.id == balcony.id))).one()
    assert (taken, await counted()) == (2, (3, 0))


async def test_what_is_left_is_never_more_than_the_house_has(database: Database) -> None:
    event, stalls, balcony = await the_house(places=3)
    await held(event, (stalls, 1))
    async with reading() as db:
        types = await queries.ticket_types(db, event.id)
        card = (await queries.upcoming_cards(db, clock.now()))[0]
    assert [kind.left for kind in types] == [2, 2]
    assert offering.left_together(types, now=clock.now()) == 2
    assert card.badge and card.badge.text == "2 left"
    await held(event, (balcony, 2), key="carols-browser")
    async with reading() as db:
        card = (await queries.upcoming_cards(db, clock.now()))[0]
    assert card.badge and card.badge.text == "All held for now"
    assert not card.is_buyable


async def test_a_type_with_taken_places_stays_in_its_quota(database: Database) -> None:
    event, stalls, _balcony = await the_house()
    other, *_rest = await the_house()
    async with reading() as db:
        both = (await db.exec(select(Quota).order_by(Quota.id))).all()  # type: ignore[arg-type]
    async with writing() as tx:
        await quotas.put_into(tx, stalls, None)
    stalls.quota_id = None
    with pytest.raises(Refused, match="stays in its quota"):
        async with writing() as tx:
            await quotas.put_into(tx, stalls, both[1].id)
    async with writing() as tx:
        await quotas.put_into(tx, stalls, both[0].id)
    stalls.quota_id = both[0].id
    await held(event, (stalls, 1))
    with pytest.raises(Refused, match="stays in its quota"):
        async with writing() as tx:
            await quotas.put_into(tx, stalls, None)
    assert other.id != event.id


async def test_a_quota_cannot_become_smaller_than_what_is_taken(database: Database) -> None:
    event, stalls, _balcony = await the_house(places=5)
    await held(event, (stalls, 3))
    async with reading() as db:
        quota = (await db.exec(select(Quota))).one()
    with pytest.raises(Refused, match="3 places of the quota House"):
        async with writing() as tx:
            await quotas.resize(tx, quota, 2)
    async with writing() as tx:
        await quotas.resize(tx, quota, 3)
    assert await counted() == (3, 0)
    with pytest.raises(SoldOut):
        await held(event, (stalls, 1), key="carols-browser")


async def test_desks_count_no_more_places_than_the_house_has(database: Database) -> None:
    """Stalls and balcony of a hundred each in a house of fifty, and a box of ten beside it."""
    event, stalls, _balcony = await the_house()
    async with writing() as tx:
        await world.ticket_type(tx, event, name="Box", capacity=10)
    await held(event, (stalls, 4))
    async with reading() as db:
        [proposal] = await queries.proposals(db)
    assert (proposal.capacity, proposal.held, proposal.sold) == (60, 4, 0)


async def test_an_ordinary_hold_asks_nothing_about_quotas_and_codes(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On-sales are when everybody comes at once: what an event does not have costs its buyers no statement."""
    asked: list[str] = []
    as_sqlite_has_it = plain.without_locks

    def heard(sql: str) -> str:
        asked.append(sql)
        return as_sqlite_has_it(sql)

    async with writing() as tx:
        event = await world.event(tx)
        kind = await world.only_type(tx, event)
    monkeypatch.setattr(plain, "without_locks", heard)
    await boxoffice.hold(Wish(event.slug, {kind.code: 2}, by=Visitor(key="bobs-browser"), is_new=True))
    assert len(asked) == 7, asked
    assert not [sql for sql in asked if any(f" {table} " in sql for table in ("quotas", "promo_codes", "vouchers"))]


async def test_two_box_offices_with_a_house_and_codes_wait_for_nobody_in_a_circle(
    postgresql_database: Database, moment: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes hold with and without a code in two houses, while lapsed holds end and a manager sets places aside."""
    troubles: list[object] = []
    commit = plain.OnPostgresql._commit

    async def watched(self: Any, works: Any) -> Any:
        try:
            return await commit(self, works)
        except asyncpg.PostgresError as error:
            troubles.append(error)
            raise

    monkeypatch.setattr(plain.OnPostgresql, "_commit", watched)
    houses = [await the_house(places=190) for _ in range(2)]
    async with writing() as tx:
        for event, stalls, _balcony in houses:
            await codes.make_promos(tx, event, PromoTerms(percent=10, per_buyer=1), word="spring", by=1, now=clock.now())
            await codes.make_vouchers(tx, event, stalls, VoucherTerms(places=40), word="friends", by=1, now=clock.now())
    words = ("spring", "", "friends", "")

    def wish(number: int, who: str) -> Wish:
        event, stalls, balcony = houses[number * 7 % 3 % 2]
        code = words[number % 4]
        places = {stalls.code: 1} if code == "friends" or number % 3 else {balcony.code: 1, stalls.code: 1}
        return Wish(event.slug, places, by=Visitor(key=f"{who}-{number}"), access_code=code)

    for number in range(24):
        await boxoffice.hold(wish(number, "early"))
    moment.shift(timedelta(minutes=16))
    other = Database(postgresql_database.url)
    offices, turn = [group(), GroupCommit(other)], itertools.count()
    monkeypatch.setattr(boxoffice, "group", lambda: offices[next(turn) % 2])

    async def more_aside() -> None:
        for event, _stalls, balcony in houses:
            async with writing() as tx:
                await codes.make_vouchers(tx, event, balcony, VoucherTerms(places=5), by=1, now=clock.now())

    holds = (boxoffice.hold(wish(number, "late")) for number in range(120))
    answers, *_rest = await asyncio.gather(asyncio.gather(*holds), flows.expire_due(), more_aside())
    await other.dispose()
    assert {type(answer) for answer in answers} == {Held}
    assert troubles == []
    async with reading() as db:
        assert await invariants.broken(db) == []
