"""The edges of the services, as Protocols; adapters live in postgres/, rabbitmq/, odoo/ and storage/.

Every method raises TransientError if its neighbour is down or slow, FatalError if no such call can succeed until a
person acts, and never a driver's own exception.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol
from uuid import UUID

from sync_daemon.domain.app_write import AppWrite, Refusals
from sync_daemon.domain.brake import Braking, Group, Loss, Tally
from sync_daemon.domain.content import Known, Place, Stat
from sync_daemon.domain.document import Change, Document, Result, Verdict
from sync_daemon.domain.drift import Content, Difference
from sync_daemon.domain.event import OutgoingEvent
from sync_daemon.domain.hint import Hint
from sync_daemon.domain.keys import Entity, Lane, RecordKey
from sync_daemon.domain.limits import Limits
from sync_daemon.domain.operations.adoption import Half, Sought
from sync_daemon.domain.operations.books import OdooEntry
from sync_daemon.domain.operations.claims import Claim
from sync_daemon.domain.operations.contract_check import Mismatch, OdooFields
from sync_daemon.domain.operations.erasure import OdooErasure
from sync_daemon.domain.operations.user_links import OdooUser
from sync_daemon.domain.overrides import Rules
from sync_daemon.domain.pull_page import PullPage
from sync_daemon.domain.pull_settlement import PullSettlement
from sync_daemon.domain.pull_snapshot import PullSnapshot
from sync_daemon.domain.renamed import Renamed
from sync_daemon.domain.settlement import Settlement
from sync_daemon.domain.snapshot import BindingState, Owed, Snapshot
from sync_daemon.domain.tenant import RegisteredTenant, Tenant


@dataclass(frozen=True)
class OdooInfo:
    """The Odoo that answers; `key_expires` is None for a key that never expires.

    Shapes: `newest` is the number of the newest mark drawn there; `addon` the version that its database has.
    """

    protocol: str
    addon: str
    addon_on_disk: str
    odoo: str
    instance_uuid: str
    epoch: int
    newest: int
    database: str
    user: str
    key_expires: datetime | None


@dataclass(frozen=True)
class OdooBacklog:
    """What Odoo owes the app for one tenant, in records."""

    owed: int
    parked: int
    oldest: datetime | None


@dataclass(frozen=True)
class Pulled:
    """One page of changes, and the number of Odoo's last heartbeat; 0 for none."""

    epoch: int
    changes: tuple[Change, ...]
    more: bool
    beat: int = 0


