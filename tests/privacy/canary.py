"""Somebody whose name stands out goes through the whole shop, and a search looks for what is left of them."""

import zipfile
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.actions import applications, details, links, opening, second, sessions
from app.accounts.models import Challenge, Identity, Passkey, User, Visitor
from app.bookings import actions as bookings
from app.bookings import flows as booking_flows
from app.bookings import waiting
from app.bookings.models import Booking
from app.core import clock, jobs
from app.core.db import reading, writing
from app.core.settings import settings
from app.events.actions import favourites, reminding
from app.events.models import Event
from app.notifications import actions as notifications
from app.payments.actions import asking
from app.payments.flows import refunds
from app.payments.flows.checkout import checkout
from app.payments.flows.converge import converge
from app.privacy import flows
from app.privacy.actions import exports
from app.sandbox.app import Sandbox
from app.tables import metadata
from app.tickets.models import Ticket
from app.worker import Worker
from tests import world
from tests.payments.story import card_is_charged, tickets_of

CANARY = "zyxwvut"
NAME = "Zyxwvut Qanary"
EMAIL = "zyxwvut@example.com"
OTHER_EMAIL = "zyxwvut.new@example.com"
NOTE = "Zyxwvut was ill."

# Where the law keeps the name: nowhere else may anything be left.
LEGAL = {"kept_names.name"}


async def lives_here(fake: Sandbox) -> User:
    """Everything that a person can leave behind: as a guest, with an account, on paper, with Stripe, in mails."""
    paid = await _books(fake, Visitor(key=f"{CANARY}-browser"))
    user = await _opens_an_account()
    await _has_ways_in(user)
    visitor = Visitor(user.id, user.email, user.name, "user", key=f"{CANARY}-browser")
    again = await _books(fake, visitor)
    free = await _books(fake, visitor, price_minor=0)
    await _likes_things(user, paid)
    await _waits_in_line(visitor)
    await _gives_back(fake, again)
    await _gives_back(fake, free)
    await _lets_a_hold_lapse(visitor)
    await _asks_for_a_code(paid)
    await _asks_for_a_copy(user)
    await _stands_in_a_file(paid)
    await _is_told()
    await _is_over()
    return user


async def _books(fake: Sandbox, by: Visitor, *, price_minor: int = 1850) -> Booking:
    async with writing() as tx:
        event = await world.event(tx, title=f"Evening {price_minor}", price_minor=price_minor, refund_hours=24)
        kind = await world.only_type(tx, event)
        question = await world.question(tx, event, "Who comes with you?")
        booking = await bookings.hold(tx, event, {kind.id or 0: 2}, by=by, now=clock.now())
    await checkout(booking.id or 0, email=EMAIL, name=NAME, by=by, answers={(question.id or 0, None, 0): f"{NAME}'s aunt"})
    if price_minor:
        await converge(await card_is_charged(fake, booking))
    async with reading() as db:
        return await db.get_one(Booking, booking.id)


async def _opens_an_account() -> User:
    async with writing() as tx:
        await opening.ask_to_register(tx, EMAIL, password_hash="a-hash", language="en", now=clock.now())
    await Worker().react()
    async with writing() as tx:
        link = await links.new_link(tx, "register", EMAIL, now=clock.now(), language="en", password_hash="a-hash")
        used = await links.use_link(tx, "register", link.id, now=clock.now())
        user = await opening.open_account(tx, used, now=clock.now())
        await details.rename(tx, user.id or 0, NAME, by=user.id or 0)
        await bookings.adopt(tx, user)
        await tx.refresh(user)
    return user


async def _has_ways_in(user: User) -> None:
    now, user_id = clock.now(), user.id or 0
    async with writing() as tx:
        fresh = await tx.get_one(User, user_id)
        await sessions.log_in(tx, fresh, device=f"{CANARY} on Linux", now=now)
        key = Passkey(user_id=user_id, name=f"{CANARY}'s key", credential_id="c1", public_key="k1", created_at=now)
        tx.add(key)
        tx.add(Identity(user_id=user_id, issuer="https://id.example", subject=CANARY, email=EMAIL, created_at=now))
        tx.add(Challenge(kind="oidc_link", email=EMAIL, subject=CANARY, expires_at=now + timedelta(minutes=5)))
        await second.begin(tx, user_id, now=now)
        await details.ask_for_reset(tx, EMAIL, now=now)
        await details.ask_email_change(tx, fresh, OTHER_EMAIL, by=user_id, now=now)
        await applications.apply(tx, fresh, organisation=NAME, website="", why=NOTE, now=now)
        await notifications.unsubscribe(tx, f"mail:{EMAIL}", "reminders")
        await notifications.unsubscribe(tx, f"user:{user_id}", "presales")


