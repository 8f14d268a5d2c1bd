"""Stories of the operator's desk whose steps must not share a transaction."""

import asyncio
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import NamedTuple
from urllib.parse import urlsplit

import structlog
from aiosmtplib import SMTPAuthenticationError, SMTPException, SMTPRecipientsRefused, SMTPSenderRefused
from sqlalchemy.exc import SQLAlchemyError

from app.admin import actions, invariants, logged
from app.core import activity, alarms, clock, jobs, mail, stored
from app.core.db import reading, writing
from app.core.i18n import gettext as _
from app.core.jobs import BATCH, Job
from app.core.redaction import clean
from app.core.settings import settings
from app.payments import stripe

log = structlog.get_logger()

LONG_MS = 100


async def check_invariants(*, idle: int = 0) -> None:
    """Looks at all invariants by reading, then writes down what it found, and sounds or ends their alarms.

    After a look that took a while it is idle for so many times as long.
    """
    now = clock.now()
    found, unknown = {}, {}
    for invariant in invariants.CHECKS:
        try:
            found[invariant.id] = await invariants.look(invariant, now=now)
        except (SQLAlchemyError, OSError) as error:
            # One that cannot be answered is no better than one that is broken, and the others are still worth asking.
            log.exception("invariant could not be checked", name=invariant.id)
            unknown[invariant.id] = type(error).__name__
        else:
            if idle and found[invariant.id].milliseconds > LONG_MS:
                await asyncio.sleep(idle * found[invariant.id].milliseconds / 1000)
    async with writing() as tx:
        for name, result in found.items():
            await actions.note_result(tx, name, result, now=now)
        for name, error_name in unknown.items():
            await alarms.sound(tx, "invariant", about=name, error=error_name)


async def forget_old_reports() -> None:
    """Removes what no browser has reported for a while."""
    async with writing() as tx:
        await actions.forget_old_reports(tx, now=clock.now())


async def list_activities(job: Job) -> None:
    """The next rows of the activity log as a file."""
    after = job.cursor.get("after")
    async with reading() as db:
        rows, reached = await logged.rows(db, logged.meant(job.wish, before=after), most=BATCH)
    await jobs.append_rows(job, logged.head(), rows, reached=reached, over=len(rows) < BATCH)


class Tried(NamedTuple):
    """What became of a trial, in sentences for the admin."""

    works: bool
    said: tuple[str, ...]


async def try_mail(to: str, *, by: int) -> Tried:
    """Sends a mail to the admin and gives the server's answer in words."""
    if not settings().smtp_url:
        return Tried(False, (_("No mail server is set: SMTP_URL is empty, and mails wait."),))
    try:
        answer = await mail.send(_trial(to), smtp_url=settings().smtp_url)
        said = _("The mail server took the mail for %(to)s. It said: %(answer)s") % {"to": to, "answer": clean(answer)}
        tried = Tried(True, (said,))
    except (SMTPException, OSError) as error:
        tried = Tried(False, (_mail_trouble(error), clean(str(error))))
    async with writing() as tx:
        await activity.record(tx, "settings.mail_tried", about="settings:mail", by=by, works=tried.works)
    return tried


def _trial(to: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = settings().mail_from, to
    message["Subject"] = _("A mail to try the mail server of %(site)s") % {"site": settings().site_name}
    message["Date"], message["Message-ID"] = (
        format_datetime(clock.now()),
        make_msgid(domain=urlsplit(settings().base_url).hostname),
    )
    message.set_content(_("You pressed a button at %(address)s. Mails get through.") % {"address": settings().base_url})
    return message


def _mail_trouble(error: Exception) -> str:
    if isinstance(error, SMTPAuthenticationError):
        return _("The mail server refuses the user or the password in SMTP_URL.")
    if isinstance(error, SMTPSenderRefused):
        return _("The mail server does not let this shop send as %(sender)s.") % {"sender": settings().mail_from}
    if isinstance(error, SMTPRecipientsRefused):
        return _("The mail server does not take mail for your address.")
    return _("The mail server does not answer as it should. Look at the host and the port in SMTP_URL.")


async def check_stripe(*, by: int) -> Tried:
    """Asks Stripe whose key ours is, and sees to the endpoint that tells us what happens there. Twice makes no second one."""
    if not settings().stripe_api_key:
        return Tried(False, (_("No key is set: STRIPE_API_KEY is empty. Free tickets sell, paid ones do not."),))
    try:
        account = await stripe.account()
        mode = _("real money") if account.live else _("test mode")
        said = [_("The key belongs to %(name)s (%(id)s): %(mode)s.") % {"name": account.name, "id": account.id, "mode": mode}]
        if not account.charges:
            said.append(_("Stripe does not let this account take money yet. Finish its set-up in Stripe’s dashboard."))
        works, about_endpoint = await _see_to_endpoint()
        tried = Tried(works and account.charges, (*said, about_endpoint))
    except stripe.StripeSilent as silent:
        refused = _("Stripe refuses the key. Compare STRIPE_API_KEY with Stripe’s dashboard.")
        tried = Tried(False, (refused if silent.status in (401, 403) else _("Stripe does not answer. Try again in a minute."),))
    except stripe.StripeRefused as refusal:
        tried = Tried(False, (_("Stripe said: %(words)s") % {"words": str(refusal)},))
    async with writing() as tx:
        await activity.record(tx, "settings.stripe_checked", about="settings:stripe", by=by, works=tried.works)
    return tried


async def _see_to_endpoint() -> tuple[bool, str]:
    """Whether Stripe can tell us what happens, and a sentence about it. Finds our endpoint by its address, or makes it."""
    url = f"{settings().base_url}/webhooks/stripe"
    found = await stripe.endpoints(url)
    if not found:
        made = await stripe.create_endpoint(url)
        async with writing() as tx:
            await stored.keep_webhook_secret(tx, made.secret, now=clock.now())
        await stored.apply()
        return True, _("The endpoint %(url)s was made at Stripe, and its secret is kept sealed.") % {"url": url}
    for endpoint in found:
        if not endpoint.is_whole:
            await stripe.widen_endpoint(endpoint.id)
    if not settings().webhook_secrets:
        unknown = _(
            "Stripe has the endpoint %(url)s, but its secret is not known here. Delete it in Stripe’s dashboard and check again."
        )
        return False, unknown % {"url": url}
    return True, _("Stripe tells us at %(url)s what happens there.") % {"url": url}
