"""Promo codes and vouchers, comps and the door"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

STOCK_BEFORE = "held >= 0 AND sold >= 0 AND held + sold <= capacity"
STOCK_AFTER = "held >= 0 AND sold >= 0 AND aside >= 0 AND held + sold + aside <= capacity"


def upgrade() -> None:
    op.create_table('promo_codes',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('event_id', sa.BigInteger(), nullable=False),
    sa.Column('ticket_type_id', sa.BigInteger(), nullable=True),
    sa.Column('code', sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
    sa.Column('percent', sa.Integer(), nullable=True),
    sa.Column('off_minor', sa.BigInteger(), nullable=True),
    sa.Column('least_places', sa.Integer(), nullable=False),
    sa.Column('max_uses', sa.Integer(), nullable=True),
    sa.Column('used', sa.Integer(), nullable=False),
    sa.Column('per_buyer', sa.Integer(), nullable=True),
    sa.Column('valid_from', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('valid_until', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('batch', sqlmodel.sql.sqltypes.AutoString(length=9), nullable=False),
    sa.Column('is_paused', sa.Boolean(), nullable=False),
    sa.Column('ended_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('created_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.CheckConstraint('(percent IS NULL) <> (off_minor IS NULL)', name=op.f('ck_promo_codes_one_way')),
    sa.CheckConstraint('off_minor IS NULL OR off_minor >= 1', name=op.f('ck_promo_codes_off')),
    sa.CheckConstraint('per_buyer IS NULL OR per_buyer >= 1', name=op.f('ck_promo_codes_per_buyer')),
    sa.CheckConstraint('percent IS NULL OR (percent >= 1 AND percent <= 100)', name=op.f('ck_promo_codes_percent')),
    sa.CheckConstraint('used >= 0 AND (max_uses IS NULL OR used <= max_uses)', name=op.f('ck_promo_codes_uses')),
    sa.ForeignKeyConstraint(['event_id'], ['events.id'], name=op.f('fk_promo_codes_event_id_events')),
    sa.ForeignKeyConstraint(['ticket_type_id'], ['ticket_types.id'], name=op.f('fk_promo_codes_ticket_type_id_ticket_types')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_promo_codes')),
    sa.UniqueConstraint('event_id', 'code', name=op.f('uq_promo_codes_event_id_code'))
    )
    with op.batch_alter_table('promo_codes', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_promo_codes_ticket_type_id'), ['ticket_type_id'], unique=False)

    op.create_table('vouchers',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('event_id', sa.BigInteger(), nullable=False),
    sa.Column('ticket_type_id', sa.BigInteger(), nullable=False),
    sa.Column('code', sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
    sa.Column('places', sa.Integer(), nullable=False),
    sa.Column('aside', sa.Integer(), nullable=False),
    sa.Column('unit_minor', sa.BigInteger(), nullable=True),
    sa.Column('max_uses', sa.Integer(), nullable=True),
    sa.Column('used', sa.Integer(), nullable=False),
    sa.Column('valid_until', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('batch', sqlmodel.sql.sqltypes.AutoString(length=9), nullable=False),
    sa.Column('is_paused', sa.Boolean(), nullable=False),
    sa.Column('ended_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('created_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.CheckConstraint('aside >= 0 AND aside <= places AND places >= 1', name=op.f('ck_vouchers_aside')),
    sa.CheckConstraint('unit_minor IS NULL OR unit_minor >= 0', name=op.f('ck_vouchers_unit')),
    sa.CheckConstraint('used >= 0 AND (max_uses IS NULL OR used <= max_uses)', name=op.f('ck_vouchers_uses')),
    sa.ForeignKeyConstraint(['event_id'], ['events.id'], name=op.f('fk_vouchers_event_id_events')),
    sa.ForeignKeyConstraint(['ticket_type_id'], ['ticket_types.id'], name=op.f('fk_vouchers_ticket_type_id_ticket_types')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_vouchers')),
    sa.UniqueConstraint('event_id', 'code', name=op.f('uq_vouchers_event_id_code'))
    )
    with op.batch_alter_table('vouchers', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_vouchers_ticket_type_id'), ['ticket_type_id'], unique=False)

    with op.batch_alter_table('booking_lines', schema=None) as batch_op:
        batch_op.add_column(sa.Column('full_minor', sa.BigInteger(), nullable=True))
        batch_op.create_check_constraint(batch_op.f('ck_booking_lines_full'), 'full_minor IS NULL OR full_minor >= 0')
        batch_op.add_column(sa.Column('promo_code_id', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('voucher_id', sa.BigInteger(), nullable=True))
        batch_op.create_index(batch_op.f('ix_booking_lines_promo_code_id'), ['promo_code_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_booking_lines_voucher_id'), ['voucher_id'], unique=False)
        batch_op.create_foreign_key(batch_op.f('fk_booking_lines_promo_code_id_promo_codes'), 'promo_codes', ['promo_code_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_booking_lines_voucher_id_vouchers'), 'vouchers', ['voucher_id'], ['id'])

    with op.batch_alter_table('bookings', schema=None) as batch_op:
        batch_op.add_column(sa.Column('note', sqlmodel.sql.sqltypes.AutoString(length=200), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('sold_by_id', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('nonce', sqlmodel.sql.sqltypes.AutoString(length=64), nullable=True))
        batch_op.create_index(batch_op.f('ix_bookings_sold_by_id'), ['sold_by_id'], unique=False)
        batch_op.create_unique_constraint(batch_op.f('uq_bookings_nonce'), ['nonce'])
        batch_op.create_foreign_key(batch_op.f('fk_bookings_sold_by_id_users'), 'users', ['sold_by_id'], ['id'])
    with op.batch_alter_table('bookings', schema=None) as batch_op:
        batch_op.alter_column('note', server_default=None)

    for table in ('quotas', 'ticket_types'):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column('aside', sa.Integer(), nullable=False, server_default='0'))
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.alter_column('aside', server_default=None)
        _stock(table, STOCK_AFTER)


def downgrade() -> None:
    for table in ('ticket_types', 'quotas'):
        _stock(table, STOCK_BEFORE)
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column('aside')

    with op.batch_alter_table('bookings', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_bookings_sold_by_id_users'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('uq_bookings_nonce'), type_='unique')
        batch_op.drop_index(batch_op.f('ix_bookings_sold_by_id'))
        batch_op.drop_column('nonce')
        batch_op.drop_column('sold_by_id')
        batch_op.drop_column('note')

    with op.batch_alter_table('booking_lines', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_booking_lines_voucher_id_vouchers'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_booking_lines_promo_code_id_promo_codes'), type_='foreignkey')
        batch_op.drop_index(batch_op.f('ix_booking_lines_voucher_id'))
        batch_op.drop_index(batch_op.f('ix_booking_lines_promo_code_id'))
        batch_op.drop_column('voucher_id')
        batch_op.drop_column('promo_code_id')
        batch_op.drop_constraint(batch_op.f('ck_booking_lines_full'), type_='check')
        batch_op.drop_column('full_minor')

    with op.batch_alter_table('vouchers', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_vouchers_ticket_type_id'))

    op.drop_table('vouchers')
    with op.batch_alter_table('promo_codes', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_promo_codes_ticket_type_id'))

    op.drop_table('promo_codes')


def _stock(table: str, condition: str) -> None:
    with op.batch_alter_table(table) as batch_op:
        batch_op.drop_constraint(op.f(f"ck_{table}_stock"), type_="check")
        batch_op.create_check_constraint(op.f(f"ck_{table}_stock"), condition)
