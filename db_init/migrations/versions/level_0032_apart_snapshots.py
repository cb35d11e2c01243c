"""A transaction that works in one tenant's tables holds up the write-backs of that tenant alone."""

from db_init.migrations.apply import run_file

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0032_apart_snapshots.sql")
