"""Dora keeps categories and venues in order; nothing that hangs on them is lost."""

from collections.abc import Awaitable, Callable

import httpx
import pytest
from sqlmodel import col, select

from app.accounts.models import User
from app.core import clock, db
from app.core.errors import Refused
from app.core.jobs import Job
from app.events import queries
from app.events.actions import arranging, favourites
from app.events.models import Category, Event, Favourite, Venue
from app.events.moved import moved_to
from app.worker import work_jobs
from tests import world
from tests.accounts.links import told

SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]


@pytest.fixture
async def dora(client: httpx.AsyncClient, sign_in: SignIn) -> User:
    """Dora, signed in."""
    async with db.writing() as tx:
        user = await world.dora(tx)
    await sign_in(client, user)
    return user


async def categories(*names: str) -> list[Category]:
    async with db.writing() as tx:
        made = [await world.category(tx, name) for name in names]
        for position, kind in enumerate(made):
            kind.position = position
    return made


async def order() -> list[str]:
    async with db.reading() as reader:
        return [kind.name for kind in await queries.categories(reader)]


async def text_of(title: str) -> str:
    async with db.reading() as reader:
        return await world.words_of(reader, title)


# ---------- categories ----------


async def test_a_new_category_stands_at_the_end_and_has_an_address(client: httpx.AsyncClient, dora: User) -> None:
    await categories("Music", "Talks")
    assert (await client.post("/admin/categories", data={"name": "Été & Café"})).headers["location"] == "/admin/categories"
    assert await order() == ["Music", "Talks", "Été & Café"]
    assert (await client.get("/admin/categories/ete-cafe")).status_code == 200
    again = await client.post("/admin/categories", data={"name": "ETE & CAFE"})
    assert again.status_code == 409
    assert "There is a category with this name" in again.text
    assert 'value="ETE &amp; CAFE"' in again.text


async def test_a_renamed_category_keeps_its_address_and_is_found_by_its_new_name(client: httpx.AsyncClient, dora: User) -> None:
    async with db.writing() as tx:
        await world.event(tx, title="Nine Pianos")
    assert "jazz" not in await text_of("Nine Pianos")
    await client.post("/admin/categories/music", data={"name": "Jazz"})
    assert await order() == ["Jazz"]
    assert "jazz" in await text_of("Nine Pianos")
    assert "Nine Pianos" in (await client.get("/events", params={"q": "jazz"})).text
    assert "renamed the category “Music” to “Jazz”" in (await client.get("/admin/activity")).text
    taken = await client.post("/admin/categories/music", data={"name": ""})
    assert taken.status_code == 422


async def test_the_order_is_what_everybody_sees(client: httpx.AsyncClient, dora: User) -> None:
    await categories("Music", "Talks", "Film")
    await client.post("/admin/categories/film/up")
    assert await order() == ["Music", "Film", "Talks"]
    await client.post("/admin/categories/music/down")
    assert await order() == ["Film", "Music", "Talks"]
    await client.post("/admin/categories/film/up")
    assert await order() == ["Film", "Music", "Talks"]
    assert len(await told("category.moved")) == 2


async def test_a_merge_moves_events_hearts_and_the_address(database: db.Database) -> None:
    music, jazz = await categories("Music", "Jazz")
    async with db.writing() as tx:
        dora, bob, carol = await world.dora(tx), await world.bob(tx), await world.carol(tx)
        await world.event(tx, title="Nine Pianos", category_id=jazz.id)
        await favourites.set_favourite_categories(tx, bob.id or 0, {jazz.id or 0, music.id or 0}, now=clock.now())
        await favourites.set_favourite_categories(tx, carol.id or 0, {jazz.id or 0}, now=clock.now())
    async with db.writing() as tx:
        await arranging.merge_categories(
            tx, await tx.get_one(Category, jazz.id), await tx.get_one(Category, music.id), by=dora.id or 0
        )
    async with db.reading() as reader:
        assert (await reader.exec(select(Event.category_id))).all() == [music.id]
        hearts = (await reader.exec(select(Favourite.user_id, Favourite.category_id).order_by(col(Favourite.user_id)))).all()
        assert [tuple(heart) for heart in hearts] == [(bob.id, music.id), (carol.id, music.id)]
        assert await moved_to(reader, "categories", "jazz") == "music"
    assert "music" in await text_of("Nine Pianos")
    [row] = await told("category.merged")
    assert row.details == {"names": ["Jazz", "Music"], "events": 1}


