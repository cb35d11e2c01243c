"""Alembic environment of schema bridge."""
