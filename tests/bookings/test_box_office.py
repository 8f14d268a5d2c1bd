"""The box office: many holds share a commit, and none of them notices the others."""

import asyncio
import itertools
import sqlite3
from collections import Counter
from datetime import timedelta
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest
import time_machine
from sqlmodel import select

from app.accounts.models import Visitor
from app.bookings import boxoffice, flows
from app.bookings.boxoffice import Held, Wish
from app.bookings.models import AccessCode, Booking
from app.bookings.rules import SoldOut
from app.core import clock, i18n, plain
from app.core.activity import Activity, ActivityWork
from app.core.db import Database, reading, writing
from app.core.errors import NotFound, NotYours, Refused, TooMany
from app.core.group import MOST, GroupCommit, group
from app.core.i18n import speaking
from app.core.limits import Allowance, Limit
from app.core.works import Outcome, Work
from app.events.models import Event, TicketType
from tests import invariants, world
from tests.bookings.test_presale import presale


async def on_sale(**overrides: Any) -> tuple[Event, TicketType]:
    async with writing() as tx:
        event = await world.event(tx, **overrides)
        return event, await world.only_type(tx, event)


def wish(event: Event, kind: TicketType, browser: str, qty: int = 1, **more: Any) -> Wish:
    return Wish(event.slug, {kind.code: qty}, by=Visitor(key=browser), **more)


async def outcomes(*wishes: Wish) -> list[Held | BaseException]:
    """What everybody gets who comes in the same moment."""
    return await asyncio.gather(*(boxoffice.hold(one) for one in wishes), return_exceptions=True)


async def counted(kind: TicketType) -> tuple[int, int]:
    """Held and sold; the invariants hold."""
    async with reading() as db:
        assert await invariants.broken(db) == []
        found = (await db.exec(select(TicketType).where(TicketType.id == kind.id))).one()
    return found.held, found.sold


async def booking(held: Held) -> Booking:
    async with reading() as db:
        return (await db.exec(select(Booking).where(Booking.code == held.code))).one()


@pytest.mark.asvs("V2.3.4")
async def test_three_hundred_people_at_once_get_exactly_the_fifty_places(database: Database) -> None:
    event, kind = await on_sale(capacity=50)
    answers = await outcomes(*(wish(event, kind, f"browser-{number}") for number in range(300)))
    assert Counter(type(answer) for answer in answers) == {Held: 50, SoldOut: 250}
    assert await counted(kind) == (50, 0)


