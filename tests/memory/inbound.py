"""What Odoo changed is taken in, in memory: one transaction per tenant."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from sync_daemon.domain.app_write import AppWrite, Refusal, Refusals
from sync_daemon.domain.approval import Linked
from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.keys import Direction, Entity, RecordKey
from sync_daemon.domain.mapping import Row
from sync_daemon.domain.overrides import Contracts, Rules
from sync_daemon.domain.pull_effects import Effects, SeenBinding, TakenInvoice
from sync_daemon.domain.pull_invoices import INVOICE_POINTER
from sync_daemon.domain.pull_page import PullPage
from sync_daemon.domain.pull_settlement import PullSettlement
from sync_daemon.domain.pull_snapshot import (
    Holder,
    InvoicePointer,
    KnownInvoice,
    LeadOutcome,
    OpenConflict,
    OpenIssue,
    PulledBinding,
    PullSnapshot,
)
from sync_daemon.domain.snapshot import Base, BindingState
from sync_daemon.domain.tenant import Tenant
from sync_daemon.errors import StatementError
from tests.memory.app import (
    ENTITIES,
    INSTANCE,
    Bound,
    Conflict,
    Database,
    Line,
    State,
    check_readable,
    held_lease,
    mark,
    plain,
)
from tests.memory.events import announce
from tests.memory.ledger import KEPT, mark_naming
from tests.memory.letters import new, raise_letters, resolve_letters
from tests.memory.odoo_wire import LOGIN
from tests.memory.rows import formers

LEASE = f"pull {INSTANCE}"
PATIENCE = timedelta(minutes=2)
COLUMNS = {field.name: field.column for field in CONTRACTS[Entity.INVOICE].reported}
SHOWN = frozenset(COLUMNS.values()) - {"payment_discrepancy", "payment_discrepancy_about"}


class Inbound:
    """Takes in what one Odoo instance changed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def acquire(self, holder: UUID, duration: timedelta) -> datetime | None:
        """Take or renew the lease; since when, or None while another one holds it."""
        with self._database.transaction() as state:
            now = self._database.now
            return now if held_lease(state, LEASE, holder, duration, now) else None

    def release(self, holder: UUID) -> None:
        """Let the next puller in at once."""
        with self._database.transaction() as state:
            if state.leases.get(LEASE, (None, None))[0] == holder:
                del state.leases[LEASE]

    def receiving(self) -> Sequence[Tenant]:
        """The tenants whose flow from Odoo is open."""
        with self._database.transaction() as state:
            return [
                Tenant(tenant.id, tenant.subdomain, tenant.schema)
                for tenant in state.tenants.values()
                if tenant.state == "active" and (tenant.id, Direction.ODOO_TO_APP) not in state.paused
                if not tenant.is_replaced
            ]

    @contextmanager
    def unit(self, run: UUID, tenant: Tenant) -> Iterator[PullUnit]:
        """One tenant's transaction, which ends with the block."""
        with self._database.transaction() as state:
            if tenant.id in state.failing:
                raise StatementError(f"the app's database refuses: permission denied for schema {tenant.schema}")
            yield PullUnit(self._database, state, run, tenant.id)


