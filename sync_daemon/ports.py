"""The edges of the services, as Protocols; adapters live in postgres/, rabbitmq/, odoo/ and storage/.

Every method raises TransientError when its neighbour is away or slow, FatalError when nothing of the kind can succeed
until a person acts, and never a driver's own exception.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from sync_daemon.domain.app_write import AppWrite, Refusals
from sync_daemon.domain.content import Known, Place, Stat
from sync_daemon.domain.document import Change, Document, Result, Verdict
from sync_daemon.domain.event import OutgoingEvent
from sync_daemon.domain.hint import Hint
from sync_daemon.domain.keys import Entity, Lane, RecordKey
from sync_daemon.domain.operations.books import OdooEntry
from sync_daemon.domain.operations.contract_check import OdooFields
from sync_daemon.domain.operations.user_links import OdooUser
from sync_daemon.domain.overrides import Rules
from sync_daemon.domain.pull_page import PullPage
from sync_daemon.domain.pull_settlement import PullSettlement
from sync_daemon.domain.pull_snapshot import PullSnapshot
from sync_daemon.domain.settlement import Settlement
from sync_daemon.domain.snapshot import BindingState, Owed, Snapshot
from sync_daemon.domain.tenant import RegisteredTenant, Tenant


@dataclass(frozen=True)
class OdooInfo:
    """Who answers at the other end; `key_expires` is None for a key without an end.

    Shapes: `newest` is the number of the newest mark that was drawn there.
    """

    protocol: str
    addon: str
    odoo: str
    instance: str
    epoch: int
    newest: int
    database: str
    user: str
    key_expires: datetime | None


@dataclass(frozen=True)
class OdooBacklog:
    """What one tenant owes the app on Odoo's side, in records."""

    owed: int
    parked: int
    oldest: datetime | None


@dataclass(frozen=True)
class Pulled:
    """One page of changes, and the number of the heartbeat that Odoo had last; 0 for none."""

    epoch: int
    changes: tuple[Change, ...]
    more: bool
    beat: int = 0


