"""Announcements to those who have come, or have not yet"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

PRESENCES = "presence IN ('', 'came', 'missing')"


def upgrade() -> None:
    op.add_column('announcements', sa.Column('presence', sqlmodel.sql.sqltypes.AutoString(length=7), nullable=False, server_default=''))
    with op.batch_alter_table('announcements', schema=None) as batch_op:
        batch_op.create_check_constraint(batch_op.f('ck_announcements_presence'), PRESENCES)
        batch_op.alter_column('presence', server_default=None)


def downgrade() -> None:
    with op.batch_alter_table('announcements', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('ck_announcements_presence'), type_='check')
        batch_op.drop_column('presence')
