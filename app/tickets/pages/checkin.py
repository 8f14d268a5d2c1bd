"""The door: what a scan comes to, by hand scanner, by camera or typed; who has come; and what is undone."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession
from wtforms import HiddenField
from wtforms.validators import Length

from app.accounts.models import Visitor
from app.core import clock
from app.core.codes import random_id
from app.core.db import writing
from app.core.errors import NotFound, Refused
from app.core.formats import clock_time
from app.core.i18n import gettext as _
from app.core.i18n import lazy, lazy_pgettext, pgettext
from app.core.sheets import csv_file
from app.events import queries as events
from app.events import team as teams
from app.events.models import Event
from app.tickets import actions, queries, rules, signing
from app.tickets.pages.offline import merge, take_along, worker
from app.tickets.rules import Verdict
from app.web import cookies
from app.web.forms import BaseForm, read, text
from app.web.limits import at_most, writes_at_most
from app.web.looks import note_look
from app.web.page import page, see_other
from app.web.security import at_the_door
from app.web.visitor import Db, Who, team

SHOWN = 8
MOST_FOUND = 20

WORDS = {
    "admit": lazy("Admit"),
    "out": lazy("Goodbye"),
    "undone": lazy("Undone"),
    "seen": lazy("Seen to"),
    "again": lazy("Already in"),
    "left": lazy("Not inside"),
    "other_event": lazy("Not tonight"),
    "void": lazy_pgettext("ticket", "Void"),
    "over": lazy("It is over"),
    "called_off": lazy("Called off"),
    "no_exit": lazy("Nobody goes out"),
    "unpaid": lazy("Not paid"),
    "unknown": lazy("Unknown"),
}

# What the page brings along for a time without network: its script fills in the name.
SAMPLES = {word: Verdict(word, holder="–", entry="–") for word in ("admit", "again", "unknown")}


class ScanForm(BaseForm):
    """What a scanner types. `nonce` names this very scan, so that sending it twice admits once."""

    code = text(lazy("Scan or type a code"), most=400, missing=lazy("Scan a ticket, or type its code"))
    nonce = HiddenField(validators=[Length(max=64)])
    way = HiddenField(validators=[Length(max=3)])


class UndoForm(BaseForm):
    scan = text(lazy("Scan"), most=64, missing=lazy("There is nothing to undo."))


class GateForm(BaseForm):
    name = text(lazy("New gate"), most=40, missing=lazy("Enter the name of the gate"))


@get("/manager/events/{slug:str}/checkin")
async def show(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    event = await _event(db, slug, visitor)
    answer = await _page(request, db, event, visitor, way="out" if request.query_params.get("way") == "out" else "in")
    if "gate" in request.query_params:
        answer.set_cookie(cookies.signed("gate", request.query_params["gate"][:22], max_age=cookies.YEAR))
    return answer


@post("/manager/events/{slug:str}/checkin", guards=[at_most("door")])
async def scan(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    event = await _event(db, slug, visitor)
    form = await read(ScanForm, request)
    way = "out" if form.way.data == "out" else "in"
    if form.rejected:
        return await _page(request, db, event, visitor, form=form, way=way)
    gate, now, nonce = await _gate(request, db, event), clock.now(), form.nonce.data or random_id()
    async with writing() as tx:
        event = await events.event_of(tx, slug, visitor, right="door")
        scanned = rules.read(form.code.data or "")
        told: dict[str, Any] = {"way": way, "gate": gate, "nonce": nonce, "by": visitor.user_id or 0, "now": now}
        verdict = await actions.check_in(tx, event, scanned, **told)
    return await _page(request, db, event, visitor, verdict=verdict, way=way)


@post("/manager/events/{slug:str}/checkin/undo", guards=[at_most("door")])
async def undo(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    event = await _event(db, slug, visitor)
    form = await read(UndoForm, request)
    told: dict[str, Any] = {"by": visitor.user_id or 0, "now": clock.now()}
    try:
        async with writing() as tx:
            present = await events.event_of(tx, slug, visitor, right="door")
            any_of = "edit" in await teams.rights(tx, present, visitor, now=clock.now())
            verdict = await actions.undo(tx, present, form.scan.data or "", any_of=any_of, **told)
    except Refused as refused:
        return await _page(request, db, event, visitor, refused=refused)
    return await _page(request, db, event, visitor, verdict=verdict)


@post("/manager/events/{slug:str}/checkin/gates", guards=[writes_at_most("desk")])
async def add_gate(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    event = await events.event_of(db, slug, visitor)
    form = await read(GateForm, request)
    if form.rejected:
        return await _page(request, db, event, visitor, gate_form=form)
    async with writing() as tx:
        event = await events.event_of(tx, slug, visitor)
        await actions.add_gate(tx, event, form.name.data or "", by=visitor.user_id or 0)
    return see_other(request, f"/manager/events/{slug}/checkin#gates")


@post("/manager/events/{slug:str}/checkin/gates/{code:str}/remove", guards=[writes_at_most("desk")])
async def remove_gate(request: Request[Any, Any, Any], visitor: Who, slug: FromPath[str], code: FromPath[str]) -> Response[str]:
    async with writing() as tx:
        event = await events.event_of(tx, slug, visitor)
        if not await actions.remove_gate(tx, event, code, by=visitor.user_id or 0):
            raise NotFound(_("This event has no such gate."))
    return see_other(request, f"/manager/events/{slug}/checkin#gates")


@post("/manager/events/{slug:str}/checkin/exit", guards=[writes_at_most("desk")])
async def let_out(request: Request[Any, Any, Any], visitor: Who, slug: FromPath[str]) -> Response[str]:
    """Whether people may go out and come back in."""
    async with writing() as tx:
        event = await events.event_of(tx, slug, visitor)
        await actions.let_out(tx, event, may=not event.has_exit, by=visitor.user_id or 0)
    return see_other(request, f"/manager/events/{slug}/checkin#gates")


@get("/manager/events/{slug:str}/checkins.csv", guards=[at_most("export")])
async def file(db: Db, visitor: Who, slug: FromPath[str]) -> Response[bytes]:
    event = await events.event_of(db, slug, visitor, right="desk")
    await note_look(visitor, "checkins", about=f"event:{event.id}")
    at, by = pgettext("scan", "At"), pgettext("scan", "By")
    head = (at, _("What"), _("Ticket"), _("Type"), _("Gate"), by, _("Network"), _("Conflict"))
    rows = [
        (
            row.at.astimezone(event.tz).isoformat(" ", "seconds"),
            *(row.kind, short, entry, row.gate, by, row.source, _("yes") if row.conflict else ""),
        )
        for row, short, entry, by in await queries.log_of(db, event.id or 0)
    ]
    headers = {"Content-Disposition": f'attachment; filename="{event.slug}-checkins.csv"', "Cache-Control": "no-store"}
    return Response(csv_file([head, *rows]), media_type="text/csv", headers=headers)


async def _event(db: AsyncSession, slug: str, visitor: Visitor) -> Event:
    """The event at whose door the visitor stands. An admin may stand at everybody's, and the log keeps that."""
    event = await events.event_of(db, slug, visitor, right="door")
    if event.manager_id != visitor.user_id:
        await note_look(visitor, "door", about=f"event:{event.id}")
    return event


