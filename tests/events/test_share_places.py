"""Alice lets ticket types share places: quotas come, grow, shrink and go, and never below what is held and sold."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from app.accounts.models import Visitor
from app.bookings import actions as bookings
from app.bookings.rules import SoldOut
from app.core import clock
from app.core.db import Database, changed, reading, retried, writing
from app.core.errors import Refused
from app.events import drafts, queries, reviews
from app.events.actions import quotas
from app.events.actions.quotas import TooSmall
from app.events.models import Event, Quota, TicketType
from app.events.rules.sharing import QuotaWish, Shared
from tests import invariants, world
from tests.admin.logbook import said
from tests.events.changing import agrees, waits

pytestmark = pytest.mark.usefixtures("moment")

DESK = "/manager/events/nine-pianos"


async def the_hall(**columns: Any) -> tuple[Event, TicketType, TicketType]:
    """Alice's event with stalls and a balcony of a hundred places each."""
    async with writing() as tx:
        await world.dora(tx)
        event = await world.event(tx, per_buyer=100, **columns)
        stalls = await world.only_type(tx, event)
        stalls.name, stalls.per_booking = "Stalls", 20
        return event, stalls, await world.ticket_type(tx, event, name="Balcony", position=1, per_booking=20)


@pytest.fixture
async def hall(client: httpx.AsyncClient, sign_in: Any) -> tuple[httpx.AsyncClient, TicketType, TicketType]:
    """The browser of Alice, who needs no review, and her types."""
    _event, stalls, balcony = await the_hall()
    async with writing() as tx:
        alice = await world.alice(tx)
        alice.trusted_at = clock.now()
    await sign_in(client, alice)
    return client, stalls, balcony


async def house(event: Event, *kinds: TicketType, places: int = 50, by: str = "dora") -> Quota | None:
    """Somebody, usually an admin, lets these types share so many places."""
    async with writing() as tx:
        who, here = await getattr(world, by)(tx), await tx.get_one(Event, event.id)
        wish = QuotaWish("House", places, frozenset(kind.code for kind in kinds))
        return await quotas.add_quota(tx, here, wish, by=who.id or 0, now=clock.now())


async def changes(event: Event, by: str = "dora", **values: Any) -> None:
    """Somebody saves the one quota with some of it changed."""
    async with writing() as tx:
        who, here = await getattr(world, by)(tx), await tx.get_one(Event, event.id)
        [shared] = await drafts.shared(tx, here)
        present = shared.wish
        wish = QuotaWish(present.name, values.get("capacity", present.capacity), values.get("types", present.types))
        await quotas.change_quota(tx, here, shared, wish, by=who.id or 0, now=clock.now())


async def holds(kind: TicketType, qty: int, key: str = "bobs-browser") -> None:
    async with writing() as tx:
        event = await tx.get_one(Event, kind.event_id)
        await bookings.hold(tx, event, {kind.id or 0: qty}, by=Visitor(key=key), now=clock.now())


async def now_shared() -> list[Shared]:
    """The quotas of all events; the invariants hold."""
    async with reading() as db:
        assert await invariants.broken(db) == []
        return [each for event in (await db.exec(select(Event))).all() for each in await drafts.shared(db, event)]


# ---------- the page ----------


async def test_alice_lets_two_types_share_places_and_sees_what_is_left(
    hall: tuple[httpx.AsyncClient, TicketType, TicketType],
) -> None:
    alices, stalls, balcony = hall
    typed = {"name": "House", "places": "50", "shared_by": [stalls.code, balcony.code]}
    assert (await alices.post(f"{DESK}/quotas/new", data=typed)).status_code == 303
    await holds(stalls, 8)
    [shared] = await now_shared()
    assert (shared.wish, shared.left) == (QuotaWish("House", 50, frozenset((stalls.code, balcony.code))), 42)
    for page in (f"{DESK}/edit/tickets", f"{DESK}/quotas/{shared.quota.code}", DESK):
        assert "42 of 50 left" in (await alices.get(page)).text, page
    assert "“Stalls” put in; ticket type “Balcony” put in" in (await said())[-2]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [({"name": ""}, "Enter a name"), ({"places": "many"}, "places"), ({"shared_by": []}, "Choose the ticket types")],
)
async def test_what_is_wrong_is_said_and_the_rest_stays(
    hall: tuple[httpx.AsyncClient, TicketType, TicketType], wrong: dict[str, Any], sentence: str
) -> None:
    alices, stalls, _balcony = hall
    answer = await alices.post(f"{DESK}/quotas/new", data={"name": "House", "places": "50", "shared_by": [stalls.code]} | wrong)
    assert answer.status_code == 422
    assert sentence in answer.text.partition('id="errors"')[2].partition("</section>")[0]
    assert 'value="House"' in answer.text or 'value="50"' in answer.text
    assert await now_shared() == []


