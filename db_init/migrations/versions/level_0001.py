"""What is owed, what is bound, what failed."""

from db_init.migrations.apply import run_file

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0001_outbox_and_binding.sql")
