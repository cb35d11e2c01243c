"""Odoo's changes arrive in the app: one transaction per tenant, one savepoint per row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg2
from psycopg2 import sql

from sync_daemon.config import SELFTEST_INSTANCE
from sync_daemon.crash_points import CrashPoint, reached
from sync_daemon.domain.approval import APPROVED_BY, Linked, with_approver
from sync_daemon.domain.codec import INSTANT
from sync_daemon.domain.contract import Contract, deciding_columns, source_columns
from sync_daemon.domain.dead_letter import DeadLetter
from sync_daemon.domain.decision import Decision
from sync_daemon.domain.document import NOTHING_SEEN, Change, FieldProblem, Op, Ruling, Verdict
from sync_daemon.domain.event import Event
from sync_daemon.domain.events import row_events, shown_columns
from sync_daemon.domain.events.invoice import invoice_events
from sync_daemon.domain.events.lead import lead_events
from sync_daemon.domain.intake import Intake, decoded, intake
from sync_daemon.domain.keys import Direction, Entity, Lane, Version
from sync_daemon.domain.mapping import Row
from sync_daemon.domain.overrides import Rules
from sync_daemon.domain.snapshot import Base, BindingState, last_seen
from sync_daemon.domain.told import Told, told
from sync_daemon.postgres.admin.conflicts import decide_issue, decisions_of
from sync_daemon.postgres.catalog import Catalog
from sync_daemon.postgres.connection import Cursor, Database
from sync_daemon.postgres.dead_letters import raise_letters
from sync_daemon.postgres.dependants import DEPENDANTS, mark_dependants
from sync_daemon.postgres.events import announce
from sync_daemon.postgres.linked_users import people_of_odoo
from sync_daemon.postgres.marks import key_arrays, mark
from sync_daemon.postgres.overrides import ContractsInForce
from sync_daemon.postgres.pull.invoices import Invoices
from sync_daemon.postgres.pull.receipts import Receipts
from sync_daemon.postgres.statements import statements

PATIENCE = timedelta(minutes=2)

_SQL = statements("pull/inbound")
_ENDS = {Op.UNLINK: BindingState.UNLINKED, Op.ALIAS: BindingState.ALIAS}


@dataclass(frozen=True)
class _Bound:
    state: BindingState
    odoo_version: Version
    synced_at: datetime


class Inbound:
    """Applies what one Odoo instance changed."""

    def __init__(self, database: Database, instance: str, bridge_login: str) -> None:
        self._database = database
        self._instance = instance
        self._bridge_login = bridge_login
        self._catalog = Catalog()
        self._contracts = ContractsInForce()

    def acquire(self, holder: UUID, duration: timedelta) -> datetime | None:
        """Take or renew the lease of this instance's only puller; since when, or None while another one holds it."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["acquire"], {"name": self._lease, "holder": holder, "duration": duration})
            since: tuple[datetime] | None = cursor.fetchone()
            return since[0] if since else None

    def release(self, holder: UUID) -> None:
        """Let the next puller in at once."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["release"], {"name": self._lease, "holder": holder})

    def receiving(self) -> Mapping[UUID, str]:
        """Schema by tenant, for tenants whose flow from Odoo is open."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["receiving"], {"instance": self._instance})
            return dict(cursor.fetchall())

    def apply(
        self, run: UUID, tenant: UUID, schema: str, changes: Sequence[Change], read_after: datetime
    ) -> list[Verdict]:
        """Apply one tenant's changes, which were read in Odoo after that instant of this database; one verdict each."""
        with self._database.transaction() as cursor:
            rules = self._contracts.read(cursor).of(tenant)
            applying = _Applying(
                cursor, self._instance, self._catalog, rules, run, tenant, schema, self._bridge_login, read_after
            )
            verdicts = applying.apply(changes)
            if self._instance != SELFTEST_INSTANCE:
                # what a selftest does is no news for the app's other services
                announce(cursor, self._instance, tenant, applying.events)
            reached(CrashPoint.PULL_APPLYING)
            return verdicts

    @property
    def _lease(self) -> str:
        return f"pull {self._instance}"


