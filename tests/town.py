"""A small town for the tests that knock at every door: eight visitors, and one of each thing that has an address."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.actions import applications, sessions
from app.accounts.models import LINK_LIFE, Identity, MailedLink, Passkey, User, Visitor
from app.accounts.rules import session_hash
from app.bookings import actions as bookings
from app.bookings import waiting
from app.bookings.boxoffice import Sale
from app.bookings.models import Booking
from app.core import activity, alarms, clock, jobs, static, tokens
from app.core.db import connect, disconnect, writing
from app.core.settings import settings
from app.events.decisions import Revision
from app.events.models import SECTIONS, Event, Helper
from app.notifications.models import Announcement, Delivery, Notification
from app.notifications.rules import unsubscribe_token
from app.payments.actions import door
from app.payments.models import Payment, Refund
from app.privacy.models import EXPORT_LIFE, Export
from app.tickets import actions as tickets
from app.tickets import queries as ticket_queries
from app.tickets.models import Gate
from app.web.visitor import login_cookie
from tests import canaries, world
from tests.conftest import BASE_URL
from tests.events import repeating as series

# A client; Bob, whose things are asked for; Carol, another user; Mallory, another manager; Alice, whose events they are;
# Dora, the admin; Erin, who helps at the door of all of Alice's events; and Sam, who sells for them.
VISITORS = ("client", "bob", "carol", "mallory", "alice", "dora", "erin", "sam")
PICTURE = "A" * 22 + ".webp"
# When the submitted event was sent: an admin decides about that version.
SENT_AT = datetime(2026, 11, 1, tzinfo=UTC)
COPY = "bobs-copy.zip"
LIST = "attendees.csv"


@dataclass(frozen=True)
class Town:
    """Cookies by visitor, and what stands for a parameter of an address, by the thing's name."""

    cookies: dict[str, str]
    things: dict[str, str]

    def thing(self, name: str, visitor: str) -> str:
        """Some things exist once for each visitor, because whoever is allowed to use them uses them up."""
        return self.things.get(f"{name} for {visitor}") or self.things[name]

    @asynccontextmanager
    async def browser(
        self, app: object, visitor: str, *, address: str = "127.0.0.1", **headers: str
    ) -> AsyncIterator[httpx.AsyncClient]:
        """The visitor's browser, signed in, at a network address."""
        sent = {"Origin": BASE_URL, **headers}
        transport = httpx.ASGITransport(app=app, client=(address, 50123))  # type: ignore[arg-type]
        hooks = {"response": [canaries.watch.answer]}
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, headers=sent, event_hooks=hooks) as browser:
            if visitor in self.cookies:
                browser.cookies.set("login", self.cookies[visitor], domain="testserver.local", path="/")
            yield browser


async def opened(kept: Path) -> Town:
    """The town in the present test's database. It is built once and copied from then on; `kept` is where it lies meanwhile."""
    here = settings().data / "test.db"
    if not kept.exists():
        town = await _built()
        await disconnect()
        shutil.copy(here, kept)
        _built_towns[kept] = town
    else:
        await disconnect()
        shutil.copy(kept, here)
    connect(settings().database_url)
    _picture()
    return _built_towns[kept]


_built_towns: dict[Path, Town] = {}


def _picture() -> None:
    folder = settings().data / "pictures"
    folder.mkdir(exist_ok=True)
    (folder / PICTURE).write_bytes(b"RIFF")
    copies = settings().data / "exports"
    copies.mkdir(exist_ok=True)
    (copies / COPY).write_bytes(b"PK")
    jobs.folder().mkdir(exist_ok=True)
    (jobs.folder() / LIST).write_bytes(b"Name")


