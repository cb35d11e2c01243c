"""Follows a row whose id the app changed."""

from db_init.migrations.apply import run_file

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0027_renamed_records.sql")