async def test_an_old_link_leads_on_also_after_a_second_merge(client: httpx.AsyncClient, dora: User) -> None:
    await categories("Music", "Jazz", "Swing")
    shown = (await client.get("/admin/categories/swing", params={"into": "jazz"})).text
    assert "0 events move to Jazz" in shown
    await client.post("/admin/categories/swing/merge", data={"into": "jazz"})
    await client.post("/admin/categories/jazz/merge", data={"into": "music"})
    answer = await client.get("/events", params={"category": "swing", "price": "free"})
    assert (answer.status_code, answer.headers["location"]) == (301, "/events?category=music&price=free")
    assert (await client.get("/events", params={"category": "never"})).status_code == 200
    assert (await client.post("/admin/categories/music/merge", data={"into": "music"})).status_code == 409


async def test_a_new_category_does_not_take_an_old_address(client: httpx.AsyncClient, dora: User) -> None:
    await categories("Music", "Jazz")
    await client.post("/admin/categories/jazz/merge", data={"into": "music"})
    await client.post("/admin/categories", data={"name": "Jazz"})
    assert (await client.get("/admin/categories/jazz-2")).status_code == 200


async def test_only_an_unused_category_is_deleted(database: db.Database) -> None:
    music, talks = await categories("Music", "Talks")
    async with db.writing() as tx:
        dora, bob = await world.dora(tx), await world.bob(tx)
        await world.event(tx, category_id=music.id)
        await favourites.set_favourite_categories(tx, bob.id or 0, {talks.id or 0, music.id or 0}, now=clock.now())
    with pytest.raises(Refused, match="This category has events"):
        async with db.writing() as tx:
            await arranging.delete_category(tx, await tx.get_one(Category, music.id), by=dora.id or 0)
    async with db.writing() as tx:
        await arranging.delete_category(tx, await tx.get_one(Category, talks.id), by=dora.id or 0)
    assert await order() == ["Music"]
    async with db.reading() as reader:
        assert (await reader.exec(select(Favourite.category_id))).all() == [music.id]


async def test_many_events_are_written_anew_by_a_job(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arranging, "AT_ONCE", 1)
    monkeypatch.setattr("app.core.jobs.BATCH", 2)
    async with db.writing() as tx:
        dora = await world.dora(tx)
        for number in range(3):
            await world.event(tx, title=f"Evening {number}")
        music = await world.category(tx)
    async with db.writing() as tx:
        await arranging.rename_category(tx, await tx.get_one(Category, music.id), "Jazz", by=dora.id or 0)
    assert "jazz" not in await text_of("Evening 2")
    while await work_jobs():
        pass
    for number in range(3):
        assert "jazz" in await text_of(f"Evening {number}")
    async with db.reading() as reader:
        assert [(job.state, job.done) for job in (await reader.exec(select(Job))).all()] == [("done", 3)]


async def test_somebody_else_was_faster(database: db.Database) -> None:
    [music] = await categories("Music")
    async with db.writing() as tx:
        dora = await world.dora(tx)
        seen = await tx.get_one(Category, music.id)
    async with db.writing() as tx:
        await arranging.rename_category(tx, await tx.get_one(Category, music.id), "Jazz", by=dora.id or 0)
    with pytest.raises(Refused, match="just changed"):
        async with db.writing() as tx:
            await arranging.rename_category(tx, seen, "Swing", by=dora.id or 0)


# ---------- venues ----------


async def venues(*names: str) -> list[Venue]:
    async with db.writing() as tx:
        return [await world.venue(tx, name) for name in names]


async def test_a_corrected_address_counts_for_all_events_of_the_venue(client: httpx.AsyncClient, dora: User) -> None:
    async with db.writing() as tx:
        event = await world.event(tx)
        place = await world.venue(tx)
    values = {"name": "Teatro Nuovo", "address": "Via Roma 1", "city": "Turin"}
    assert (await client.post(f"/admin/venues/{place.id}", data=values)).headers["location"] == f"/admin/venues/{place.id}"
    assert "Via Roma 1" in (await client.get(f"/events/{event.slug}")).text
    assert "nuovo" in await text_of("Nine Pianos")
    wrong = await client.post(f"/admin/venues/{place.id}", data=values | {"city": ""})
    assert wrong.status_code == 422
    assert 'value="Teatro Nuovo"' in wrong.text
    assert await told("event.revised") == []


