"""Records that were sent to Odoo without an answer."""

from db_init.migrations.apply import run_file

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0016_sent_without_answer.sql")
