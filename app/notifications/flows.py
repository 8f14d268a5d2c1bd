"""Sending what is queued, and reminding people in time. The worker runs both; each step commits by itself."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache

import structlog
from aiosmtplib import SMTPException
from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings import queries as bookings
from app.bookings.queries import BookingView
from app.core import clock, i18n, jobs, mail
from app.core.db import reading, writing
from app.core.jobs import BATCH as JOB_BATCH
from app.core.jobs import Job
from app.core.redaction import clean
from app.core.settings import settings
from app.core.texts import body_of
from app.events import posters
from app.events import queries as events
from app.events.models import Event
from app.notifications import actions, announcing, mails, queries
from app.notifications.mails import Attachment
from app.notifications.models import Notification
from app.payments import queries as payments
from app.payments import receipts
from app.tickets import pdf
from app.tickets import queries as queries_of_tickets
from app.tickets.calendar import calendar, deadline
from app.tickets.queries import TicketView

log = structlog.get_logger()

BATCH = 20
AT_ONCE = 4
# From the greeting to the last byte. A claim lasts longer, so a slow server gets no second copy meanwhile.
LONGEST = 90
REMINDED_AT_ONCE = 200

# A new date or place makes the old paper wrong, so tickets go out again.
WITH_TICKETS = ("booking_paid", "event_changed", "event_redated", "event_date_kept")
WITH_RECEIPTS = ("booking_paid", "booking_refunded")
WITH_FILES = (*WITH_TICKETS, *WITH_RECEIPTS, "presale_held")


async def deliver() -> int:
    """Tries every mail that is due now, up to 20; gives how many were tried."""
    if not settings().smtp_url:
        _warn_once()
        return 0
    async with reading() as db:
        due = await queries.due(db, now=clock.now(), most=BATCH)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(delivery_id: int) -> None:
        async with gate:
            await _attempt(delivery_id)

    await asyncio.gather(*(one(delivery_id) for delivery_id in due))
    return len(due)


async def remind() -> None:
    """Reminds buyers the day before, and those in a pre-sale before their places lapse."""
    await _in_batches(actions.remind_of_events)
    await _in_batches(actions.remind_of_lapses)


async def announce(job: Job) -> None:
    """Tells the next bookings of an announcement, which the wish names by its id: up to 200, each buyer once."""
    async with writing() as tx:
        told, reached = await announcing.tell_next(
            tx, job.wish["announcement"], after=int(job.cursor.get("after", 0)), most=JOB_BATCH
        )
        await jobs.advance(tx, job, cursor={"after": reached or 0}, done=told, over=reached is None)


async def _attempt(delivery_id: int) -> None:
    async with writing() as tx:
        if not await actions.claim(tx, delivery_id, now=clock.now()):
            return
    try:
        async with reading() as db:
            delivery, notification = await queries.delivery(db, delivery_id)
            tickets = await _tickets(db, notification)
            files = await _files(db, notification, tickets)
            letter = await announcing.letter(db, notification)
            event = await events.by_slug(db, notification.facts.get("slug", ""))
        poster = await _poster(event)
        message = mails.compose(delivery, notification, files, tickets, now=clock.now(), letter=letter, poster=poster)
        async with asyncio.timeout(LONGEST):
            await mail.send(message, smtp_url=settings().smtp_url)
    except Exception as error:
        # Whatever went wrong, the row must say so: a mail may be late, never lost.
        known = isinstance(error, (OSError, SMTPException))
        log.warning("mail not sent", delivery=delivery_id, error=type(error).__name__, exc_info=None if known else error)
        async with writing() as tx:
            await actions.note_failure(tx, delivery_id, error=clean(f"{type(error).__name__}: {error}"), now=clock.now())
        return
    async with writing() as tx:
        await actions.note_sent(tx, delivery_id, now=clock.now())


async def _poster(event: Event | None) -> bytes:
    """The picture at the head of a mail about an event; a mail without it is better than none."""
    try:
        return await posters.strip(posters.look_of(event)) if event else b""
    except Exception:
        log.exception("a poster could not be drawn")
        return b""


async def _tickets(db: AsyncSession, notification: Notification) -> list[TicketView]:
    """The valid tickets that go with a mail, read now and not when the notification was written."""
    if notification.kind not in WITH_TICKETS:
        return []
    return [view for view in await queries_of_tickets.of_booking(db, notification.facts["booking_id"]) if view.ticket.is_valid]


async def _files(db: AsyncSession, notification: Notification, tickets: list[TicketView]) -> list[Attachment]:
    """Tickets on paper, calendar files and receipts."""
    if notification.kind not in WITH_FILES:
        return []
    view = await bookings.view(db, notification.facts["booking_id"])
    now, base_url, slug = clock.now(), settings().base_url, view.event.slug
    url = f"{base_url}/bookings/{view.booking.code}"
    if notification.kind == "presale_held":
        with i18n.speaking(notification.language):
            return [Attachment(f"{slug}.ics", "text/calendar", deadline(view.event, view.booking.held_until, url, now))]
    papers = await _receipts(db, notification, view)
    if notification.kind not in WITH_TICKETS:
        return papers
    online_url = view.event.online_url if tickets else ""
    with i18n.speaking(notification.language):
        entry = calendar(view.event, view.venue, url, now, online_url=online_url)
    files = [Attachment(f"{slug}.ics", "text/calendar", entry), *papers]
    if tickets:
        sheet = await pdf.of_views(tickets, base_url=base_url, language=notification.language)
        files.insert(0, Attachment(f"{slug}-tickets.pdf", "application/pdf", sheet))
    return files


async def _receipts(db: AsyncSession, notification: Notification, view: BookingView) -> list[Attachment]:
    """On paper what was paid, or the refund that the mail is about."""
    if notification.kind not in WITH_RECEIPTS:
        return []
    found = await payments.receipts(db, view.booking)
    if notification.kind == "booking_paid":
        wanted = [receipt for receipt in found if not receipt.refund]
    else:
        # A mail that was written before refunds had receipts names no refund.
        wanted = [receipt for receipt in found if receipt.refund and receipt.refund.id == notification.facts.get("refund")]
    imprint, language = await body_of(db, "imprint"), notification.language
    papers = [receipts.paper(receipt, view, imprint=imprint, language=language) for receipt in wanted]
    return [Attachment(f"{one.number}.pdf", "application/pdf", await receipts.pdf(one, language=language)) for one in papers]


async def _in_batches(remind_some: Callable[..., Awaitable[int]]) -> None:
    while True:
        async with writing() as tx:
            reminded = await remind_some(tx, now=clock.now(), most=REMINDED_AT_ONCE)
        if reminded < REMINDED_AT_ONCE:
            return


@cache
def _warn_once() -> None:
    log.warning("SMTP_URL is not set: mails stay queued")
