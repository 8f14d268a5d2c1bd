"""Who has booked an event and who comes: searched, filtered, page by page, and as a file."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession
from wtforms import StringField
from wtforms.validators import AnyOf, Length

from app.accounts.models import Visitor
from app.analytics import people
from app.analytics.people import Wish
from app.core import activity, clock, jobs
from app.core.db import writing
from app.core.i18n import lazy
from app.core.sheets import csv_file
from app.events import queries
from app.events.models import Event, TicketType
from app.web.forms import BaseForm, plain, read
from app.web.limits import at_most, writes_at_most
from app.web.looks import note_look
from app.web.page import page, see_other
from app.web.visitor import Db, Who, team

# A larger file is written by a job.
MOST_AT_ONCE = 2000
MOST_LETTERS = 100
MOST_PAGES = 100_000

WHAT = {"bookings": lazy("Bookings of %(title)s"), "attendees": lazy("Attendees of %(title)s")}
STATES: dict[str, Sequence[str]] = {"bookings": tuple(people.BOOKING_STATES), "attendees": people.ATTENDEE_STATES}


class FileForm(BaseForm):
    """Which rows go into the file: those of a type and a state. What was searched for does not count."""

    type = StringField(validators=[Length(max=22)])
    state = StringField(validators=[AnyOf(("", *people.BOOKING_STATES, *people.ATTENDEE_STATES))])


@get("/manager/events/{slug:str}/bookings")
async def bookings(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    event = await _event(db, slug, visitor, page="bookings")
    types = await queries.ticket_types(db, event.id)
    typed, number = _typed(request, "bookings"), _number(request)
    rows, total = await people.bookings(db, event.id or 0, _wish(typed, types), page=number)
    return _list_page(request, event, types, "bookings", rows, total, typed, number)


@get("/manager/events/{slug:str}/attendees")
async def attendees(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    event = await _event(db, slug, visitor, page="attendees")
    types = await queries.ticket_types(db, event.id)
    typed, number = _typed(request, "attendees"), _number(request)
    rows, total = await people.attendees(db, event.id or 0, _wish(typed, types), page=number)
    told = await people.told_of(db, event.id or 0, rows)
    return _list_page(request, event, types, "attendees", rows, total, typed, number, answers=told)


@post("/manager/events/{slug:str}/bookings/file", guards=[at_most("export")])
async def bookings_file(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    return await _file(request, db, visitor, slug, "bookings")


@post("/manager/events/{slug:str}/attendees/file", guards=[at_most("export")])
async def attendees_file(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    return await _file(request, db, visitor, slug, "attendees")


async def _file(request: Request[Any, Any, Any], db: AsyncSession, visitor: Visitor, slug: str, what: str) -> Response[Any]:
    """A small file at once; a large one is a job. Taking it away is an act of its own."""
    event = await _event(db, slug, visitor, page=what)
    form = await read(FileForm, request)
    types = await queries.ticket_types(db, event.id)
    state = form.state.data if form.state.data in STATES[what] else ""
    wish = Wish(type_id=people.type_id_of(types, form.type.data or ""), state=state or "")
    count = people.count_bookings if what == "bookings" else people.count_attendees
    total, name = await count(db, event.id or 0, wish), f"{event.slug}-{what}-{clock.now():%Y-%m-%d}.csv"
    by = visitor.user_id or 0
    if total <= MOST_AT_ONCE:
        asked = await people.questions(db, event.id or 0)
        rows, _last = await people.rows(db, event, what, wish, asked, after=0, most=MOST_AT_ONCE)
        async with writing() as tx:
            await activity.record(tx, "people.exported", about=f"event:{event.id}", by=by, rows=len(rows))
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return Response(csv_file([people.head(what, asked), *rows]), media_type="text/csv", headers=headers)
    async with writing() as tx:
        job = await jobs.start(
            tx,
            "people.listed",
            about=f"event:{event.id}",
            by=by,
            title=WHAT[what],
            name=event.title,
            wish={"event": event.id, "what": what, "type": wish.type_id, "state": wish.state},
            total=total,
            back=f"/manager/events/{slug}/{what}",
            file_name=name,
        )
        await activity.record(tx, "people.exported", about=f"event:{event.id}", by=by, rows=total)
    return see_other(request, f"/manager/jobs/{job.code}")


def _list_page(
    request: Request[Any, Any, Any],
    event: Event,
    types: Sequence[TicketType],
    what: str,
    rows: Sequence[Any],
    total: int,
    typed: dict[str, str],
    number: int,
    answers: Mapping[int, Sequence[tuple[str, str]]] | None = None,
) -> Response[str]:
    """The page, or only the next rows, which "Show 50 more" puts behind those before."""

    def url(wanted: int) -> str:
        words = {**typed, "page": "" if wanted == 1 else str(wanted)}
        query = urlencode({name: value for name, value in words.items() if value})
        return f"{request.url.path}?{query}" if query else request.url.path

    context: dict[str, Any] = {
        "event": event,
        "types": types,
        "rows": rows,
        "answers": answers,
        "total": total,
        "typed": typed,
        "page": number,
        "pages": max(1, -(-total // people.ON_A_PAGE)),
        "url": url,
        "needs_job": total > MOST_AT_ONCE,
    }
    return page(request, f"bookings/desk_{what}.html", fragment="rows", **context)


def _typed(request: Request[Any, Any, Any], what: str) -> dict[str, str]:
    """What stands in the address, without what no database takes; unknown words count as nothing."""
    typed = {name: plain(request.query_params.get(name, ""))[:MOST_LETTERS] for name in ("q", "type", "state", "sort")}
    typed = {name: word if word.isprintable() and "\ufffd" not in word else "" for name, word in typed.items()}
    typed["state"] = typed["state"] if typed["state"] in STATES[what] else ""
    typed["sort"] = typed["sort"] if typed["sort"] in people.SORTS[1:] else ""
    return typed


def _wish(typed: dict[str, str], types: Sequence[TicketType]) -> Wish:
    return Wish(typed["q"], people.type_id_of(types, typed["type"]), typed["state"], typed["sort"] or "newest")


def _number(request: Request[Any, Any, Any]) -> int:
    typed = request.query_params.get("page", "")
    return min(max(1, int(typed)), MOST_PAGES) if typed.isascii() and typed.isdigit() and len(typed) < 7 else 1


async def _event(db: AsyncSession, slug: str, visitor: Visitor, *, page: str) -> Event:
    """The event of this manager or of who sells for it. An admin may look at everybody's, and the log keeps that."""
    event = await queries.event_of(db, slug, visitor, right="sales")
    if event.manager_id != visitor.user_id:
        await note_look(visitor, page, about=f"event:{event.id}")
    return event


router = Router("/", guards=[team, writes_at_most("desk")], route_handlers=[bookings, attendees, bookings_file, attendees_file])