class PullUnit:
    """One tenant's transaction under way."""

    def __init__(self, database: Database, state: State, run: UUID, tenant: UUID) -> None:
        self._database = database
        self._state = state
        self._run = run
        self._tenant = tenant
        self.rules: Rules = Contracts().of(tenant)

    # -- reading ---------------------------------------------------------------------------------------------------

    def read(self, page: PullPage) -> PullSnapshot:
        """All that is known of these changes; rows that the app has locked are left out."""
        state, server = self._state, self._database.server
        wanted = [RecordKey(self._tenant, group.entity, one) for group in page.rows for one in group.record_ids]
        check_readable(state, wanted)
        needed = {group.entity for group in page.rows if group.columns}
        rows = {key: row for key in wanted if key.entity in needed and (row := self._row(key)) is not None}
        invoices = dict(self._invoices(page))
        named = {UUID(str(named)) for known in invoices.values() if (named := known.columns["registration_id"])}
        return PullSnapshot(
            bindings={key: _pulled(state.bindings[key]) for key in page.keys if key in state.bindings},
            rows={key: row for key, row in rows.items() if key not in server.locked},
            present=frozenset(key for key in wanted if key in state.rows and not self._is_hidden(key)),
            tables=frozenset(group.entity for group in page.rows if group.table in ENTITIES),
            bases=self._bases(rows),
            formers=formers(state, rows, self._database.now),
            conflicts=self._conflicts(),
            issues=dict(self._issues()),
            known_issues=frozenset(letter.id for letter in state.letters.values()),
            approvers=dict(self._approvers(page.approvers)),
            outcomes={one: found for (tenant, one), found in state.outcomes.items() if tenant == self._tenant},
            invoices=invoices,
            pointers=dict(self._pointers({*page.invoiced_registrations, *named})),
            holders=self._holders(page.invoices.values()),
            app_busy_since=self._database.now - PATIENCE if server.has_writing_snapshots(self._tenant) else None,
            erased=page.invoiced & state.erased,
            bridge_login=LOGIN,
            hidden=dict(self._hidden(page)),
        )

    def _hidden(self, page: PullPage) -> Iterator[tuple[Entity, str]]:
        for tenant, entity in self._state.hidden:
            if tenant == self._tenant:
                yield entity, f"the bridge may not see all {entity} rows"
        for item in self._state.renamed:
            if {item.key, item.present} & set(page.keys):
                yield item.key.entity, "the app changed its id; Odoo follows first"

    def _is_hidden(self, key: RecordKey) -> bool:
        return (key.tenant, key.entity) in self._state.hidden

    def _row(self, key: RecordKey) -> Row | None:
        row = self._state.rows.get(key) if not self._is_hidden(key) else None
        return row if row is not None and row["tenant_id"] == str(key.tenant) else None

    def _bases(self, rows: Collection[RecordKey]) -> dict[RecordKey, dict[str, Base]]:
        found: defaultdict[RecordKey, dict[str, Base]] = defaultdict(dict)
        for (key, field), base in self._state.bases.items():
            if key in rows:
                found[key][field] = base
        return dict(found)

    def _conflicts(self) -> dict[RecordKey, dict[str, OpenConflict]]:
        found: defaultdict[RecordKey, dict[str, OpenConflict]] = defaultdict(dict)
        for (key, field), conflict in self._state.conflicts.items():
            if key.tenant == self._tenant:
                found[key][field] = OpenConflict(conflict.app, conflict.odoo, conflict.decision)
        return dict(found)

    def _issues(self) -> Iterator[tuple[UUID, OpenIssue]]:
        for letter in self._state.letters.values():
            if letter.tenant == self._tenant and letter.resolved_at is None:
                yield letter.id, OpenIssue(letter.direction, letter.entity, letter.record_id, letter.field)

    def _approvers(self, users: Collection[str]) -> Iterator[tuple[str, Linked]]:
        for key, user in self._state.links.items():
            if user in users and key.tenant == self._tenant and key in self._state.rows:
                yield user, Linked(key.record_id, f"user {user}")

    def _invoices(self, page: PullPage) -> Iterator[tuple[UUID, KnownInvoice]]:
        """The changed ones, and all of the registrations that they are or were for."""
        own = {key.record_id: known for key, known in self._state.invoices.items() if key.tenant == self._tenant}
        changed = [own[one].columns["registration_id"] for one in page.invoices if one in own]
        concerned = {*map(str, page.invoiced_registrations), *filter(None, changed)}
        holders = {key.key.record_id for found in self._holders(page.invoices.values()).values() for key in found}
        for one, known in own.items():
            if one in page.invoices or one in holders or known.columns["registration_id"] in concerned:
                yield one, known

    def _pointers(self, registrations: Collection[UUID]) -> Iterator[tuple[UUID, InvoicePointer]]:
        for one in registrations:
            key = RecordKey(self._tenant, Entity.REGISTRATION, one)
            if (row := self._row(key)) is not None:
                pointer = row[INVOICE_POINTER]
                is_free = key not in self._database.server.locked
                yield one, InvoicePointer(int(str(pointer)) if pointer else None, is_free)

    def _holders(self, places: Collection[tuple[str, int]]) -> dict[tuple[str, int], tuple[Holder, ...]]:
        found: defaultdict[tuple[str, int], tuple[Holder, ...]] = defaultdict(tuple)
        for key, bound in self._state.bindings.items():
            place = bound.model, bound.res_id
            if bound.state is BindingState.ACTIVE and place in places:
                found[place] += (Holder(key, bound.odoo_version.epoch),)
        return dict(found)

    # -- writing ---------------------------------------------------------------------------------------------------

    def write(self, writes: Sequence[AppWrite]) -> Refusals:
        """Write into the app's rows; what the app refuses is left as it was, and named with the reason."""
        refused: dict[RecordKey, Refusal] = {}
        for write in writes:
            keys = {RecordKey(self._tenant, ENTITIES[write.table], one): row for one, row in write.rows.items()}
            reasons = [reason for key, row in keys.items() if (reason := self._refusal(key, row))]
            if reasons:
                refused |= dict.fromkeys(write.causes, Refusal(reasons[0]))
                continue
            for key, row in keys.items():
                numbers = {name: int(value) for name, value in row.items() if value and name.startswith("odoo_")}
                self._state.rows[key] = {**self._state.rows[key], **plain(row), **numbers}
        return refused

    def _refusal(self, key: RecordKey, row: Mapping[str, str | None]) -> str:
        if key.entity in self._state.left:
            return KEPT
        refused = [column for column, value in row.items() if (key.entity, column, value) in self._state.refused]
        return f"{refused[0]} violates a check constraint" if refused else ""

    def settle(self, settlement: PullSettlement) -> None:
        """Write down what became of the changes."""
        effects, state = settlement.effects, self._state
        self._settle_conflicts(effects)
        for key in effects.displaced:
            state.bindings[key] = dataclasses.replace(state.bindings[key], state=BindingState.UNLINKED)
        for seen in effects.bindings:
            self._bind(seen)
        for key, field in list(state.bases):
            if key in effects.forgotten:
                del state.bases[key, field]
                state.formers.pop((key, field), None)
        state.bases |= {(item.key, item.field): item.base for item in effects.bases}
        state.formers |= {(item.key, item.field): (item.former, self._database.now) for item in effects.formers}
        state.outcomes |= {
            (self._tenant, item.registration): LeadOutcome(item.outcome, item.lost_reason) for item in effects.outcomes
        }
        for key in (*effects.displaced, *effects.ended):
            if key in state.invoices:
                known = state.invoices[key]
                state.invoices[key] = dataclasses.replace(known, columns={**known.columns, "state": "deleted"})
        for invoice in effects.invoices:
            self._take_invoice(invoice)
        self._letters(effects)
        state.lines += [
            Line(self._run, line.key, Direction.ODOO_TO_APP, line.action, line.version, line.detail)
            for line in effects.ledger
        ]
        for shown in effects.shown:
            mark_naming(self._database, state, shown.key, shown.by.entity, shown.by.column, None)
        mark(self._database.server, state, effects.marks)
        announce(self._database, state, self._tenant, effects.events)
        state.succeeded[self._tenant, Direction.ODOO_TO_APP] = self._database.now

    def _settle_conflicts(self, effects: Effects) -> None:
        conflicts = self._state.conflicts
        for decided in effects.decided:
            name = decided.key, decided.field
            if name in conflicts:
                conflicts[name] = dataclasses.replace(conflicts[name], decision=decided.decision)
        for raised in effects.raised:
            name = raised.key, raised.field
            decision = conflicts[name].decision if name in conflicts and raised.decision else None
            base = raised.base.app if raised.base else None
            conflicts[name] = Conflict(base, raised.app, raised.odoo, decision)
        for closed in effects.closed:
            conflicts.pop((closed.key, closed.field), None)

    def _bind(self, seen: SeenBinding) -> None:
        before, now = self._state.bindings.get(seen.key), self._database.now
        if before is None:
            nothing = dataclasses.replace(seen.version, epoch=1, number=0), ""
            made = Bound(seen.state, seen.model, seen.res_id, *nothing, seen.version, now)
        else:
            made = dataclasses.replace(
                before, state=seen.state, res_id=seen.res_id, odoo_version=seen.version, synced_at=now
            )
        self._state.bindings[seen.key] = made

    def _take_invoice(self, invoice: TakenInvoice) -> None:
        columns = {COLUMNS[name]: str(value) for name, value in invoice.values.items()}
        shown = {name: columns.get(name, "") for name in SHOWN}
        key = RecordKey(self._tenant, Entity.INVOICE, invoice.record_id)
        self._state.invoices[key] = KnownInvoice(invoice.odoo_id, shown)

    def _letters(self, effects: Effects) -> None:
        direction, database, state = Direction.ODOO_TO_APP, self._database, self._state
        for name, letter in state.letters.items():
            if letter.id in effects.ignored:
                state.letters[name] = dataclasses.replace(letter, resolved_at=database.now)
        raised = [
            dataclasses.replace(
                new(database, direction, item.key, item.code, item.message, item.field, item.value),
                version=item.version,
            )
            for item in effects.dead_letters
        ]
        resolve_letters(database, state, direction, effects.looked_at, raised)
        raise_letters(database, state, raised)


def _pulled(bound: Bound) -> PulledBinding:
    return PulledBinding(bound.model, bound.res_id, bound.state, bound.odoo_version, bound.synced_at)