async def test_two_venues_of_one_name_are_merged_after_a_look(client: httpx.AsyncClient, dora: User) -> None:
    good, double = await venues("Teatro Baretti", "Theatre Baretti")
    async with db.writing() as tx:
        await world.event(tx, venue_id=double.id)
    twice = await client.post(f"/admin/venues/{double.id}", data={"name": good.name, "address": good.address, "city": good.city})
    assert twice.status_code == 409
    assert "Merge the two instead" in twice.text
    shown = (await client.get(f"/admin/venues/{double.id}", params={"into": str(good.id)})).text
    assert "1 event takes place at Teatro Baretti" in shown
    answer = await client.post(f"/admin/venues/{double.id}/merge", data={"into": str(good.id)})
    assert answer.headers["location"] == f"/admin/venues/{good.id}"
    async with db.reading() as reader:
        assert (await reader.exec(select(Event.venue_id))).all() == [good.id]
        assert await reader.get(Venue, double.id) is None
    assert (await client.post(f"/admin/venues/{double.id}/merge", data={"into": str(good.id)})).status_code == 404


async def test_only_an_unused_venue_is_deleted(client: httpx.AsyncClient, dora: User) -> None:
    used, unused, merged = await venues("Teatro Baretti", "Nowhere", "Nowhere at all")
    async with db.writing() as tx:
        await world.event(tx, venue_id=used.id)
    await client.post(f"/admin/venues/{merged.id}/merge", data={"into": str(unused.id)})
    refused = await client.post(f"/admin/venues/{used.id}/delete")
    assert refused.status_code == 409
    assert "This venue has events, so it stays." in refused.text
    assert (await client.post(f"/admin/venues/{unused.id}/delete")).headers["location"] == "/admin/venues"
    shown = (await client.get("/admin/venues", params={"q": "baretti"})).text
    assert "Teatro Baretti" in shown
    assert "Nowhere" not in (await client.get("/admin/venues")).text


async def test_a_venue_is_added_by_hand_and_once_in_a_city(client: httpx.AsyncClient, dora: User) -> None:
    values = {"name": "Été Hall", "address": "Via Po 1", "city": "Turin"}
    answer = await client.post("/admin/venues", data=values)
    assert "Été Hall" in (await client.get(answer.headers["location"])).text
    again = await client.post("/admin/venues", data={"name": "ETE HALL", "address": "Via Roma 7", "city": "turin"})
    assert again.status_code == 409
    assert "turin has a venue of this name already" in again.text
    assert 'value="Via Roma 7"' in again.text
    nowhere = await client.post("/admin/venues", data=values | {"city": ""})
    assert nowhere.status_code == 422
    assert 'value="Été Hall"' in nowhere.text
    assert (await client.post("/admin/venues", data=values | {"city": "Milan"})).status_code == 303
    assert "added the venue “Été Hall, Via Po 1, Turin”" in (await client.get("/admin/activity")).text


async def test_a_merge_into_another_city_is_meant_when_the_city_is_typed(client: httpx.AsyncClient, dora: User) -> None:
    [wrong] = await venues("Teatro Baretti")
    async with db.writing() as tx:
        right = await world.venue(tx, "Teatro Baretti", city="Milan")
        await world.event(tx, venue_id=wrong.id)
    address = f"/admin/venues/{wrong.id}"
    assert "Milan" not in (await client.get(address)).text
    assert "Teatro Baretti, Via Baretti 4, Milan" in (await client.get(address, params={"near": "milan"})).text
    shown = (await client.get(address, params={"into": str(right.id)})).text
    assert "1 event takes place at Teatro Baretti" in shown
    assert "That is in Milan, not in Turin" in shown
    for typed in ("", "Turin"):
        refused = await client.post(f"{address}/merge", data={"into": str(right.id), "into_city": typed})
        assert refused.status_code == 422
        assert "the events move to another city" in refused.text
    async with db.reading() as reader:
        assert (await reader.exec(select(Event.venue_id))).all() == [wrong.id]
    meant = await client.post(f"{address}/merge", data={"into": str(right.id), "into_city": " milan"})
    assert meant.headers["location"] == f"/admin/venues/{right.id}"
    async with db.reading() as reader:
        assert (await reader.exec(select(Event.venue_id))).all() == [right.id]
    assert "milan" in await text_of("Nine Pianos")
