"""Calendar files: the evening itself, and the minute by which a pre-sale booking is paid."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from icalendar import Alarm, Calendar
from icalendar import Event as Entry

from app.core.i18n import gettext as _
from app.core.i18n import titled
from app.core.settings import settings
from app.events.models import Event, Venue

DEADLINE_SHOWN = timedelta(minutes=30)
WARNED_BEFORE = timedelta(hours=6)


def calendar(event: Event, venue: Venue | None, url: str, now: datetime, *, online_url: str = "") -> bytes:
    """The event as an .ics file. `url` leads back to the ticket or the event's page; `online_url` is for ticket holders alone.

    The UID stays and SEQUENCE grows, so opening a later file moves the entry instead of adding a second one.
    """
    return _file(_evening(event, venue, url, now, online_url=online_url))


def calendar_of_many(title: str, evenings: Sequence[tuple[Event, Venue | None, str]]) -> bytes:
    """Events with their venue and address as a feed that calendars read again and again.

    Nothing in it depends on the moment it is made, so it stays the same, byte for byte, as long as its events do.
    """
    entries = [
        _evening(event, venue, url, event.created_at + timedelta(seconds=_changes(event))) for event, venue, url in evenings
    ]
    return _file(*entries, title=title)


def deadline(event: Event, held_until: datetime, url: str, now: datetime) -> bytes:
    """The minute until which a pre-sale booking is kept, as an .ics file. `url` is the booking's.

    It warns six hours before, or in the middle of what is left when that is sooner.
    """
    until = held_until.astimezone(event.tz)
    entry = _entry(f"pay-{hashlib.sha256(url.encode()).hexdigest()[:24]}@{_host()}", url, now)
    entry.add("summary", _("Pay for %(title)s") % {"title": titled(event)})
    entry.add("dtstart", until - DEADLINE_SHOWN)
    entry.add("dtend", until)
    entry.add("description", _("Your places are kept until then. Pay here: %(url)s") % {"url": url})
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", _("Pay for %(title)s") % {"title": titled(event)})
    in_the_middle = max((held_until - now) / 2 - DEADLINE_SHOWN, timedelta(0))
    alarm.add("trigger", -min(WARNED_BEFORE, in_the_middle))
    entry.add_component(alarm)
    return _file(entry)


def opening(event: Event, at: datetime, url: str, now: datetime) -> bytes:
    """The minute in which tickets can be had, as an .ics file that warns ten minutes before. `url` is the event's page.

    Its UID is the event's own, so a file with a later minute moves the entry.
    """
    entry = _entry(f"opening-{event.slug}@{_host()}", url, now)
    entry.add("summary", _("Tickets for %(title)s") % {"title": titled(event)})
    entry.add("dtstart", at.astimezone(event.tz))
    entry.add("dtend", at.astimezone(event.tz) + DEADLINE_SHOWN)
    entry.add("sequence", _changes(event))
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", _("Tickets for %(title)s") % {"title": titled(event)})
    alarm.add("trigger", -timedelta(minutes=10))
    entry.add_component(alarm)
    return _file(entry)


def _evening(event: Event, venue: Venue | None, url: str, stamp: datetime, *, online_url: str = "") -> Entry:
    entry = _entry(f"{event.slug}@{_host()}", url, stamp)
    entry.add("summary", titled(event))
    entry.add("dtstart", event.starts_at.astimezone(event.tz))
    entry.add("dtend", event.ends_at.astimezone(event.tz))
    if venue:
        entry.add("location", ", ".join(part for part in (venue.name, venue.address, venue.city) if part))
    elif event.is_online:
        entry.add("location", online_url or _("Online"))
    entry.add("sequence", _changes(event))
    entry.add("status", "CANCELLED" if event.is_called_off else "TENTATIVE" if event.is_postponed else "CONFIRMED")
    return entry


def _entry(uid: str, url: str, now: datetime) -> Entry:
    entry = Entry()
    entry.add("uid", uid)
    entry.add("dtstamp", now)
    entry.add("url", url)
    return entry


def _file(*entries: Entry, title: str = "") -> bytes:
    made = Calendar()
    made.add("version", "2.0")
    made.add("prodid", f"-//{settings().site_name}//EventTicket//EN")
    made.add("method", "PUBLISH")
    if title:
        # RFC 7986 and what programs knew before it.
        made.add("name", title)
        made.add("x-wr-calname", title)
        made.add("refresh-interval", timedelta(hours=1), parameters={"value": "DURATION"})
    for entry in entries:
        made.add_component(entry)
    # The file brings the rules of its zone along, so it is right on a device that knows other ones.
    made.add_missing_timezones()
    return bytes(made.to_ical())


def _changes(event: Event) -> int:
    """A number that every later version of the event exceeds: seconds from its creation to its last change."""
    moments = (event.changed_at, event.called_off_at, event.postponed_at)
    latest = max((moment for moment in moments if moment), default=event.created_at)
    return max(0, int((latest - event.created_at).total_seconds()))


def _host() -> str:
    return urlsplit(settings().base_url).hostname or "localhost"
