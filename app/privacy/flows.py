"""Stories about one's own data whose steps must not share a transaction: files, the erasures outside the database, sweeps."""

import asyncio
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import structlog

from app.bookings import queries as bookings
from app.bookings.models import Booking
from app.core import clock, jobs
from app.core.codes import random_id
from app.core.db import reading, writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.settings import settings
from app.core.texts import body_of
from app.payments import queries as payments
from app.payments import receipts
from app.privacy import copy, ledger, queries
from app.privacy.actions import erasing, exports, forgetting
from app.privacy.models import Export
from app.privacy.queries import Person
from app.privacy.rules import Line
from app.tickets import pdf
from app.tickets import queries as tickets

log = structlog.get_logger()

BATCH = 5
# A file that is being written belongs to no row yet.
STRAY_AFTER_SECONDS = 3600


# ---------- copies ----------


def exports_folder() -> Path:
    return settings().data / "exports"


async def build_exports() -> int:
    """Makes the copies that wait, up to 5; gives how many were tried."""
    async with reading() as db:
        due = await queries.exports_due(db, now=clock.now(), most=BATCH)
    for export in due:
        await _build(export)
    return len(due)


async def _build(export: Export) -> None:
    async with writing() as tx:
        if not await exports.claim(tx, export, now=clock.now()):
            return
    name = f"{random_id()}.zip"
    try:
        await _write(exports_folder() / name, export.user_id)
    except Exception:
        # Whatever went wrong, the row must say so: the page shows it, and the next try comes.
        log.exception("export failed", export=export.id)
        async with writing() as tx:
            await exports.note_failure(tx, export, now=clock.now())
        return
    size = (exports_folder() / name).stat().st_size
    async with writing() as tx:
        await exports.note_ready(tx, export, file=name, size_bytes=size, now=clock.now())


async def _write(target: Path, user_id: int) -> None:
    """One paper at a time goes into the file, so that a long history needs no memory."""
    async with reading() as db:
        told = await copy.everything(db, user_id, now=clock.now())
        paid = await copy.paid_bookings(db, user_id)
    await asyncio.to_thread(_begin, target, told)
    for booking in paid:
        papers = await _papers(booking)
        await asyncio.to_thread(_add, target, papers)


def _begin(target: Path, told: dict[str, Any]) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    text = json.dumps(told, ensure_ascii=False, indent=2)
    _add(target, {"data.json": text.encode()})


def _add(target: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


async def _papers(booking: Booking) -> dict[str, bytes]:
    """The valid tickets and the receipts of a booking, by their names in the file."""
    async with reading() as db:
        valid = [view for view in await tickets.of_booking(db, booking.id or 0) if view.ticket.is_valid]
        view, found = await bookings.view(db, booking.id or 0), await payments.receipts(db, booking)
        imprint = await body_of(db, "imprint")
    language, papers = booking.language, dict[str, bytes]()
    if valid:
        sheet = await pdf.of_views(valid, base_url=settings().base_url, language=language)
        papers[f"tickets/{booking.reference}.pdf"] = sheet
    for receipt in found:
        paper = receipts.paper(receipt, view, imprint=imprint, language=language)
        papers[f"receipts/{receipt.number}.pdf"] = await receipts.pdf(paper, language=language)
    return papers


# ---------- erasing ----------


async def erase_account(user_id: int) -> None:
    """Erases a user who has asked for it. Raises Refused while something is live."""
    async with reading() as db:
        person = await queries.person_of_user(db, user_id, now=clock.now())
    await _erase(person, origin="person", by=user_id)


async def erase_for(user_id: int, *, by: int) -> None:
    """Erases a user who has asked an admin for it. Raises Refused while something is live."""
    async with reading() as db:
        person = await queries.person_of_user(db, user_id, now=clock.now())
    await _erase(person, origin="operator", by=by)


async def erase_guest(email: str, *, by: int) -> None:
    """Erases a guest who has asked an admin for it. Raises Refused while something is live, or an account has the address."""
    async with reading() as db:
        person = await queries.person(db, email, now=clock.now())
    if person.user:
        raise Refused(_("There is an account with this address by now. Erase that instead."))
    await _erase(person, origin="operator", by=by)


async def erase_address(email: str) -> None:
    """Erases whoever has the address, with an account or without: the operator's way. Raises Refused."""
    async with reading() as db:
        person = await queries.person(db, email, now=clock.now())
    await _erase(person, origin="operator", by=None)


async def _erase(person: Person, *, origin: str, by: int | None) -> None:
    async with writing() as tx:
        line = await erasing.erase(tx, person, origin=origin, by=by, now=clock.now())
    await _append([line])
    await remove_strays(at_once=True)


async def reconcile() -> None:
    """Makes the database and the file know the same erasures. What a restore has brought back is erased again."""
    written = await asyncio.to_thread(ledger.read)
    async with reading() as db:
        known = await queries.erasures(db)
    known_ids, written_ids = {line.id for line in known}, {line.id for line in written}
    await _append([line for line in known if line.id not in written_ids])
    forgotten = [line for line in written if line.id not in known_ids]
    if forgotten:
        await _repeat(forgotten)


async def _repeat(lines: list[Line]) -> None:
    async with reading() as db:
        addresses = await queries.addresses(db)
    for line in lines:
        async with reading() as db:
            person = await queries.person_of_line(db, line, addresses)
        try:
            async with writing() as tx:
                await erasing.repeat(tx, person, line, now=clock.now())
            log.info("an erasure was repeated", erasure=line.id)
        except Refused:
            log.warning("an erasure waits for a payment", erasure=line.id)


async def _append(lines: list[Line]) -> None:
    """The database knows the lines already, so what cannot be written now is written by the next sweep."""
    if not lines:
        return
    try:
        await asyncio.to_thread(ledger.append, lines)
    except OSError as error:
        log.error("erasures could not be written to their file", error=type(error).__name__)


# ---------- what the clock does ----------


async def forget() -> bool:
    """Removes what nobody needs any more, in batches; whether there may be more."""
    now, more = clock.now(), False
    for sweep in forgetting.SWEEPS:
        async with reading() as db:
            old = await forgetting.find(db, sweep, now=now)
        if old:
            async with writing() as tx:
                await sweep.take(tx, old)
        more = more or len(old) == forgetting.MOST
    return more


async def remove_strays(*, at_once: bool = False) -> None:
    """Deletes files of copies and of jobs that have no row any more: too old, replaced, or about somebody who was erased."""
    async with reading() as db:
        wanted = {exports_folder(): await queries.export_files(db), jobs.folder(): await jobs.files(db)}
    for folder, names in wanted.items():
        await asyncio.to_thread(_remove_strays, folder, names, 0 if at_once else STRAY_AFTER_SECONDS)


def _remove_strays(folder: Path, wanted: set[str], older_than: int) -> None:
    for file in folder.glob("*"):
        if file.name not in wanted and _age_seconds(file) >= older_than:
            file.unlink(missing_ok=True)


def _age_seconds(file: Path) -> float:
    try:
        return clock.now().timestamp() - file.stat().st_mtime
    except FileNotFoundError:
        return 0.0
