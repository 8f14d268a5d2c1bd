"""The index over the words of events has no waiting list"""

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # New words wait in a list until the next vacuum, and every search walks it. Events change seldom, and are looked for often.
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER INDEX ix_event_search_words SET (fastupdate = off)")
        op.execute("SELECT gin_clean_pending_list('ix_event_search_words'::regclass)")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER INDEX ix_event_search_words RESET (fastupdate)")
