"""A mail server that delivers to a folder: real SMTP on 127.0.0.1, one .eml file per mail, read under /sandbox/mail."""

import asyncio
import json
import logging
import mimetypes
import secrets
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cached_property
from pathlib import Path
from typing import Any
from weakref import WeakSet

from aiosmtpd.smtp import SMTP, Envelope, Session

from app.core import clock

KEPT_MAILS = 2000
LARGEST_MAIL = 10 * 1024 * 1024


@dataclass(frozen=True)
class Attachment:
    """A file in a mail; `content_id` is what pictures in the HTML part are called by."""

    name: str
    media_type: str
    content: bytes
    content_id: str


@dataclass(frozen=True)
class Mail:
    """One mail. `to` are the addresses that SMTP was given, whatever the headers say."""

    id: str
    folder: Path
    received_at: datetime
    sender: str
    to: tuple[str, ...]
    subject: str

    @cached_property
    def message(self) -> EmailMessage:
        """The mail as it came, parsed."""
        return message_from_bytes((self.folder / f"{self.id}.eml").read_bytes(), policy=policy.default)

    def header(self, name: str) -> str:
        """The header's text, or nothing."""
        return str(self.message.get(name, ""))

    @property
    def text(self) -> str:
        """The plain text part."""
        return self._body("plain")

    @property
    def html(self) -> str:
        """The HTML part as it was sent."""
        return self._body("html")

    @cached_property
    def attachments(self) -> list[Attachment]:
        """Files, including the pictures that the HTML part shows."""
        return [_attachment(part, number) for number, part in enumerate(self._files())]

    def _body(self, kind: str) -> str:
        part = self.message.get_body(preferencelist=(kind,))
        return str(part.get_content()) if part else ""

    def _files(self) -> Iterator[EmailMessage]:
        bodies = [self.message.get_body(preferencelist=(kind,)) for kind in ("plain", "html")]
        for part in self.message.walk():
            if not part.is_multipart() and all(part is not body for body in bodies):
                yield part


def _attachment(part: EmailMessage, number: int) -> Attachment:
    name = part.get_filename() or f"part-{number + 1}{mimetypes.guess_extension(part.get_content_type()) or ''}"
    content = part.get_payload(decode=True)
    return Attachment(
        name=name.replace("/", "_").replace("\\", "_"),
        media_type=part.get_content_type(),
        content=content if isinstance(content, bytes) else b"",
        content_id=str(part.get("Content-ID", "")).strip("<> "),
    )


class Mailbox:
    """Takes every mail for everybody. The index is a file of JSON lines beside the mails, so a restart forgets nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._mails: list[Mail] = []
        self._refusals: deque[str] = deque()
        self._server: asyncio.Server | None = None
        self._connections: WeakSet[SMTP] = WeakSet()
        folder.mkdir(parents=True, exist_ok=True)
        self._read_index()

    async def start(self, port: int = 0) -> int:
        """Listens on 127.0.0.1 and gives the port; 0 takes a free one."""
        if self._server is None:
            # It would write every line of every conversation, addresses too.
            logging.getLogger("mail.log").setLevel(logging.WARNING)
            self._server = await asyncio.get_running_loop().create_server(self._connected, "127.0.0.1", port)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Closes the port and the connections."""
        if self._server is not None:
            self._server.close()
            for connection in list(self._connections):
                if connection.transport is not None:
                    connection.transport.close()
            self._server = None

    async def messages(self, to: str | None = None) -> list[Mail]:
        """The newest mail first; with `to`, the mails of one address."""
        return [mail for mail in reversed(self._mails) if to is None or to.lower() in mail.to]

    def find(self, mail_id: str) -> Mail | None:
        return next((mail for mail in self._mails if mail.id == mail_id), None)

    def refuse(self, sentence: str = "451 4.3.0 Try again later", *, times: int = 1) -> None:
        """For tests: the next mails are answered with this line of SMTP and not kept."""
        self._refusals.extend([sentence] * times)

    # aiosmtpd calls this by name for every mail.
    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self._refusals:
            return self._refusals.popleft()
        mail = self._store(envelope)
        return f"250 2.0.0 Kept as {mail.id}"

    def _connected(self) -> SMTP:
        connection = SMTP(self, hostname="localhost", ident="sandbox", enable_SMTPUTF8=True, data_size_limit=LARGEST_MAIL)
        self._connections.add(connection)
        return connection

    def _store(self, envelope: Envelope) -> Mail:
        content = envelope.original_content or b""
        mail_id = secrets.token_hex(8)
        (self.folder / f"{mail_id}.eml").write_bytes(content)
        subject = message_from_bytes(content, policy=policy.default).get("Subject", "")
        to = tuple(address.lower() for address in envelope.rcpt_tos)
        mail = Mail(mail_id, self.folder, clock.now(), envelope.mail_from or "", to, str(subject))
        self._mails.append(mail)
        with self._index.open("a") as index:
            index.write(_line(mail))
        if len(self._mails) > KEPT_MAILS:
            self._forget_oldest()
        return mail

    @property
    def _index(self) -> Path:
        return self.folder / "index.jsonl"

    def _read_index(self) -> None:
        """A last line that was cut off by a crash is left out; its mail was never acknowledged."""
        if not self._index.exists():
            return
        for line in self._index.read_text().splitlines():
            try:
                row: dict[str, Any] = json.loads(line)
            except ValueError:
                continue
            moment = datetime.fromisoformat(row["received_at"])
            self._mails.append(Mail(row["id"], self.folder, moment, row["sender"], tuple(row["to"]), row["subject"]))

    def _forget_oldest(self) -> None:
        """Drops a tenth at once, so that the index is not rewritten for every mail."""
        gone, self._mails = self._mails[: KEPT_MAILS // 10], self._mails[KEPT_MAILS // 10 :]
        fresh = self._index.with_suffix(".new")
        fresh.write_text("".join(_line(mail) for mail in self._mails))
        fresh.replace(self._index)
        for mail in gone:
            (self.folder / f"{mail.id}.eml").unlink(missing_ok=True)


def _line(mail: Mail) -> str:
    row = {name: value for name, value in asdict(mail).items() if name != "folder"}
    return json.dumps(row | {"received_at": mail.received_at.isoformat()}) + "\n"
