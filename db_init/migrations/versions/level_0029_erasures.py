"""Remembers which customers were erased, and keeps them out."""

from db_init.migrations.apply import run_file

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0029_erasures.sql")
