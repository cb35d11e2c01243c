"""Flows that a person stops and lets go again: one tenant, one direction."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sync_daemon.domain.keys import Direction
from sync_daemon.postgres.connection import Cursor, Database
from sync_daemon.postgres.statements import statements

_SQL = statements("admin/flows")


@dataclass(frozen=True)
class Flow:
    """One tenant in one direction; who paused it, when and why is empty while it flows."""

    tenant: UUID
    subdomain: str
    direction: Direction
    paused: bool
    paused_at: datetime | None = None
    paused_by: str = ""
    reason: str = ""


class Flows:
    """The flows between the app and one Odoo instance."""

    def __init__(self, database: Database, instance: str) -> None:
        self._database = database
        self._instance = instance

    def all(self) -> list[Flow]:
        """Both directions of every tenant, by subdomain."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["flows"], {"instance": self._instance})
            return [Flow(tenant, name, Direction(way), *known) for tenant, name, way, *known in cursor.fetchall()]

    def pause(self, flows: Collection[Flow], reason: str, by: str) -> list[Flow]:
        """Stop those that flow; nothing is lost, what they owe waits. Returns which stopped."""
        return self._change("pause", "paused", flows, {"by": by, "reason": reason})

    def resume(self, flows: Collection[Flow], by: str) -> list[Flow]:
        """Let those go on that are paused. Returns which."""
        return self._change("resume", "resumed", flows, {"by": by})

    def _change(self, name: str, action: str, flows: Collection[Flow], detail: Mapping[str, str]) -> list[Flow]:
        named: dict[str, Any] = {
            "instance": self._instance,
            "tenants": [flow.tenant for flow in flows],
            "directions": [flow.direction.value for flow in flows],
            **detail,
        }
        with self._database.transaction() as cursor:
            cursor.execute(_SQL[name], named)
            changed = {(tenant, Direction(direction)) for tenant, direction in cursor.fetchall()}
            for direction in Direction:
                tenants = sorted(tenant for tenant, way in changed if way is direction)
                self._audit(cursor, action, direction, tenants, detail)
        return [flow for flow in flows if (flow.tenant, flow.direction) in changed]

    def _audit(
        self, cursor: Cursor, action: str, direction: Direction, tenants: Sequence[UUID], detail: Mapping[str, str]
    ) -> None:
        if tenants:
            entry = {"instance": self._instance, "direction": direction.value, "action": action, "tenants": tenants}
            cursor.execute(_SQL["audit"], {**entry, "detail": json.dumps(detail)})
