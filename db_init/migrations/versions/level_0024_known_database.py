"""Knows the database and the tables that its state is about."""

from db_init.migrations.apply import run_file

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0024_known_database.sql")
