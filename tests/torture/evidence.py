"""What the books say, what Stripe says, and how both are told."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlmodel import col, select

from app.accounts.models import MailedLink
from app.bookings import queries as booking_queries
from app.bookings.models import Booking
from app.core import clock
from app.core.activity import Activity
from app.core.db import reading
from app.notifications.models import Delivery, Notification
from app.payments import queries as payment_queries
from app.payments.models import Payment, Refund
from app.prove.client import Answer, post
from tests.torture.stand import Stand


def code_of(answer: Answer) -> str:
    """The booking that a hold leads to."""
    assert answer.status == 303 and answer.location.startswith("/bookings/"), f"{answer.status} {answer.location}"
    return answer.location.removeprefix("/bookings/").partition("?")[0]


def letter(stand: Stand, event: dict[str, Any]) -> bytes:
    """A webhook about the event, as Stripe would send it now."""
    body, headers = stand.fake.webhooks.letter(event)
    return webhook(body.encode(), headers)


def webhook(body: bytes, headers: dict[str, str]) -> bytes:
    empty = post("/webhooks/stripe", {}, {}).partition(b"\r\n")[0]
    lines = {"Host": "localhost", "Content-Length": str(len(body)), **headers}
    head = b"".join(f"{name}: {value}\r\n".encode() for name, value in lines.items())
    return empty + b"\r\n" + head + b"\r\n" + body


def events_at(stand: Stand, kind: str = "*") -> list[dict[str, Any]]:
    """What has happened at Stripe, newest first."""
    return stand.fake.stripe.state.page("event", params={"limit": 1_000_000}, labels=[kind])[0]


def sessions_at(stand: Stand) -> list[dict[str, Any]]:
    return stand.fake.stripe.state.page("session", params={"limit": 1_000_000}, labels=[])[0]


def came_in(stand: Stand) -> Counter[str]:
    """What has been charged at Stripe, in minor units, by the reference of the booking."""
    minor: Counter[str] = Counter()
    for session in sessions_at(stand):
        minor[session["client_reference_id"]] += session["amount_total"] if session["payment_status"] == "paid" else 0
    return minor


async def refunded_at_stripe(stand: Stand, booking: Booking) -> list[int]:
    """The amounts of all refunds at Stripe of the booking's payments that have not failed, in minor units."""
    async with reading() as db:
        intents = (await db.exec(select(Payment.payment_intent).where(Payment.booking_id == booking.id))).all()
    found = [refund for intent in intents if intent for refund in stand.fake.stripe.state.children("refund", intent)]
    return [refund["amount"] for refund in found if refund["status"] != "failed"]


async def refunds_of(booking: Booking) -> list[Refund]:
    async with reading() as db:
        return await payment_queries.refunds_of_booking(db, booking.id or 0)


async def booking_of(code: str) -> Booking:
    async with reading() as db:
        found = await booking_queries.by_code(db, code)
    assert found, f"booking {code} is not there"
    return found


async def activities(kind: str, booking: Booking) -> int:
    async with reading() as db:
        return len(
            (await db.exec(select(Activity).where(Activity.kind == kind, Activity.about == f"booking:{booking.id}"))).all()
        )


async def sent_to(email: str) -> int:
    """Mails that the rows call sent."""
    async with reading() as db:
        sent = select(Delivery.id).join(Notification, col(Notification.id) == Delivery.notification_id)
        return len((await db.exec(sent.where(Notification.email == email, Delivery.state == "sent"))).all())


async def a_link(tx: Any, kind: str, email: str, *, user_id: int | None = None) -> str:
    """A mailed link that nobody has opened; its id."""
    now = clock.now()
    ends = now + timedelta(days=1)
    link = MailedLink(kind=kind, email=email, user_id=user_id, password_hash="x", created_at=now, expires_at=ends)
    tx.add(link)
    await tx.flush()
    return link.id


def statuses(answers: Sequence[Answer]) -> Counter[int]:
    return Counter(answer.status for answer in answers)


def server_errors(answers: Sequence[Answer]) -> int:
    return sum(answer.status >= 500 for answer in answers)


def same(found: object, wanted: object) -> None:
    assert found == wanted, f"{found!r} instead of {wanted!r}"
