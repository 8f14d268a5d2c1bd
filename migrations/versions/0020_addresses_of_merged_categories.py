"""Addresses of merged categories"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('moved_categories',
    sa.Column('slug', sqlmodel.sql.sqltypes.AutoString(length=60), nullable=False),
    sa.Column('category_id', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['category_id'], ['categories.id'], name=op.f('fk_moved_categories_category_id_categories')),
    sa.PrimaryKeyConstraint('slug', name=op.f('pk_moved_categories'))
    )
    with op.batch_alter_table('moved_categories', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_moved_categories_category_id'), ['category_id'], unique=False)



def downgrade() -> None:
    with op.batch_alter_table('moved_categories', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_moved_categories_category_id'))

    op.drop_table('moved_categories')
