"""Reports that browsers send about our policy"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "csp_reports",
        sa.Column("directive", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("blocked", sqlmodel.sql.sqltypes.AutoString(length=100), nullable=False),
        sa.Column("path", sqlmodel.sql.sqltypes.AutoString(length=100), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("first_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("last_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.CheckConstraint("times >= 1", name=op.f("ck_csp_reports_times")),
        sa.PrimaryKeyConstraint("directive", "blocked", "path", name=op.f("pk_csp_reports")),
    )


def downgrade() -> None:
    op.drop_table("csp_reports")
