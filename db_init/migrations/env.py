"""Alembic's entry; the connection comes from db_init.migrate, never from a file."""

from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]

context.configure(
    connection=connection,
    target_metadata=None,
    version_table="schema_version",
    version_table_schema="bridge",
    transaction_per_migration=True,
)
with context.begin_transaction():
    # two runs at once: the second waits and then finds nothing to do
    connection.execute(text("SELECT pg_advisory_xact_lock(360360, 1)"))
    context.run_migrations()
