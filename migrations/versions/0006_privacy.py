"""Exports and erasures"""

import json
import secrets

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BEFORE = "name IN ('imprint', 'terms', 'accessibility')"
AFTER = "name IN ('imprint', 'terms', 'accessibility', 'privacy')"


def upgrade() -> None:
    op.create_table(
        "exports",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("code", sqlmodel.sql.sqltypes.AutoString(length=22), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(length=8), nullable=False),
        sa.Column("file", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("asked_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("next_try_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("ready_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("expires_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.CheckConstraint("state IN ('asked', 'ready', 'failed')", name=op.f("ck_exports_state")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_exports_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exports")),
        sa.UniqueConstraint("code", name=op.f("uq_exports_code")),
    )
    op.create_index(op.f("ix_exports_user_id"), "exports", ["user_id"])
    op.create_index("ix_exports_due", "exports", ["state", "next_try_at"])
    op.create_table(
        "erasures",
        sa.Column("id", sqlmodel.sql.sqltypes.AutoString(length=32), nullable=False),
        sa.Column("user_code", sqlmodel.sql.sqltypes.AutoString(length=22), nullable=False),
        sa.Column("address_hash", sqlmodel.sql.sqltypes.AutoString(length=64), nullable=False),
        sa.Column("origin", sqlmodel.sql.sqltypes.AutoString(length=10), nullable=False),
        sa.Column("at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.CheckConstraint("origin IN ('person', 'operator')", name=op.f("ck_erasures_origin")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
    )
    op.create_table(
        "kept_names",
        sa.Column("booking_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sqlmodel.sql.sqltypes.AutoString(length=100), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_kept_names_booking_id_bookings")),
        sa.PrimaryKeyConstraint("booking_id", name=op.f("pk_kept_names")),
    )
    op.create_index(op.f("ix_kept_names_until"), "kept_names", ["until"])
    op.create_table(
        "return_notes",
        sa.Column("id", sqlmodel.sql.sqltypes.AutoString(length=32), nullable=False),
        sa.Column("booking_id", sa.BigInteger(), nullable=False),
        sa.Column("words", sqlmodel.sql.sqltypes.AutoString(length=200), nullable=False),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_return_notes_booking_id_bookings")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_return_notes")),
    )
    op.create_index(op.f("ix_return_notes_booking_id"), "return_notes", ["booking_id"])
    _move_notes_out_of_activities()
    with op.batch_alter_table("site_texts") as table:
        table.drop_constraint(op.f("ck_site_texts_name"), type_="check")
        table.create_check_constraint(op.f("ck_site_texts_name"), AFTER)


def downgrade() -> None:
    op.execute("DELETE FROM site_texts WHERE name = 'privacy'")
    with op.batch_alter_table("site_texts") as table:
        table.drop_constraint(op.f("ck_site_texts_name"), type_="check")
        table.create_check_constraint(op.f("ck_site_texts_name"), BEFORE)
    for name in ("return_notes", "kept_names", "erasures", "exports"):
        op.drop_table(name)


def _move_notes_out_of_activities() -> None:
    """Until now the words of whoever took tickets back stood in the activity, which nobody may change any more."""
    notes = sa.table("return_notes", sa.column("id"), sa.column("booking_id"), sa.column("words"))
    activities = sa.table("activities", sa.column("id"), sa.column("kind"), sa.column("about"), sa.column("details", sa.JSON()))
    connection = op.get_bind()
    returned = sa.select(activities).where(activities.c.kind == "booking.tickets_returned")
    for row in connection.execute(returned).all():
        details = json.loads(row.details) if isinstance(row.details, str) else row.details
        if details.get("note"):
            note_id, booking_id = secrets.token_hex(16), int(row.about.partition(":")[2])
            connection.execute(sa.insert(notes).values(id=note_id, booking_id=booking_id, words=details["note"][:200]))
            kept = details | {"note": note_id}
            connection.execute(sa.update(activities).where(activities.c.id == row.id).values(details=kept))
