"""Single bindings, for an operator: show one, end it, relink it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sync_daemon.domain.keys import Entity, Lane, RecordKey
from sync_daemon.domain.snapshot import BindingState
from sync_daemon.postgres.connection import Cursor, Database
from sync_daemon.postgres.marks import mark
from sync_daemon.postgres.statements import statements

_SQL = statements("admin/bindings")


@dataclass(frozen=True)
class BindingView:
    """One binding on the app's side; versions are in their wire form."""

    key: RecordKey
    subdomain: str
    state: BindingState
    model: str
    res_id: int
    version: str
    odoo_version: str
    digest: str
    synced_at: datetime


class Bindings:
    """The app side's bindings of one Odoo instance."""

    def __init__(self, database: Database, instance: str) -> None:
        self._database = database
        self._instance = instance

    def find(self, record_id: UUID, tenant: str | None = None) -> list[BindingView]:
        """The bindings of the records with this id; `tenant` is a subdomain or a uuid."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["find"], {"instance": self._instance, "id": record_id, "tenant": tenant})
            return [
                BindingView(RecordKey(owner, Entity(entity), record_id), subdomain, BindingState(state), *rest)
                for owner, subdomain, entity, record_id, state, *rest in cursor.fetchall()
            ]

    def bases(self, key: RecordKey) -> list[tuple[str, str | None, str | None]]:
        """The bases: field, the app's form, Odoo's form."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["bases"], self._named(key))
            return [(field, app, odoo) for field, app, odoo in cursor.fetchall()]

    def forget(self, key: RecordKey, by: str) -> None:
        """End a binding and owe the record, so that it is created again."""
        with self._database.transaction() as cursor:
            for name in ("forget_bases", "forget"):
                cursor.execute(_SQL[name], self._named(key))
            self._record(cursor, key, "recreated", {"by": by})
            mark(cursor, [key], Lane.LIVE)

    def relink(self, key: RecordKey, model: str, res_id: int, by: str) -> None:
        """Relink a binding to another Odoo record and owe the record."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["forget_bases"], self._named(key))
            cursor.execute(_SQL["relink"], {**self._named(key), "model": model, "res_id": res_id})
            self._record(cursor, key, "relinked", {"model": model, "res_id": res_id, "by": by})
            mark(cursor, [key], Lane.LIVE)

    def _record(self, cursor: Cursor, key: RecordKey, action: str, detail: Mapping[str, object]) -> None:
        cursor.execute(_SQL["record"], {**self._named(key), "action": action, "detail": json.dumps(detail)})

    def _named(self, key: RecordKey) -> dict[str, Any]:
        return {"instance": self._instance, "tenant": key.tenant, "entity": key.entity.value, "id": key.record_id}
