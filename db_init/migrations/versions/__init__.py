"""Levels of schema bridge, in Alembic's form."""
