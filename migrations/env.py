"""How Alembic reaches the database. main.py and the tests hand over an open connection; no alembic.ini is needed."""

from typing import Any

from alembic import context

from app.tables import metadata

# What an index for the search needs is of the one database or of the other, so no table of ours describes it.
OF_ONE_DATABASE = ("event_find", "ix_event_search_words")


def is_ours(_object: Any, name: str | None, _kind: str, _reflected: bool, _other: Any) -> bool:
    return not (name or "").startswith(OF_ONE_DATABASE)


connection = context.config.attributes["connection"]
is_sqlite = connection.dialect.name == "sqlite"
context.configure(connection=connection, target_metadata=metadata, render_as_batch=is_sqlite, include_object=is_ours)
with context.begin_transaction():
    context.run_migrations()