async def _likes_things(user: User, booking: Booking) -> None:
    async with writing() as tx:
        event = await tx.get_one(Event, booking.event_id)
        await favourites.toggle_favourite(tx, user.id or 0, event_id=event.id, now=clock.now())
        await favourites.set_favourite_categories(tx, user.id or 0, {event.category_id}, now=clock.now())
        await world.helper(tx, event, user, "door")
        await reminding.ask(tx, event, EMAIL, now=clock.now())


async def _waits_in_line(by: Visitor) -> None:
    """Once as a guest and once with the account, and once it was left."""
    async with writing() as tx:
        event = await world.event(tx, title="Full House", capacity=1)
        kind = await world.only_type(tx, event)
        other = await world.ticket_type(tx, event, name="Balcony", capacity=1)
        for one in (kind, other):
            await bookings.hold(tx, event, {one.id or 0: 1}, by=Visitor(key=f"first-{one.name}"), now=clock.now())
        left = await waiting.join(tx, event.slug, kind.code, email=EMAIL, qty=1, by=Visitor(), now=clock.now())
        await waiting.leave(tx, left, now=clock.now())
        await waiting.join(tx, event.slug, kind.code, email=EMAIL, qty=1, by=by, now=clock.now())
        await waiting.join(tx, event.slug, other.code, email=EMAIL, qty=1, by=Visitor(), now=clock.now())


async def _gives_back(fake: Sandbox, booking: Booking) -> None:
    """A manager takes one ticket back and says why; the money arrives."""
    chosen = [view.ticket.id or 0 for view in await tickets_of(booking)][:1]
    async with writing() as tx:
        await asking.return_tickets(tx, booking, chosen, reason="manager", by=None, note=NOTE, fee_minor_each=0, now=clock.now())
    await refunds.send_refunds()
    await refunds.follow_refunds()


async def _lets_a_hold_lapse(by: Visitor) -> None:
    async with writing() as tx:
        event = await world.event(tx, title="Never Paid")
        kind = await world.only_type(tx, event)
        booking = await bookings.hold(tx, event, {kind.id or 0: 1}, by=by, now=clock.now())
        fresh = await tx.get_one(Booking, booking.id)
        await bookings.fill_in(tx, fresh, event, email=EMAIL, name=NAME, by=by)
        fresh.held_until = clock.now() - timedelta(minutes=1)
    await booking_flows.expire_due()


async def _asks_for_a_code(booking: Booking) -> None:
    async with writing() as tx:
        await asking.make_code(tx, booking, now=clock.now())


async def _asks_for_a_copy(user: User) -> None:
    async with writing() as tx:
        await exports.ask(tx, user.id or 0, by=user.id or 0, now=clock.now())
    await flows.build_exports()


async def _stands_in_a_file(booking: Booking) -> None:
    """The manager of the event has made a file of everybody who comes, and is making another."""
    async with writing() as tx:
        manager = (await world.alice(tx)).id or 0
        about = {"about": f"event:{booking.event_id}", "by": manager, "title": "Attendees", "file_name": "attendees.csv"}
        made = [await jobs.start(tx, "listing", wish={}, total=1, **about) for _file in range(2)]
        made[0].state = "done"
    for job in made:
        await jobs.append(job, NAME.encode())


async def _is_told() -> None:
    """Everybody is told; without a mail server the mails wait."""
    while await Worker().react():
        pass


async def _is_over() -> None:
    """All events have taken place; the tickets show who came."""
    ago = clock.now() - timedelta(days=2)
    async with writing() as tx:
        over = update(Event).values(starts_at=ago, ends_at=ago + timedelta(hours=3))
        await tx.exec(over)
        await tx.exec(update(Ticket).where(col(Ticket.holder) == "").values(holder=NAME))


# ---------- the search ----------


async def found_in_tables(db: AsyncSession, canary: str = CANARY) -> set[str]:
    """Every column of every table that has the canary in it, such as "users.name"."""
    found, connection = set(), await db.connection()
    for table in metadata.sorted_tables:
        for row in (await connection.execute(select(table))).mappings():
            found |= {f"{table.name}.{name}" for name, value in row.items() if canary in str(value).lower()}
    return found


def found_in_files(folder: Path, canary: str = CANARY, *, but: tuple[str, ...] = ("sandbox",)) -> set[str]:
    """Every file with the canary in it, those inside archives too. The sandbox stands for Stripe, which is not the shop."""
    found = set()
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).parts[0] not in but:
            contents = [path.read_bytes()]
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    contents += [archive.read(name) for name in archive.namelist()]
            if any(canary in content.decode("utf-8", "ignore").lower() for content in contents):
                found.add(str(path.relative_to(folder)))
    return found


async def found_everywhere() -> set[str]:
    """In the tables, and in the files beside a database that is open (its own file is searched when it is closed)."""
    async with reading() as db:
        tables = await found_in_tables(db)
    return tables | found_in_files(settings().data, but=("sandbox", "test.db", "test.db-wal", "test.db-shm"))
