"""The app's transactions first; views for readers and the monitor."""

from db_init.migrations.apply import run_file

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0003_app_transactions_first.sql")
