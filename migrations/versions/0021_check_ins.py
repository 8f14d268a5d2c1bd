"""The door: check-ins and gates"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gates",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("code", sqlmodel.sql.sqltypes.AutoString(length=22), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_gates_event_id_events")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gates")),
        sa.UniqueConstraint("code", name=op.f("uq_gates_code")),
        sa.UniqueConstraint("event_id", "name", name=op.f("uq_gates_event_id_name")),
    )
    op.create_table(
        "check_ins",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("code", sqlmodel.sql.sqltypes.AutoString(length=22), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(length=4), nullable=False),
        sa.Column("gate", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("by_user_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("noted_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("nonce", sqlmodel.sql.sqltypes.AutoString(length=64), nullable=False),
        sa.Column("source", sqlmodel.sql.sqltypes.AutoString(length=7), nullable=False),
        sa.Column("conflict", sa.Boolean(), nullable=False),
        sa.Column("undoes_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(kind = 'undo') = (undoes_id IS NOT NULL)", name=op.f("ck_check_ins_undoes")),
        sa.CheckConstraint("kind IN ('in', 'out', 'undo')", name=op.f("ck_check_ins_kind")),
        sa.CheckConstraint("source IN ('online', 'offline')", name=op.f("ck_check_ins_source")),
        sa.ForeignKeyConstraint(["by_user_id"], ["users.id"], name=op.f("fk_check_ins_by_user_id_users")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_check_ins_event_id_events")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_check_ins_ticket_id_tickets")),
        sa.ForeignKeyConstraint(["undoes_id"], ["check_ins.id"], name=op.f("fk_check_ins_undoes_id_check_ins")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_check_ins")),
        sa.UniqueConstraint("code", name=op.f("uq_check_ins_code")),
        sa.UniqueConstraint("ticket_id", "nonce", name=op.f("uq_check_ins_ticket_id_nonce")),
        sa.UniqueConstraint("undoes_id", name=op.f("uq_check_ins_undoes_id")),
    )
    with op.batch_alter_table("check_ins", schema=None) as batch_op:
        batch_op.create_index("ix_check_ins_of_event", ["event_id", "noted_at"], unique=False)

    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.add_column(sa.Column("has_exit", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.alter_column("has_exit", server_default=None)

    with op.batch_alter_table("tickets", schema=None) as batch_op:
        batch_op.add_column(sa.Column("inside", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("tickets", schema=None) as batch_op:
        batch_op.alter_column("inside", server_default=None)

    # A right at the door ends with its event, whenever that is.
    with op.batch_alter_table("helpers", schema=None) as batch_op:
        batch_op.drop_column("until")


def downgrade() -> None:
    with op.batch_alter_table("helpers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("until", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))

    with op.batch_alter_table("tickets", schema=None) as batch_op:
        batch_op.drop_column("inside")

    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_column("has_exit")

    with op.batch_alter_table("check_ins", schema=None) as batch_op:
        batch_op.drop_index("ix_check_ins_of_event")

    op.drop_table("check_ins")
    op.drop_table("gates")
