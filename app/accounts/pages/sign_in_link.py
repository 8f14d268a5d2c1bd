"""Signing in without a password: a mailed link, once, for half an hour."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath, FromQuery
from wtforms import HiddenField

from app.accounts import rules
from app.accounts.actions import sign_in_links
from app.accounts.pages.common import enter, link_id, link_over, own_path, usable_link
from app.core import clock
from app.core import limits as core_limits
from app.core.db import writing
from app.core.errors import Refused, TooMany
from app.web import limits
from app.web.forms import BaseForm, email, read
from app.web.page import page
from app.web.visitor import Who


class LinkForm(BaseForm):
    email = email()
    next = HiddenField()


@get("/login/link")
async def new(request: Request[Any, Any, Any], visitor: Who, next: FromQuery[str] = "") -> Response[str]:
    form = LinkForm(data={"email": visitor.email, "next": own_path(request, next)})
    return page(request, "accounts/link_ask.html", form=form)


@post("/login/link")
async def ask(request: Request[Any, Any, Any]) -> Response[str]:
    """The answer is the same for every address, and so is the work behind it."""
    form = await read(LinkForm, request)
    if form.rejected:
        return page(request, "accounts/link_ask.html", status=form.status, form=form)
    await limits.count(request, "sign-in link")
    await _mail(form.email.data, leads_to=own_path(request, form.next.data))
    return page(request, "accounts/link_sent.html", email=form.email.data)


async def _mail(email: str, *, leads_to: str) -> None:
    try:
        await core_limits.count(f"sign-in-link:email:{rules.email_key(email)}", most=3, seconds=3600)
    except TooMany:
        # Silent, because an answer would tell a stranger about someone else's address.
        return
    async with writing() as tx:
        await sign_in_links.ask(tx, email, leads_to=leads_to[:500], now=clock.now())


@get("/login/link/{token:str}")
async def show(request: Request[Any, Any, Any], token: FromPath[str]) -> Response[str]:
    kind, found = link_id(token, "login")
    link = await usable_link(kind, found)
    return page(request, "accounts/link_use.html", link=link, token=token) if link else link_over(request, kind)


@post("/login/link/{token:str}")
async def use(request: Request[Any, Any, Any], visitor: Who, token: FromPath[str]) -> Response[str]:
    kind, found = link_id(token, "login")
    await limits.count(request, "link")
    try:
        async with writing() as tx:
            user, link = await sign_in_links.use(tx, found, now=clock.now())
    except Refused as refused:
        return link_over(request, kind, refused.sentence)
    return await enter(request, visitor, user, by="link", next=link.leads_to)


router = Router("/", route_handlers=[new, ask, show, use])
