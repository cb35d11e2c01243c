"""Backfills that go on where they stopped, and decisions about conflicts."""

from db_init.migrations.apply import run_file

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0008_operations.sql")
