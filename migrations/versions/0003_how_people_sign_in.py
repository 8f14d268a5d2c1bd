"""How people sign in: times of a session, second factor, recovery codes"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("login_sessions") as table:
        table.add_column(sa.Column("proved_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))
        table.add_column(sa.Column("waits", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("has_second", sa.Boolean(), nullable=False, server_default=sa.false()))
    # Who is signed in proved it then.
    op.execute("UPDATE login_sessions SET proved_at = created_at")
    with op.batch_alter_table("login_sessions") as table:
        table.alter_column("proved_at", existing_type=sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False)
    op.create_table(
        "authenticators",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sealed_secret", sqlmodel.sql.sqltypes.AutoString(length=200), nullable=False),
        sa.Column("created_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("confirmed_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_authenticators_user_id_users")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_authenticators")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("salt", sqlmodel.sql.sqltypes.AutoString(length=32), nullable=False),
        sa.Column("code_hash", sqlmodel.sql.sqltypes.AutoString(length=64), nullable=False),
        sa.Column("used_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_recovery_codes_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
    )
    with op.batch_alter_table("recovery_codes") as table:
        table.create_index(op.f("ix_recovery_codes_user_id"), ["user_id"])


def downgrade() -> None:
    # Without the second factor nobody may be half signed in.
    op.execute("DELETE FROM login_sessions WHERE waits")
    op.drop_table("recovery_codes")
    op.drop_table("authenticators")
    with op.batch_alter_table("login_sessions") as table:
        for column in ("has_second", "waits", "proved_at"):
            table.drop_column(column)
