"""Refunds, disputes, orphans and alarms"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OPEN = sa.text("settled_at IS NULL")


def upgrade() -> None:
    _create_tables()
    with op.batch_alter_table("bookings") as table:
        table.add_column(sa.Column("kept_minor", sa.BigInteger(), nullable=False, server_default="0"))
        table.add_column(sa.Column("refund_hours", sa.Integer(), nullable=True))
        table.add_column(sa.Column("refund_fee_minor", sa.BigInteger(), nullable=False, server_default="0"))
    # Until now the shop kept the whole price of what was paid, and nothing of what was not.
    op.execute("UPDATE bookings SET kept_minor = total_minor WHERE state = 'paid'")
    with op.batch_alter_table("bookings") as table:
        table.create_check_constraint(op.f("ck_bookings_kept"), "kept_minor >= 0 AND kept_minor <= total_minor")
    # Every booking that was ever paid has this activity; those of the first demo world had none.
    op.execute(
        "INSERT INTO activities (kind, about, at, details) SELECT 'booking.paid', 'booking:' || b.id, b.paid_at, '{}' "
        "FROM bookings b WHERE b.paid_at IS NOT NULL AND NOT EXISTS "
        "(SELECT 1 FROM activities a WHERE a.kind = 'booking.paid' AND a.about = 'booking:' || b.id)"
    )
    # Places of the pre-sale are counted under a key of their own from now on.
    op.execute(
        "INSERT INTO buyer_limits (event_id, buyer_key, qty, max_qty) "
        "SELECT b.event_id, 'presale:' || b.buyer_key, SUM(l.qty), SUM(l.qty) FROM bookings b "
        "JOIN booking_lines l ON l.booking_id = b.id "
        "WHERE b.state IN ('held', 'paying', 'processing', 'paid') AND l.in_presale GROUP BY b.event_id, b.buyer_key"
    )
    with op.batch_alter_table("booking_lines") as table:
        table.add_column(sa.Column("returned", sa.Integer(), nullable=False, server_default="0"))
        table.create_check_constraint(op.f("ck_booking_lines_returned"), "returned >= 0 AND returned <= qty")
    with op.batch_alter_table("events") as table:
        table.add_column(sa.Column("presale_per_buyer", sa.Integer(), nullable=True))
        table.add_column(sa.Column("refund_hours", sa.Integer(), nullable=True))
        table.add_column(sa.Column("refund_fee_minor", sa.BigInteger(), nullable=False, server_default="0"))
        table.create_check_constraint(
            op.f("ck_events_presale_per_buyer"), "presale_per_buyer IS NULL OR presale_per_buyer >= 1"
        )
        table.create_check_constraint(op.f("ck_events_refund_hours"), "refund_hours IS NULL OR refund_hours >= 0")
        table.create_check_constraint(op.f("ck_events_refund_fee"), "refund_fee_minor >= 0")
    with op.batch_alter_table("notices") as table:
        table.alter_column("session_id", new_column_name="object_id")
        table.add_column(
            sa.Column("payment_intent", sqlmodel.sql.sqltypes.AutoString(length=255), nullable=False, server_default="")
        )
    with op.batch_alter_table("payments") as table:
        table.add_column(sa.Column("dispute", sqlmodel.sql.sqltypes.AutoString(length=10), nullable=False, server_default=""))
        table.add_column(sa.Column("disputed_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))
        table.create_check_constraint(op.f("ck_payments_returned"), "returned_minor >= 0")
        table.create_check_constraint(op.f("ck_payments_dispute"), "dispute IN ('', 'open', 'won', 'lost')")
    with op.batch_alter_table("refunds") as table:
        table.add_column(sa.Column("origin", sqlmodel.sql.sqltypes.AutoString(length=10), nullable=False, server_default="app"))
        table.add_column(sa.Column("note", sqlmodel.sql.sqltypes.AutoString(length=200), nullable=False, server_default=""))
        table.add_column(sa.Column("places", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("by_user_id", sa.BigInteger(), nullable=True))
        table.create_index(op.f("ix_refunds_by_user_id"), ["by_user_id"])
        table.create_foreign_key(op.f("fk_refunds_by_user_id_users"), "users", ["by_user_id"], ["id"])
        table.create_check_constraint(op.f("ck_refunds_origin"), "origin IN ('app', 'elsewhere')")
        table.create_check_constraint(
            op.f("ck_refunds_reason"),
            "reason IN ('not_needed', 'called_off', 'buyer', 'manager', 'admin', 'elsewhere', 'dispute')",
        )


def downgrade() -> None:
    op.execute("DELETE FROM buyer_limits WHERE buyer_key LIKE 'presale:%'")
    with op.batch_alter_table("refunds") as table:
        table.drop_constraint(op.f("ck_refunds_reason"), type_="check")
        table.drop_constraint(op.f("ck_refunds_origin"), type_="check")
        table.drop_constraint(op.f("fk_refunds_by_user_id_users"), type_="foreignkey")
        table.drop_index(op.f("ix_refunds_by_user_id"))
        for column in ("by_user_id", "places", "note", "origin"):
            table.drop_column(column)
    with op.batch_alter_table("payments") as table:
        table.drop_constraint(op.f("ck_payments_dispute"), type_="check")
        table.drop_constraint(op.f("ck_payments_returned"), type_="check")
        table.drop_column("disputed_at")
        table.drop_column("dispute")
    with op.batch_alter_table("notices") as table:
        table.drop_column("payment_intent")
        table.alter_column("object_id", new_column_name="session_id")
    with op.batch_alter_table("events") as table:
        for name in ("refund_fee", "refund_hours", "presale_per_buyer"):
            table.drop_constraint(op.f(f"ck_events_{name}"), type_="check")
        for column in ("refund_fee_minor", "refund_hours", "presale_per_buyer"):
            table.drop_column(column)
    with op.batch_alter_table("booking_lines") as table:
        table.drop_constraint(op.f("ck_booking_lines_returned"), type_="check")
        table.drop_column("returned")
    with op.batch_alter_table("bookings") as table:
        table.drop_constraint(op.f("ck_bookings_kept"), type_="check")
        for column in ("refund_fee_minor", "refund_hours", "kept_minor"):
            table.drop_column(column)
    op.drop_index("ix_alarms_one_open", table_name="alarms", sqlite_where=OPEN, postgresql_where=OPEN)
    for name in ("refund_codes", "alarms", "orphans", "invariant_results", "cursors"):
        op.drop_table(name)


def _create_tables() -> None:
    op.create_table(
        "cursors",
        sa.Column("name", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cursors")),
    )
    op.create_table(
        "invariant_results",
        sa.Column("name", sqlmodel.sql.sqltypes.AutoString(length=10), nullable=False),
        sa.Column("checked_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("broken", sa.Integer(), nullable=False),
        sa.Column("examples", sqlmodel.sql.sqltypes.AutoString(length=500), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_invariant_results")),
    )
    op.create_table(
        "orphans",
        sa.Column("id", sqlmodel.sql.sqltypes.AutoString(length=255), nullable=False),
        sa.Column("payment_intent", sqlmodel.sql.sqltypes.AutoString(length=255), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sqlmodel.sql.sqltypes.AutoString(length=3), nullable=False),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(length=10), nullable=False),
        sa.Column("outcome", sqlmodel.sql.sqltypes.AutoString(length=10), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("found_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("ended_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.CheckConstraint("state IN ('found', 'closed')", name=op.f("ck_orphans_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orphans")),
    )
    op.create_table(
        "alarms",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("about", sqlmodel.sql.sqltypes.AutoString(length=120), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("first_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("last_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("settled_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("settled_by_user_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["settled_by_user_id"], ["users.id"], name=op.f("fk_alarms_settled_by_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarms")),
    )
    op.create_index("ix_alarms_one_open", "alarms", ["kind", "about"], unique=True, sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_table(
        "refund_codes",
        sa.Column("booking_id", sa.BigInteger(), nullable=False),
        sa.Column("nonce", sqlmodel.sql.sqltypes.AutoString(length=32), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("expires_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.CheckConstraint("tries >= 0", name=op.f("ck_refund_codes_tries")),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_refund_codes_booking_id_bookings")),
        sa.PrimaryKeyConstraint("booking_id", name=op.f("pk_refund_codes")),
    )
