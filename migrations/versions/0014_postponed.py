"""Events that are postponed"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("events") as batch_op:
        batch_op.add_column(
            sa.Column("postponed_reason", sqlmodel.sql.sqltypes.AutoString(length=500), nullable=False, server_default="")
        )
        batch_op.add_column(sa.Column("postponed_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))
        batch_op.add_column(sa.Column("redated_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))
        batch_op.add_column(sa.Column("return_days", sa.Integer(), nullable=False, server_default="14"))
        batch_op.create_check_constraint(op.f("ck_events_return_days"), "return_days >= 1")
    with op.batch_alter_table("events") as batch_op:
        batch_op.alter_column("postponed_reason", server_default=None)
        batch_op.alter_column("return_days", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("events") as batch_op:
        batch_op.drop_constraint(op.f("ck_events_return_days"), type_="check")
        batch_op.drop_column("return_days")
        batch_op.drop_column("redated_at")
        batch_op.drop_column("postponed_at")
        batch_op.drop_column("postponed_reason")
