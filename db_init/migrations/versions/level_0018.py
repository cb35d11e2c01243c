"""What comparing found the digests to be, and from what."""

from db_init.migrations.apply import run_file

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0018_compared.sql")
