"""The door without a network: what a device takes along, the scans that it brings back, and the worker that keeps the page.

These answers are for the script of the check-in page, so they are JSON. What leaves is as little as a door needs: codes as
hashes, short codes, first names with an initial.
Their handlers stand in the router of checkin.py.
"""

import json
from datetime import UTC, datetime
from typing import Any

from litestar import MediaType, Request, Response, get, post
from litestar.exceptions import SerializationException
from litestar.params import FromPath

from app.core import clock
from app.core.db import writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.static import files
from app.events import queries as events
from app.tickets import actions, queries, rules, signing
from app.web.limits import at_most
from app.web.visitor import Db, Who

MOST_AT_ONCE = 100
NO_STORE = {"Cache-Control": "no-store"}


class Unreadable(Refused):
    """What a device sent is no list of scans."""

    status = 422


@get("/manager/events/{slug:str}/checkin/list", guards=[at_most("door list")])
async def take_along(db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    """Every valid ticket as a device may know it, signed so that the device sees when its copy was altered."""
    event = await events.event_of(db, slug, visitor, right="door")
    rows = await queries.list_for_device(db, event.id or 0)
    tickets = [
        (rules.code_hash(code), short, rules.named_shortly(name), entry, int(is_in)) for code, short, name, entry, is_in in rows
    ]
    body = json.dumps({"event": event.id, "made_at": clock.now().isoformat(), "tickets": tickets}, separators=(",", ":"))
    return _json({"body": body, "signature": signing.signature(f"list:{body}")})


@post("/manager/events/{slug:str}/checkin/merge", guards=[at_most("door")])
async def merge(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    """What a device admitted without network. Each scan carries a nonce, so sending a batch again changes nothing."""
    await events.event_of(db, slug, visitor, right="door")
    scans, results, now = await _scans(request), [], clock.now()
    async with writing() as tx:
        event = await events.event_of(tx, slug, visitor, right="door")
        for scan in scans:
            scanned = rules.read(scan["code"])
            told = {"way": scan["way"], "gate": scan["gate"], "nonce": scan["nonce"], "at": scan["at"], "now": now}
            verdict = await actions.check_in(tx, event, scanned, **told, by=visitor.user_id or 0)
            results.append({"nonce": scan["nonce"], "word": verdict.word})
    return _json({"results": results})


@get("/manager/events/{slug:str}/checkin/worker.js")
async def worker(db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    """The service worker of this one page. It may look after nothing else of the shop."""
    event = await events.event_of(db, slug, visitor, right="door")
    headers = {"Service-Worker-Allowed": f"/manager/events/{event.slug}/checkin", "Cache-Control": "no-cache"}
    script = files()["checkin-worker.js"].body.decode()
    return Response(script, media_type="text/javascript", headers=headers)


async def _scans(request: Request[Any, Any, Any]) -> list[dict[str, Any]]:
    """The scans of the body, each with code, way, gate, nonce and the moment at the door. Raises Refused for anything else."""
    try:
        sent = await request.json()
        return [_scan(one) for one in sent["scans"][:MOST_AT_ONCE]]
    except (SerializationException, TypeError, KeyError, ValueError, OverflowError, RecursionError):
        raise Unreadable(_("These scans could not be read.")) from None


def _scan(sent: dict[str, Any]) -> dict[str, Any]:
    at = datetime.fromisoformat(sent["at"]).astimezone(UTC)
    words = {name: str(sent[name]) for name in ("code", "way", "gate", "nonce")}
    is_short = len(words["code"]) <= 400 and len(words["gate"]) <= 40 and 16 <= len(words["nonce"]) <= 64
    if not is_short or words["way"] not in ("in", "out") or not all(word.isprintable() for word in words.values()):
        raise ValueError("not a scan")
    return words | {"at": at}


def _json(content: dict[str, Any]) -> Response[str]:
    return Response(json.dumps(content), media_type=MediaType.JSON, headers=NO_STORE)
