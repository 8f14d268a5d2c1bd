"""What a page costs: its bytes as they go over the wire, and the statements behind it."""

import gzip
import re
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import AutoString

from app.core.db import writing
from tests.accounts.watching import Work
from tests.routes import ALLOWED, RULES, Rule
from tests.town import VISITORS, Town

# Who somebody is and whether they may: asked of every visitor and by no page.
LOOK_UP = re.compile(
    r"^(SELECT .* FROM users JOIN login_sessions|SELECT .* FROM login_sessions JOIN users|UPDATE login_sessions|BEGIN)"
)
# How often each row is there after multiply().
TIMES = 3


@dataclass(frozen=True)
class Cost:
    """Packed bytes (0 for what is no page) and statements of one answer."""

    bytes: int
    statements: tuple[str, ...]


def who(rule: Rule) -> str:
    """The first who gets to see it: a client where everybody may."""
    return VISITORS[rule.group.index(ALLOWED)]


# Every page and file that somebody gets to see.
READ = [rule for rule in RULES if rule.method == "GET" and ALLOWED in rule.group]


async def cost_of(shop: Any, town: Town, rule: Rule, work: Work) -> Cost:
    """What the answer costs whoever may see it first."""
    async with town.browser(shop, who(rule), **{"Accept-Encoding": "identity"}) as browser:
        work.statements.clear()
        answer = await browser.get(rule.path(town, who(rule)))
    assert answer.status_code in (200, 303), (str(rule), answer.status_code)
    is_page = answer.headers.get("content-type", "").startswith("text/html")
    asked = tuple(statement for statement in work.statements if not LOOK_UP.match(statement))
    return Cost(len(gzip.compress(answer.content, 5)) if is_page else 0, asked)


async def multiply() -> None:
    """Every row of the town is there three times: the copies belong to the same events, bookings and people as their first."""
    async with writing() as tx:
        for table in SQLModel.metadata.sorted_tables:
            belongs_to_one = len(table.primary_key) == 1 and bool(next(iter(table.primary_key)).foreign_keys)
            if table.name not in ALONE and not belongs_to_one:
                await tx.exec(_copies(table))


# People and their browsers stay who they are, and the activity log may not be copied.
ALONE = {"login_sessions", "users", "activities", "activity_work", "activity_seals"}


def _copies(table: sa.Table) -> Any:
    """Copies each row twice, with words of its own where words must be unique; what cannot be there twice is left out."""
    columns = list(table.columns)
    twice = sa.union_all(*(sa.select(sa.literal(number).label("n")) for number in range(2, TIMES + 1))).subquery("twice")
    taken = [_other(column, twice.c.n) if _is_own(table, column) else column for column in columns]
    names = [column.name for column in columns]
    return (
        sa.insert(table).prefix_with("OR IGNORE").from_select(names, sa.select(*taken).select_from(table.join(twice, sa.true())))
    )


def _is_own(table: sa.Table, column: Any) -> bool:
    """Whether two rows may not have the same word or number here."""
    together = [set(table.primary_key.columns), *(set(index.columns) for index in table.indexes if index.unique)]
    together += [set(one.columns) for one in table.constraints if isinstance(one, sa.UniqueConstraint)]
    return not column.foreign_keys and any(column in group for group in together)


def _other(column: Any, number: Any) -> Any:
    if isinstance(column.type, AutoString):
        return column.concat(sa.cast(number, sa.String))
    return column + number * 1_000_000 if isinstance(column.type, sa.Integer) else column
