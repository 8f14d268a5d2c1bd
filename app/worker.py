"""What follows by itself: reactions to what was written down, and what runs every so often. Three plain tables and the loop."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.actions import attempts
from app.admin import flows as admin
from app.analytics import flows as analytics
from app.bookings import flows as bookings
from app.bookings import repeating, spreading
from app.core import activity, clock, jobs, leases, limits, seals
from app.core.activity import Activity
from app.core.codes import random_id
from app.core.db import reading, writing
from app.core.redaction import clean
from app.events import flows as events
from app.notifications import flows as notifications
from app.notifications.actions import TOLD, tell
from app.payments.flows import files, lists, notices, orphans, refunds, watching
from app.payments.flows import sweeps as payments
from app.privacy import flows as privacy

log = structlog.get_logger()

Reaction = Callable[[AsyncSession, Activity], Awaitable[None]]

# An activity's kind -> actions that run in the transaction that marks it done. Nothing slow: mails and refunds are rows.
REACTIONS: dict[str, tuple[Reaction, ...]] = dict.fromkeys(TOLD, (tell,))

# A job's kind -> the flow that works one batch of it (app/core/jobs.py).
JOBS: dict[str, jobs.Flow] = {
    "events.find_anew": events.find_anew,
    repeating.JOB: repeating.work,
    spreading.JOB: spreading.work,
    "people.listed": analytics.list_people,
    "announcement.told": notifications.announce,
    "payments.listed": files.list_payments,
    "activities.listed": admin.list_activities,
}


class Sweep(NamedTuple):
    """A flow that runs every so many seconds, in one process at a time, and again at once when it says that it did something.

    One that is `woken` also runs right after news and reactions. One that looks through whole tables is `patient`: a shop that
    has just started sells first.
    """

    name: str
    seconds: int
    flow: Callable[[], Awaitable[object]]
    woken: bool = False
    patient: bool = False


async def work_jobs() -> int:
    """One batch of each job that is due."""
    return await jobs.work(JOBS)


async def check_invariants() -> None:
    """Between its looks it lies idle three times as long as they took, so that a large shop keeps its processors for buyers."""
    await admin.check_invariants(idle=3)


async def forget_old_limits() -> None:
    """Removes the counters of past rate limits and of passwords tried long ago."""
    async with writing() as tx:
        await limits.forget_old(tx)
        await attempts.forget_old(tx, now=clock.now())


SCHEDULE = (
    Sweep("notifications.deliver", 5, notifications.deliver, woken=True),
    Sweep("notifications.remind", 900, notifications.remind),
    Sweep("events.publish_due", 30, events.publish_due),
    Sweep("events.open_sales", 15, events.open_sales),
    Sweep("bookings.expire_due", 15, bookings.expire_due),
    Sweep("bookings.end_vouchers", 60, bookings.end_vouchers),
    Sweep("bookings.pass_on", 15, bookings.pass_on, woken=True),
    Sweep("payments.close_due", 15, payments.close_due),
    Sweep("payments.resolve_creating", 60, payments.resolve_creating),
    Sweep("payments.watch_stripe", 15, payments.watch_stripe),
    Sweep("payments.work_notices", 15, notices.work_notices, woken=True),
    Sweep("payments.read_events", 60, lists.read_events),
    Sweep("payments.compare_new_sessions", 600, lists.compare_new_sessions),
    Sweep("payments.compare_sessions", 21_600, lists.compare_sessions),
    Sweep("payments.compare_balance", 21_600, lists.compare_balance),
    Sweep("payments.close_orphans", 300, orphans.close_orphans),
    Sweep("payments.send_refunds", 5, refunds.send_refunds, woken=True),
    Sweep("payments.follow_refunds", 600, refunds.follow_refunds),
    Sweep("payments.watch_refunds", 600, watching.watch_refunds),
    Sweep("payments.wind_down", 15, payments.wind_down, woken=True),
    Sweep("payments.set_money_right", 600, payments.set_money_right, patient=True),
    Sweep("jobs.work", 5, work_jobs, woken=True),
    Sweep("admin.check_invariants", 300, check_invariants, patient=True),
    Sweep("privacy.build_exports", 15, privacy.build_exports, woken=True),
    Sweep("privacy.forget", 3600, privacy.forget, patient=True),
    Sweep("privacy.remove_strays", 3600, privacy.remove_strays),
    Sweep("privacy.reconcile", 3600, privacy.reconcile),
    Sweep("admin.forget_old_reports", 86_400, admin.forget_old_reports),
    Sweep("limits.forget_old", 86_400, forget_old_limits),
    Sweep("activity.seal", 10, seals.seal),
)

BATCH = 20
# News of this process arrives at once; this is how often we look for that of others, and for what is tried again.
LOOK_EVERY = 2
# A process that was killed keeps its leases so long, and nobody else runs those sweeps meanwhile.
# Shorter ones would be renewed all the time.
LEAST_LEASE, MOST_LEASE = 30, 900
# So long a patient sweep waits after the start.
PATIENCE = 60
# How long a sweep may go on after the stop; what it has claimed is tried again later.
GRACE = 5


class Worker:
    """`await Worker().run(stop)` works until the event is set."""

    def __init__(self) -> None:
        self.holder = random_id()
        self._held_until: dict[str, datetime] = {}
        self._news = asyncio.Event()
        self._wakes = {sweep.name: asyncio.Event() for sweep in SCHEDULE}

    async def run(self, stop: asyncio.Event) -> None:
        """Reacts and sweeps until `stop` is set; then lets what runs come to its end, and gives its leases back."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(self._news.set)

        forget = activity.on_news(wake)
        tasks = [asyncio.create_task(self._react_until(stop))]
        tasks += [asyncio.create_task(self._sweep_until(stop, sweep)) for sweep in SCHEDULE]
        try:
            await stop.wait()
            self._wake_all()
            await asyncio.wait(tasks, timeout=GRACE)
        finally:
            forget()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._give_leases_back()

    async def run_until_idle(self) -> None:
        """For tests: reacts, works and sends everything that is due, until there is nothing left."""
        while await self.react() or await work_jobs() or await notifications.deliver():
            pass

    async def react(self) -> int:
        """Handles the activities that are due, oldest first, up to 20; gives how many there were."""
        async with reading() as db:
            due = await activity.due(db, now=clock.now(), most=BATCH)
        try:
            # One commit for all of them: alone on its disk, SQLite makes a few hundred of those a second.
            async with writing() as tx:
                for activity_id in due:
                    await _handle(tx, activity_id)
        except Exception as error:
            # One of them failed and undid all. Each by itself, so that it holds up nobody else.
            log.warning("reactions are repeated one by one", error=type(error).__name__, exc_info=error)
            for activity_id in due:
                await _handle_alone(activity_id)
        return len(due)

    async def _react_until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._news.clear()
            try:
                reacted = await self.react()
            except Exception:
                log.exception("reactions failed")
                reacted = 0
            if reacted:
                self._wake_sweeps()
            if reacted < BATCH:
                await _either(self._news, LOOK_EVERY)
                if self._news.is_set():
                    self._wake_sweeps()

    async def _sweep_until(self, stop: asyncio.Event, sweep: Sweep) -> None:
        wake = self._wakes[sweep.name]
        if sweep.patient:
            await _either(wake, PATIENCE)
        while not stop.is_set():
            wake.clear()
            try:
                if await self._has_lease(sweep) and await sweep.flow():
                    continue
            except Exception:
                log.exception("sweep failed", sweep=sweep.name)
            await _either(wake, sweep.seconds)

    async def _has_lease(self, sweep: Sweep) -> bool:
        """Takes the lease when it is free, and renews it when half of it is over, so that an idle shop hardly writes."""
        now, seconds = clock.now(), min(MOST_LEASE, max(LEAST_LEASE, 2 * sweep.seconds))
        if now < self._held_until.get(sweep.name, now) - timedelta(seconds=seconds / 2):
            return True
        async with writing() as tx:
            taken = await leases.take(tx, sweep.name, holder=self.holder, seconds=seconds, now=now)
        if taken:
            self._held_until[sweep.name] = now + timedelta(seconds=seconds)
        else:
            self._held_until.pop(sweep.name, None)
        return taken

    async def _give_leases_back(self) -> None:
        """A lease of no length is free at once, so the next process need not wait for the end of ours."""
        async with writing() as tx:
            for name in self._held_until:
                await leases.take(tx, name, holder=self.holder, seconds=0, now=clock.now())
        self._held_until.clear()

    def _wake_sweeps(self) -> None:
        for sweep in SCHEDULE:
            if sweep.woken:
                self._wakes[sweep.name].set()

    def _wake_all(self) -> None:
        self._news.set()
        for wake in self._wakes.values():
            wake.set()


async def _handle(tx: AsyncSession, activity_id: int) -> None:
    """The reactions to one activity, in the transaction that marks it done. Nothing when another process was faster."""
    found = await activity.claim(tx, activity_id, now=clock.now())
    for reaction in REACTIONS.get(found.kind, ()) if found else ():
        await reaction(tx, found)  # type: ignore[arg-type]


async def _handle_alone(activity_id: int) -> None:
    try:
        async with writing() as tx:
            await _handle(tx, activity_id)
    except Exception as error:
        log.exception("reaction failed", activity=activity_id)
        async with writing() as tx:
            await activity.postpone(tx, activity_id, error=clean(f"{type(error).__name__}: {error}"), now=clock.now())


async def _either(wake: asyncio.Event, seconds: float) -> None:
    """Waits for the wake, at most so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        pass
