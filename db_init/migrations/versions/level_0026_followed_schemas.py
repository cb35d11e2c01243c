"""Follows a tenant's schema that was renamed."""

from db_init.migrations.apply import run_file

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0026_followed_schemas.sql")
