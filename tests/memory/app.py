"""The app's database in memory: the app's rows, and beside them what schema bridge remembers."""

from __future__ import annotations

import copy
import dataclasses
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from uuid import UUID

from db_init.tenant_objects import ATTACH_LEVEL, CAPTURED
from sync_daemon.domain.content import Known
from sync_daemon.domain.decision import Decision
from sync_daemon.domain.document import Scalar
from sync_daemon.domain.event import OutgoingEvent
from sync_daemon.domain.keys import Direction, Entity, Lane, RecordKey, Version
from sync_daemon.domain.pull_snapshot import KnownInvoice, LeadOutcome
from sync_daemon.domain.renamed import Renamed
from sync_daemon.domain.snapshot import Base, BindingState, Former
from sync_daemon.errors import StatementError, TransientError
from tests.memory.clock import Clock
from tests.memory.process import Process

INSTANCE = "main"
NEVER = datetime.max.replace(tzinfo=UTC)
"""When a delivery is due that the brake holds."""
Columns = dict[str, object]

ENTITIES = {table.table: Entity(table.entity) for table in CAPTURED}
TABLES = {entity: table for table, entity in ENTITIES.items()}
COLUMNS = {table.table: table.readable for table in CAPTURED}
DEFAULTS: Mapping[str, Mapping[str, object]] = {
    "users": {"status": "active"},
    "clients": {"client_type": "individual", "status": "active"},
    "registrations": {"status": "draft"},
    "commissions": {"currency": "ZAR", "status": "pending"},
    "documents": {"status": "pending"},
}


@dataclass(frozen=True)
class Tenant:
    """A tenant as the app registers it, and what the bridge made of it; `state` is empty before it is attached."""

    id: UUID
    schema: str
    subdomain: str
    name: str
    app_status: str = "active"
    schema_status: str = "active"
    state: str = ""
    attach_level: int = 0
    known_digest: str = ""
    instance: str = ""
    epoch: int = 1
    is_replaced: bool = False

    @property
    def digest(self) -> str:
        """Identity of what the tenant's own document shows."""
        return f"{self.name}|{self.subdomain}|{self.app_status}"


@dataclass(frozen=True)
class Mark:
    """Records of one tenant that changed, in the schema in which they did."""

    tenant: UUID
    schema: str
    entity: Entity
    ids: tuple[UUID, ...]
    lane: Lane
    at: datetime
    whole: int = 0

    @property
    def size(self) -> int:
        """How many records it named before a part of it was taken."""
        return self.whole or len(self.ids)


@dataclass(frozen=True)
class Delivery:
    """A record that is owed to Odoo."""

    key: RecordKey
    schema: str
    instance: str
    version: int
    lane: Lane
    marked_at: datetime
    due_at: datetime
    published_at: datetime | None = None
    sent_at: datetime | None = None
    attempts: int = 0
    dead_version: int | None = None
    last_error: str = ""

    @property
    def is_dead(self) -> bool:
        return self.dead_version == self.version

    @property
    def is_held(self) -> bool:
        return self.due_at == NEVER


@dataclass(frozen=True)
class Bound:
    """A record's other half."""

    state: BindingState
    model: str
    res_id: int
    version: Version
    digest: str
    odoo_version: Version
    synced_at: datetime
    outline: str = ""


@dataclass(frozen=True)
class Conflict:
    """A field that both sides changed, and what a person decided about it."""

    base: Scalar | None
    app: Scalar
    odoo: Scalar
    decision: Decision | None = None


@dataclass(frozen=True)
class DeadLetter:
    """What waits for a person, or did until `resolved_at`."""

    id: UUID
    tenant: UUID
    direction: Direction
    entity: str
    record_id: str
    field: str
    version: str
    code: str
    message: str
    value: str
    attempts: int
    first_at: datetime
    last_at: datetime
    resolved_at: datetime | None = None

    @property
    def name(self) -> tuple[UUID, Direction, str, str, str]:
        """One letter per record and field."""
        return self.tenant, self.direction, self.entity, self.record_id, self.field


