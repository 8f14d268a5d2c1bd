"""What an admin changes while the shop runs, and whether the mail server and Stripe work."""

from typing import Any

from litestar import Request, Response, Router, get, post
from wtforms import SelectChoice, SelectField, ValidationError  # type: ignore[attr-defined]
from wtforms.fields import Field

from app.admin import actions, flows
from app.admin.flows import Tried
from app.core import clock, settings, stored
from app.core.db import writing
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.core.money import CURRENCIES
from app.core.settings import EDITABLE
from app.events.rules.proposing import ZONES
from app.web.forms import BaseForm, number, read, required, text
from app.web.limits import at_most, writes_at_most
from app.web.page import page, see_other
from app.web.visitor import Who, admin, proved_lately

Asked = Request[Any, Any, Any]

_MINUTES = lazy("Enter 1 to 120 minutes")


class SettingsForm(BaseForm):
    """A field for each name of EDITABLE, in small letters. Those that the environment sets are not part of the page."""

    site_name = text(lazy("Name of the shop"), most=60, missing=lazy("Enter a name"))
    contact = text(lazy("Contact"), most=254)
    mail_from = text(lazy("Sender of mails"), most=254, missing=lazy("Enter a sender such as Tickets <tickets@example.org>"))
    default_currency = SelectField(lazy("Currency of new events"), choices=[SelectChoice(word, word) for word in CURRENCIES])
    default_zone = SelectField(lazy("Time zone of new events"), [required(lazy("Choose a time zone"))])
    hold_minutes = number(lazy("Minutes that places are held"), least=1, most=120, sentence=_MINUTES, missing=_MINUTES)
    extend_minutes = number(lazy("Minutes that a buyer can add"), least=1, most=120, sentence=_MINUTES, missing=_MINUTES)
    extensions = number(
        lazy("How often a buyer can add them"), least=0, most=20, sentence=lazy("Enter 0 to 20"), missing=lazy("Enter 0 to 20")
    )

    def __init__(self, formdata: Any = None, **given: Any) -> None:
        super().__init__(formdata, **given)
        for name in settings.settings().named:
            del self[name.lower()]
        if "default_zone" in self:
            zones = sorted({*ZONES, settings.settings().default_zone})
            self.default_zone.choices = [SelectChoice(zone, zone.replace("_", " ")) for zone in zones]

    def validate_contact(self, field: Field) -> None:
        if field.data and not settings.names_one_address(field.data):
            raise ValidationError(_("Enter an email address"))

    def validate_mail_from(self, field: Field) -> None:
        if not settings.names_one_address(field.data or ""):
            raise ValidationError(_("Enter a sender such as Tickets <tickets@example.org>"))


@get("/admin/settings")
async def show(request: Asked) -> Response[str]:
    return _page(request, SettingsForm(data=_present()))


@post("/admin/settings")
async def save(request: Asked, visitor: Who) -> Response[str]:
    form = await read(SettingsForm, request)
    if form.rejected:
        return _page(request, form, status=form.status)
    before = {name: str(value) for name, value in _present().items()}
    typed = {field.name: str(field.data if field.data is not None else "") for field in form}
    wanted: dict[str, str | None] = {name.upper(): value or None for name, value in typed.items() if value != before[name]}
    if wanted:
        told = {name.upper(): value for name, value in before.items()}
        async with writing() as tx:
            await actions.save_settings(tx, wanted, before=told, by=visitor.user_id or 0, now=clock.now())
        await stored.apply()
    said = _("Saved. Every page knows it within seconds.") if wanted else _("Nothing was changed.")
    return see_other(request, "/admin/settings", flash=said)


@post("/admin/settings/mail", guards=[at_most("trial")])
async def mail(request: Asked, visitor: Who) -> Response[str]:
    return _page(request, SettingsForm(data=_present()), mail=await flows.try_mail(visitor.email, by=visitor.user_id or 0))


@post("/admin/settings/stripe", guards=[at_most("trial")])
async def stripe(request: Asked, visitor: Who) -> Response[str]:
    return _page(request, SettingsForm(data=_present()), stripe=await flows.check_stripe(by=visitor.user_id or 0))


def _present() -> dict[str, Any]:
    return {name.lower(): getattr(settings.settings(), field) for name, field in EDITABLE.items()}


def _page(
    request: Asked, form: SettingsForm, *, status: int = 200, mail: Tried | None = None, stripe: Tried | None = None
) -> Response[str]:
    named = {name: value for name, value in _present().items() if name.upper() in settings.settings().named}
    has_key = bool(settings.settings().stripe_api_key)
    context: dict[str, Any] = {"form": form, "named": named, "mail": mail, "stripe": stripe, "has_key": has_key}
    return page(request, "admin/settings.html", status=status, **context)


router = Router("/", guards=[admin, proved_lately, writes_at_most("desk")], route_handlers=[show, save, mail, stripe])
