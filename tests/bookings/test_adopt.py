"""A guest's bookings join the account once that address is proved."""

from app.accounts.models import Visitor
from app.bookings import actions, queries
from app.core import clock
from app.core.db import Database, reading, writing
from app.tickets.actions import settle
from tests import world


async def test_bookings_of_the_proved_address_join_the_account_and_no_others(database: Database) -> None:
    async with writing() as tx:
        bob = await world.bob(tx)
        event = await world.event(tx, price_minor=0)
        kind = await world.only_type(tx, event)
        for key, address in (("bobs-browser", bob.email), ("carols-browser", "carol@example.com")):
            by = Visitor(key=key)
            booking = await actions.hold(tx, event, {kind.id or 0: 1}, by=by, now=clock.now())
            await actions.fill_in(tx, booking, event, email=address, name="Somebody", by=by)
            await settle(tx, booking, now=clock.now())
    async with reading() as db:
        assert await queries.counts_for(db, bob.id or 0) == {"presales": 0, "paid": 0}
    async with writing() as tx:
        assert await actions.adopt(tx, bob) == 1
        assert await actions.adopt(tx, bob) == 0
    async with reading() as db:
        assert await queries.counts_for(db, bob.id or 0) == {"presales": 0, "paid": 1}
