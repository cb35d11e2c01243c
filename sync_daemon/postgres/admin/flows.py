"""Flows that a person stops and lets go again: one tenant, one direction."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sync_daemon.domain.keys import Direction
from sync_daemon.domain.operations.pause import Pause
from sync_daemon.postgres.connection import Cursor, Database
from sync_daemon.postgres.statements import statements

_SQL = statements("admin/flows")


@dataclass(frozen=True)
class Flow:
    """One tenant in one direction, between the app and the Odoo `instance`; `pause` is None while it flows."""

    instance: str
    tenant: UUID
    subdomain: str
    direction: Direction
    pause: Pause | None = None

    @property
    def key(self) -> tuple[str, UUID, Direction]:
        """What tells it from every other one."""
        return self.instance, self.tenant, self.direction


class Flows:
    """The flows between the app and every Odoo instance, without the selftest's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Flow]:
        """Both directions of every tenant, by subdomain."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["flows"])
            return [
                Flow(instance, tenant, name, Direction(way), Pause(*known) if is_paused else None)
                for instance, tenant, name, way, is_paused, *known in cursor.fetchall()
            ]

    def paused(self) -> list[Flow]:
        """Those that a person stopped."""
        return [flow for flow in self.all() if flow.pause]

    def pause(self, flows: Collection[Flow], reason: str, by: str) -> list[Flow]:
        """Stop those that flow; nothing is lost, what they owe waits. Returns which stopped."""
        return self._change("pause", "paused", flows, {"by": by, "reason": reason})

    def resume(self, flows: Collection[Flow], by: str) -> list[Flow]:
        """Let those go on that are paused. Returns which."""
        return self._change("resume", "resumed", flows, {"by": by})

    def _change(self, name: str, action: str, flows: Collection[Flow], detail: Mapping[str, str]) -> list[Flow]:
        named: dict[str, Any] = {
            "instances": [flow.instance for flow in flows],
            "tenants": [flow.tenant for flow in flows],
            "directions": [flow.direction.value for flow in flows],
            **detail,
        }
        with self._database.transaction() as cursor:
            cursor.execute(_SQL[name], named)
            changed = {(instance, tenant, Direction(way)) for instance, tenant, way in cursor.fetchall()}
            self._audit(cursor, action, sorted(changed), detail)
        return [flow for flow in flows if flow.key in changed]

    def _audit(
        self, cursor: Cursor, action: str, changed: Sequence[tuple[str, UUID, Direction]], detail: Mapping[str, str]
    ) -> None:
        tenants: defaultdict[tuple[str, Direction], list[UUID]] = defaultdict(list)
        for instance, tenant, direction in changed:
            tenants[instance, direction].append(tenant)
        for (instance, direction), ids in sorted(tenants.items()):
            entry = {"instance": instance, "direction": direction.value, "action": action, "tenants": ids}
            cursor.execute(_SQL["audit"], {**entry, "detail": json.dumps(detail)})
