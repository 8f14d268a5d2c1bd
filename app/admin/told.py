"""One activity with the names around it, as the sentences about it say them."""

from datetime import datetime
from typing import Any

from app.accounts.models import MailedLink, User
from app.admin.log import Names
from app.bookings.models import Booking
from app.core.activity import Activity
from app.core.formats import list_date, money, number
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.core.jobs import Job
from app.events.models import Event, TicketType
from app.tickets.models import Ticket

_WORDS = {
    "user": lazy("user"),
    "manager": lazy("manager"),
    "admin": lazy("admin"),
}


class Told:
    """One activity and the names around it. In sentences its properties stand as %(who)s, %(event)s and so on."""

    def __init__(self, activity: Activity, names: Names) -> None:
        self.activity = activity
        self.details = activity.details
        self.names = names
        self.about, _colon, self.number = activity.about.partition(":")

    def __getitem__(self, name: str) -> Any:
        value = getattr(self, name)
        return number(value) if isinstance(value, int) else value

    @property
    def who(self) -> str:
        """Whoever did it; the shop itself when it was nobody."""
        return self._person(self.activity.by_user_id) if self.activity.by_user_id else _("The shop")

    @property
    def buyer(self) -> str:
        return self._person(self.activity.by_user_id) if self.activity.by_user_id else _("A guest")

    @property
    def person(self) -> str:
        """The account, or the address of the mailed link, that it is about."""
        link = self.names.get(MailedLink, self.number, at=self.activity.at) if self.about == "link" else None
        return link.email if link else self._person(int(self.number) if self.number.isdecimal() else 0)

    @property
    def event(self) -> str:
        found = self._event()
        return quoted(found.title) if found else _("an event that is gone")

    @property
    def kind(self) -> str:
        found = self._type(int(self.number) if self.about == "ticket_type" else 0)
        return quoted(found.name) if found else _("a ticket type that is gone")

    @property
    def booking(self) -> str:
        found = self._booking()
        return found.reference if found else _("a booking that is gone")

    @property
    def job(self) -> str:
        found = self.names.get(Job, int(self.number) if self.about == "job" else 0, at=self.activity.at)
        return quoted(found.title) if found else _("a job that is gone")

    @property
    def thing(self) -> str:
        """The name of what is no row with a name, such as a page's."""
        return self.number

    @property
    def role(self) -> str:
        return word(self.details["role"])

    @property
    def num(self) -> int:
        """How many of what the sentence counts."""
        names = ("codes", "bookings", "places", "max_uses", "rows", "people")
        return int(next((self.details[name] for name in names if name in self.details), 0))

    @property
    def money(self) -> str:
        return self.amount(self.details.get("minor", 0))

    @property
    def before(self) -> str:
        return self._pair()[0]

    @property
    def after(self) -> str:
        return self._pair()[1]

    def amount(self, minor: int) -> str:
        """Minor units in the currency of the event; an older row about a session at Stripe knows no currency."""
        event = self._event()
        currency = self.details.get("currency") or (event.currency if event else "")
        return money(minor, currency) if currency else _("%(number)s (in the smallest unit)") % {"number": minor}

    def moment(self, written: str) -> str:
        event = self._event()
        zone = event.zone if event else "UTC"
        return f"{list_date(datetime.fromisoformat(written), zone)} ({zone})"

    def has(self, *names: str) -> bool:
        return all(name in self.details for name in names)

    def _pair(self) -> tuple[str, str]:
        """What it was and what it is, for the sentences that say so."""
        details = self.details
        if "kept" in details:
            before, after = details["kept"]
            return self.amount(before), self.amount(after)
        if "opens" in details:
            before, after = details["opens"]
            return self.moment(before), self.moment(after)
        before, after = next((details[name] for name in ("roles", "presale", "letters", "names") if name in details), ("", ""))
        return word(before), word(after)

    def _person(self, number: int | None) -> str:
        user = self.names.get(User, number, at=self.activity.at)
        if not user:
            return _("somebody who is gone")
        return f"{user.name} ({user.email})" if user.name else user.email

    def _booking(self) -> Booking | None:
        number = int(self.number) if self.number.isdecimal() else 0
        if self.about == "ticket":
            ticket = self.names.get(Ticket, number, at=self.activity.at)
            number = ticket.booking_id if ticket else 0
        return self.names.get(Booking, number, at=self.activity.at) if self.about in ("booking", "ticket") else None

    def _type(self, number: int) -> TicketType | None:
        return self.names.get(TicketType, number, at=self.activity.at)

    def _event(self) -> Event | None:
        booking = self._booking()
        number = booking.event_id if booking else self.details.get("event", 0)
        if self.about == "event":
            number = int(self.number) if self.number.isdecimal() else 0
        return self.names.get(Event, number, at=self.activity.at)


def quoted(name: str) -> str:
    """A name as something that somebody typed; each language has quotation marks of its own."""
    return _("“%(name)s”") % {"name": name}


def word(value: object) -> str:
    """A word of ours as people say it; a number as it is."""
    return str(_WORDS.get(str(value), value))
