"""Ledger, conflicts, events, emptied tables."""

from db_init.migrations.apply import run_file

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0002_ledger_and_events.sql")
