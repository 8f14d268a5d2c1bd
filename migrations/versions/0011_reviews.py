"""What admins wished, and how events were"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('revisions',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('code', sqlmodel.sql.sqltypes.AutoString(length=22), nullable=False),
    sa.Column('event_id', sa.BigInteger(), nullable=False),
    sa.Column('state', sqlmodel.sql.sqltypes.AutoString(length=10), nullable=False),
    sa.Column('snapshot', sa.JSON(), nullable=False),
    sa.Column('changes', sa.JSON(), nullable=False),
    sa.Column('reason', sqlmodel.sql.sqltypes.AutoString(length=2000), nullable=False),
    sa.Column('by_user_id', sa.BigInteger(), nullable=False),
    sa.Column('decided_by', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('decided_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.CheckConstraint("state IN ('approved', 'returned', 'waiting', 'replaced', 'withdrawn', 'declined')", name=op.f('ck_revisions_state')),
    sa.ForeignKeyConstraint(['by_user_id'], ['users.id'], name=op.f('fk_revisions_by_user_id_users')),
    sa.ForeignKeyConstraint(['decided_by'], ['users.id'], name=op.f('fk_revisions_decided_by_users')),
    sa.ForeignKeyConstraint(['event_id'], ['events.id'], name=op.f('fk_revisions_event_id_events')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_revisions')),
    sa.UniqueConstraint('code', name=op.f('uq_revisions_code'))
    )
    with op.batch_alter_table('revisions') as batch_op:
        batch_op.create_index(batch_op.f('ix_revisions_event_id'), ['event_id'], unique=False)
        batch_op.create_index('ix_revisions_one_waiting', ['event_id'], unique=True, sqlite_where=sa.text("state = 'waiting'"), postgresql_where=sa.text("state = 'waiting'"))

    op.create_table('wished_changes',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('event_id', sa.BigInteger(), nullable=False),
    sa.Column('section', sqlmodel.sql.sqltypes.AutoString(length=10), nullable=False),
    sa.Column('words', sqlmodel.sql.sqltypes.AutoString(length=2000), nullable=False),
    sa.CheckConstraint("section IN ('basics', 'tickets', 'page', 'access')", name=op.f('ck_wished_changes_section')),
    sa.ForeignKeyConstraint(['event_id'], ['events.id'], name=op.f('fk_wished_changes_event_id_events')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_wished_changes')),
    sa.UniqueConstraint('event_id', 'section', name=op.f('uq_wished_changes_event_id_section'))
    )
    with op.batch_alter_table('wished_changes') as batch_op:
        batch_op.create_index(batch_op.f('ix_wished_changes_event_id'), ['event_id'], unique=False)

    with op.batch_alter_table('events') as batch_op:
        batch_op.add_column(sa.Column('rejected_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))



def downgrade() -> None:
    with op.batch_alter_table('events') as batch_op:
        batch_op.drop_column('rejected_at')

    with op.batch_alter_table('wished_changes') as batch_op:
        batch_op.drop_index(batch_op.f('ix_wished_changes_event_id'))

    op.drop_table('wished_changes')
    with op.batch_alter_table('revisions') as batch_op:
        batch_op.drop_index('ix_revisions_one_waiting', sqlite_where=sa.text("state = 'waiting'"), postgresql_where=sa.text("state = 'waiting'"))
        batch_op.drop_index(batch_op.f('ix_revisions_event_id'))

    op.drop_table('revisions')
