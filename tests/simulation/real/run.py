"""One life of the real shop out of one seed: people, Stripe, clock, crashes and a restore do as they like, then it must rest."""

import hashlib
import random
import traceback
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta

import time_machine

from app.accounts.models import Visitor
from app.bookings import boxoffice
from app.core import clock
from app.core.db import reading
from app.core.settings import use
from app.events.models import Event, TicketType
from app.payments import queries
from tests.simulation.real.fate import EXPECTED, Fate, in_force
from tests.simulation.real.ground import Ground
from tests.simulation.real.mutants import Mutant, nothing
from tests.simulation.real.people import CUMULATED, NAMES, People
from tests.simulation.real.stage import BEGIN, BadDay, made_stripe, opened, settings_for
from tests.simulation.real.watch import Violation, Watch

BAD_NEWS_ROUNDS, QUIET_ROUNDS, MOST_ROUNDS = 3, 3, 30
ROUND_SECONDS = 4000


class Found(Violation):
    """A violation with the way to see it again."""


@dataclass
class Outcome:
    """What one life came to. `trace` names every step and how it ended; `digest` also stands for all rows in the end."""

    steps: int
    tally: dict[str, int] = field(default_factory=dict)
    trace: list[str] = field(default_factory=list)
    digest: str = ""


async def run(seed: int, steps: int, ground: Ground, mutant: Mutant = nothing) -> Outcome:
    """The life of one shop. Raises Found with the seed and the step of the first broken promise."""
    rng = random.Random(seed)
    sandbox, fate = made_stripe(), Fate(rng)
    with ExitStack() as stack:
        traveller = stack.enter_context(time_machine.travel(BEGIN, tick=False))
        stack.enter_context(in_force(fate, sandbox.app))
        await ground.begin()
        use(settings_for(ground.url))
        try:
            day, watch = BadDay(sandbox, rng), Watch(ground, sandbox.stripe)
            people = People(await opened(rng), day, fate, watch, traveller)
            life = Life(people, ground, steps)
            stack.enter_context(mutant(life))
            return await life.live(seed)
        finally:
            fate.is_kind, fate.is_dead = True, False
            await ground.end()
            sandbox.stripe.state.close()


