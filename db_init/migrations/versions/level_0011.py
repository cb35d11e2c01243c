"""Users of the app and of Odoo, linked."""

from db_init.migrations.apply import run_file

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0011_user_links.sql")
