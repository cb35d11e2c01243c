"""Lets the relay take a large mark in parts."""

from db_init.migrations.apply import run_file

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0025_marks_in_parts.sql")
