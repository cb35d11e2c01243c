"""The heartbeat."""

from db_init.migrations.apply import run_file

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0014_heartbeat.sql")
