"""Which deliveries are in flight, found without reading all of them."""

from db_init.migrations.apply import run_file

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0019_in_flight.sql")
