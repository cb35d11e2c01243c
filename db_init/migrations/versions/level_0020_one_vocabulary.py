"""Gives what has two names in schema bridge the one that the code uses."""

from db_init.migrations.apply import run_file

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0020_one_vocabulary.sql")
