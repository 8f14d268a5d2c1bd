"""Reminders of a sale"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

TOPICS_BEFORE = "topic IN ('favourites', 'reminders', 'presales')"
TOPICS_AFTER = "topic IN ('favourites', 'saved', 'reminders', 'presales')"


def upgrade() -> None:
    op.create_table('reminders',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('code', sqlmodel.sql.sqltypes.AutoString(length=22), nullable=False),
    sa.Column('event_id', sa.BigInteger(), nullable=False),
    sa.Column('email', sqlmodel.sql.sqltypes.AutoString(length=254), nullable=False),
    sa.Column('language', sqlmodel.sql.sqltypes.AutoString(length=10), nullable=False),
    sa.Column('created_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('confirmed_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['event_id'], ['events.id'], name=op.f('fk_reminders_event_id_events')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_reminders')),
    sa.UniqueConstraint('code', name=op.f('uq_reminders_code')),
    sa.UniqueConstraint('event_id', 'email', name=op.f('uq_reminders_event_id_email'))
    )
    with op.batch_alter_table('reminders', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_reminders_event_id'), ['event_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_reminders_email'), ['email'], unique=False)

    op.create_table('openings',
    sa.Column('event_id', sa.BigInteger(), nullable=False),
    sa.Column('phase', sqlmodel.sql.sqltypes.AutoString(length=7), nullable=False),
    sa.Column('at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.CheckConstraint("phase IN ('presale', 'sale')", name=op.f('ck_openings_phase')),
    sa.ForeignKeyConstraint(['event_id'], ['events.id'], name=op.f('fk_openings_event_id_events')),
    sa.PrimaryKeyConstraint('event_id', 'phase', name=op.f('pk_openings'))
    )
    _topics(TOPICS_AFTER)


def downgrade() -> None:
    op.execute("DELETE FROM preferences WHERE topic = 'saved'")
    _topics(TOPICS_BEFORE)
    op.drop_table('openings')
    with op.batch_alter_table('reminders', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_reminders_email'))
        batch_op.drop_index(batch_op.f('ix_reminders_event_id'))

    op.drop_table('reminders')


def _topics(condition: str) -> None:
    with op.batch_alter_table("preferences") as batch_op:
        batch_op.drop_constraint(op.f("ck_preferences_topic"), type_="check")
        batch_op.create_check_constraint(op.f("ck_preferences_topic"), condition)
