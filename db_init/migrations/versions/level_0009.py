"""Documents and their contents."""

from db_init.migrations.apply import run_file

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0009_documents.sql")