async def _built() -> Town:
    async with writing() as tx:
        people = {visitor: await getattr(world, visitor)(tx) for visitor in VISITORS[1:]}
        signed_in = {
            visitor: await sessions.log_in(tx, user, device="Firefox on Linux", now=clock.now())
            for visitor, user in people.items()
        }
        elsewhere = await sessions.log_in(tx, people["bob"], device="Chrome on Android", now=clock.now())
        things = {
            "picture": PICTURE,
            "poster": "16x9.png",
            "category": "music",
            "text": "imprint",
            "activity": "1",
            "venue": str((await world.venue(tx)).id),
            "section": "basics",
            "file": static.address("app.css").removeprefix("/static/"),
            "manager's code": people["mallory"].code,
            "bob's code": people["bob"].code,
            "application": await _applied(tx),
            "bob's other browser": session_hash(elsewhere),
            "unsubscribe token": unsubscribe_token("bob@example.com", "reminders"),
            **await _events(tx, people),
            **await _bookings(tx, people),
            **await _waiting(tx, people),
            **await _links(tx, people["bob"]),
            **await _ways_in(tx, people["bob"]),
            **await _told(tx, people["bob"]),
            "failed mail": await _given_up(tx),
            "alarm": await _sounding(tx),
            "bob's copy": await _copied(tx, people["bob"]),
            "alice's job": await _worked(tx, people["alice"]),
            "announcement": await _announced(tx, people["alice"]),
        }
        things |= {"city": "turin", "part of the map": "others-1.xml", "alice's code": people["alice"].code}
        things["venue page"] = (await world.venue(tx)).slug
        things |= await _helpers(tx, people) | await series.made(tx, people["alice"])
    cookies = {visitor: login_cookie(session, people[visitor].role).value or "" for visitor, session in signed_in.items()}
    return Town(cookies, things)


async def _helpers(tx: AsyncSession, people: dict[str, User]) -> dict[str, str]:
    """Erin and Sam in the team of each event, and somebody for each visitor to send away."""
    for event in (await tx.exec(select(Event).where(Event.manager_id == people["alice"].id))).all():
        await world.helper(tx, event, people["erin"], "door")
        await world.helper(tx, event, people["sam"], "sales")
    first = (await tx.exec(select(Event).where(Event.slug == "nine-pianos"))).one()
    now = clock.now()
    told = {"event_id": first.id, "may_check_in": True, "invited_by": people["alice"].id, "created_at": now}
    asked = {f"helper for {visitor}": Helper(email=f"asked-by-{visitor}@example.com", **told) for visitor in VISITORS}
    waiting = Helper(email="asked@example.com", **told)
    tx.add_all([*asked.values(), waiting])
    return {"helping token": tokens.sign("helping", waiting.code)} | {name: helper.code for name, helper in asked.items()}


async def _events(tx: AsyncSession, people: dict[str, User]) -> dict[str, str]:
    alice, unseen = people["alice"], {"published_at": None}
    things = {
        "event": await world.event(tx, manager=alice),
        "draft": await world.event(tx, manager=alice, title="Draft", state="draft", submitted_at=None, **unseen),
        "submitted": await world.event(tx, manager=alice, title="Submitted", state="submitted", submitted_at=SENT_AT, **unseen),
        **{
            f"old draft for {visitor}": await world.event(tx, manager=alice, title="Old Draft", state="draft", **unseen)
            for visitor in VISITORS
        },
    }
    await world.event(tx, manager=people["mallory"], title="Other Evening")
    (await world.only_type(tx, things["event"])).code = world.EVENT_TYPE
    gates = {f"gate for {visitor}": Gate(event_id=things["event"].id, name=visitor) for visitor in VISITORS}
    tx.add_all(gates.values())
    parts = await world.parts(tx, things["draft"], VISITORS)
    spare = {f"type to remove for {visitor}": await _spare(tx, things["draft"], visitor) for visitor in VISITORS}
    early = await world.event(tx, manager=alice, title="Early Evening")
    kind = await world.only_type(tx, early)
    kind.presale_from, kind.sale_from = clock.now() - timedelta(hours=1), clock.now() + timedelta(days=7)
    slugs = {name: event.slug for name, event in things.items()}
    slugs |= {name: gate.code for name, gate in gates.items()}
    slugs |= await _changing(tx, alice)
    return {
        **slugs,
        **spare,
        **{f"{name} of the draft": f"{slugs['draft']}/edit/{name}" for name in SECTIONS},
        **parts,
        "early": early.slug,
        "early type": kind.code,
        "early sales": f"{early.slug}/sales/{kind.code}",
        "early form": f"{early.slug}/types/{kind.code}",
    }


async def _spare(tx: AsyncSession, event: Event, visitor: str) -> str:
    """A ticket type for each visitor: who is allowed to remove it uses it up."""
    return (await world.ticket_type(tx, event, name=f"Spare of {visitor}", position=1)).code


