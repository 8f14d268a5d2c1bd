"""Sending one mail over SMTP. What is sent, when and how often is decided by the rows that the worker drives."""

from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import aiosmtplib

from app.core.db import outside_writing

SECONDS = 20


async def send(message: EmailMessage, *, smtp_url: str) -> str:
    """Hands the mail to the server at smtp_url ("smtp://user:password@host:587", "smtps://…:465"); gives its answer.

    Raises aiosmtplib.SMTPException or OSError when the server refuses or does not answer.
    """
    outside_writing("Mail")
    address = urlsplit(smtp_url)
    secure = address.scheme == "smtps"
    _refused, answer = await aiosmtplib.send(
        message,
        hostname=address.hostname,
        port=address.port or (465 if secure else 25),
        username=unquote(address.username) if address.username else None,
        password=unquote(address.password) if address.password else None,
        use_tls=secure,
        timeout=SECONDS,
    )
    return answer
