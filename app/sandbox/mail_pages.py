"""Reading the mails of the sandbox in a browser."""

import base64
import re
from typing import Any
from urllib.parse import quote, urlencode

from litestar import MediaType, Request, Response, Router, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery

from app.sandbox.mailbox import Attachment, Mail, Mailbox
from app.sandbox.pages import HEADERS, sandbox_page

Asked = Request[Any, Any, Any]
Box = NamedDependency[Mailbox]

PAGE_SIZE = 50
PAGES = 1000
SHOWN_HEADERS = ("From", "To", "Reply-To", "Date", "List-Unsubscribe")

# The HTML of a mail has inline styles and nothing else; its links leave the frame.
FRAME = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"
)
BASE = '<base target="_top">'


@get("/")
async def index(request: Asked, mailbox: Box, to: FromQuery[str] = "", page: FromQuery[int] = 1) -> Response[str]:
    found = await mailbox.messages(to.strip() or None)
    first = (max(1, min(page, PAGES)) - 1) * PAGE_SIZE
    mails = found[first : first + PAGE_SIZE]
    newer = _list_url(to, page - 1) if first else ""
    older = _list_url(to, page + 1) if first + PAGE_SIZE < len(found) else ""
    return sandbox_page(request, "sandbox/mails.html", mails=mails, address=to.strip(), newer=newer, older=older)


@get("/{mail_id:str}")
async def show(request: Asked, mailbox: Box, mail_id: FromPath[str]) -> Response[str]:
    mail = _found(mailbox, mail_id)
    return sandbox_page(
        request,
        "sandbox/mail.html",
        mail=mail,
        headers_shown=[(name, mail.header(name)) for name in SHOWN_HEADERS if mail.header(name)],
        has_html=bool(mail.html),
        text=mail.text,
        files=[(number, file.name, file.media_type, len(file.content)) for number, file in enumerate(mail.attachments)],
    )


@get("/{mail_id:str}/html")
async def html(mailbox: Box, mail_id: FromPath[str]) -> Response[str]:
    mail = _found(mailbox, mail_id)
    return Response(
        _framed(mail),
        media_type=MediaType.HTML,
        headers=HEADERS | {"Content-Security-Policy": FRAME, "Referrer-Policy": "no-referrer"},
    )


@get("/{mail_id:str}/text")
async def text(mailbox: Box, mail_id: FromPath[str]) -> Response[str]:
    return Response(_found(mailbox, mail_id).text, media_type=MediaType.TEXT, headers=HEADERS)


@get("/{mail_id:str}/attachments/{number:int}")
async def attachment(mailbox: Box, mail_id: FromPath[str], number: FromPath[int]) -> Response[bytes]:
    files = _found(mailbox, mail_id).attachments
    if not 0 <= number < len(files):
        raise NotFoundException
    file = files[number]
    headers = HEADERS | {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name)}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return Response(file.content, media_type=file.media_type, headers=headers)


def _found(mailbox: Mailbox, mail_id: str) -> Mail:
    mail = mailbox.find(mail_id)
    if mail is None:
        raise NotFoundException
    return mail


def _framed(mail: Mail) -> str:
    """The HTML part with its pictures inside and its links leading out of the frame."""
    pictures = {file.content_id: _data_url(file) for file in mail.attachments if file.content_id}
    shown = re.sub(r"\bcid:([^\"'\s)>]+)", lambda found: pictures.get(found[1], found[0]), mail.html)
    head = re.search(r"<head[^>]*>", shown, re.IGNORECASE)
    return shown[: head.end()] + BASE + shown[head.end() :] if head else BASE + shown


def _data_url(file: Attachment) -> str:
    return f"data:{file.media_type};base64,{base64.b64encode(file.content).decode()}"


def _list_url(to: str, page: int) -> str:
    asked = {name: value for name, value in {"to": to.strip(), "page": page}.items() if value and value != 1}
    return f"/sandbox/mail?{urlencode(asked)}" if asked else "/sandbox/mail"


router = Router("/sandbox/mail", route_handlers=[index, show, html, text, attachment])