class _Applying:
    """One tenant's transaction."""

    def __init__(
        self,
        cursor: Cursor,
        instance: str,
        catalog: Catalog,
        rules: Rules,
        run: UUID,
        tenant: UUID,
        schema: str,
        bridge_login: str,
        read_after: datetime,
    ) -> None:
        self._cursor = cursor
        self._catalog = catalog
        self._rules = rules
        self._scope = {"instance": instance, "tenant": tenant}
        self._instance = instance
        self._receipts = Receipts(cursor, instance, tenant, run)
        self._tenant = tenant
        self._schema = schema
        self._bridge_login = bridge_login
        self._read_after = read_after
        self.events: list[Event] = []
        self._decisions: dict[Entity, Mapping[UUID, Mapping[str, Decision]]] = {}
        self._people: Mapping[str, Linked] = {}

    def apply(self, changes: Sequence[Change]) -> list[Verdict]:
        bound = self._bound(changes)
        held = self._held_since()
        rows: dict[Entity, dict[UUID, Row]] = {}
        agreed: dict[Entity, dict[UUID, dict[str, Base]]] = {}
        # What is decided about an issue is in force for the record that the issue is about, in this page too.
        changes = sorted(changes, key=lambda change: change.key.entity is not Entity.ISSUE)
        for change in changes:
            if change.key.entity is Entity.ISSUE:
                self._hear(change, bound)
        for entity in {change.key.entity for change in changes if self._rules[change.key.entity].from_odoo}:
            ids = [change.key.record_id for change in changes if change.key.entity is entity]
            rows[entity] = self._locked_rows(self._rules[entity], ids)
            agreed[entity] = self._agreed(entity, ids)
            self._decisions[entity] = decisions_of(self._cursor, self._instance, self._tenant, entity, ids)
        approvers = {str(change.fields[APPROVED_BY]) for change in changes if change.fields.get(APPROVED_BY)}
        self._people = people_of_odoo(self._cursor, self._instance, self._tenant, self._schema, approvers)
        verdicts = [
            self._take_invoice(change, bound, _is_held(change, held))
            if change.key.entity is Entity.INVOICE
            else self._one(
                change,
                bound,
                rows.get(change.key.entity, {}),
                agreed.get(change.key.entity, {}),
                _is_held(change, held),
            )
            for change in changes
        ]
        self._receipts.succeed()
        return verdicts

    def _one(
        self,
        change: Change,
        bound: Mapping[tuple[Entity, UUID], _Bound],
        rows: Mapping[UUID, Row],
        agreed: Mapping[UUID, Mapping[str, Base]],
        held: bool,
    ) -> Verdict:
        binding = bound.get((change.key.entity, change.key.record_id))
        if change.op is Op.ASK:
            mark(self._cursor, [change.key], Lane.LIVE)
            if not change.fields:
                return _verdict(change, Ruling.APPLIED)
        if binding is None:
            return self._unbound(change)
        if change.version <= binding.odoo_version:
            return _verdict(change, Ruling.APPLIED, "stale")
        contract = self._rules[change.key.entity]
        if change.op in _ENDS:
            self._receipts.advance(change, _ENDS[change.op])
            detail = {"model": change.model, "res_id": change.res_id, "by": change.by}
            self._receipts.record(change, _ENDS[change.op].value, detail)
            return _verdict(change, Ruling.APPLIED)
        if change.key.entity is Entity.REGISTRATION and change.fields:
            self._tell_outcome(change, contract)
        if not contract.from_odoo:
            self._receipts.advance(change, binding.state)
            return _verdict(change, Ruling.APPLIED)
        if change.key.record_id not in rows:
            return self._missing(change, contract)
        return self._merge(
            change, contract, rows[change.key.record_id], binding, agreed.get(change.key.record_id, {}), held
        )

    def _merge(
        self, change: Change, contract: Contract, row: Row, binding: _Bound, agreed: Mapping[str, Base], held: bool
    ) -> Verdict:
        if binding.synced_at >= self._read_after:
            # they may be values of before a push that is settled: nobody's change, but what both sides agreed on then
            return _verdict(change, Ruling.LATER, "it was synced while Odoo was read")
        last = last_seen(binding.odoo_version)
        if change.version.epoch > max(binding.odoo_version.epoch, 1):
            # what was agreed on with an Odoo that was set back since says nothing about the values it has now
            self._receipts.forget_bases(change)
            agreed, last = {}, NOTHING_SEEN
        decision = self._decide(change, contract, row, agreed, last)
        if decision.writes and held:
            return _verdict(change, Ruling.LATER, "a transaction of the app that is open would fail")
        return self._carry_out(change, contract, row, decision, binding.state)

    def _decide(
        self, change: Change, contract: Contract, row: Row, agreed: Mapping[str, Base], last: Version
    ) -> Intake:
        decided = self._decisions.get(change.key.entity, {}).get(change.key.record_id, {})
        decision = intake(contract, change, row, agreed, decided, last)
        is_commission = change.key.entity is Entity.COMMISSION
        return with_approver(decision, change, row, self._people) if is_commission else decision

    def _hear(self, change: Change, bound: Mapping[tuple[Entity, UUID], _Bound]) -> None:
        """A manager in Odoo decided about an issue."""
        binding = bound.get((change.key.entity, change.key.record_id))
        if binding and change.op is Op.UPSERT and change.version > binding.odoo_version and change.fields:
            decide_issue(self._cursor, self._instance, change)

    def _take_invoice(self, change: Change, bound: Mapping[tuple[Entity, UUID], _Bound], held: bool) -> Verdict:
        binding = bound.get((change.key.entity, change.key.record_id))
        if binding is not None and change.version <= binding.odoo_version:
            return _verdict(change, Ruling.APPLIED, "stale")
        contract = self._rules[change.key.entity]
        found = told(contract, change) if change.op is Op.UPSERT else Told({})
        if found.problems:
            self._receipts.letters(change, contract, Intake({}, {}))
            return _verdict(change, Ruling.PARKED, found.problems[0].message)
        desk = Invoices(self._cursor, self._catalog, self._instance, self._tenant, self._schema, held)
        before = desk.known(change)
        if reason := desk.take(change, found.values):
            return _verdict(change, Ruling.LATER, reason)
        self.events += invoice_events(change, before, found.values)
        self._receipts.letters(change, contract, Intake({}, {}))
        detail = {"by": change.by, "at": change.at, **found.values}
        self._receipts.record(change, "told" if found.values else "unlinked", detail)
        return _verdict(change, Ruling.APPLIED)

    def _carry_out(
        self, change: Change, contract: Contract, row: Row, decision: Intake, state: BindingState
    ) -> Verdict:
        if refusal := self._write(change, contract, decision):
            decision = Intake({}, {}, problems=(*decision.problems, refusal))
        self.events += row_events(contract, change, row, decision.writes)
        self._receipts.agree(change, decision.agreed)
        self.events += self._receipts.raise_conflicts(change, decision)
        self.events += self._receipts.close_conflicts(change, decision)
        self._receipts.letters(change, contract, decision)
        if decision.push_back:
            mark(self._cursor, [change.key], Lane.LIVE)
        if decision.problems:
            return _verdict(change, Ruling.PARKED, decision.problems[0].message)
        self._receipts.advance(change, state)
        if decision.writes:
            self._mark_dependants(change)
        self._receipts.record_decision(change, decision)
        return _verdict(change, Ruling.APPLIED)

    def _write(self, change: Change, contract: Contract, decision: Intake) -> FieldProblem | None:
        if not decision.writes:
            return None
        statement = sql.SQL("UPDATE {table} SET {columns} WHERE id = %s").format(
            table=sql.Identifier(self._schema, contract.table),
            columns=sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(column)) for column in decision.writes),
        )
        self._cursor.execute("SAVEPOINT one_row")
        try:
            self._cursor.execute(statement, [*decision.writes.values(), change.key.record_id])
        except (psycopg2.DataError, psycopg2.IntegrityError) as error:
            self._cursor.execute("ROLLBACK TO SAVEPOINT one_row")
            columns = ", ".join(sorted(decision.writes))
            message = f"the app refuses {columns} from Odoo: {error.diag.message_primary}"
            return FieldProblem(columns, str(next(iter(decision.writes.values()))), "refused_by_app", message)
        self._cursor.execute("RELEASE SAVEPOINT one_row")
        return None

    def _mark_dependants(self, change: Change) -> None:
        for entity, dependant in DEPENDANTS:
            # Those that only wait are not concerned: the record is there already.
            if entity is change.key.entity and self._rules[dependant[0]].shows(entity):
                mark_dependants(
                    self._cursor,
                    self._instance,
                    self._catalog,
                    self._tenant,
                    self._schema,
                    dependant,
                    [change.key.record_id],
                )

    def _tell_outcome(self, change: Change, contract: Contract) -> None:
        """Won and lost are for readers; the registration's own status is the app's alone."""
        told = {field.name: decoded(field, change.fields.get(field.name, "")) for field in contract.reported}
        self._execute("tell_outcome", {"id": change.key.record_id, "by": change.by, "at": change.at, **told})
        if news := self._cursor.fetchone():
            outcome, reason = str(told["outcome"]), str(told["lost_reason"])
            self._receipts.record(change, f"lead {outcome}", {"lost_reason": reason, "by": change.by})
            self.events += lead_events(change, news[0], outcome, reason, self._bridge_login)

    def _unbound(self, change: Change) -> Verdict:
        """A record of which the app's side knows no pair: one that is being settled, or one that a restore took."""
        contract = self._rules[change.key.entity]
        if change.key.entity is Entity.ISSUE:
            self._execute("has_letter", {"id": change.key.record_id})
            there = self._cursor.fetchone() is not None
            return _verdict(change, Ruling.LATER if there else Ruling.APPLIED, "not bound yet")
        if (self._schema, contract.table) not in self._catalog.columns(self._cursor, [self._schema]):
            return _verdict(change, Ruling.LATER, "not bound yet")
        if self._has_row(change, contract):
            return _verdict(change, Ruling.LATER, "not bound yet, or being settled right now")
        return self._missing(change, contract)

    def _has_row(self, change: Change, contract: Contract) -> bool:
        table = sql.Identifier(self._schema, contract.table)
        self._cursor.execute(sql.SQL("SELECT 1 FROM {} WHERE id = %s").format(table), [change.key.record_id])
        return self._cursor.fetchone() is not None

    def _missing(self, change: Change, contract: Contract) -> Verdict:
        if self._has_row(change, contract):
            return _verdict(change, Ruling.LATER, "the app is writing this row")
        message = f"the app has no {change.key.entity} {change.key.record_id} any more"
        letter = DeadLetter(change.key, "", str(change.version), "no_such_row", message, "", 1)
        raise_letters(self._cursor, self._instance, Direction.ODOO_TO_APP, [letter])
        return _verdict(change, Ruling.PARKED, message)

    def _bound(self, changes: Sequence[Change]) -> dict[tuple[Entity, UUID], _Bound]:
        arrays = key_arrays([change.key for change in changes])
        self._execute("bound", {"entities": arrays["entities"], "ids": arrays["ids"]})
        return {
            (Entity(entity), record_id): _Bound(BindingState(state), Version(epoch, number), synced_at)
            for entity, record_id, state, epoch, number, synced_at in self._cursor.fetchall()
        }

    def _locked_rows(self, contract: Contract, ids: list[UUID]) -> dict[UUID, Row]:
        present = self._catalog.columns(self._cursor, [self._schema]).get((self._schema, contract.table), frozenset())
        wanted = deciding_columns(contract) | source_columns(contract, "linked") | shown_columns(contract.entity)
        wanted = (wanted | {"id"}) & present
        columns = sql.SQL(", ").join(map(sql.Identifier, sorted(wanted)))
        # Rows that the app has locked come later; we neither wait for it nor make it wait.
        statement = sql.SQL(
            "SELECT id, to_jsonb(r) FROM (SELECT {columns} FROM {table} WHERE id = ANY(%s::uuid[]) ORDER BY id "
            "FOR NO KEY UPDATE SKIP LOCKED) AS r"
        ).format(columns=columns, table=sql.Identifier(self._schema, contract.table))
        self._cursor.execute(statement, [ids])
        return dict(self._cursor.fetchall())

    def _agreed(self, entity: Entity, ids: list[UUID]) -> dict[UUID, dict[str, Base]]:
        self._execute("agreed", {"entity": entity.value, "ids": ids})
        found: defaultdict[UUID, dict[str, Base]] = defaultdict(dict)
        for record_id, field, app, odoo in self._cursor.fetchall():
            found[record_id][field] = Base(app, odoo)
        return found

    def _held_since(self) -> datetime | None:
        """While a transaction of the app would fail: changes older than this are written all the same.

        A busy app must not be kept from Odoo's changes for ever.
        """
        self._cursor.execute(_SQL["patience"], {"patience": PATIENCE})
        row = self._cursor.fetchone()
        return row[0] if row else None

    def _execute(self, name: str, parameters: Mapping[str, Any]) -> None:
        self._cursor.execute(_SQL[name], {**self._scope, **parameters})


def _is_held(change: Change, since: datetime | None) -> bool:
    return since is not None and change.at > since.strftime(INSTANT)


def _verdict(change: Change, ruling: Ruling, message: str = "") -> Verdict:
    return Verdict(change.key, change.version, ruling, message)
