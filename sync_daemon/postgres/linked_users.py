"""The links between app users and Odoo users, as both walks need them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from psycopg2 import sql

from sync_daemon.domain.approval import Linked
from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.postgres.connection import Cursor
from sync_daemon.postgres.marks import key_arrays
from sync_daemon.postgres.statements import statements

_SQL = statements("linked_users")
_PRESENT = sql.SQL("SELECT id FROM {table} WHERE id = ANY(%(ids)s::uuid[])")


def linked_users(cursor: Cursor, instance: str, users: Collection[RecordKey]) -> Mapping[RecordKey, str]:
    """Odoo's ids of linked app users."""
    if not users:
        return {}
    cursor.execute(_SQL["linked"], {"instance": instance, **key_arrays(sorted(users))})
    return {RecordKey(tenant, Entity.USER, user): odoo_user for tenant, user, odoo_user in cursor.fetchall()}


def people_of_odoo(
    cursor: Cursor, instance: str, tenant: UUID, schema: str, users: Collection[str]
) -> Mapping[str, Linked]:
    """The tenant's users linked to these Odoo users, by Odoo's id, if their rows exist."""
    if not users:
        return {}
    cursor.execute(_SQL["named_by_odoo"], {"instance": instance, "tenant": tenant, "users": sorted(users)})
    found = {odoo_user: Linked(user, login) for odoo_user, user, login in cursor.fetchall()}
    if not found:
        return {}
    ids = [linked.user for linked in found.values()]
    cursor.execute(_PRESENT.format(table=sql.Identifier(schema, CONTRACTS[Entity.USER].table)), {"ids": ids})
    present = {row[0] for row in cursor.fetchall()}
    return {odoo_user: linked for odoo_user, linked in found.items() if linked.user in present}
