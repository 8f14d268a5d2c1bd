"""Refusals at the door"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'refusals',
        sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
        sa.Column('event_id', sa.BigInteger(), nullable=False),
        sa.Column('ticket_id', sa.BigInteger(), nullable=True),
        sa.Column('word', sqlmodel.sql.sqltypes.AutoString(length=11), nullable=False),
        sa.Column('gate', sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column('by_user_id', sa.BigInteger(), nullable=False),
        sa.Column('at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column('noted_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column('nonce', sqlmodel.sql.sqltypes.AutoString(length=64), nullable=False),
        sa.CheckConstraint("word IN ('again', 'left', 'other_event', 'void', 'over', 'called_off', 'no_exit', 'unpaid', 'unknown')", name=op.f('ck_refusals_word')),
        sa.ForeignKeyConstraint(['by_user_id'], ['users.id'], name=op.f('fk_refusals_by_user_id_users')),
        sa.ForeignKeyConstraint(['event_id'], ['events.id'], name=op.f('fk_refusals_event_id_events')),
        sa.ForeignKeyConstraint(['ticket_id'], ['tickets.id'], name=op.f('fk_refusals_ticket_id_tickets')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_refusals')),
        sa.UniqueConstraint('event_id', 'nonce', name=op.f('uq_refusals_event_id_nonce')),
    )
    with op.batch_alter_table('refusals', schema=None) as batch_op:
        batch_op.create_index('ix_refusals_of_event', ['event_id', 'noted_at'], unique=False)



def downgrade() -> None:
    op.drop_table('refusals')
