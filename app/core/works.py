"""Small transactions that run in company: what a batch knows of each of them, and where each of them is."""

from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from app.core.steps import TRY, Statement, Steps

# What a work gave, or what it raised.
Outcome: TypeAlias = tuple[Any, BaseException | None]


@dataclass(frozen=True)
class Work:
    """One small transaction, and all that a batch needs to know of it before it begins.

    `opening(about)` reads and locks what works about the same thing share: it runs once in a batch, before all of them,
    and what it gives is handed to each one's `steps`. Two works of one `whose` are never in a batch together, so the
    second sees all that the first did. `locks` names what the steps lock first beyond the opening.
    """

    about: str
    opening: Callable[[str], Steps[Any]]
    steps: Callable[[Any], Steps[Any]]
    whose: str
    locks: str = ""
    context: Context = field(default_factory=copy_context)


class Running:
    """A work under way: what it asks now, what it would take back if it refused, and what came of it."""

    def __init__(self, context: Context, steps: Steps[Any]) -> None:
        self._context, self._steps = context, steps
        self.asks: Statement | None = None
        self.outcome: Outcome = (None, None)
        self.is_trying = False
        self.has_changes = False
        self.send(None)

    def send(self, rows: list[Any] | None) -> None:
        """Goes on with the rows of what was asked, in the context of whoever waits for it (their language, for one)."""
        if self.asks and self.asks[0] == TRY[0]:
            self.is_trying = True
        elif self.asks and self.is_trying and changes(self.asks[0], rows):
            self.has_changes = True
        try:
            self.asks = self._context.run(self._steps.send, rows)  # type: ignore[arg-type]
        except StopIteration as end:
            self.asks, self.outcome = None, (end.value, None)
        except Exception as error:  # noqa: BLE001 - whoever waits hears of it
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """The work ends with this error."""
        self._steps.close()
        self.asks, self.outcome = None, (None, error)


def changes(sql: str, rows: list[Any] | None) -> bool:
    """Whether a statement that gave these rows has changed something."""
    return not sql.startswith("SELECT") and (bool(rows) or " RETURNING " not in sql)


def opening(work: Work) -> Running:
    """The opening of a work begins."""
    return Running(work.context, work.opening(work.about))


def started(work: Work, opened: Outcome) -> Running:
    """The work itself begins; what its opening raised, it raises."""
    return Running(work.context, _steps(work, opened))


def _steps(work: Work, opened: Outcome) -> Steps[Any]:
    found, refusal = opened
    if refusal:
        raise refusal
    return (yield from work.steps(found))
