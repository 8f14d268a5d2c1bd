"""Waiting lists"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('waiting_entries',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('code', sqlmodel.sql.sqltypes.AutoString(length=22), nullable=False),
    sa.Column('event_id', sa.BigInteger(), nullable=False),
    sa.Column('ticket_type_id', sa.BigInteger(), nullable=False),
    sa.Column('user_id', sa.BigInteger(), nullable=True),
    sa.Column('email', sqlmodel.sql.sqltypes.AutoString(length=254), nullable=False),
    sa.Column('language', sqlmodel.sql.sqltypes.AutoString(length=10), nullable=False),
    sa.Column('qty', sa.Integer(), nullable=False),
    sa.Column('state', sqlmodel.sql.sqltypes.AutoString(length=8), nullable=False),
    sa.Column('booking_id', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('offered_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('ended_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.CheckConstraint("state IN ('waiting', 'offered', 'taken', 'lapsed', 'left')", name=op.f('ck_waiting_entries_state')),
    sa.CheckConstraint('qty > 0', name=op.f('ck_waiting_entries_qty')),
    sa.ForeignKeyConstraint(['booking_id'], ['bookings.id'], name=op.f('fk_waiting_entries_booking_id_bookings')),
    sa.ForeignKeyConstraint(['event_id'], ['events.id'], name=op.f('fk_waiting_entries_event_id_events')),
    sa.ForeignKeyConstraint(['ticket_type_id'], ['ticket_types.id'], name=op.f('fk_waiting_entries_ticket_type_id_ticket_types')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_waiting_entries_user_id_users')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_waiting_entries')),
    sa.UniqueConstraint('code', name=op.f('uq_waiting_entries_code'))
    )
    with op.batch_alter_table('waiting_entries', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_waiting_entries_booking_id'), ['booking_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_waiting_entries_email'), ['email'], unique=False)
        batch_op.create_index(batch_op.f('ix_waiting_entries_event_id'), ['event_id'], unique=False)
        batch_op.create_index('ix_waiting_entries_line', ['ticket_type_id', 'state', 'id'], unique=False)
        batch_op.create_index('ix_waiting_entries_once', ['ticket_type_id', 'email'], unique=True, sqlite_where=sa.text("state = 'waiting'"), postgresql_where=sa.text("state = 'waiting'"))
        batch_op.create_index(batch_op.f('ix_waiting_entries_user_id'), ['user_id'], unique=False)

    with op.batch_alter_table('events', schema=None) as batch_op:
        batch_op.add_column(sa.Column('is_waiting_list_open', sa.Boolean(), nullable=False, server_default=sa.true()))
        batch_op.add_column(sa.Column('offer_hours', sa.Integer(), nullable=False, server_default='12'))
    with op.batch_alter_table('events', schema=None) as batch_op:
        batch_op.alter_column('is_waiting_list_open', server_default=None)
        batch_op.alter_column('offer_hours', server_default=None)
        batch_op.create_check_constraint(op.f('ck_events_offer_hours'), 'offer_hours >= 1 AND offer_hours <= 168')

    with op.batch_alter_table('ticket_types', schema=None) as batch_op:
        batch_op.add_column(sa.Column('waiting', sa.Integer(), nullable=False, server_default='0'))
    with op.batch_alter_table('ticket_types', schema=None) as batch_op:
        batch_op.alter_column('waiting', server_default=None)
        batch_op.create_check_constraint(op.f('ck_ticket_types_waiting'), 'waiting >= 0')


def downgrade() -> None:
    with op.batch_alter_table('ticket_types', schema=None) as batch_op:
        batch_op.drop_constraint(op.f('ck_ticket_types_waiting'), type_='check')
        batch_op.drop_column('waiting')

    with op.batch_alter_table('events', schema=None) as batch_op:
        batch_op.drop_constraint(op.f('ck_events_offer_hours'), type_='check')
        batch_op.drop_column('offer_hours')
        batch_op.drop_column('is_waiting_list_open')

    with op.batch_alter_table('waiting_entries', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_waiting_entries_user_id'))
        batch_op.drop_index('ix_waiting_entries_once', sqlite_where=sa.text("state = 'waiting'"), postgresql_where=sa.text("state = 'waiting'"))
        batch_op.drop_index('ix_waiting_entries_line')
        batch_op.drop_index(batch_op.f('ix_waiting_entries_event_id'))
        batch_op.drop_index(batch_op.f('ix_waiting_entries_email'))
        batch_op.drop_index(batch_op.f('ix_waiting_entries_booking_id'))

    op.drop_table('waiting_entries')
