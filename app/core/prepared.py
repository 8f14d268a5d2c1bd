"""Questions that are put together once and asked again and again with other values.

To put one together takes SQLAlchemy longer than SQLite takes to answer it. What is asked for by name, `bindparam("now")`, gets
its value when the question is asked: `db.exec(question, params={"now": now})`.
"""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, ParamSpec

from app.core.db import database
from app.core.i18n import language

P = ParamSpec("P")


def prepared(build: Callable[P, Any]) -> Callable[P, Any]:
    """Keeps what `build` returns for its arguments, each language and each kind of database; a statement never changes.

    The arguments say how the question is put, and are few; values that visitors choose are none of them.
    """

    @lru_cache(maxsize=256)
    def kept(_is_sqlite: bool, _language: str, *args: P.args, **kwargs: P.kwargs) -> Any:
        return build(*args, **kwargs)

    @wraps(build)
    def question(*args: P.args, **kwargs: P.kwargs) -> Any:
        return kept(database().is_sqlite, language(), *args, **kwargs)  # type: ignore[arg-type]

    return question
