"""Databases, roles and schemas: made, attached, migrated and taken away again, each step idempotent."""
