"""Erasures in the app's database: carried out by the migrator, and carried over to a database that was restored."""

from __future__ import annotations

from uuid import UUID

from db_init.connect import Connection, Cursor

_COLUMNS = "id, instance_id, tenant_id, client_id, requested_by, requested_at, app_done_at, odoo_done_at, receipt"

_INVOICES = """(
    SELECT DISTINCT i.tenant_id, i.id
      FROM bridge.invoice AS i
      JOIN bridge.erased AS e
        ON e.tenant_id = i.tenant_id
       AND (e.entity, e.record_id) IN (('client', i.client_id), ('registration', i.registration_id))
     WHERE e.erasure_id = %(id)s
) AS i"""
# Amounts and numbers of invoices stay, as in Odoo; what the customer wrote on a payment goes.
_BESIDE_RECORDS = {
    "events": """
        DELETE FROM bridge.event AS t USING bridge.erased AS e
         WHERE e.erasure_id = %(id)s AND t.tenant_id = e.tenant_id AND t.subject = e.entity || '/' || e.record_id""",
    "payment references": f"""
        UPDATE bridge.invoice AS t SET payment_reference = NULL FROM {_INVOICES}
         WHERE (t.tenant_id, t.id) = (i.tenant_id, i.id) AND t.payment_reference IS NOT NULL""",
    "events of payments": f"""
        UPDATE bridge.event AS t SET data = t.data - 'payment_reference' FROM {_INVOICES}
         WHERE (t.tenant_id, t.subject) = (i.tenant_id, 'invoice/' || i.id) AND t.data ? 'payment_reference'""",
    "ledger entries of payments": f"""
        UPDATE bridge.ledger AS t SET detail = '{{}}', salt = NULL, erasure = %(id)s FROM {_INVOICES}
         WHERE (t.tenant_id, t.entity, t.record_id) = (i.tenant_id, 'invoice', i.id::text)
           AND t.erasure IS NULL AND t.detail ->> 'payment_reference' <> ''""",
    "letters of payments": f"""
        DELETE FROM bridge.dead_letter AS t USING {_INVOICES}
         WHERE (t.tenant_id, t.entity, t.record_id) = (i.tenant_id, 'invoice', i.id::text)
           AND t.field = 'payment_reference'""",
}

_COUNT = """
UPDATE bridge.erasure
   SET receipt = jsonb_set(receipt, ARRAY['app', %(kind)s],
                           to_jsonb(coalesce((receipt #>> ARRAY['app', %(kind)s])::bigint, 0) + %(number)s))
 WHERE id = %(id)s
"""


def sweep(connection: Connection, erasure: UUID) -> dict[str, int]:
    """Erase what schema bridge holds of an erasure's records; returns how much of each kind."""
    with connection.cursor() as cursor:
        found = _sweep(cursor, str(erasure))
    connection.commit()
    return found


def planned(connection: Connection, tenant: UUID, client: UUID, records: list[tuple[str, str]]) -> dict[str, int]:
    """What `sweep` would erase; nothing is changed. Shapes: `records` are entity and id."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT gen_random_uuid()::text")
        row = cursor.fetchone()
        erasure = str(row[0]) if row else ""
        cursor.execute(
            "INSERT INTO bridge.erasure (id, instance_id, tenant_id, client_id, requested_by)"
            " VALUES (%(id)s, '', %(tenant)s, %(client)s, '')",
            {"id": erasure, "tenant": str(tenant), "client": str(client)},
        )
        cursor.execute(
            "INSERT INTO bridge.erased (tenant_id, entity, record_id, erasure_id)"
            " SELECT %(tenant)s, k.entity, k.id, %(id)s"
            " FROM unnest(%(entities)s::text[], %(ids)s::uuid[]) AS k (entity, id)"
            " ON CONFLICT DO NOTHING",
            {
                "id": erasure,
                "tenant": str(tenant),
                "entities": [entity for entity, _ in records],
                "ids": [record_id for _, record_id in records],
            },
        )
        found = _sweep(cursor, erasure)
    connection.rollback()
    return found


def carried_out(cursor: Cursor) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """The erasures of a database with their records; empty before there was such a list."""
    if not _has_list(cursor):
        return [], []
    cursor.execute(f"SELECT {_COLUMNS.replace('receipt', 'receipt::text')} FROM bridge.erasure ORDER BY requested_at")
    erasures = cursor.fetchall()
    cursor.execute("SELECT tenant_id, entity, record_id, erasure_id FROM bridge.erased")
    return erasures, cursor.fetchall()


def carry_over(cursor: Cursor, known: tuple[list[tuple[object, ...]], list[tuple[object, ...]]]) -> int:
    """Erase in a restored database what had been erased; returns how many erasures there are.

    Odoo is done with them, unless it was restored too.
    """
    erasures, records = known
    if not erasures or not _has_list(cursor):
        return 0
    places = ", ".join(["%s"] * (_COLUMNS.count(",") + 1))
    cursor.executemany(f"INSERT INTO bridge.erasure ({_COLUMNS}) VALUES ({places}) ON CONFLICT DO NOTHING", erasures)
    cursor.executemany(
        "INSERT INTO bridge.erased (tenant_id, entity, record_id, erasure_id) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        records,
    )
    cursor.execute("SELECT id::text FROM bridge.erasure ORDER BY requested_at")
    ids = [str(row[0]) for row in cursor.fetchall()]
    for erasure in ids:
        _sweep(cursor, erasure)
    return len(ids)


def odoo_was_set_back(cursor: Cursor, instance: str) -> int:
    """Note that Odoo has to erase everything again; returns how many erasures there are."""
    if not _has_list(cursor):
        return 0
    cursor.execute(
        "UPDATE bridge.erasure SET odoo_done_at = NULL, is_undone = true WHERE instance_id = %(instance)s",
        {"instance": instance},
    )
    return int(cursor.rowcount)


def _has_list(cursor: Cursor) -> bool:
    cursor.execute("SELECT to_regclass('bridge.erased') IS NOT NULL")
    return cursor.fetchone() == (True,)


def _sweep(cursor: Cursor, erasure: str) -> dict[str, int]:
    cursor.execute("SELECT key, value::text FROM jsonb_each(bridge.erase(%(id)s))", {"id": erasure})
    found = {str(kind): int(number) for kind, number in cursor.fetchall()}
    for kind, statement in _BESIDE_RECORDS.items():
        cursor.execute(statement, {"id": erasure})
        if cursor.rowcount:
            found[kind] = int(cursor.rowcount)
            cursor.execute(_COUNT, {"id": erasure, "kind": kind, "number": found[kind]})
    return found
