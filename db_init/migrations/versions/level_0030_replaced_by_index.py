"""Finds replaced tables by the catalogue's indexes."""

from db_init.migrations.apply import run_file

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0030_replaced_by_index.sql")
