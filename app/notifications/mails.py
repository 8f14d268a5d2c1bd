"""A notification as a mail: a subject that states the fact, plain text, HTML, and the files that go with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit

from app.core import i18n
from app.core.settings import settings
from app.core.templates import render
from app.notifications import rules
from app.notifications.models import Delivery, Notification
from app.notifications.rules import KINDS
from app.payments.rules import code_digits
from app.tickets.inks import ink
from app.tickets.queries import TicketView

# What the picture inside a mail is called by.
POSTER = "poster"


@dataclass(frozen=True)
class Attachment:
    """A file of a mail; `media_type` such as "application/pdf"."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Letter:
    """What a manager wrote, in Markdown, and the address that answers go to."""

    body: str
    reply_to: str


def compose(
    delivery: Delivery,
    notification: Notification,
    files: Sequence[Attachment],
    tickets: Sequence[TicketView],
    *,
    now: datetime,
    letter: Letter | None = None,
    poster: bytes = b"",
) -> EmailMessage:
    """The whole mail, in its reader's language; `tickets` are linked one by one, for handing them on.

    With a `letter` it is an announcement. `poster` is the PNG or JPEG at the head of a mail about an event; it travels inside,
    because most programs show nothing that they would have to fetch.

    A second attempt carries the same Message-ID, so that no mailbox shows it twice.
    """
    unsubscribe_url = _unsubscribe_url(notification)
    message = EmailMessage()
    message["From"] = settings().mail_from
    message["To"] = Address(addr_spec=notification.email)
    message["Date"] = now
    message["Message-ID"] = _message_id(delivery)
    message["Auto-Submitted"] = "auto-generated"
    if letter and letter.reply_to:
        message["Reply-To"] = Address(addr_spec=letter.reply_to)
    elif settings().contact:
        message["Reply-To"] = settings().contact
    if unsubscribe_url:
        message["List-Unsubscribe"] = f"<{unsubscribe_url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    with i18n.speaking(notification.language):
        subject, text, html = _rendered(notification, tickets, unsubscribe_url, letter, shows_poster=bool(poster))
    message["Subject"] = subject
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    if poster and f"cid:{POSTER}" in html:
        part: Any = message.get_payload(1)
        kind = "png" if poster.startswith(b"\x89PNG") else "jpeg"
        part.add_related(poster, maintype="image", subtype=kind, cid=f"<{POSTER}>", disposition="inline")
    for file in files:
        main, _slash, sub = file.media_type.partition("/")
        message.add_attachment(file.content, maintype=main, subtype=sub, filename=file.name)
    return message


def _rendered(
    notification: Notification,
    tickets: Sequence[TicketView],
    unsubscribe_url: str,
    letter: Letter | None,
    *,
    shows_poster: bool,
) -> tuple[str, str, str]:
    facts = rules.revived(notification.facts)
    leads_to = rules.path(notification.kind, facts, token=rules.link_token(facts))
    context = facts | {
        "lang": i18n.language(),
        "site_name": settings().site_name,
        "base_url": settings().base_url,
        "url": settings().base_url + i18n.to(leads_to),
        "ink": ink(facts.get("hue", "")),
        "unsubscribe_url": unsubscribe_url,
        "letter": letter,
        "poster": POSTER if shows_poster else "",
        "digits": _digits(facts),
        "tickets": [
            (i18n.told(view.line.name, view.event), f"{settings().base_url}/tickets/{view.ticket.code}") for view in tickets
        ],
        # Only who holds a ticket is told where an online event takes place, and it is written down nowhere else.
        "online_url": tickets[0].event.online_url if tickets else "",
    }
    folder = f"email/{notification.kind}"
    # A title may hold anything, but a header is one line; and what looks like an encoded word would be decoded by the mail
    # library, line ends and all.
    subject = " ".join(render(f"{folder}/subject.txt", context).replace("=?", "= ?").split())
    text = render(f"{folder}/body.txt", context).strip() + "\n"
    return subject, text, render(f"{folder}/body.html", context | {"subject": subject})


def _digits(facts: dict[str, Any]) -> str:
    """The mailed code, made when it is needed and stored nowhere: "0471 1234"."""
    if "nonce" not in facts:
        return ""
    digits = code_digits(settings().secret_key, facts["booking_id"], facts["nonce"])
    return f"{digits[:4]} {digits[4:]}"


def _message_id(delivery: Delivery) -> str:
    # Ids repeat after a restore from a backup, so the moment is part of it.
    return f"<delivery-{delivery.id}-{int(delivery.created_at.timestamp())}@{urlsplit(settings().base_url).hostname}>"


def _unsubscribe_url(notification: Notification) -> str:
    topic = KINDS[notification.kind].topic
    return f"{settings().base_url}/unsubscribe/{rules.unsubscribe_token(notification.recipient, topic)}" if topic else ""
