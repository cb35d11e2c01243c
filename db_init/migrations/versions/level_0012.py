"""Overrides of the contract."""

from db_init.migrations.apply import run_file

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the SQL file of this level."""
    run_file("0012_contract_overrides.sql")
