"""Outgoing events."""

from db_init.migrations.apply import run_file

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0010_outgoing_events.sql")
