"""Sections of the form, online events, and a minimum age"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

# Whoever wrote an event before had one form for all of it.
SECTIONS = "basics tickets page access"
MINIMUM_AGE = "minimum_age IS NULL OR minimum_age BETWEEN 1 AND 99"


def upgrade() -> None:
    op.add_column('events', sa.Column('minimum_age', sa.Integer(), nullable=True))
    op.add_column('events', sa.Column('is_online', sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column('events', sa.Column('online_url', sqlmodel.sql.sqltypes.AutoString(length=500), nullable=False, server_default=''))
    op.add_column('events', sa.Column('saved_sections', sqlmodel.sql.sqltypes.AutoString(length=60), nullable=False, server_default=SECTIONS))
    with op.batch_alter_table('events', schema=None) as batch_op:
        batch_op.create_check_constraint(batch_op.f('ck_events_minimum_age'), MINIMUM_AGE)
        for name in ('is_online', 'online_url', 'saved_sections'):
            batch_op.alter_column(name, server_default=None)


def downgrade() -> None:
    with op.batch_alter_table('events', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('ck_events_minimum_age'), type_='check')
        batch_op.drop_column('saved_sections')
        batch_op.drop_column('online_url')
        batch_op.drop_column('is_online')
        batch_op.drop_column('minimum_age')