async def _changing(tx: AsyncSession, alice: User) -> dict[str, str]:
    """An event of which a change waits for an admin."""
    event = await world.event(tx, manager=alice, title="Changing Evening")
    later = {"event": {"ends_at": (event.ends_at + timedelta(hours=1)).isoformat()}}
    change = Revision(event_id=event.id or 0, state="waiting", changes=later, by_user_id=alice.id or 0, created_at=clock.now())
    tx.add(change)
    await tx.flush()
    return {"changing": event.slug, "change": change.code, "changing change": f"{event.slug}/changes/{change.code}"}


async def _bookings(tx: AsyncSession, people: dict[str, User]) -> dict[str, str]:
    bob = people["bob"]
    event = await world.event(tx, manager=people["alice"], title="Big House", per_buyer=50)
    await world.question(tx, event, "How do you come?")
    bobs = await _held(tx, event, Visitor(bob.id, bob.email, bob.name, "user", key="bobs-browser"))
    guests = await _held(tx, event, Visitor(key="a-guests-browser"))
    paid = await _held(tx, event, Visitor(key="another-browser"))
    await bookings.fill_in(tx, paid, event, email="guest@example.com", name="Guest", by=Visitor())
    tx.add(_payment(paid, "captured"))
    await tickets.settle(tx, paid, now=clock.now())
    ticket = (await ticket_queries.of_booking(tx, paid.id or 0))[0].ticket
    return {
        "bob's booking": bobs.code,
        "guest's booking": guests.code,
        "paid booking": paid.code,
        "ticket": ticket.code,
        "short code": ticket.short_code,
        "big house": event.slug,
        "reference": paid.reference,
        "receipt": f"{paid.reference}-P1",
        **await _by_the_house(tx, event, people["alice"]),
        "refund desk": f"{event.slug}/bookings/{paid.reference}/refund",
        **await _cash_refunds(tx, paid),
    }


async def _by_the_house(tx: AsyncSession, event: Event, alice: User) -> dict[str, str]:
    """What Alice has given away, and what she has sold at the door."""
    kind, now = await world.only_type(tx, event), clock.now()
    sales = {name: Sale(name, alice.id or 0, {kind.id or 0: 1}, nonce=name) for name in ("comp", "door")}
    given = await tickets.give(tx, event, sales["comp"], now=now)
    sold = await door.sell(tx, event, sales["door"], provider="cash", now=now)
    return {"comp": given.reference, "door sale": sold.reference, "sale at the door": f"{event.slug}/box-office/{sold.reference}"}


async def _waiting(tx: AsyncSession, people: dict[str, User]) -> dict[str, str]:
    """A sold-out event, and a place in line for each visitor: leaving uses it up."""
    event = await world.event(tx, manager=people["alice"], title="Full House", capacity=2)
    kind = await world.only_type(tx, event)
    await _held(tx, event, Visitor(key="whoever-was-first"))
    things = await world.reminders(tx, people["alice"], VISITORS)
    for visitor in ("somebody", *VISITORS):
        email = f"{visitor}.waits@example.com"
        entry = await waiting.join(tx, event.slug, kind.code, email=email, qty=1, by=Visitor(), now=clock.now())
        things[f"place in line for {visitor}"] = entry.code
    things["place in line"] = things["place in line for somebody"]
    return things | {"full house": event.slug, "full type": kind.code, "full line": f"{event.slug}/waiting-list/{kind.code}"}


async def _cash_refunds(tx: AsyncSession, booking: Booking) -> dict[str, str]:
    """Cash for each visitor to hand back: who is allowed to uses it up."""
    now = clock.now()
    payment = _payment(booking, "captured")
    payment.provider, payment.session_id = "cash", None
    tx.add(payment)
    await tx.flush()
    refunds = {
        f"cash refund for {visitor}": Refund(
            payment_id=payment.id, amount_minor=100, reason="manager", created_at=now, next_try_at=now
        )
        for visitor in VISITORS
    }
    tx.add_all(refunds.values())
    await tx.flush()
    return {name: refund.id for name, refund in refunds.items()}


async def _held(tx: AsyncSession, event: Event, by: Visitor) -> Booking:
    kind = await world.only_type(tx, event)
    return await bookings.hold(tx, event, {kind.id or 0: 2}, by=by, now=clock.now())


