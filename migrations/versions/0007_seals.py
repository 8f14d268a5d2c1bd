"""Activities are append-only and sealed"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = ("activities", "activity_seals")

# A migration that makes one of the tables anew on SQLite (batch_alter_table) loses its triggers and has to bring them back.
ON_SQLITE = {
    "keeps_update": "BEFORE UPDATE ON {table}",
    "keeps_delete": "BEFORE DELETE ON {table}",
    # INSERT OR REPLACE would remove a row without asking the trigger for DELETE.
    "keeps_replace": "BEFORE INSERT ON {table} WHEN EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})",
}
ON_POSTGRESQL = {
    "keeps_rows": "BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW",
    "keeps_table": "BEFORE TRUNCATE ON {table} FOR EACH STATEMENT",
}
KEYS = {"activities": "id", "activity_seals": "number"}

REFUSE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$
"""


def upgrade() -> None:
    op.create_table(
        "activity_seals",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("spans", sa.JSON(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("top", sa.BigInteger(), nullable=False),
        sa.Column("previous", sqlmodel.sql.sqltypes.AutoString(length=64), nullable=False),
        sa.Column("mac", sqlmodel.sql.sqltypes.AutoString(length=64), nullable=False),
        sa.Column("at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.CheckConstraint("number >= 1", name=op.f("ck_activity_seals_number")),
        sa.CheckConstraint("count >= 1", name=op.f("ck_activity_seals_count")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_activity_seals")),
    )
    if op.get_bind().dialect.name == "sqlite":
        for table in TABLES:
            for name, when in ON_SQLITE.items():
                op.execute(
                    f"CREATE TRIGGER {table}_{name} {when.format(table=table, key=KEYS[table])} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
        return
    op.execute(REFUSE)
    for table in TABLES:
        for name, when in ON_POSTGRESQL.items():
            op.execute(f"CREATE TRIGGER {table}_{name} {when.format(table=table)} EXECUTE FUNCTION refuse_change()")


def downgrade() -> None:
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    for table in TABLES:
        for name in ON_SQLITE if on_sqlite else ON_POSTGRESQL:
            op.execute(f"DROP TRIGGER {table}_{name}" + ("" if on_sqlite else f" ON {table}"))
    if not on_sqlite:
        op.execute("DROP FUNCTION refuse_change()")
    op.drop_table("activity_seals")