@dataclass(frozen=True)
class Pulse:
    """Odoo's findings about itself, in answer to a heartbeat: tenants it does not serve, triggers it lacks."""

    unserved: tuple[UUID, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class RecordDigest:
    """A bound record's content as Odoo holds it now.

    Shapes: `twins` are other records of Odoo that carry the same id; `deviations` are fields of Odoo's own that are not
    as the bridge keeps them.
    """

    record_id: UUID
    version: str
    digest: str
    state: str
    opted_out: bool
    waiting: bool
    twins: tuple[int, ...]
    deviations: tuple[Difference, ...] = ()


@dataclass(frozen=True)
class OdooBinding:
    """What Odoo says of one record's binding; all empty where there is none."""

    state: str
    model: str
    res_id: str
    version: str
    opted_out: bool
    synced_at: str
    name: str


@dataclass(frozen=True)
class Claimed:
    """Whether Odoo takes this database for the installation's own, and which one it saw last, when.

    Shapes: `number` counts the tokens that Odoo has had.
    """

    is_held: bool
    number: int
    holder: str
    at: datetime | None


@dataclass(frozen=True)
class Holdings:
    """How many records of this installation Odoo has or had, by entity, and the ids that it had as an instance."""

    entities: Mapping[str, int]
    former: frozenset[str] = frozenset()

    @property
    def records(self) -> int:
        """How many there are in all."""
        return sum(self.entities.values())


class Odoo(Protocol):
    """One Odoo instance, one RPC call per method. Source: docs/wire.md."""

    def ping(self) -> OdooInfo: ...

    def claim(self, instance: str, claim: Claim, holder: str, renew: bool) -> Claimed:
        """Show Odoo the token that this database left there last; with `renew`, leave the next one."""
        ...

    def apply_batch(self, run: UUID, documents: Sequence[Document]) -> list[Result]:
        """Shapes: one result per document, same order."""
        ...

    def put_content(self, key: RecordKey, sha256: str, pieces: Iterator[bytes]) -> None:
        """Upload a document's content for the next `apply_batch` of that document."""
        ...

    def pull_changes(self, limit: int, per_tenant: int) -> Pulled: ...

    def newest(self) -> int:
        """The number of the newest mark that waits, 0 without one: less work than a pull, and only a hint.

        Marks of others are counted too, and one that commits after a newer one is not noticed.
        """
        ...

    def ack_changes(self, verdicts: Sequence[Verdict]) -> None: ...

    def requeue_changes(self, keys: Sequence[RecordKey]) -> int: ...

    def heartbeat(self, beat: int, tenants: Sequence[UUID]) -> Pulse: ...

    def epochs(self) -> tuple[int, int]:
        """Odoo's own epoch, and the newest epoch of the app under which anything was applied there."""
        ...

    def raise_epoch(self, beyond: int) -> int:
        """Start a newer epoch of Odoo's versions; returns its number."""
        ...

    def report_again(self) -> int:
        """Ask Odoo to report the outcome of every lead again; returns how many."""
        ...

    def backlog(self) -> Mapping[UUID, OdooBacklog]: ...

    def show_binding(self, key: RecordKey) -> OdooBinding: ...

    def relink_binding(self, key: RecordKey, res_id: int) -> tuple[str, int]:
        """Bind another record; returns its model and id. Raises RejectedError with a plain sentence."""
        ...

    def rename_binding(self, key: RecordKey, record_id: UUID) -> str:
        """Give a record of the app its new id; returns why Odoo refuses, empty if it is done."""
        ...

    def forget_binding(self, key: RecordKey) -> None:
        """Raises RejectedError with a plain sentence while the record exists."""
        ...

    def purge_selftest(self, tenant: UUID) -> int:
        """Raises RejectedError with a plain sentence unless the tenant is the selftest's."""
        ...

    def erase_client(self, erasure: UUID, key: RecordKey, records: Sequence[RecordKey], dry_run: bool) -> OdooErasure:
        """Erase a customer with its leads and documents. Raises RejectedError with a plain sentence."""
        ...

    def erasures(self) -> Mapping[UUID, frozenset[RecordKey]]:
        """The erasures that Odoo carried out, with their records."""
        ...

    def holdings(self) -> Holdings:
        """What Odoo has of this installation; nothing in a fresh database."""
        ...

    def adopt_records(self, tenant: Tenant, entity: Entity, sought: Sequence[Sought], dry_run: bool) -> list[Half]:
        """Find the halves of records, one finding each in the same order; bind them unless it is a dry run."""
        ...

    def commission_books(self, tenant: UUID, after: str, limit: int) -> tuple[list[tuple[UUID, OdooEntry]], bool]:
        """One page of a tenant's commissions, in order of id; the flag says whether more follow."""
        ...

    def known_ranges(
        self, tenant: UUID, entity: Entity, bounds: Sequence[str], fields: Collection[str] = ()
    ) -> list[str]:
        """Like `digest_ranges`, for ranges of any size, from stored digests only: empty where one is missing."""
        ...

    def digest_ranges(
        self, tenant: UUID, entity: Entity, bounds: Sequence[str], fields: Collection[str] = ()
    ) -> list[str]:
        """One digest per range: after one bound, up to the next one (empty: from the start, to the end).

        Shapes: one fewer than bounds; empty where a range is too large for one call.
        """
        ...

    def digests(
        self, tenant: UUID, entity: Entity, after: str, limit: int, fields: Collection[str] = ()
    ) -> tuple[list[RecordDigest], bool]:
        """Shapes: digests over these fields; over all fields of the contract if none is named."""
        ...

    def show_values(
        self, tenant: UUID, entity: Entity, ids: Sequence[UUID], fields: Collection[str] = ()
    ) -> Mapping[UUID, Content]:
        """What the digests of these records are of, as far as Odoo has them."""
        ...

    def describe_fields(self) -> OdooFields:
        """The Odoo fields that the contract writes, and the extra ones listed for tenants."""
        ...

    def check_setup(self, currencies: Mapping[UUID, Mapping[str, int]]) -> list[Mismatch]:
        """What does not fit in Odoo's own settings.

        Shapes: `currencies` of each tenant's commissions, with the most decimals of their amounts.
        """
        ...

    def causes(self) -> Mapping[UUID, Mapping[str, int]]:
        """By tenant, why records wait in Odoo or do not flow, each with how many."""
        ...

    def internal_users(self, after: str, limit: int) -> tuple[list[OdooUser], bool]:
        """One page of Odoo's internal users, in order of id; the flag says whether more follow."""
        ...


class HintPublisher(Protocol):
    """Hands hints to the broker; when it returns, the broker has them on disk."""

    def publish(self, hints: Sequence[Hint]) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Received:
    """A hint in hand, with the means to acknowledge it. `receipt` is opaque."""

    hint: Hint
    receipt: object


class HintStream(Protocol):
    """Hints as they arrive, live lane first; unacknowledged ones come again."""

    def take(self, keys: int, wait: timedelta, lanes: Sequence[Lane] = tuple(Lane)) -> list[Received]:
        """At least one hint of these lanes, up to about `keys` keys in total, or nothing after `wait`."""
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
    """Hands our events to the broker; when it returns, every bound queue has them on disk."""

    def open(self) -> None: ...

    def publish(self, event: OutgoingEvent) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class EventBacklog:
    """How many events wait to be published, and how long the oldest has waited."""

    waiting: int
    oldest: datetime | None


class OutgoingEvents(Protocol):
    """Our own events, in the order in which they were written."""

    def take(self, holder: UUID, lease: timedelta, limit: int) -> Sequence[OutgoingEvent]:
        """The oldest unpublished events; none while another process holds the lease."""
        ...

    def published(self, events: Sequence[OutgoingEvent]) -> None: ...

    def forget(self, age: timedelta, limit: int) -> int: ...

    def release(self, holder: UUID) -> None: ...


class Outbox(Protocol):
    """What is owed to Odoo."""

    def collect(self, limit: int) -> int:
        """Turn marks into owed records, tenants in turn, about `limit` of each; returns how many marks were touched.

        Raises: BusyError if that many are too many at once.
        """
        ...

    def owes(self) -> bool:
        """Whether a tenant that is served owes anything, due or not; less work than a claim."""
        ...

    def claim(self, lane: Lane, lease: timedelta) -> Mapping[str, list[RecordKey]]:
        """Due records by Odoo instance; each is offered again only after `lease`."""
        ...

    def release(self, instance: str, keys: Iterable[RecordKey]) -> None: ...

    def owe(self, keys: Iterable[RecordKey]) -> None: ...

    def begin_attempt(self, instance: str, keys: Iterable[RecordKey]) -> frozenset[RecordKey]:
        """Count an attempt, and commit that before the call; gives the records that are still owed."""
        ...

    def mark(self, keys: Iterable[RecordKey], lane: Lane = Lane.LIVE) -> int: ...

    def draw(self) -> int:
        """A version number greater than every one drawn before."""
        ...


class Heartbeats(Protocol):
    """How far heartbeats travel."""

    def begin(self, instances: Collection[str], interval: timedelta) -> Mapping[str, int]:
        """Numbers of due heartbeats, by Odoo instance; each goes to one caller only."""
        ...

    def published(self, instance: str) -> None: ...

    def tenants(self, instance: str) -> Sequence[UUID]: ...

    def arrived(self, instance: str, unserved: Sequence[UUID], missing: Sequence[str]) -> None: ...

    def returned(self, instance: str, beat: int) -> None: ...


class Rows(Protocol):
    """The app's rows, read together with what the bridge knows about them."""

    def snapshot(self, keys: Collection[RecordKey]) -> Snapshot: ...

    def existing(self, keys: Collection[RecordKey]) -> set[RecordKey]: ...

    def owed(self, keys: Collection[RecordKey]) -> Mapping[RecordKey, Owed]:
        """What is owed of these, without a look at the app's rows."""
        ...


class Storage(Protocol):
    """The contents of the app's documents, read-only.

    Raises: RejectedError `bad_path` for a path that leaves its root, `content_missing` and `content_unreadable`.
    """

    def stat(self, place: Place) -> Stat: ...

    def read(self, place: Place, found: Stat, piece: int) -> Iterator[bytes]:
        """The content in pieces of up to `piece` bytes. Raises TransientError if the content changed meanwhile."""
        ...

    def link(self, place: Place) -> str:
        """A link for people; empty if there is none."""
        ...


class ContentMemory(Protocol):
    """What is stored about contents read earlier."""

    def known(self, keys: Collection[RecordKey]) -> Mapping[RecordKey, Known]: ...

    def remember(self, key: RecordKey, known: Known) -> None: ...


class BrakeUnit(Protocol):
    """One transaction, in which the losses of a batch are weighed; nobody else weighs the same kinds meanwhile."""

    def tally(self, lost: Mapping[Group, Sequence[Loss]], limits: Mapping[UUID, Limits]) -> Mapping[Group, Tally]: ...

    def settle(self, braking: Braking) -> None:
        """Write down what passes; what is held stays owed and is not due, what was rejected is owed no more."""
        ...


class Brake(Protocol):
    """Stops what many records of one kind would lose at once."""

    def unit(self, run: UUID) -> AbstractContextManager[BrakeUnit]: ...

    def lapse(self) -> int:
        """End the stops that hold nothing any more, because the app took it back; returns how many."""
        ...


class Ledger(Protocol):
    """Writes down the outcome of a batch."""

    def settle(self, run: UUID, settlements: Sequence[Settlement]) -> None: ...

    def learn(self, owed: Owed, state: BindingState, model: str, res_id: int) -> None:
        """Store a binding that Odoo has and the app lacks, and mark the records that can go now."""
        ...

    def rename(self, renamed: Renamed, hand_over: Callable[[RecordKey, UUID], str]) -> None:
        """Let a record have its new id: first in Odoo, which `hand_over` asks and may refuse, then here."""
        ...


class Kept(Protocol):
    """What is kept for a time only."""

    def forget_some(self) -> int:
        """Delete a batch of each kind that was closed long ago; returns the number of rows."""
        ...

    def overdue_months(self) -> Sequence[date]:
        """The months of the ledger that were kept for long enough, oldest first."""
        ...

    def drop_months(self) -> int:
        """Drop those months, if this process may; returns how many."""
        ...


class TenantRegistry(Protocol):
    """The tenants, and the bridge's state of each."""

    def tenants(self) -> Sequence[RegisteredTenant]: ...

    def follow_app(self) -> None:
        """Follow tenants whose schema was renamed, and end those that the app dropped with their schema."""
        ...

    def set_state(self, tenant: UUID, state: str) -> None: ...

    def tenant_changed(self, tenant: UUID, digest: str) -> None:
        """Owe the tenant's own document, and store the content it is for."""
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
        """Read everything known about these changes; lock the free rows and bindings."""
        ...

    def write(self, writes: Sequence[AppWrite]) -> Refusals:
        """Write the app's rows; a refused row stays unchanged, and the reason is returned."""
        ...

    def settle(self, settlement: PullSettlement) -> None: ...


class Inbound(Protocol):
    """Takes in what Odoo changed."""

    def acquire(self, holder: UUID, duration: timedelta) -> datetime | None:
        """Take or renew the lease; returns since when it is held, by the database's clock."""
        ...

    def release(self, holder: UUID) -> None: ...

    def receiving(self) -> Sequence[Tenant]:
        """The tenants whose flow from Odoo is open."""
        ...

    def unit(self, run: UUID, tenant: Tenant) -> AbstractContextManager[PullUnit]:
        """One tenant's transaction: at the end of the block it commits as a whole, or not at all."""
        ...
