"""What running daemons know about themselves, for `c360 doctor` and `c360 status`."""

from db_init.migrations.apply import run_file

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0031_daemons.sql")
