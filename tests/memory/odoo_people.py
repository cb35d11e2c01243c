"""What people do in Odoo, in memory: every change is marked as the addon's triggers mark it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from sync_daemon.domain.keys import Entity, RecordKey
from tests.memory.odoo import MAPPERS, Bound, Key, Odoo


class People:
    """The users of one Odoo, who see the records of one app installation."""

    def __init__(self, odoo: Odoo, installation: UUID, login: str = "manager") -> None:
        self._odoo = odoo
        self._installation = str(installation)
        self._login = login

    def key(self, record: RecordKey) -> Key:
        """The name of a record's binding."""
        return self._installation, str(record.tenant), record.entity.value, str(record.record_id)

    def bound(self, record: RecordKey) -> Bound:
        """A record's binding."""
        return self._odoo.state.bindings[self.key(record)]

    def sees(self, record: RecordKey) -> Mapping[str, Any]:
        """What a record shows now, by wire name; empty where it is gone."""
        bound = self._odoo.state.bindings.get(self.key(record))
        if bound is None or (bound.model, bound.res_id) not in self._odoo.state.records:
            return {}
        mapper = MAPPERS[record.entity.value]
        return {
            **self._odoo.wire(record.entity.value, bound),
            **mapper.report(self._odoo.row(mapper.reported, bound)),
        }

    def write(self, record: RecordKey, **fields: Any) -> None:
        """Change fields, by wire name."""
        mapper, bound = MAPPERS[record.entity.value], self.bound(record)
        rules = {rule.name: rule for rule in (*mapper.reported, *mapper.rules)}
        watched = {rule.target for rule in (*mapper.reported, *(rule for rule in mapper.rules if rule.two_way))}
        values = {rules[name].target: _stored(rules[name], name, value) for name, value in fields.items()}
        with self._odoo.transaction() as state:
            before = state.records[bound.model, bound.res_id]
            state.records[bound.model, bound.res_id] = {**before, **values}
            if any(before.get(target, False) != value for target, value in values.items() if target in watched):
                self._odoo.mark(state, [self.key(record)], "upsert", self._login)

    def unlink(self, record: RecordKey) -> None:
        """Delete a record."""
        key, bound = self.key(record), self.bound(record)
        with self._odoo.transaction() as state:
            del state.records[bound.model, bound.res_id]
            state.bindings[key] = dataclasses.replace(bound, state="unlinked")
            self._odoo.mark(state, [key], "unlink")

    def merge(self, loser: RecordKey, survivor: RecordKey) -> None:
        """Merge one record into another."""
        key, bound = self.key(loser), self.bound(loser)
        with self._odoo.transaction() as state:
            del state.records[bound.model, bound.res_id]
            state.bindings[key] = dataclasses.replace(bound, state="alias", res_id=self.bound(survivor).res_id)
            self._odoo.mark(state, [key], "alias", self._login)

    def leave(self, record: RecordKey) -> None:
        """Take a record out of the sync."""
        with self._odoo.transaction() as state:
            state.bindings[self.key(record)] = dataclasses.replace(self.bound(record), opted_out=True)

    def join(self, record: RecordKey) -> None:
        """Put a record back into the sync: the app is asked for it."""
        with self._odoo.transaction() as state:
            state.bindings[self.key(record)] = dataclasses.replace(self.bound(record), opted_out=False)
            self._odoo.mark(state, [self.key(record)], "ask", self._login)

    def invoice(self, lead: RecordKey, **fields: Any) -> RecordKey:
        """Make an invoice for a lead; Odoo gives it its id. Shapes: fields are as Odoo keeps them."""
        mapper, res_id, made = MAPPERS["invoice"], self._odoo.new_id(), RecordKey(lead.tenant, Entity.INVOICE, uuid4())
        rules = {rule.name: rule for rule in mapper.reported}
        with self._odoo.transaction() as state:
            values = {rules[name].target: value for name, value in fields.items()}
            state.records[mapper.model, res_id] = {"x_comply360_lead_id": str(lead.record_id), **values}
            state.bindings[self.key(made)] = Bound(mapper.model, res_id)
            self._odoo.mark(state, [self.key(made)], "upsert", self._login)
        return made


def _stored(rule: Any, name: str, value: Any) -> Any:
    """A wire value as Odoo keeps it; what Odoo alone has is given as it keeps it."""
    is_odoos_own = hasattr(rule.codec, "words") or hasattr(rule.codec, "lookup")
    return value if is_odoos_own else rule.codec.encode(name, value)
