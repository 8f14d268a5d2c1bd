"""How one event sells, as its manager sees it: numbers, the line of its sales, what waits. All is counted in the database."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from app.analytics import queries, rules
from app.analytics.queries import NOTHING_WAITS, Numbers, Waiting
from app.analytics.rules import Chart
from app.core.i18n import gettext as _
from app.core.i18n import ngettext
from app.events import drafts
from app.events.models import Event, TicketType

LAPSES_SOON = timedelta(hours=24)


@dataclass(frozen=True)
class Todo:
    """Something that waits for the manager."""

    icon: str
    title: str
    note: str
    href: str
    action: str


async def context(
    db: AsyncSession, event: Event, types: Sequence[TicketType], *, may: frozenset[str], now: datetime
) -> dict[str, Any]:
    """What the dashboard of a published event shows to who may do this; of any other event only its stock."""
    stock, shared = rules.stock(types), await drafts.shared(db, event)
    if not event.published_at:
        return {"stock": stock, "shared": shared, "numbers": None}
    by_day = await queries.sold_by_day(db, event, now=now)
    numbers = await queries.numbers(db, event.id or 0, types)
    waiting = await queries.waiting(db, [event.id or 0], now=now, within=LAPSES_SOON)
    waits = waiting.get(event.id or 0, NOTHING_WAITS)
    if "door" not in may:
        waits = replace(waits, conflicts=0)
    today = now.astimezone(event.tz).date()
    return {
        "stock": stock,
        "shared": shared,
        "numbers": numbers,
        "chart": _chart(event, types, by_day, stock.capacity, today=today),
        "this_week": sum(count for day, count in by_day.items() if day > today - timedelta(days=7)),
        "event_todo": [*todo(event, waits), *_sold_out(event, numbers, now=now)],
    }


def _chart(event: Event, types: Sequence[TicketType], by_day: Any, capacity: int, *, today: date) -> Chart:
    """From the day on which the event went public until today, or until its evening if that is over."""
    opened = (event.published_at or event.created_at).astimezone(event.tz).date()
    first = min(opened, today)
    early = [kind.presale_from for kind in types if kind.presale_from]
    moments = [(min(early), _("Pre-sale"))] if early else []
    if types:
        moments.append((min(kind.sale_from for kind in types), _("General sale")))
    phases = [(moment.astimezone(event.tz).date(), name) for moment, name in moments]
    last = max(first, min(today, event.ends_at.astimezone(event.tz).date()))
    return rules.chart(by_day, first=first, last=last, capacity=capacity, phases=phases)


def todo(event: Event, waiting: Waiting) -> list[Todo]:
    """What waits at one event: the door first, then money, then places."""
    base = f"/manager/events/{event.slug}"
    failed = ngettext("%(num)s refund has failed", "%(num)s refunds have failed", waiting.failed_refunds)
    cash = ngettext("%(num)s refund in cash", "%(num)s refunds in cash", waiting.cash_to_hand_back)
    lapsing = ngettext("%(num)s pre-sale booking lapses soon", "%(num)s pre-sale bookings lapse soon", waiting.lapsing_presales)
    twice = ngettext("%(num)s ticket was used twice", "%(num)s tickets were used twice", waiting.conflicts)
    found = (
        (waiting.conflicts, "warn", twice, _("Somebody may be inside with a copy."), f"{base}/checkin#conflicts"),
        (waiting.failed_refunds, "warn", failed, _("An admin pays it back in another way."), f"{base}/payments"),
        (waiting.cash_to_hand_back, "euro", cash, _("The buyer gets it from your hand."), f"{base}/payments"),
        (waiting.lapsing_presales, "clock", lapsing, _("Over within a day unless they are paid."), f"{base}/bookings?state=held"),
    )
    return [Todo(icon, title % {"num": count}, note, href, _("Look")) for count, icon, title, note, href in found if count]


def _sold_out(event: Event, numbers: Numbers, *, now: datetime) -> list[Todo]:
    gone = [each.kind for each in numbers.types if each.kind.is_on_sale(now) and each.kind.left == 0]
    base, found = f"/manager/events/{event.slug}", list[Todo]()
    for kind in gone if event.sells(now) else ():
        note = _("Nobody can hold one now. Held places may still come back.") if kind.held else _("Every place has its ticket.")
        where = (f"{base}/sales", _("Sales"))
        if kind.waiting:
            text = ngettext("One place is wished for.", "%(num)s places are wished for.", kind.waiting)
            note, where = text % {"num": kind.waiting}, (f"{base}/waiting-list", _("Waiting list"))
        found.append(Todo("ticket", _("%(name)s is sold out") % {"name": kind.name}, note, *where))
    return found
