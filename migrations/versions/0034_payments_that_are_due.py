"""Payments that are due, found without a look at those that are over"""

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_payments_due", "payments", ["state", "pay_until"])


def downgrade() -> None:
    op.drop_index("ix_payments_due", table_name="payments")
