"""What would have been mailed: the tests read it from the rows, as the mails do."""

from sqlmodel import col, select

from app.accounts.models import MailedLink
from app.core import tokens
from app.core.activity import Activity
from app.core.db import reading


async def newest_link(kind: str) -> MailedLink:
    """The last link of a kind that somebody asked for."""
    async with reading() as db:
        found = select(MailedLink).where(MailedLink.kind == kind).order_by(col(MailedLink.created_at).desc())
        return (await db.exec(found)).first() or _nothing(kind)


async def newest_token(kind: str) -> str:
    link = await newest_link(kind)
    return tokens.sign(link.kind, link.id)


async def told(kind: str) -> list[Activity]:
    """The activities of a kind, oldest first: notifications are made from them."""
    async with reading() as db:
        return list((await db.exec(select(Activity).where(Activity.kind == kind).order_by(col(Activity.id)))).all())


def _nothing(kind: str) -> MailedLink:
    raise AssertionError(f"nobody asked for a link of the kind {kind}")
