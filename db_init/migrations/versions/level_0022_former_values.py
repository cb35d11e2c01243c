"""Keeps what the app had before Odoo's values."""

from db_init.migrations.apply import run_file

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0022_former_values.sql")
