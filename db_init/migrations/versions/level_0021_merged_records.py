"""Finds merged records by an index of their own."""

from db_init.migrations.apply import run_file

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0021_merged_records.sql")
