"""A paused flow says who stopped it, when and why."""

from db_init.migrations.apply import run_file

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0033_paused_flows.sql")
