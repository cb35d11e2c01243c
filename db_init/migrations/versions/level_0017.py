"""How far Odoo's versions have come, and what may be forgotten after a time."""

from db_init.migrations.apply import run_file

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0017_restores_and_retention.sql")
