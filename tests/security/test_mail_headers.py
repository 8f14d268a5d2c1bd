"""Mails whose reader, name, title or reason is hostile: one reader, no header that is not ours, and no mail that stays behind."""

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import time_machine
from email_validator import EmailNotValidError, validate_email
from sqlmodel import col, select, update

from app.accounts.models import User
from app.core import activity, clock
from app.core.db import Database, reading, writing
from app.core.settings import settings, use
from app.events.models import Event
from app.notifications import flows, mails
from app.notifications.models import Delivery, Notification
from app.sandbox.mailbox import Mailbox
from tests import world
from tests.notifications.scenes import bought, happened

BREAKS = (
    "\r\n",
    "\n",
    "\r",
    "\n\n",
    "\r\n\r\n",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1d",
    "\x1e",
    "\x85",
    "\u2028",
    "\u2029",
    "%0d%0a",
    "\\r\\n",
    "=0D=0A",
    "\t",
)
LINES = (
    "Bcc: victim@example.org",
    "To: victim@example.org",
    "Content-Type: text/html",
    "\r\n.\r\nMAIL FROM:<x@evil.example>\r\nRCPT TO:<victim@example.org>",
)
PAYLOADS = [
    *(f"x{end}{line}" for end in BREAKS for line in LINES[:2]),
    *(f"x\r\n{line}" for line in LINES[2:]),
    "=?utf-8?q?x=0D=0ABcc:_victim@example.org?=",
    "=?utf-8?b?eA0KQmNjOiB2aWN0aW1AZXhhbXBsZS5vcmc=?=",
    "\x00Bcc: victim@example.org",
    "\r\n.\r\n",
    ".",
    "x" * 998 + "\r\nBcc: victim@example.org",
    "İ" * 300,
    "\ud7ff\ue000",
    "<script>alert(1)</script>",
    "{{7*7}}%s{0}",
    "--==boundary==--",
]
OURS = {
    "from",
    "to",
    "date",
    "message-id",
    "auto-submitted",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "subject",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
}


@pytest.fixture
async def mailbox(sqlite_database: Database, moment: time_machine.Traveller, tmp_path: Path) -> AsyncIterator[Mailbox]:
    made = Mailbox(tmp_path / "mail")
    use(dataclasses.replace(settings(), smtp_url=f"smtp://127.0.0.1:{await made.start()}"))
    yield made
    await made.stop()


async def _all_sent() -> None:
    while await flows.deliver():
        pass
    async with reading() as db:
        states = (await db.exec(select(Delivery.state, Delivery.error))).all()
    assert [state for state in states if state[0] != "sent"] == []


def wrong(mailbox: Mailbox) -> list[str]:
    """Mails with another head than ours, or with another reader than the one it names."""
    found = []
    for mail in mailbox._mails:
        names = [name.lower() for name in mail.message]
        found += [f"to {mail.to}"] if mail.to not in (("bob@example.com",), ("alice@example.com",)) else []
        found += [f"names {mail.header('To')}"] if mail.header("To") != ", ".join(mail.to) else []
        found += [f"headers {names}"] if {*names} - OURS or len(names) != len({*names}) else []
        found += [f"subject {mail.subject!r}"] if len(mail.subject.splitlines()) > 1 else []
        found += (
            [f"parts {mail.message.defects}"]
            if mail.message.defects or mail.message.get_content_maintype() != "multipart"
            else []
        )
    return found


@pytest.mark.asvs("V1.3.11")
async def test_names_and_titles_stay_in_their_line(mailbox: Mailbox) -> None:
    """Straight into the tables, as if the forms had let them through."""
    assert len(PAYLOADS) >= 40
    async with writing() as tx:
        bob, event = await world.bob(tx), await world.event(tx)
    booking = await bought(event, bob)
    for payload in PAYLOADS:
        async with writing() as tx:
            await tx.exec(update(Event).where(col(Event.id) == event.id).values(title=payload, called_off_reason=payload))
            await tx.exec(update(User).where(col(User.id) == bob.id).values(name=payload))
        await happened("booking.day_before", f"booking:{booking.id}")
        await happened("event.called_off", f"event:{event.id}")
        await happened("event.approved", f"event:{event.id}", by=bob.id)
    await _all_sent()
    assert len(mailbox._mails) >= len(PAYLOADS)
    assert wrong(mailbox) == []


ADDRESSES = [f"bob@example.com{end}Bcc: victim@example.org" for end in BREAKS] + [
    "bob@example.com, victim@example.org",
    "bob@example.com;victim@example.org",
    "bob@example.com victim@example.org",
    "<bob@example.com>",
    "Bob <bob@example.com>",
    "bob@example.com>\r\nRCPT TO:<victim@example.org",
    '"x\r\nBcc: y"@example.com',
    "bob@example.com\x00",
    "victim@example.org,",
    "group: bob@example.com, victim@example.org;",
    "bob@[127.0.0.1]",
    "bob%victim.example.org@example.com",
    "@evil.example:bob@example.com",
    "bob@example.com(\r\nBcc: x)",
    "bob@example.com?bcc=victim@example.org",
    "bob@exam\nple.com",
    "bob@example.com,",
    "|sh@example.com",
    "-f@example.com",
]


@pytest.mark.asvs("V1.3.11", "V2.2.1")
async def test_an_address_is_one_address(mailbox: Mailbox) -> None:
    """What the forms refuse never comes here; what they accept, or what stood in a table already, has one reader."""
    async with writing() as tx:
        done = await activity.record(tx, "account.password_changed", about="user:1", by=None)
        await tx.flush()
        for address in ADDRESSES:
            line = Notification(
                activity_id=done.id or 0, kind="password_changed", recipient=address[:200], email=address, created_at=clock.now()
            )
            tx.add(line)
            await tx.flush()
            tx.add(Delivery(notification_id=line.id or 0, channel="email", created_at=clock.now(), next_try_at=clock.now()))
    await flows.deliver()
    while await flows.deliver():
        pass
    for mail in mailbox._mails:
        assert len(mail.to) == 1, mail.to
        assert "victim@example.org" not in mail.to[0].split("@", 1)[1:] and mail.header("Bcc") == "", mail.to
        assert not {name.lower() for name in mail.message} - OURS


@pytest.mark.asvs("V1.3.11", "V2.2.1")
def test_the_forms_take_no_second_reader() -> None:
    taken = []
    for address in ADDRESSES:
        try:
            taken.append(validate_email(address, check_deliverability=False, test_environment=True).normalized)
        except EmailNotValidError:
            continue
    assert all("victim@" not in address and "\n" not in address and "," not in address for address in taken), taken


async def test_a_careless_subject_would_be_found(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: the subject as the template gives it, with nothing taken for an encoded word."""
    async with writing() as tx:
        bob, event = await world.bob(tx), await world.event(tx, title="=?utf-8?b?eA0KQmNjOiB2aWN0aW1AZXhhbXBsZS5vcmc=?=")
    booking = await bought(event, bob)
    render = mails.render
    monkeypatch.setattr(mails, "render", lambda *args: Careless(render(*args)))
    await happened("booking.day_before", f"booking:{booking.id}")
    await flows.deliver()
    assert wrong(mailbox)


class Careless(str):
    """Text in which nothing can be replaced."""

    def replace(self, *_args: object) -> str:  # type: ignore[override]
        return str(self)
