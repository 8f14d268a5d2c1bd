"""Addresses of merged venues, beside those of categories"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('moved_addresses',
    sa.Column('kind', sqlmodel.sql.sqltypes.AutoString(length=10), nullable=False),
    sa.Column('slug', sqlmodel.sql.sqltypes.AutoString(length=120), nullable=False),
    sa.Column('category_id', sa.BigInteger(), nullable=True),
    sa.Column('venue_id', sa.BigInteger(), nullable=True),
    sa.CheckConstraint("(kind = 'categories') = (category_id IS NOT NULL)", name=op.f('ck_moved_addresses_category')),
    sa.CheckConstraint("(kind = 'venues') = (venue_id IS NOT NULL)", name=op.f('ck_moved_addresses_venue')),
    sa.ForeignKeyConstraint(['category_id'], ['categories.id'], name=op.f('fk_moved_addresses_category_id_categories')),
    sa.ForeignKeyConstraint(['venue_id'], ['venues.id'], name=op.f('fk_moved_addresses_venue_id_venues')),
    sa.PrimaryKeyConstraint('kind', 'slug', name=op.f('pk_moved_addresses'))
    )
    with op.batch_alter_table('moved_addresses', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_moved_addresses_category_id'), ['category_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_moved_addresses_venue_id'), ['venue_id'], unique=False)
    op.execute(
        "INSERT INTO moved_addresses (kind, slug, category_id) SELECT 'categories', slug, category_id FROM moved_categories"
    )
    with op.batch_alter_table('moved_categories', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_moved_categories_category_id'))
    op.drop_table('moved_categories')


def downgrade() -> None:
    op.create_table('moved_categories',
    sa.Column('slug', sqlmodel.sql.sqltypes.AutoString(length=60), nullable=False),
    sa.Column('category_id', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['category_id'], ['categories.id'], name=op.f('fk_moved_categories_category_id_categories')),
    sa.PrimaryKeyConstraint('slug', name=op.f('pk_moved_categories'))
    )
    with op.batch_alter_table('moved_categories', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_moved_categories_category_id'), ['category_id'], unique=False)
    op.execute(
        "INSERT INTO moved_categories (slug, category_id) SELECT slug, category_id FROM moved_addresses WHERE kind = 'categories'"
    )
    with op.batch_alter_table('moved_addresses', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_moved_addresses_venue_id'))
        batch_op.drop_index(batch_op.f('ix_moved_addresses_category_id'))
    op.drop_table('moved_addresses')
