"""Mails that an admin has dropped"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

STATES_BEFORE = "state IN ('queued', 'sent', 'failed')"
STATES_AFTER = "state IN ('queued', 'sent', 'failed', 'dropped')"


def upgrade() -> None:
    _states(STATES_AFTER)


def downgrade() -> None:
    op.execute("UPDATE deliveries SET state = 'failed' WHERE state = 'dropped'")
    _states(STATES_BEFORE)


def _states(condition: str) -> None:
    with op.batch_alter_table("deliveries") as batch_op:
        batch_op.drop_constraint(op.f("ck_deliveries_state"), type_="check")
        batch_op.create_check_constraint(op.f("ck_deliveries_state"), condition)
