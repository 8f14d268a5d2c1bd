"""Pages of venues"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

from app.events.rules.words import address_of

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('venues', schema=None) as batch_op:
        batch_op.add_column(sa.Column('slug', sqlmodel.sql.sqltypes.AutoString(length=120), nullable=True))
        batch_op.add_column(sa.Column('latitude', sa.Float(), nullable=True))
        batch_op.add_column(sa.Column('longitude', sa.Float(), nullable=True))
    connection, taken = op.get_bind(), set[str]()
    for number, name, city in connection.execute(sa.text("SELECT id, name, city FROM venues ORDER BY id")).all():
        slug = address_of(name, city) or "venue"
        while slug in taken:
            slug = f"{slug}-2"
        taken.add(slug)
        connection.execute(sa.text("UPDATE venues SET slug = :slug WHERE id = :number"), {"slug": slug, "number": number})
    with op.batch_alter_table('venues', schema=None) as batch_op:
        batch_op.alter_column('slug', existing_type=sqlmodel.sql.sqltypes.AutoString(length=120), nullable=False)
        batch_op.create_unique_constraint(batch_op.f('uq_venues_slug'), ['slug'])
        batch_op.create_check_constraint(batch_op.f('ck_venues_latitude'), 'latitude BETWEEN -90 AND 90')
        batch_op.create_check_constraint(batch_op.f('ck_venues_longitude'), 'longitude BETWEEN -180 AND 180')


def downgrade() -> None:
    with op.batch_alter_table('venues', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('ck_venues_longitude'), type_='check')
        batch_op.drop_constraint(batch_op.f('ck_venues_latitude'), type_='check')
        batch_op.drop_constraint(batch_op.f('uq_venues_slug'), type_='unique')
        batch_op.drop_column('longitude')
        batch_op.drop_column('latitude')
        batch_op.drop_column('slug')