async def _gate(request: Request[Any, Any, Any], db: AsyncSession, event: Event) -> str:
    """The name of the gate at which this browser stands, if it is one of the event's."""
    wanted = request.query_params.get("gate") or cookies.read_signed(request.cookies, "gate")
    return next((gate.name for gate in await queries.gates(db, event.id or 0) if gate.code == wanted), "")


async def _page(
    request: Request[Any, Any, Any],
    db: AsyncSession,
    event: Event,
    visitor: Visitor,
    *,
    verdict: Verdict | None = None,
    way: str = "in",
    form: ScanForm | None = None,
    gate_form: GateForm | None = None,
    refused: Refused | None = None,
) -> Response[str]:
    event_id, search = event.id or 0, request.query_params.get("q", "")[:100]
    inside, expected = await queries.inside(db, event_id)
    by_type, by_gate = await queries.flows(db, event_id)
    wrong = form or gate_form
    context: dict[str, Any] = {
        "event": event,
        "verdict": verdict,
        "way": way,
        "nonce": random_id(),
        "form": form or ScanForm(),
        "gate_form": gate_form or GateForm(),
        "refused": refused.sentence if refused else "",
        "inside": inside,
        "expected": expected,
        "by_type": by_type,
        "by_gate": by_gate,
        "gate": await _gate(request, db, event),
        "gates": await queries.gates(db, event_id),
        "scans": await queries.last_scans(db, event_id, most=SHOWN),
        "conflicts": await queries.conflicts(db, event_id, most=SHOWN),
        "search": search,
        "found": await queries.holders(db, event_id, search, most=MOST_FOUND) if search.strip() and search.isprintable() else [],
        "may": await teams.rights(db, event, visitor, now=clock.now()),
        "keys": " ".join(signing.public_keys()),
        "samples": SAMPLES,
        "words": WORDS,
        "moment": lambda at: clock_time(at, event.zone),
        "place": lambda row, by: " · ".join(filter(None, (clock_time(row.at, event.zone), row.gate, by))),
    }
    status = refused.status if refused else wrong.status if wrong else 200
    also = ("tickets/_door_oob.html",)
    return page(request, "tickets/checkin.html", fragment="verdict", also=also, status=status, headers=at_the_door(), **context)


router = Router(
    "/", guards=[team], route_handlers=[show, scan, undo, add_gate, remove_gate, let_out, file, take_along, merge, worker]
)
