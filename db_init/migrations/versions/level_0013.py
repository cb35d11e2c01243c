"""Another Odoo in place of the former one."""

from db_init.migrations.apply import run_file

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0013_rebuild.sql")
