"""Sales that are still to open, and who waits for them."""

from datetime import timedelta
from typing import Any

from sqlmodel import select

from app.accounts.models import User
from app.core import clock
from app.core.db import reading, writing
from app.events import flows, reminders
from app.events.actions import favourites, reminding
from app.events.models import Event
from app.events.reminders import Reminder
from app.worker import Worker
from tests import world
from tests.notifications.scenes import told

CAROL = "carol@example.com"
DAY = timedelta(days=1)


async def ahead(*, presale: timedelta | None = None, sale: timedelta = 3 * DAY, **overrides: Any) -> Event:
    """An event whose sale opens in three days."""
    async with writing() as tx:
        event = await world.event(tx, **overrides)
        kind = await world.only_type(tx, event)
        kind.sale_from, kind.presale_from = clock.now() + sale, clock.now() + presale if presale else None
    return event


async def asked(event: Event, email: str = CAROL, *, confirmed: bool = True) -> Reminder:
    async with writing() as tx:
        await reminding.ask(tx, event, email, now=clock.now())
        found = await reminders.of_address(tx, event.id or 0, email)
        assert found
        if confirmed:
            await reminding.confirm(tx, found, now=clock.now())
    return found


async def saved(event: Event, name: str = "bob") -> User:
    async with writing() as tx:
        user: User = await getattr(world, name)(tx)
        await favourites.save_event(tx, user.id or 0, event.id or 0, now=clock.now())
    return user


async def opened() -> list[tuple[str, str]]:
    """(phase or nothing, recipient) of every mail that says that a sale has opened, after the sweep and the reactions."""
    await flows.open_sales()
    await Worker().react()
    return [(one.facts["phase"], one.recipient) for one in await told() if one.kind == "sale_opened"]


async def addresses() -> list[str]:
    async with reading() as db:
        return list((await db.exec(select(Reminder.email))).all())
