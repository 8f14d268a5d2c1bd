"""Quotas, questions, helpers, and more ways to book"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

KINDS_BEFORE = "kind IN ('purchase', 'presale')"
KINDS_AFTER = "kind IN ('purchase', 'presale', 'offer', 'comp', 'door')"


def upgrade() -> None:
    op.create_table('helpers',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('code', sqlmodel.sql.sqltypes.AutoString(length=22), nullable=False),
    sa.Column('event_id', sa.BigInteger(), nullable=False),
    sa.Column('email', sqlmodel.sql.sqltypes.AutoString(length=254), nullable=False),
    sa.Column('user_id', sa.BigInteger(), nullable=True),
    sa.Column('may_edit', sa.Boolean(), nullable=False),
    sa.Column('may_sell', sa.Boolean(), nullable=False),
    sa.Column('may_check_in', sa.Boolean(), nullable=False),
    sa.Column('until', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('invited_by', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('joined_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['event_id'], ['events.id'], name=op.f('fk_helpers_event_id_events')),
    sa.ForeignKeyConstraint(['invited_by'], ['users.id'], name=op.f('fk_helpers_invited_by_users')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_helpers_user_id_users')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_helpers')),
    sa.UniqueConstraint('code', name=op.f('uq_helpers_code')),
    sa.UniqueConstraint('event_id', 'email', name=op.f('uq_helpers_event_id_email'))
    )
    with op.batch_alter_table('helpers', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_helpers_event_id'), ['event_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_helpers_user_id'), ['user_id'], unique=False)

    op.create_table('questions',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('code', sqlmodel.sql.sqltypes.AutoString(length=22), nullable=False),
    sa.Column('event_id', sa.BigInteger(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('label', sqlmodel.sql.sqltypes.AutoString(length=200), nullable=False),
    sa.Column('kind', sqlmodel.sql.sqltypes.AutoString(length=10), nullable=False),
    sa.Column('choices', sqlmodel.sql.sqltypes.AutoString(length=2000), nullable=False),
    sa.Column('is_required', sa.Boolean(), nullable=False),
    sa.Column('per_ticket', sa.Boolean(), nullable=False),
    sa.Column('ended_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.CheckConstraint("kind IN ('text', 'choice', 'yes_no')", name=op.f('ck_questions_kind')),
    sa.ForeignKeyConstraint(['event_id'], ['events.id'], name=op.f('fk_questions_event_id_events')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_questions')),
    sa.UniqueConstraint('code', name=op.f('uq_questions_code'))
    )
    with op.batch_alter_table('questions', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_questions_event_id'), ['event_id'], unique=False)

    op.create_table('quotas',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('code', sqlmodel.sql.sqltypes.AutoString(length=22), nullable=False),
    sa.Column('event_id', sa.BigInteger(), nullable=False),
    sa.Column('name', sqlmodel.sql.sqltypes.AutoString(length=60), nullable=False),
    sa.Column('capacity', sa.Integer(), nullable=False),
    sa.Column('held', sa.Integer(), nullable=False),
    sa.Column('sold', sa.Integer(), nullable=False),
    sa.CheckConstraint('held >= 0 AND sold >= 0 AND held + sold <= capacity', name=op.f('ck_quotas_stock')),
    sa.ForeignKeyConstraint(['event_id'], ['events.id'], name=op.f('fk_quotas_event_id_events')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_quotas')),
    sa.UniqueConstraint('code', name=op.f('uq_quotas_code'))
    )
    with op.batch_alter_table('quotas', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_quotas_event_id'), ['event_id'], unique=False)

    op.create_table('answers',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('booking_id', sa.BigInteger(), nullable=False),
    sa.Column('question_id', sa.BigInteger(), nullable=False),
    sa.Column('line_id', sa.BigInteger(), nullable=True),
    sa.Column('n', sa.Integer(), nullable=False),
    sa.Column('value', sqlmodel.sql.sqltypes.AutoString(length=500), nullable=False),
    sa.ForeignKeyConstraint(['booking_id'], ['bookings.id'], name=op.f('fk_answers_booking_id_bookings')),
    sa.ForeignKeyConstraint(['line_id'], ['booking_lines.id'], name=op.f('fk_answers_line_id_booking_lines')),
    sa.ForeignKeyConstraint(['question_id'], ['questions.id'], name=op.f('fk_answers_question_id_questions')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_answers')),
    sa.UniqueConstraint('booking_id', 'question_id', 'line_id', 'n', name=op.f('uq_answers_booking_id_question_id_line_id_n'))
    )
    with op.batch_alter_table('answers', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_answers_booking_id'), ['booking_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_answers_question_id'), ['question_id'], unique=False)

    with op.batch_alter_table('events', schema=None) as batch_op:
        batch_op.add_column(sa.Column('version', sa.Integer(), nullable=False, server_default='1'))
    with op.batch_alter_table('events', schema=None) as batch_op:
        batch_op.alter_column('version', server_default=None)

    with op.batch_alter_table('ticket_types', schema=None) as batch_op:
        batch_op.add_column(sa.Column('quota_id', sa.BigInteger(), nullable=True))
        batch_op.create_index(batch_op.f('ix_ticket_types_quota_id'), ['quota_id'], unique=False)
        batch_op.create_foreign_key(batch_op.f('fk_ticket_types_quota_id_quotas'), 'quotas', ['quota_id'], ['id'])
    _kinds(KINDS_AFTER)



def downgrade() -> None:
    _kinds(KINDS_BEFORE)
    with op.batch_alter_table('ticket_types', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_ticket_types_quota_id_quotas'), type_='foreignkey')
        batch_op.drop_index(batch_op.f('ix_ticket_types_quota_id'))
        batch_op.drop_column('quota_id')

    with op.batch_alter_table('events', schema=None) as batch_op:
        batch_op.drop_column('version')

    with op.batch_alter_table('answers', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_answers_question_id'))
        batch_op.drop_index(batch_op.f('ix_answers_booking_id'))

    op.drop_table('answers')
    with op.batch_alter_table('quotas', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_quotas_event_id'))

    op.drop_table('quotas')
    with op.batch_alter_table('questions', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_questions_event_id'))

    op.drop_table('questions')
    with op.batch_alter_table('helpers', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_helpers_user_id'))
        batch_op.drop_index(batch_op.f('ix_helpers_event_id'))

    op.drop_table('helpers')


def _kinds(condition: str) -> None:
    with op.batch_alter_table("bookings") as batch_op:
        batch_op.drop_constraint(op.f("ck_bookings_kind"), type_="check")
        batch_op.create_check_constraint(op.f("ck_bookings_kind"), condition)
