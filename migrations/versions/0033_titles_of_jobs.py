"""Titles of jobs in the reader's language: the sentence, and whose name stands in it"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A title that was written out before stays as it is: a sentence that no catalogue knows, without a name.
    op.add_column("jobs", sa.Column("name", sqlmodel.sql.sqltypes.AutoString(length=120), nullable=False, server_default=""))
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.alter_column("name", server_default=None)
        batch_op.alter_column("title", new_column_name="sentence")


def downgrade() -> None:
    op.execute("UPDATE jobs SET sentence = REPLACE(REPLACE(sentence, '%(title)s', name), '%(subject)s', name) WHERE name <> ''")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.alter_column("sentence", new_column_name="title")
        batch_op.drop_column("name")
