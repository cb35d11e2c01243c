"""Tenants of the selftest."""

from db_init.migrations.apply import run_file

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0015_selftest.sql")
