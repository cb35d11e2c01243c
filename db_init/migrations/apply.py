"""Runs a level's SQL file on Alembic's connection."""

from pathlib import Path

from alembic import op

SQL = Path(__file__).parent / "sql"


def run_file(name: str) -> None:
    """Execute the file unchanged: the driver must not look for parameters in it."""
    raw = op.get_bind().connection.cursor()
    raw.execute("SET LOCAL lock_timeout = '2s'")
    raw.execute((SQL / name).read_text(encoding="utf-8"))
    raw.close()
