"""Chains the ledger, and leaves its writing to one function."""

from db_init.migrations.apply import run_file

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0028_chained_ledger.sql")
