"""The rows as tables in Markdown: ratios and budgets first, because only they mean something on another machine."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.measures import EVENTS, Row


@dataclass(frozen=True)
class Budget:
    """A number that we want to reach. `over` names the row by whose number it is divided; `most` says that less is better."""

    what: str
    row: str
    limit: float
    clients: int = 32
    over: str = ""
    field: str = "per_second"
    most: bool = False


BUDGETS = (
    *(Budget(f"page {page}, kept, per second", f"page {page}, kept", 4200) for page in ("list", "event")),
    *(Budget(f"page {page}, kept, p99 ms", f"page {page}, kept", 100, field="p99", most=True) for page in ("list", "event")),
    *(Budget(f"page {page}, kept ÷ hello", f"page {page}, kept", 0.3, over="hello, GET") for page in ("list", "event")),
    *(Budget(f"page {page}, uncached, per second", f"page {page}, uncached", 420) for page in ("list", "event")),
    *(Budget(f"page {page}, signed in, per second", f"page {page}, signed in", 420) for page in ("list", "event")),
    *(Budget(f"holds per second, {clients} clients", "hold", 1500, clients) for clients in (32, 256)),
    *(Budget(f"hold ÷ empty POST, {clients} clients", "hold", 0.35, clients, over="empty POST") for clients in (32, 256)),
    Budget("hold, 256 clients, p99 ms", "hold", 300, 256, field="p99", most=True),
    Budget("free purchases per second", "free purchase, complete", 95),
    Budget("start to the first page, s", "start, s", 3, 1, most=True),
    Budget("memory after a storm, MB", "memory after a storm, MB", 200, 1, most=True),
    # A fifth slower costs a quarter more, and the cost can be measured on a machine that does other work too.
    *(
        Budget(
            f"{page}, cost: 10,000 events ÷ {few}",
            f"page {page}, 10,000 events",
            1.25,
            32,
            f"page {page}, {few} events",
            "cost",
            True,
        )
        for page in ("list", "search", "rare", "event")
        for few in (10, EVENTS, "1,000")
    ),
    *(
        Budget(
            f"{page}, cost: {many:,} bookings ÷ none",
            f"page {page}, {many:,} bookings",
            1.25,
            32,
            f"page {page}, 10,000 events",
            "cost",
            True,
        )
        for page in ("list", "search", "rare", "event")
        for many in (100_000, 1_000_000)
    ),
    *(
        Budget(f"hold, cost: {many:,} bookings ÷ none", f"hold, {many:,} bookings", 1.25, 32, "hold, 0 bookings", "cost", True)
        for many in (100_000, 1_000_000)
    ),
)


def tables(rows: Sequence[Row]) -> str:
    """Everything that was measured, one database after the other."""
    kinds = dict.fromkeys(row.database for row in rows)
    return "\n\n".join(_of_database(kind, [row for row in rows if row.database == kind]) for kind in kinds)


def _of_database(kind: str, rows: list[Row]) -> str:
    lines = [f"## {kind}", "", "| ratio or budget | wanted | reached | |", "|---|---|---|---|"]
    lines += [_budget_line(budget, reached) for budget in BUDGETS if (reached := _reached(budget, rows)) is not None]
    lines += [f"| {what} | | {value:.2f} | |" for what, value in _ratios(rows)]
    head = "| measure | clients | per second (runs) | p50 | p95 | p99 ms | shop CPU ms | database CPU ms |"
    lines += ["", head, "|---|---|---|---|---|---|---|---|"]
    return "\n".join(lines + [_line(row) for row in rows])


def _reached(budget: Budget, rows: Sequence[Row]) -> float | None:
    row, other = _row(rows, budget.row, budget.clients), _row(rows, budget.over, budget.clients)
    if not row or (budget.over and not other):
        return None
    value, divisor = float(getattr(row, budget.field)), float(getattr(other, budget.field)) if other else 1.0
    return value / divisor if divisor else None


def _ratios(rows: Sequence[Row]) -> list[tuple[str, float]]:
    """What is worth knowing beside the budgets."""
    wished = [
        ("hold, 32 clients ÷ durable commits", "hold", 32, "durable commits, plain driver", 1),
        ("hold, 256 clients ÷ durable commits", "hold", 256, "durable commits, plain driver", 1),
        ("list, uncached ÷ hello", "page list, uncached", 32, "hello, GET", 32),
        ("hello ÷ the client's ceiling", "hello, GET", 32, "the client's ceiling: bare ASGI", 32),
    ]
    found = [(what, _row(rows, name, clients), _row(rows, other, others)) for what, name, clients, other, others in wished]
    return [(what, row.per_second / other.per_second) for what, row, other in found if row and other and other.per_second]


def _row(rows: Sequence[Row], name: str, clients: int) -> Row | None:
    return next((row for row in rows if row.name == name and row.clients == clients), None)


def _budget_line(budget: Budget, reached: float) -> str:
    kept = reached <= budget.limit if budget.most else reached >= budget.limit
    sign = "≤" if budget.most else "≥"
    return f"| {budget.what} | {sign} {budget.limit:,g} | {_number(reached)} | {'yes' if kept else 'no'} |"


def _line(row: Row) -> str:
    runs = ", ".join(_number(run) for run in row.runs)
    spread = [_number(value) if value else "" for value in (row.p50, row.p95, row.p99, row.shop_ms, row.database_ms)]
    bad = ", ".join(f"{count} × {ending}" for ending, count in row.other_endings.items())
    name = f"{row.name} (also {bad})" if bad else row.name
    return f"| {name} | {row.clients} | {_number(row.per_second)} ({runs}) | {' | '.join(spread)} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