async def test_what_the_guards_say_stands_at_its_field_and_what_was_typed_stays(
    hall: tuple[httpx.AsyncClient, TicketType, TicketType],
) -> None:
    alices, stalls, balcony = hall
    await alices.post(f"{DESK}/quotas/new", data={"name": "House", "places": "50", "shared_by": [stalls.code]})
    await holds(stalls, 8)
    await holds(balcony, 1, key="carols-browser")
    [shared] = await now_shared()
    address, typed = f"{DESK}/quotas/{shared.quota.code}", {"name": "Hall", "places": "50", "shared_by": [stalls.code]}
    small = await alices.post(address, data=typed | {"places": "7"})
    joins = await alices.post(address, data=typed | {"shared_by": [stalls.code, balcony.code]})
    leaves = await alices.post(address, data=typed | {"shared_by": [balcony.code]})
    for answer, field, sentence in (
        (small, "places", "8 places of the quota House are taken, so it cannot be smaller."),
        (joins, "shared_by", "Places of Balcony are taken"),
        (leaves, "shared_by", "Places of Stalls are taken"),
    ):
        assert answer.status_code == 422 and 'value="Hall"' in answer.text
        assert sentence in answer.text.partition(f'id="{field}-error"')[2].partition("</div>")[0]
    assert (await alices.post(f"{address}/remove")).status_code == 409
    assert [each.wish for each in await now_shared()] == [shared.wish]
    assert (await alices.post(address, data=typed | {"places": "8"})).status_code == 303
    assert [(each.quota.name, each.left) for each in await now_shared()] == [("Hall", 0)]


async def test_a_quota_goes_and_its_types_are_sold_each_by_itself(
    hall: tuple[httpx.AsyncClient, TicketType, TicketType],
) -> None:
    alices, stalls, balcony = hall
    await alices.post(f"{DESK}/quotas/new", data={"name": "House", "places": "5", "shared_by": [stalls.code, balcony.code]})
    [shared] = await now_shared()
    assert (await alices.post(f"{DESK}/quotas/{shared.quota.code}/remove")).status_code == 303
    assert await now_shared() == []
    await holds(stalls, 8)


async def test_a_type_moves_from_one_quota_to_another_and_the_page_says_so(
    hall: tuple[httpx.AsyncClient, TicketType, TicketType],
) -> None:
    alices, stalls, balcony = hall
    for name, kind in (("House", stalls), ("Attic", balcony)):
        await alices.post(f"{DESK}/quotas/new", data={"name": name, "places": "50", "shared_by": [kind.code]})
    attic = (await now_shared())[1].quota
    assert "Stalls, until now in House" in (await alices.get(f"{DESK}/quotas/{attic.code}")).text
    typed = {"name": "Attic", "places": "50", "shared_by": [stalls.code, balcony.code]}
    assert (await alices.post(f"{DESK}/quotas/{attic.code}", data=typed)).status_code == 303
    assert [len(each.types) for each in await now_shared()] == [0, 2]


async def test_who_saves_later_sees_what_was_saved_before(hall: tuple[httpx.AsyncClient, TicketType, TicketType]) -> None:
    alices, stalls, _balcony = hall
    typed = {"name": "House", "places": "50", "shared_by": [stalls.code]}
    await alices.post(f"{DESK}/quotas/new", data=typed)
    address = f"{DESK}/quotas/{(await now_shared())[0].quota.code}"
    seen = (await alices.get(address)).text.partition('name="seen" type="hidden" value="')[2].partition('"')[0]
    assert (await alices.post(address, data=typed | {"places": "60", "seen": seen})).status_code == 303
    late = await alices.post(address, data=typed | {"places": "70", "seen": seen})
    assert late.status_code == 409 and 'value="70"' in late.text
    assert [each.quota.capacity for each in await now_shared()] == [60]


# ---------- who needs a review ----------


