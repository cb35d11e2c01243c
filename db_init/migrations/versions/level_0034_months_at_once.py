"""Two daemons make a month of the ledger at once."""

from db_init.migrations.apply import run_file

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0034_months_at_once.sql")