def _payment(booking: Booking, state: str) -> Payment:
    now = clock.now()
    return Payment(
        booking_id=booking.id or 0,
        state=state,
        amount_minor=booking.total_minor,
        currency="EUR",
        session_id="cs_test_of_the_guest",
        captured_minor=booking.total_minor,
        pay_until=now + timedelta(minutes=30),
        created_at=now,
        captured_at=now,
    )


async def _links(tx: AsyncSession, bob: User) -> dict[str, str]:
    now = clock.now()
    asked = {"register": "new@example.com", "reset": bob.email, "login": bob.email, "invitation": "invited@example.com"}
    links = {
        kind: MailedLink(
            kind=kind,
            email=email,
            user_id=bob.id if kind in ("reset", "login") else None,
            created_at=now,
            expires_at=now + LINK_LIFE[kind],
            password_hash=bob.password_hash,
            role="manager" if kind == "invitation" else "user",
        )
        for kind, email in asked.items()
    }
    tx.add_all(links.values())
    return {f"{kind} token": tokens.sign(kind, link.id) for kind, link in links.items()}


async def _ways_in(tx: AsyncSession, bob: User) -> dict[str, str]:
    now = clock.now()
    passkey = Passkey(user_id=bob.id or 0, name="Phone", credential_id="Ym9i", public_key="Ym9i", created_at=now)
    identity = Identity(
        user_id=bob.id or 0, issuer="https://id.example.org", subject="bob", email=bob.email, created_at=now, last_used_at=now
    )
    tx.add_all([passkey, identity])
    return {"bob's passkey": passkey.code, "bob's identity": identity.code}


async def _told(tx: AsyncSession, bob: User) -> dict[str, str]:
    about = await activity.record(tx, "account.password_changed", about=f"user:{bob.id}", by=bob.id)
    await tx.flush()
    line = Notification(
        activity_id=about.id or 0,
        kind="password_changed",
        recipient=f"user:{bob.id}",
        user_id=bob.id,
        email=bob.email,
        created_at=clock.now(),
    )
    tx.add(line)
    await tx.flush()
    return {"bob's notification": line.code}


async def _given_up(tx: AsyncSession) -> str:
    """A mail that reached nobody."""
    now = clock.now()
    about = await activity.record(tx, "preferences.changed", about="preferences:mail", by=None)
    told = Notification(
        activity_id=about.id or 0,
        kind="event_submitted",
        recipient="mail:gone@example.com",
        email="gone@example.com",
        created_at=now,
    )
    tx.add(told)
    await tx.flush()
    mail = Delivery(notification_id=told.id or 0, state="failed", created_at=now, next_try_at=now)
    tx.add(mail)
    await tx.flush()
    return str(mail.id)


async def _copied(tx: AsyncSession, bob: User) -> str:
    """Bob has asked for a copy of his data, and it is ready."""
    now = clock.now()
    copy = Export(user_id=bob.id or 0, state="ready", file=COPY, asked_at=now, next_try_at=now, expires_at=now + EXPORT_LIFE)
    copy.ready_at = now
    tx.add(copy)
    await tx.flush()
    return copy.code


async def _applied(tx: AsyncSession) -> str:
    """Nora wants to become a manager."""
    nora = await world.person(tx, "Nora")
    wish = await applications.apply(tx, nora, organisation="Club Nora", website="", why="Jazz.", now=clock.now())
    return wish.code


async def _sounding(tx: AsyncSession) -> str:
    await alarms.sound(tx, "stripe_down", about="stripe")
    return str((await alarms.open_ones(tx))[0].id)


async def _worked(tx: AsyncSession, alice: User) -> str:
    """Alice has had a file made."""
    job = await jobs.start(
        tx, "listing", about="event:1", by=alice.id or 0, title="Attendees", wish={}, total=1, file_name="attendees.csv"
    )
    job.file, job.state, job.done, job.ended_at = LIST, "done", 1, clock.now()
    await tx.flush()
    return job.code


async def _announced(tx: AsyncSession, alice: User) -> str:
    """Alice has written to those who come to the big house."""
    event = (await tx.exec(select(Event).where(Event.title == "Big House"))).one()
    told = await activity.record(tx, "announcement.sent", about=f"event:{event.id}", by=alice.id, people=1)
    written = {"subject": "Doors", "body": "They open at eight.", "people": 1, "created_at": clock.now()}
    made = Announcement(event_id=event.id or 0, by_user_id=alice.id or 0, activity_id=told.id or 0, **written)
    tx.add(made)
    await tx.flush()
    return made.code
