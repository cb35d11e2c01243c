"""What became of leads."""

from db_init.migrations.apply import run_file

revision = "0006"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0006_lead_outcomes.sql")
