"""Creates schema bridge; replaces the levels 0001 to 0019 from before the first release."""

from db_init.migrations.apply import run_file

revision = "0019"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0019_bridge_schema.sql")
