"""Stops what many records would lose at once."""

from db_init.migrations.apply import run_file

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0023_brake.sql")