@dataclass(frozen=True)
class Pulse:
    """What Odoo says of itself to a heartbeat: tenants it does not serve, triggers it lacks."""

    unserved: tuple[UUID, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class RecordDigest:
    """A bound record's content as Odoo holds it now; `twins` are other records of Odoo that carry the same id."""

    record_id: UUID
    version: str
    digest: str
    state: str
    opted_out: bool
    waiting: bool
    twins: tuple[int, ...]


@dataclass(frozen=True)
class OdooBinding:
    """What Odoo says of one record's binding; all empty where there is none. `held`: taken out of the sync."""

    state: str
    model: str
    res_id: str
    version: str
    opted_out: bool
    synced_at: str
    name: str


class Odoo(Protocol):
    """One Odoo instance, spoken to by one RPC call per method. Source: docs/wire.md."""

    def ping(self) -> OdooInfo: ...

    def apply_batch(self, run: UUID, documents: Sequence[Document]) -> list[Result]:
        """Shapes: one result per document, same order."""
        ...

    def put_content(self, key: RecordKey, sha256: str, pieces: Iterator[bytes]) -> None:
        """Hand over a document's content, which the next `apply_batch` of that document takes."""
        ...

    def pull_changes(self, limit: int, per_tenant: int) -> Pulled: ...

    def ack_changes(self, verdicts: Sequence[Verdict]) -> None: ...

    def requeue_changes(self, keys: Sequence[RecordKey]) -> int: ...

    def heartbeat(self, beat: int, tenants: Sequence[UUID]) -> Pulse: ...

    def epochs(self) -> tuple[int, int]:
        """Odoo's own epoch, and the newest one of the app's that anything there was applied under."""
        ...

    def raise_epoch(self, beyond: int) -> int:
        """Begin a newer epoch of Odoo's versions; which one."""
        ...

    def retell(self) -> int:
        """Have told once more what became of every lead; how many."""
        ...

    def backlog(self) -> Mapping[UUID, OdooBacklog]: ...

    def show_binding(self, key: RecordKey) -> OdooBinding: ...

    def relink_binding(self, key: RecordKey, res_id: int) -> tuple[str, int]:
        """Model and id of the record bound from now on. Raises RejectedError in plain words."""
        ...

    def forget_binding(self, key: RecordKey) -> None:
        """Raises RejectedError in plain words while the record is there."""
        ...

    def purge_selftest(self, tenant: UUID) -> int:
        """Raises RejectedError in plain words for a tenant that is not the selftest's."""
        ...

    def holdings(self) -> Mapping[str, int]:
        """How many records of this installation Odoo has or had, by entity."""
        ...

    def commission_books(self, tenant: UUID, after: str, limit: int) -> tuple[list[tuple[UUID, OdooEntry]], bool]:
        """One page of a tenant's commissions, in order of id; the flag says whether more follow."""
        ...

    def known_ranges(
        self, tenant: UUID, entity: Entity, bounds: Sequence[str], fields: Collection[str] = ()
    ) -> list[str]:
        """The same as `digest_ranges`, of any size, by what is remembered alone: empty where that is not all."""
        ...

    def digest_ranges(
        self, tenant: UUID, entity: Entity, bounds: Sequence[str], fields: Collection[str] = ()
    ) -> list[str]:
        """One digest per range: after one bound, up to the next one (empty: from the start, to the end).

        Shapes: one less than there are bounds; empty where the range is more than one call can do.
        """
        ...

    def digests(
        self, tenant: UUID, entity: Entity, after: str, limit: int, fields: Collection[str] = ()
    ) -> tuple[list[RecordDigest], bool]:
        """Shapes: digests over these fields; over all of the contract's where none is named."""
        ...

    def describe_fields(self) -> OdooFields:
        """The fields of Odoo that the contract's go to, and those that tenants may get besides."""
        ...

    def internal_users(self, after: str, limit: int) -> tuple[list[OdooUser], bool]:
        """One page of the people who work in Odoo, in order of id; the flag says whether more follow."""
        ...


class HintPublisher(Protocol):
    """Hands hints to the broker; returning means the broker has them on disk."""

    def publish(self, hints: Sequence[Hint]) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Received:
    """A hint in hand and what is needed to acknowledge it. `receipt` is opaque."""

    hint: Hint
    receipt: object


class HintStream(Protocol):
    """Hints as they arrive, live lane first; unacknowledged ones come again."""

    def take(self, keys: int, wait: timedelta) -> list[Received]:
        """At least one hint, up to about `keys` keys in all, or nothing after `wait`."""
        ...

    def ack(self, received: Collection[Received]) -> None: ...

    def close(self) -> None: ...


class AppEvents(Protocol):
    """The app's own events, reduced to the records they name."""

    def take(self, wait: timedelta) -> tuple[list[RecordKey], object]:
        """Keys, and a receipt for `done`."""
        ...

    def done(self, receipt: object) -> None: ...

    def close(self) -> None: ...


class EventPublisher(Protocol):
    """Hands our own events to the broker; returning means that every queue that wants them has them on disk."""

    def open(self) -> None: ...

    def publish(self, event: OutgoingEvent) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class EventBacklog:
    """How many events wait to be published, and since when the oldest does."""

    waiting: int
    oldest: datetime | None


class OutgoingEvents(Protocol):
    """Our own events, in the order in which they were written."""

    def take(self, holder: UUID, lease: timedelta, limit: int) -> Sequence[OutgoingEvent]:
        """The oldest ones that are not published; nothing while another holder has the lease."""
        ...

    def published(self, events: Sequence[OutgoingEvent]) -> None: ...

    def forget(self, age: timedelta, limit: int) -> int: ...

    def release(self, holder: UUID) -> None: ...


class Outbox(Protocol):
    """What is owed to Odoo."""

    def collect(self, limit: int) -> int:
        """Turn marks into owed records; how many marks were taken."""
        ...

    def claim(self, lane: Lane, lease: timedelta) -> Mapping[str, list[RecordKey]]:
        """Due records by Odoo instance, not offered again before `lease` is over."""
        ...

    def release(self, instance: str, keys: Iterable[RecordKey]) -> None: ...

    def owe(self, keys: Iterable[RecordKey]) -> None: ...

    def begin_attempt(self, instance: str, keys: Iterable[RecordKey]) -> None: ...

    def mark(self, keys: Iterable[RecordKey], lane: Lane = Lane.LIVE) -> int: ...

    def draw(self) -> int:
        """A version number greater than all that were drawn before."""
        ...


class Heartbeats(Protocol):
    """How far heartbeats come."""

    def begin(self, instances: Collection[str], interval: timedelta) -> Mapping[str, int]:
        """Numbers of the heartbeats that are due, by Odoo instance; each is given to one caller only."""
        ...

    def published(self, instance: str) -> None: ...

    def tenants(self, instance: str) -> Sequence[UUID]: ...

    def arrived(self, instance: str, unserved: Sequence[UUID], missing: Sequence[str]) -> None: ...

    def returned(self, instance: str, beat: int) -> None: ...


class Rows(Protocol):
    """The app's rows, read together with what the bridge knows of them."""

    def snapshot(self, keys: Collection[RecordKey]) -> Snapshot: ...

    def existing(self, keys: Collection[RecordKey]) -> set[RecordKey]: ...


class Storage(Protocol):
    """The app's contents of documents, read only.

    Raises: RejectedError `bad_path` for a path that leaves its root, `content_missing` and `content_unreadable`.
    """

    def stat(self, place: Place) -> Stat: ...

    def read(self, place: Place, found: Stat, piece: int) -> Iterator[bytes]:
        """In pieces of up to `piece` bytes; TransientError unless it is the content that was found."""
        ...

    def link(self, place: Place) -> str:
        """An address for people; empty if there is none."""
        ...


class ContentMemory(Protocol):
    """What is known of contents that were read before."""

    def known(self, keys: Collection[RecordKey]) -> Mapping[RecordKey, Known]: ...

    def remember(self, key: RecordKey, known: Known) -> None: ...


class Ledger(Protocol):
    """Writes down what became of a batch."""

    def settle(self, run: UUID, settlements: Sequence[Settlement]) -> None: ...

    def learn(self, owed: Owed, state: BindingState, model: str, res_id: int) -> None:
        """Write down a binding that Odoo has and the app never heard of, and mark what may go with it in sight."""
        ...


class TenantRegistry(Protocol):
    """Which tenants there are, and what the bridge made of each."""

    def tenants(self) -> Sequence[RegisteredTenant]: ...

    def set_state(self, tenant: UUID, state: str) -> None: ...

    def tenant_changed(self, tenant: UUID, digest: str) -> None:
        """Owe the tenant's own document, and remember for which content."""
        ...

    def is_bound(self, tenant: UUID) -> bool:
        """Whether Odoo knows the tenant."""
        ...


class PullUnit(Protocol):
    """One tenant's transaction, in which changes from Odoo are taken in."""

    @property
    def rules(self) -> Rules:
        """The tenant's contract."""
        ...

    def read(self, page: PullPage) -> PullSnapshot:
        """Read all that is known of these changes; rows and pairs that are free are locked."""
        ...

    def write(self, writes: Sequence[AppWrite]) -> Refusals:
        """Write into the app's rows; what the app refuses is left as it was, and named with the reason."""
        ...

    def settle(self, settlement: PullSettlement) -> None: ...


class Inbound(Protocol):
    """Takes in what Odoo changed."""

    def acquire(self, holder: UUID, duration: timedelta) -> datetime | None:
        """Take or renew the lease; since when, by the clock of the app's database."""
        ...

    def release(self, holder: UUID) -> None: ...

    def receiving(self) -> Sequence[Tenant]:
        """The tenants whose flow from Odoo is open."""
        ...

    def unit(self, run: UUID, tenant: Tenant) -> AbstractContextManager[PullUnit]:
        """One tenant's transaction: it stands as a whole at the end of the block, or not at all."""
        ...
