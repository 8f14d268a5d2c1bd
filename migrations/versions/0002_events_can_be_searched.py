"""Events can be searched"""

import unicodedata

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_WORDS = sa.text(
    "SELECT e.id, e.title, e.summary, v.name AS venue, v.city, c.name AS category FROM events e "
    "JOIN categories c ON c.id = e.category_id LEFT JOIN venues v ON v.id = e.venue_id"
)


def upgrade() -> None:
    with op.batch_alter_table("events") as events:
        events.add_column(sa.Column("search_text", sqlmodel.sql.sqltypes.AutoString(length=1500), nullable=False, server_default=""))
    connection = op.get_bind()
    for row in connection.execute(_WORDS).all():
        words = " ".join(word for word in row[1:] if word)
        folded = "".join(char for char in unicodedata.normalize("NFKD", words.casefold()) if not unicodedata.combining(char))
        connection.execute(sa.text("UPDATE events SET search_text = :text WHERE id = :id"), {"text": folded[:1500], "id": row[0]})
    with op.batch_alter_table("events") as events:
        events.alter_column("search_text", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("events") as events:
        events.drop_column("search_text")