class Life:
    """The steps, one after another."""

    def __init__(self, people: People, ground: Ground, steps: int) -> None:
        self.people, self.ground, self.steps = people, ground, steps
        self.fate, self.watch, self.day, self.rng = people.fate, people.watch, people.day, people.fate.rng
        self.trace: list[str] = []
        rng = self.rng
        self.call_off_at = rng.randrange(steps) if rng.random() < 0.25 else -1
        self.back_up_at = rng.randrange(max(1, steps // 2)) if rng.random() < 0.25 else -1
        self.restore_at = self.back_up_at + rng.randrange(5, 60) if self.back_up_at >= 0 else -1
        self.hand_at = rng.randrange(steps) if rng.random() < 0.15 else -1
        self.on_backup: Callable[[], None] = lambda: None
        self.on_restore: Callable[[], None] = lambda: None
        self.fate.meanwhile = self._somebody_else

    async def live(self, seed: int) -> Outcome:
        done = "at the start"
        try:
            self.fate.is_kind = False
            self.day.begins()
            self.fate.repetitions = self.day.repetitions
            for number in range(self.steps):
                done = f"at step {number}"
                await self._step(number)
                await self.watch.look(self.fate.blocks)
            done = "at rest"
            await self._come_to_rest()
        except Violation as wrong:
            raise Found(f"{wrong} (seed {seed}, {done}; last: {', '.join(self.trace[-4:])})") from wrong
        await self._count()
        return Outcome(self.steps, dict(self.fate.tally), self.trace, await self._digest())

    async def _step(self, number: int) -> None:
        self.day.step()
        if number == self.back_up_at:
            await self.ground.back_up()
            self.on_backup()
        if number == self.restore_at:
            # Somebody buys between the backup and the restore, so that Stripe knows more than the shop.
            for act in (self.people.hold, self.people.pay_at_the_shop, self.people.pay_at_stripe):
                await self._try(act)
            await self.ground.restore()
            self.on_restore()
            self.watch.is_meddled_with = True
            self.fate.blocks += 1
        if number == self.hand_at:
            await self._try(self.people.end_by_hand)
        await self._try(self.people.call_off if number == self.call_off_at else self._choose())

    def _choose(self) -> Callable[[], Awaitable[None]]:
        act: Callable[[], Awaitable[None]] = getattr(self.people, self.rng.choices(NAMES, cum_weights=CUMULATED)[0])
        return act

    async def _somebody_else(self) -> None:
        await self._try(self._choose(), " meanwhile")

    async def _try(self, act: Callable[[], Awaitable[None]], when: str = "") -> None:
        """A crash, a silent Stripe and a refusal end what was being done, and nothing else may."""
        ended = ""
        try:
            await act()
        except EXPECTED as error:
            ended = f": {type(error).__name__}"
        except Violation:
            raise
        except Exception as error:
            raise Violation(f"{act.__name__}: {_told(error)}") from error
        finally:
            self.fate.start_again()
        self.trace.append(f"{act.__name__}{when}{ended}")
        if self.fate.troubles:
            raise Violation(f"{act.__name__}, in the log: {_told(self.fate.troubles[0])}") from self.fate.troubles[0]

    # The end

    async def _come_to_rest(self) -> None:
        self.fate.is_kind = True
        self.day.ends()
        quiet = 0
        for number in range(MOST_ROUNDS):
            (self.day.good_news if number >= BAD_NEWS_ROUNDS else self.day.bad_news)()
            self.people.pass_time(ROUND_SECONDS)
            await self._try(self.people.sweep_all)
            for _ in range(5):
                await self._try(self.people.hand_back)
            # What one round has sent, the next one hears of.
            quiet = 0 if await self.watch.what_moves() else quiet + 1
            if quiet == QUIET_ROUNDS:
                break
        await self.watch.at_rest()
        await self._try(self._buy_after_all)
        if self.trace[-1] != self._buy_after_all.__name__:
            raise Violation(f"nobody can buy any more, {self.trace[-1]}")
        await self.watch.look(self.fate.blocks)

    async def _buy_after_all(self) -> None:
        """The shop still sells: somebody lets the first page lapse and pays on a second one."""
        people, now = self.people, clock.now()
        async with reading() as db:
            event = await db.get_one(Event, people.scene.event_id)
            kind = await db.get_one(TicketType, min(people.scene.kinds))
        if not event.sells(now + timedelta(hours=1)) or not kind.is_in_general_sale(now) or not kind.left:
            return
        held = await boxoffice.hold(boxoffice.Wish(event.slug, {kind.code: 1}, Visitor(key="browser-of-the-last")))
        for _ in range(3):
            await people.extend_now(held.id)
        await people.press_pay(await people.booking(held.id))
        people.pass_time(31 * 60)
        await people.sweep_all()
        await people.press_pay(await people.booking(held.id))
        async with reading() as db:
            payment = await queries.active(db, held.id)
        if not payment or not payment.session_id:
            raise Violation("no page on which a buyer can pay the second time")
        self.day.fake.pay(payment.session_id, "paid")
        await people.return_from(payment.session_id)
        if not (await people.booking(held.id)).is_paid:
            raise Violation("paid, and no ticket")
        self.fate.tally["probes"] += 1

    async def _count(self) -> None:
        for name, sql in COUNTED.items():
            self.fate.tally[name] += (await self.ground.rows(sql))[0]["n"]

    async def _digest(self) -> str:
        seen = hashlib.sha256("\n".join(self.trace).encode())
        for sql in DIGESTED:
            for row in await self.ground.rows(sql):
                seen.update(repr([str(value) for value in tuple(row)]).encode())
        return seen.hexdigest()


COUNTED = {
    "bookings": "SELECT COUNT(*) AS n FROM bookings",
    "paid": "SELECT COUNT(*) AS n FROM bookings WHERE paid_at IS NOT NULL",
    "late": "SELECT COUNT(*) AS n FROM bookings WHERE is_late",
    "refunds": "SELECT COUNT(*) AS n FROM refunds",
    "disputes": "SELECT COUNT(*) AS n FROM payments WHERE dispute <> ''",
    "offers": "SELECT COUNT(*) AS n FROM bookings WHERE kind = 'offer'",
    "offers_paid": "SELECT COUNT(*) AS n FROM bookings WHERE kind = 'offer' AND paid_at IS NOT NULL",
    "orphans": "SELECT COUNT(*) AS n FROM orphans",
}
DIGESTED = (
    "SELECT id, code, state, total_minor, kept_minor FROM bookings ORDER BY id",
    "SELECT id, state, captured_minor, reserved_minor, returned_minor FROM payments ORDER BY id",
    "SELECT id, state, amount_minor, reason FROM refunds ORDER BY id",
    "SELECT id, state, booking_id FROM waiting_entries ORDER BY id",
    "SELECT id, kind, about FROM activities ORDER BY id",
)


def _told(error: BaseException) -> str:
    """The error and where in the application it came from."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/app/" in frame.filename]
    where = f" in {frames[-1].filename.split('/app/')[-1]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}{where}"