async def test_without_the_guard_in_the_statement_they_get_more(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the condition is looked at in a reading session, and everybody finds it true."""
    event, kind = await on_sale(capacity=500)

    async def look_then_hold(one: Wish) -> None:
        async with reading() as db:
            present = (await db.exec(select(TicketType).where(TicketType.id == kind.id))).one()
        if present.held < 5:
            await boxoffice.hold(one)

    await asyncio.gather(*(look_then_hold(wish(event, kind, f"browser-{number}")) for number in range(60)))
    assert (await counted(kind))[0] > 5


async def test_an_answer_means_that_the_hold_is_on_disk(database: Database) -> None:
    event, kind = await on_sale(capacity=5)
    held = await boxoffice.hold(wish(event, kind, "bobs-browser", 2))
    if database.is_sqlite:
        other = sqlite3.connect(database.path)
        found = other.execute("SELECT state FROM bookings WHERE code = ?", (held.code,)).fetchone()
        other.close()
    else:
        other = await asyncpg.connect(database.url.replace("+asyncpg", ""))
        found = await other.fetchrow("SELECT state FROM bookings WHERE code = $1", held.code)
        await other.close()
    assert found[0] == "held"


async def test_the_row_is_what_the_orm_would_have_written(database: Database, moment: time_machine.Traveller) -> None:
    event, kind = await on_sale(capacity=5, price_minor=1850, refund_hours=24, refund_fee_minor=100)
    made = await booking(await boxoffice.hold(wish(event, kind, "bobs-browser", 2)))
    assert (made.state, made.kind, made.total_minor, made.kept_minor) == ("held", "purchase", 3700, 0)
    assert (made.refund_hours, made.refund_fee_minor, made.extensions, made.is_late) == (24, 100, 0, False)
    assert made.created_at == clock.now()
    assert made.held_until == clock.now() + timedelta(minutes=15)
    async with reading() as db:
        written = (await db.exec(select(Activity).where(Activity.about == f"booking:{made.id}"))).one()
        work = await db.get(ActivityWork, written.id)
    assert (written.kind, written.details, written.at) == ("booking.held", {"event": event.id}, clock.now())
    assert work is None, "nobody is told of a guest's hold, so the worker need not look"


async def test_whoever_is_refused_takes_nothing_from_the_others(database: Database) -> None:
    event, kind = await on_sale(capacity=100, per_buyer=4)
    many = [wish(event, kind, f"browser-{number}", 7 if number % 2 else 1) for number in range(40)]
    unknown = Wish("no-such-event", {kind.code: 1}, by=Visitor(key="mallorys-browser"))
    answers = await outcomes(*many, unknown)
    assert Counter(type(answer) for answer in answers) == {Held: 20, Refused: 20, NotFound: 1}
    assert await counted(kind) == (20, 0)


async def test_a_second_hold_replaces_the_first_also_in_the_same_moment(database: Database) -> None:
    event, kind = await on_sale(capacity=10, per_buyer=6)
    answers = await outcomes(*(wish(event, kind, "bobs-browser", 2) for _ in range(8)))
    assert all(isinstance(answer, Held) for answer in answers)
    assert await counted(kind) == (2, 0)


async def test_places_of_lapsed_holds_go_to_whoever_comes_next(database: Database, moment: time_machine.Traveller) -> None:
    event, kind = await on_sale(capacity=3)
    first = await boxoffice.hold(wish(event, kind, "bobs-browser", 3))
    moment.shift(timedelta(minutes=16))
    await boxoffice.hold(wish(event, kind, "carols-browser", 2))
    assert (await booking(first)).state == "expired"
    assert await counted(kind) == (2, 0)


async def test_an_attempt_is_counted_even_if_it_is_refused(database: Database) -> None:
    event, kind = await on_sale(capacity=100, per_buyer=4)
    allowance = Allowance("hold:10.0.0.1", most=3, seconds=3600)
    wishes = [wish(event, kind, f"browser-{number}", 5, allowances=[allowance]) for number in range(5)]
    answers = [type((await outcomes(one))[0]) for one in wishes]
    assert answers == [Refused, Refused, Refused, TooMany, TooMany]


async def test_whoever_is_known_is_counted_twice_and_either_limit_refuses(database: Database) -> None:
    """By the network address, and as the buyer that they are wherever they come from."""
    event, kind = await on_sale(capacity=100, per_buyer=1)

    def from_address(number: int, buyer: str) -> Wish:
        address = Allowance(f"hold:10.0.0.{number}", most=2, seconds=3600)
        return wish(event, kind, buyer, 5, allowances=[address, Allowance(f"hold by buyer:{buyer}", most=3, seconds=3600)])

    bobs = [type((await outcomes(from_address(number, "bobs-browser")))[0]) for number in range(4)]
    assert bobs == [Refused, Refused, Refused, TooMany]
    others = [type((await outcomes(from_address(0, f"browser-{number}")))[0]) for number in range(2)]
    assert others == [Refused, TooMany]


async def test_buyers_in_two_shops_at_once_wait_for_nobody_in_a_circle(
    postgresql_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same buyers in two processes, from another address in each: every batch locks limits in the same order."""
    troubles: list[str] = []
    commit = plain.OnPostgresql._commit

    async def watched(self: plain.OnPostgresql, works: list[Work]) -> list[Outcome]:
        try:
            return await commit(self, works)
        except asyncpg.PostgresError as error:
            troubles.append(f"{error.detail} {error.context}")
            raise

    monkeypatch.setattr(plain.OnPostgresql, "_commit", watched)
    other = Database(postgresql_database.url)
    shops = itertools.cycle([GroupCommit(postgresql_database), GroupCommit(other)])
    monkeypatch.setattr(boxoffice, "group", lambda: next(shops))
    events = [await on_sale(capacity=1000), await on_sale(capacity=1000)]
    for _round in range(5):
        wishes = [
            wish(*events[place], f"browser-{buyer}", 1, allowances=[
                Allowance(f"hold:10.{place}.0.{(buyer * 7 + place * 13) % 20:02}", most=10**6, seconds=3600),
                Allowance(f"hold by buyer:browser-{buyer}", most=10**6, seconds=3600),
            ])
            for buyer in range(20)
            for place in (0, 1)
        ]  # fmt: skip
        assert {type(answer) for answer in await outcomes(*wishes)} == {Held}
    await other.dispose()
    assert troubles == []


async def test_a_draft_is_not_there_and_a_called_off_event_does_not_sell(database: Database) -> None:
    draft, kind = await on_sale(state="draft", published_at=None)
    over, other = await on_sale(state="called_off")
    assert [type(answer) for answer in await outcomes(wish(draft, kind, "a"), wish(over, other, "b"))] == [NotFound, Refused]


async def test_a_presale_needs_an_account_and_wakes_the_worker(database: Database) -> None:
    event, kind, bob = await presale()
    with pytest.raises(NotYours):
        await boxoffice.hold(wish(event, kind, "bobs-browser"))
    held = await boxoffice.hold(Wish(event.slug, {kind.code: 2}, by=bob))
    assert held.is_presale
    async with reading() as db:
        written = (await db.exec(select(Activity).where(Activity.about == f"booking:{held.id}"))).one()
        assert await db.get(ActivityWork, written.id)
    assert await counted(kind) == (2, 0)


async def test_the_presale_has_a_limit_of_its_own(database: Database) -> None:
    event, kind, bob = await presale(per_buyer=6, presale_per_buyer=2)
    two = Wish(event.slug, {kind.code: 2}, by=bob)
    await boxoffice.hold(two)
    with pytest.raises(Refused, match="2 places in the pre-sale"):
        await boxoffice.hold(two)
    assert await counted(kind) == (2, 0)


async def test_a_code_for_one_booking_opens_the_presale_once_however_many_come(database: Database) -> None:
    event, kind, bob = await presale(needs_code=True)
    async with writing() as tx:
        tx.add(AccessCode(ticket_type_id=kind.id or 0, code="ONCE", max_uses=1))
    answers = await outcomes(*(Wish(event.slug, {kind.code: 1}, by=bob, access_code="once") for _ in range(12)))
    assert Counter(type(answer) for answer in answers) == {Held: 1, Refused: 11}
    assert await counted(kind) == (1, 0)


async def test_everybody_in_a_batch_keeps_their_language(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for spoken in ("it", "de", "fr"):
        monkeypatch.setitem(i18n.LANGUAGES, spoken, spoken)
    event, kind = await on_sale()

    async def asking(key: str, spoken: str) -> Held:
        with speaking(spoken):
            return await boxoffice.hold(wish(event, kind, key))

    languages = ["en", "it", "de", "fr", "en", "it"]
    held = await asyncio.gather(*(asking(f"browser-{number}", spoken) for number, spoken in enumerate(languages)))
    async with reading() as db:
        kept = dict((await db.exec(select(Booking.id, Booking.language))).all())
    assert [kept[one.id] for one in held] == languages


async def test_two_wishes_of_one_visitor_at_once_are_one_hold(database: Database) -> None:
    event, kind = await on_sale(capacity=10)
    await outcomes(*(wish(event, kind, "bobs-browser") for _ in range(2)), wish(event, kind, "anns-browser"))
    async with reading() as db:
        assert Counter((await db.exec(select(Booking.visitor_key, Booking.state))).all()) == {
            ("bobs-browser", "released"): 1,
            ("bobs-browser", "held"): 1,
            ("anns-browser", "held"): 1,
        }


async def test_a_refusal_in_the_middle_of_a_batch_takes_back_its_own_and_nothing_else(database: Database) -> None:
    """The limit refuses after the places are taken; everybody else's places, and the counted attempt, stay."""
    event, kind = await on_sale(capacity=50, per_buyer=3)
    for _ in range(2):
        await boxoffice.hold(wish(event, kind, "bobs-browser", qty=1))
    allowance = Allowance("hold:10.0.0.7", most=100, seconds=60)
    greedy = Wish(event.slug, {kind.code: 3}, by=Visitor(key="bobs-browser"), allowances=[allowance], is_new=True)
    answers = await outcomes(wish(event, kind, "a", qty=1), greedy, wish(event, kind, "b", qty=1))
    assert [type(answer) for answer in answers] == [Held, Refused, Held]
    assert await counted(kind) == (3, 0)
    async with reading() as db:
        assert (await db.exec(select(Limit.count))).one() == 1


async def test_works_side_by_side_are_one_message_for_each_of_their_statements(
    postgresql_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, kind = await on_sale(capacity=500)
    await boxoffice.hold(wish(event, kind, "first"))
    asked: Counter[str] = Counter()
    ask = plain._ask

    async def watched(postgresql: Any, sql: str, many: Any) -> Any:
        asked[sql] += 1
        return await ask(postgresql, sql, many)

    monkeypatch.setattr(plain, "_ask", watched)
    answers = await outcomes(*(wish(event, kind, f"browser-{number}") for number in range(MOST)))
    assert all(isinstance(answer, Held) for answer in answers)
    # The first goes alone, because nobody else has come yet.
    assert set(asked.values()) <= {1, 2}


async def test_a_batch_that_cannot_be_kept_is_told_to_everybody_in_it(database: Database) -> None:
    """The database goes away before the commit: all who waited hear of it, nothing is half there, and the next hold works."""
    event, kind = await on_sale(capacity=10)
    connection: Any = group()._connection
    await boxoffice.hold(wish(event, kind, "first"))
    commit = connection._one

    if database.is_sqlite:

        def broken(sqlite: Any, *work: Any) -> Any:
            commit(sqlite, *work)
            raise sqlite3.OperationalError("disk I/O error")
    else:

        async def broken(postgresql: Any, *work: Any) -> Any:
            await commit(postgresql, *work)
            await postgresql.close()
            raise ConnectionError("gone")

    connection._one = broken
    answers = await outcomes(*(wish(event, kind, f"browser-{number}") for number in range(5)))
    assert not any(isinstance(answer, Held) for answer in answers)
    connection._one = commit
    assert await counted(kind) == (1, 0)
    await boxoffice.hold(wish(event, kind, "later"))
    assert await counted(kind) == (2, 0)


async def test_a_deadlock_is_tried_again(postgresql_database: Database) -> None:
    event, kind = await on_sale(capacity=10)
    connection: Any = group()._connection
    one, failures = connection._one, [asyncpg.DeadlockDetectedError("deadlock"), asyncpg.DeadlockDetectedError("deadlock")]

    async def unlucky(postgresql: Any, *work: Any) -> Any:
        if failures:
            raise failures.pop()
        return await one(postgresql, *work)

    connection._one = unlucky
    assert isinstance((await outcomes(wish(event, kind, "bobs-browser")))[0], Held)
    assert await counted(kind) == (1, 0)


async def test_whoever_goes_away_while_waiting_disturbs_nobody(database: Database) -> None:
    event, kind = await on_sale(capacity=10)
    leaving = asyncio.create_task(boxoffice.hold(wish(event, kind, "mallorys-browser")))
    await asyncio.sleep(0)
    leaving.cancel()
    staying = await outcomes(*(wish(event, kind, f"browser-{number}") for number in range(MOST)))
    assert all(isinstance(answer, Held) for answer in staying) or Counter(map(type, staying))[SoldOut] > 0
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_a_hold_has_no_place_inside_a_writing_block(database: Database) -> None:
    event, kind = await on_sale()
    async with writing():
        with pytest.raises(RuntimeError, match="inside a writing block"):
            await boxoffice.hold(wish(event, kind, "bobs-browser"))


def test_the_group_commit_belongs_to_its_database(sqlite_database: Database) -> None:
    assert isinstance(group(), GroupCommit)
    assert group() is group()


async def test_two_box_offices_and_the_sweep_never_wait_for_each_other_in_a_circle(
    postgresql_database: Database, moment: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes hold places of two events in mixed order while lapsed holds end: no deadlock is ever reported."""
    errors: list[object] = []
    seen = plain.OnPostgresql._commit

    async def watched(self: Any, works: Any) -> Any:
        try:
            return await seen(self, works)
        except asyncpg.PostgresError as error:
            errors.append(error)
            raise

    monkeypatch.setattr(plain.OnPostgresql, "_commit", watched)
    events = [await on_sale(capacity=500), await on_sale(capacity=500)]
    for number in range(60):
        await boxoffice.hold(wish(*events[number % 2], f"early-{number}"))
    moment.shift(timedelta(minutes=16))
    other = GroupCommit(postgresql_database)
    offices = [group(), other]
    turn = itertools.count()
    monkeypatch.setattr(boxoffice, "group", lambda: offices[next(turn) % 2])
    wishes = [wish(*events[number * 7 % 3 % 2], f"browser-{number}") for number in range(240)]
    answers, _swept = await asyncio.gather(outcomes(*wishes), flows.expire_due())
    assert all(isinstance(answer, Held) for answer in answers)
    assert errors == []
