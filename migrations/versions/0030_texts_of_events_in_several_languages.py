"""Texts of events in several languages"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("events", sa.Column("language", sqlmodel.sql.sqltypes.AutoString(length=10), nullable=False, server_default="en"))
    op.add_column("events", sa.Column("texts", sa.JSON(), nullable=False, server_default="{}"))
    with op.batch_alter_table("events", schema=None) as batch_op:
        for name in ("language", "texts"):
            batch_op.alter_column(name, server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_column("texts")
        batch_op.drop_column("language")