@dataclass(frozen=True)
class Stopped:
    """A stop of one kind of a tenant's records, and what it holds: the version of each."""

    tenant: UUID
    entity: Entity
    engaged_at: datetime
    state: str = "engaged"
    until: int = 0
    decided_at: datetime | None = None
    held: Mapping[RecordKey, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Line:
    """One line of the ledger."""

    run: UUID | None
    key: RecordKey
    direction: Direction
    action: str
    version: str
    detail: Mapping[str, object]


@dataclass(frozen=True)
class Beat:
    """How far the heartbeat of one Odoo instance came."""

    number: int
    begun_at: datetime
    published_at: datetime | None = None
    arrived_at: datetime | None = None
    returned_at: datetime | None = None
    returned: int | None = None
    unserved: tuple[UUID, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class WrittenEvent:
    """An event that is written down, and when it was published."""

    event: OutgoingEvent
    published_at: datetime | None = None


@dataclass
class State:
    """Everything that a transaction may change. Containers change, what they hold does not."""

    tenants: dict[UUID, Tenant] = field(default_factory=dict)
    rows: dict[RecordKey, Columns] = field(default_factory=dict)
    schemas: dict[RecordKey, str] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    deliveries: dict[RecordKey, Delivery] = field(default_factory=dict)
    bindings: dict[RecordKey, Bound] = field(default_factory=dict)
    bases: dict[tuple[RecordKey, str], Base] = field(default_factory=dict)
    stops: dict[UUID, Stopped] = field(default_factory=dict)
    lost: dict[RecordKey, datetime] = field(default_factory=dict)
    truncated: dict[tuple[UUID, Entity], datetime] = field(default_factory=dict)
    formers: dict[tuple[RecordKey, str], tuple[Former, datetime]] = field(default_factory=dict)
    conflicts: dict[tuple[RecordKey, str], Conflict] = field(default_factory=dict)
    outcomes: dict[tuple[UUID, UUID], LeadOutcome] = field(default_factory=dict)
    invoices: dict[RecordKey, KnownInvoice] = field(default_factory=dict)
    letters: dict[tuple[UUID, Direction, str, str, str], DeadLetter] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    paused: set[tuple[UUID, Direction]] = field(default_factory=set)
    succeeded: dict[tuple[UUID, Direction], datetime] = field(default_factory=dict)
    leases: dict[str, tuple[UUID, datetime]] = field(default_factory=dict)
    beats: dict[str, Beat] = field(default_factory=dict)
    events: list[WrittenEvent] = field(default_factory=list)
    contents: dict[RecordKey, Known] = field(default_factory=dict)
    links: dict[RecordKey, str] = field(default_factory=dict)
    refused: set[tuple[Entity, str, str | None]] = field(default_factory=set)
    failing: set[UUID] = field(default_factory=set)
    """Tenants of which nothing can be written until a person acts."""
    left: set[Entity] = field(default_factory=set)
    """Tables at which a trigger of the app leaves every row as it is."""
    unreadable: dict[RecordKey, str] = field(default_factory=dict)
    """Rows at which every statement that reads them fails, with what the database says."""
    hidden: set[tuple[UUID, Entity]] = field(default_factory=set)
    """Tables of which the bridge sees no row, although they may have some."""
    renamed: list[Renamed] = field(default_factory=list)
    erased: set[RecordKey] = field(default_factory=set)
    odoo_epoch: int = 1

    def copy(self) -> State:
        """The same in containers of its own."""
        return State(**{item.name: copy.copy(getattr(self, item.name)) for item in dataclasses.fields(self)})


class Server:
    """The database that several daemons and the app share. `is_away` lets every transaction fail.

    Shapes: `collectable` is how many marks can be collected at once before that takes too long.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.state = State()
        self.is_away = False
        self.collectable = 1_000_000
        self.in_transaction = False
        self.app_transactions: list[AppTransaction] = []
        self.dice = random.Random(0)
        self._number = 0

    def new_uuid(self) -> UUID:
        """An id that nobody has; the same ones in each run, so that a failure comes again."""
        return UUID(int=self.dice.getrandbits(128), version=4)

    def draw(self) -> int:
        """A number greater than all that were drawn before; a rollback gives none back."""
        self._number += 1
        return self._number

    @contextmanager
    def transaction(self) -> Iterator[State]:
        """The state, which is as it was if the block does not end well."""
        before = self.state.copy()
        self.clock.tick()
        self.in_transaction = True
        try:
            yield self.state
        except BaseException:
            self.state = before
            raise
        finally:
            self.in_transaction = False

    @property
    def locked(self) -> set[RecordKey]:
        """Rows that open transactions of the app have changed."""
        return {key for app in self.app_transactions for key in app.changed}

    def has_writing_snapshots(self, tenant: UUID) -> bool:
        """Whether a transaction of the app would fail if a row of this tenant were written now."""
        return any(
            app.is_snapshot and (not app.changed or tenant in {key.tenant for key in app.changed})
            for app in self.app_transactions
        )


class Database:
    """One daemon's way to the server."""

    def __init__(self, server: Server, process: Process | None = None) -> None:
        self.server = server
        self.process = process or Process()

    @contextmanager
    def transaction(self) -> Iterator[State]:
        """Raises TransientError while the database is away."""
        self.process.check()
        if self.server.is_away:
            raise TransientError("the app's database: it is away")
        with self.server.transaction() as state:
            yield state

    @property
    def now(self) -> datetime:
        return self.server.clock.now


class App:
    """What the app does in its database."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def register(self, subdomain: str, status: str = "active", schema_status: str = "active") -> Tenant:
        """A new tenant, which the bridge does not know yet."""
        tenant_id = self.server.new_uuid()
        tenant = Tenant(tenant_id, f"tenant_{tenant_id.hex}", subdomain, subdomain, status, schema_status)
        with self.server.transaction() as state:
            state.tenants[tenant_id] = tenant
        return tenant

    def change_tenant(self, tenant: UUID, name: str = "", app_status: str = "") -> None:
        """The app renames or suspends a tenant."""
        with self.server.transaction() as state:
            known = state.tenants[tenant]
            state.tenants[tenant] = dataclasses.replace(
                known, name=name or known.name, app_status=app_status or known.app_status
            )

    def replace_tables(self, tenant: UUID) -> None:
        """An administrator drops a tenant's tables and makes them again."""
        with self.server.transaction() as state:
            state.tenants[tenant] = dataclasses.replace(state.tenants[tenant], is_replaced=True)

    def insert(self, tenant: Tenant, table: str, **columns: object) -> UUID:
        """One row, in a transaction of its own."""
        record_id = UUID(str(columns.pop("id", self.server.new_uuid())))
        row = dict.fromkeys(COLUMNS[table]) | dict(DEFAULTS[table]) | plain(columns)
        row |= {"id": str(record_id), "tenant_id": str(row["tenant_id"] or tenant.id)}
        key = RecordKey(tenant.id, ENTITIES[table], record_id)
        with self.server.transaction() as state:
            state.rows[key] = row
            state.schemas[key] = tenant.schema
            self._capture(state, tenant.schema, key.entity, [row], [row])
        return record_id

    def update(self, key: RecordKey, **columns: object) -> None:
        """One row, in a transaction of its own."""
        with self.server.transaction() as state:
            self.apply(state, key, plain(columns))

    def apply(self, state: State, key: RecordKey, columns: Mapping[str, object]) -> None:
        """One row, within a transaction."""
        old = state.rows[key]
        state.rows[key] = {**old, **columns}
        self._capture(state, state.schemas[key], key.entity, [old], [state.rows[key]])

    def rename(self, key: RecordKey, record_id: UUID) -> RecordKey:
        """Another id for one row and for whoever names it, in a transaction of its own."""
        present = dataclasses.replace(key, record_id=record_id)
        with self.server.transaction() as state:
            state.renamed.append(Renamed(self.server.draw(), key, record_id))
            state.schemas[present] = state.schemas.pop(key)
            row = {**state.rows.pop(key), "id": str(record_id)}
            state.rows[present] = row
            self._capture(state, state.schemas[present], key.entity, [row], [row])
            for other, named in list(state.rows.items()):
                columns = {name: str(record_id) for name, value in named.items() if value == str(key.record_id)}
                if other.tenant == key.tenant and columns:
                    self.apply(state, other, columns)
        return present

    def delete(self, key: RecordKey) -> None:
        """One row, in a transaction of its own."""
        with self.server.transaction() as state:
            old = state.rows.pop(key)
            self._capture(state, state.schemas[key], key.entity, [old], [])

    def truncate(self, tenant: Tenant, entity: Entity) -> None:
        """A table is emptied; what is bound of it is marked."""
        with self.server.transaction() as state:
            for key in [key for key in state.rows if (key.tenant, key.entity) == (tenant.id, entity)]:
                del state.rows[key]
            state.truncated[tenant.id, entity] = self.server.clock.now
            bound = [key for key in state.bindings if (key.tenant, key.entity) == (tenant.id, entity)]
            mark(self.server, state, bound)

    def begin(self, is_snapshot: bool = False) -> AppTransaction:
        """A transaction that stays open; `is_snapshot`: it fails if what it may write is written meanwhile."""
        opened = AppTransaction(self, is_snapshot)
        self.server.app_transactions.append(opened)
        return opened

    def _capture(
        self, state: State, schema: str, entity: Entity, old: Sequence[Columns], new: Sequence[Columns]
    ) -> None:
        """As the triggers do: the statement's rows, and the registrations that count its documents."""
        self._mark(state, schema, entity, new or old, "id")
        if entity is Entity.DOCUMENT:
            self._mark(state, schema, Entity.REGISTRATION, [*old, *new], "registration_id")

    def _mark(self, state: State, schema: str, entity: Entity, rows: Iterable[Columns], column: str) -> None:
        for row in rows:
            if row[column]:
                ids = (UUID(str(row[column])),)
                state.marks.append(
                    Mark(UUID(str(row["tenant_id"])), schema, entity, ids, Lane.LIVE, self.server.clock.now)
                )


class AppTransaction:
    """A transaction of the app that is open: its rows are locked, and seen by others once it commits."""

    def __init__(self, app: App, is_snapshot: bool) -> None:
        self._app = app
        self.is_snapshot = is_snapshot
        self.changed: dict[RecordKey, Columns] = {}

    def update(self, key: RecordKey, **columns: object) -> None:
        """Change a row, which is locked from now on."""
        self.changed[key] = {**self.changed.get(key, {}), **plain(columns)}

    def commit(self) -> None:
        """Let others see it."""
        self.rollback()
        with self._app.server.transaction() as state:
            for key, columns in self.changed.items():
                self._app.apply(state, key, columns)

    def rollback(self) -> None:
        """Nothing happened."""
        self._app.server.app_transactions.remove(self)


def serve(server: Server, tenant: UUID, state: str = "active", instance: str = INSTANCE) -> None:
    """Attach a tenant, as the migrator does, and let its records flow."""
    with server.transaction() as now:
        now.tenants[tenant] = dataclasses.replace(
            now.tenants[tenant], state=state, attach_level=ATTACH_LEVEL, instance=instance
        )
        for key, row in now.rows.items():
            if key.tenant == tenant:
                owner = UUID(str(row["tenant_id"]))
                now.marks.append(
                    Mark(owner, now.schemas[key], key.entity, (key.record_id,), Lane.BULK, server.clock.now)
                )


def mark(server: Server, state: State, keys: Iterable[RecordKey], lane: Lane = Lane.LIVE) -> int:
    """Mark records of attached tenants within a transaction, one mark per kind; how many were marked."""
    known = [key for key in sorted(set(keys)) if state.tenants.get(key.tenant) and state.tenants[key.tenant].state]
    for (tenant, entity), group in groupby(known, lambda key: (key.tenant, key.entity)):
        ids = tuple(key.record_id for key in group)
        state.marks.append(Mark(tenant, state.tenants[tenant].schema, entity, ids, lane, server.clock.now))
    return len(known)


def changed(state: State, key: RecordKey, **changes: object) -> None:
    """Change a delivery within a transaction."""
    change: Callable[..., Delivery] = dataclasses.replace
    state.deliveries[key] = change(state.deliveries[key], **changes)


def held_lease(state: State, name: str, holder: UUID, duration: timedelta, now: datetime) -> bool:
    """Take or renew a lease that is free, expired or one's own; whether it is the holder's now."""
    other, until = state.leases.get(name, (holder, now))
    if other != holder and until >= now:
        return False
    state.leases[name] = holder, now + duration
    return True


def check_readable(state: State, keys: Iterable[RecordKey]) -> None:
    """Raises StatementError for a row, or a tenant, at which the statement fails."""
    for key in keys:
        if key.tenant in state.failing:
            raise StatementError(
                f"the app's database refuses: permission denied for {state.tenants[key.tenant].schema}"
            )
        if key in state.unreadable:
            raise StatementError(f"the app's database, RaiseException: {state.unreadable[key]}")


def plain(columns: Mapping[str, object]) -> Columns:
    """Values as PostgreSQL's JSON shows them."""
    return {name: _shown(value) for name, value in columns.items()}


def _shown(value: object) -> object:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, str) and len(value) == 19 and value[10] == " ":
        return value.replace(" ", "T")
    return value
