"""Invoices of the tenants' customers."""

from db_init.migrations.apply import run_file

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0007_invoices.sql")
