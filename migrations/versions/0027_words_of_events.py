"""Words of events"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

from app.events.rules.words import found_by

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

BATCH = 500
TEXTS = """
SELECT events.id, events.title, events.summary, venues.name, venues.city, categories.name, events.description
FROM events JOIN categories ON categories.id = events.category_id LEFT JOIN venues ON venues.id = events.venue_id
WHERE events.id > :after ORDER BY events.id LIMIT :most
"""
# The words are cut already: this tokenizer only parts them at the blanks.
FIND = """
CREATE VIRTUAL TABLE event_find USING fts5
(words, content='event_search', content_rowid='event_id', tokenize='ascii', prefix='2 3', detail='none')
"""
VECTOR = "CREATE INDEX ix_event_search_words ON event_search USING gin (array_to_tsvector(string_to_array(words, ' ')))"


def upgrade() -> None:
    made = op.create_table('event_search',
    sa.Column('event_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('words', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['event_id'], ['events.id'], name=op.f('fk_event_search_event_id_events')),
    sa.PrimaryKeyConstraint('event_id', name=op.f('pk_event_search'))
    )
    connection, after = op.get_bind(), 0
    while rows := connection.execute(sa.text(TEXTS), {"after": after, "most": BATCH}).all():
        words = [{"event_id": row[0], "words": found_by(*(text or "" for text in row[1:]))} for row in rows]
        connection.execute(sa.insert(made), words)
        after = rows[-1][0]
    if connection.dialect.name == "sqlite":
        op.execute(FIND)
        op.execute("INSERT INTO event_find(event_find) VALUES ('rebuild')")
    else:
        op.execute(VECTOR)
    with op.batch_alter_table('events', schema=None) as batch_op:
        batch_op.drop_column('search_text')
        batch_op.drop_index('ix_events_shown')
        batch_op.create_index('ix_events_shown', ['state', 'starts_at', 'ends_at', 'venue_id', 'category_id'], unique=False)
        batch_op.create_index('ix_events_ahead', ['state', 'ends_at', 'starts_at'], unique=False)
        batch_op.create_index('ix_events_at', ['venue_id', 'state', 'ends_at'], unique=False)
        batch_op.drop_index(batch_op.f('ix_events_venue_id'))
    with op.batch_alter_table('ticket_types', schema=None) as batch_op:
        batch_op.create_index('ix_ticket_types_price', ['price_minor', 'event_id'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('ticket_types', schema=None) as batch_op:
        batch_op.drop_index('ix_ticket_types_price')
    with op.batch_alter_table('events', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_events_venue_id'), ['venue_id'], unique=False)
        batch_op.drop_index('ix_events_at')
        batch_op.drop_index('ix_events_ahead')
        batch_op.drop_index('ix_events_shown')
        batch_op.create_index('ix_events_shown', ['state', 'starts_at'], unique=False)
        text = sqlmodel.sql.sqltypes.AutoString(length=1500)
        batch_op.add_column(sa.Column('search_text', text, nullable=False, server_default=''))
    op.execute(
        "UPDATE events SET search_text = COALESCE((SELECT SUBSTR(words, 1, 1500) FROM event_search WHERE event_id = events.id), '')"
    )
    with op.batch_alter_table('events', schema=None) as batch_op:
        batch_op.alter_column('search_text', server_default=None)
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE event_find")
    op.drop_table('event_search')