async def test_of_a_public_event_fewer_places_wait_for_an_admin_and_more_do_not(sqlite_database: Database) -> None:
    event, stalls, balcony = await the_hall()
    assert await house(event, stalls, by="alice") is None
    assert await now_shared() == []
    await agrees(event)
    [shared] = await now_shared()
    assert shared.wish == QuotaWish("House", 50, frozenset([stalls.code]))
    await changes(event, "alice", capacity=60)
    await changes(event, "alice", capacity=40, types=frozenset([stalls.code, balcony.code]))
    assert [each.wish.capacity for each in await now_shared()] == [60]
    assert await waits(event) == {"quotas": {shared.quota.code: {"capacity": 40, "types": sorted([stalls.code, balcony.code])}}}
    async with reading() as db:
        revision = await reviews.waiting(db, event)
        assert revision
        [part] = (await reviews.asked(db, event, revision)).quotas
    told = [(field.label, field.before, field.after) for field in part.fields]
    assert told == [("Places", "60", "40"), ("Ticket types that share them", "Stalls", "Stalls, Balcony")]
    await agrees(event)
    assert [each.wish for each in await now_shared()] == [QuotaWish("House", 40, frozenset([stalls.code, balcony.code]))]
    await changes(event, "alice", types=frozenset([balcony.code]))
    assert await waits(event) == {}
    assert [each.wish.types for each in await now_shared()] == [frozenset([balcony.code])]


async def test_an_admin_cannot_agree_to_fewer_places_than_are_taken_by_then(sqlite_database: Database) -> None:
    event, stalls, _balcony = await the_hall()
    await house(event, stalls)
    await changes(event, "alice", capacity=5)
    await holds(stalls, 6)
    with pytest.raises(TooSmall, match="6 places"):
        await agrees(event)
    assert [each.left for each in await now_shared()] == [44]


# ---------- at the same time ----------


async def storm(event: Event, stalls: TicketType, resizing: Any) -> int:
    """Sixteen people hold three places each while the house shrinks again and again; how small it has become."""
    smallest = 50

    async def buys(number: int) -> None:
        try:
            await retried(holds)(stalls, 3, key=f"browser-{number}")
        except SoldOut:
            return

    async def shrinks() -> None:
        nonlocal smallest
        for capacity in (45, 40, 30, 20, 10):
            try:
                await retried(resizing)(event, capacity=capacity)
                smallest = capacity
            except Refused:
                return

    await asyncio.gather(shrinks(), *map(buys, range(16)))
    return smallest


async def test_a_house_never_shrinks_below_those_who_are_in_it(database: Database) -> None:
    event, stalls, balcony = await the_hall()
    await house(event, stalls, balcony)
    smallest = await storm(event, stalls, changes)
    [shared] = await now_shared()
    assert shared.quota.capacity == smallest
    assert shared.quota.held <= smallest


async def test_without_the_guard_only_the_database_itself_says_no(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: somebody looks, people hold, and what was seen is no longer so. The CHECK behind the guard is no sentence."""

    async def unguarded(tx: Any, quota: Quota, capacity: int) -> None:
        await changed(tx, update(Quota).where(col(Quota.id) == quota.id).values(capacity=capacity))

    monkeypatch.setattr(quotas, "resize", unguarded)
    event, stalls, balcony = await the_hall()
    await house(event, stalls, balcony)
    async with reading() as db:
        [before] = await drafts.shared(db, event)
    await holds(stalls, 8)
    with pytest.raises(IntegrityError, match="stock"):
        async with writing() as tx:
            here = await tx.get_one(Event, event.id)
            wish = QuotaWish("House", 5, before.wish.types)
            await quotas.change_quota(tx, here, before, wish, by=1, now=clock.now())


async def test_a_type_joins_a_house_only_while_nobody_has_a_place_of_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Either it joined, and Bob counts in the house, or he was first and it stays outside."""
    monkeypatch.setattr(quotas, "_check_untaken", lambda kinds: None)
    for number in range(3):
        event, stalls, balcony = await the_hall()
        await house(event, stalls)
        both = frozenset([stalls.code, balcony.code])
        joined, _held = await asyncio.gather(
            retried(changes)(event, types=both), retried(holds)(balcony, 2, key=f"browser-{number}"), return_exceptions=True
        )
        assert joined is None or isinstance(joined, Refused)
    assert await now_shared()


async def test_a_type_that_joins_without_the_guard_brings_places_that_nobody_counts(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the invariants see it."""

    async def unguarded(tx: Any, kind: TicketType, quota_id: int | None) -> None:
        await changed(tx, update(TicketType).where(col(TicketType.id) == kind.id).values(quota_id=quota_id))

    monkeypatch.setattr(quotas, "put_into", unguarded)
    event, stalls, balcony = await the_hall()
    await house(event, stalls)
    async with reading() as db:
        types = await queries.ticket_types(db, event.id)
    await holds(balcony, 2)
    monkeypatch.setattr(quotas, "_check_untaken", lambda kinds: None)
    await changes(event, types=frozenset(kind.code for kind in types))
    async with reading() as db:
        assert await invariants.broken(db) == ["I2"]
