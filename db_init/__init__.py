"""Databases, roles and schemas: created, attached, migrated and removed; each step is idempotent."""
