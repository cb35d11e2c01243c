"""The composition root, the one module that knows every room, and the threads that run the services."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from types import FrameType
from uuid import UUID

import structlog

from sync_daemon import errors
from sync_daemon.config import Settings
from sync_daemon.domain.hint import named_tenant
from sync_daemon.domain.keys import Lane, RecordKey, selftest_of
from sync_daemon.domain.operations.contract_check import Mismatch
from sync_daemon.health import Health, served
from sync_daemon.loop import Loop, repeated
from sync_daemon.odoo.client import Observe, open_odoo
from sync_daemon.parts.claims import Claimant
from sync_daemon.parts.contents import MEGABYTE, Contents
from sync_daemon.parts.contract import ContractCheck
from sync_daemon.parts.epochs import Restorer
from sync_daemon.parts.heartbeat import HeartbeatCarrier, HeartbeatSender
from sync_daemon.ports import Odoo, OdooInfo
from sync_daemon.postgres.admin.app_schema import AppSchema
from sync_daemon.postgres.admin.dead_letters import DeadLetters
from sync_daemon.postgres.admin.erasures import Erasures
from sync_daemon.postgres.admin.restored import RestoredTenants
from sync_daemon.postgres.admin.retention import Retention
from sync_daemon.postgres.app_rows import Strikes
from sync_daemon.postgres.claims import Claims
from sync_daemon.postgres.connection import Database
from sync_daemon.postgres.dead_letters import park_message
from sync_daemon.postgres.events import OutgoingEvents
from sync_daemon.postgres.heartbeats import Heartbeats
from sync_daemon.postgres.known_database import KnownDatabase
from sync_daemon.postgres.pull.inbound import Inbound
from sync_daemon.postgres.push.brake import Brake
from sync_daemon.postgres.push.contents import ContentMemory
from sync_daemon.postgres.push.ledger import Ledger
from sync_daemon.postgres.push.outbox import Outbox
from sync_daemon.postgres.reconcile.comparison import AppComparison
from sync_daemon.postgres.registry import Registry
from sync_daemon.postgres.rows import Rows
from sync_daemon.rabbitmq.consumer import RabbitHintStream
from sync_daemon.rabbitmq.events import RabbitAppEvents
from sync_daemon.rabbitmq.publisher import RabbitEventPublisher, RabbitPublisher
from sync_daemon.services.contract import ContractWatch
from sync_daemon.services.events import EventListener
from sync_daemon.services.publish import EventRelay, EventRetention
from sync_daemon.services.pull import Puller
from sync_daemon.services.push import HintedPusher, Pusher
from sync_daemon.services.reconcile import Comparison, Reconciler, ReconcileSchedule
from sync_daemon.services.relay import Relay
from sync_daemon.services.retention import Retention as RetentionService
from sync_daemon.services.tenants import Step, TenantKeeper
from sync_daemon.storage.open import open_storage
from sync_daemon.watch import watch_itself, watch_loops

SERVICES = ("relay", "push", "pull", "publish", "events", "tenants", "reconcile", "contract", "retention")
SELFTEST_SERVICES = ("relay", "push", "pull", "tenants")
CONTRACT_REST = 3600.0
RECONCILE_REST = 2.0
RENEWED = timedelta(seconds=2)
"""How often a lease is renewed while its holder is at work."""
# Renewed with every round: the next publisher waits no longer for one that died.
PUBLISH_LEASE = timedelta(seconds=8)
# events are told to others, who wait for nothing
PUBLISH_REST = 0.1
RETENTION_REST = 60.0
# months begin and end slowly, and what is too old by an hour does no harm
KEEPING_REST = 3600.0
THE_BRIDGE = "the bridge"
HINT_WAIT = timedelta(seconds=1)
CLAIM_EVERY = timedelta(seconds=0.1)
# what a lost hint costs at most; a change that was put off waits 5 s in Odoo anyway
PULL_EVERY = timedelta(seconds=2)
CONFIGURATION = 78
"""The exit code of a daemon whose database is not the installation's own."""
# Together less than the 30 seconds after which a service manager kills the process.
GRACE, CLOSE_SECONDS = timedelta(seconds=22), 5.0
# Beside a call of Odoo a round may hold one statement of the app's database; attaching a tenant waits for the app.
BESIDE_A_CALL, ATTACHING = 90.0, 900.0

log = structlog.get_logger("sync_daemon")

Attach = Callable[[UUID], None]
DropMonth = Callable[[date], None]


@dataclass(frozen=True)
class Bridge:
    """One app database and its Odoo instances, ready to be served."""

    settings: Settings
    database: Database
    registry: Registry
    dead_letters: DeadLetters
    outbox: Outbox
    installation: UUID
    instances: Mapping[str, Odoo]
    contents: Contents
    strikes: Strikes = field(default_factory=Strikes)

    def pusher(self, instance: str) -> Pusher:
        """A pusher to one Odoo instance."""
        rows, ledger = Rows(self.database, instance), Ledger(self.database, instance, self.strikes)
        return Pusher(
            instance,
            self.outbox,
            rows,
            ledger,
            self.instances[instance],
            self.contents,
            self.settings.c360_batch_size,
            Brake(self.database, instance),
        )

    def reconciler(self, instance: str) -> Reconciler:
        """The comparer of one Odoo instance with the app."""
        return Reconciler(self.instances[instance], AppComparison(self.database, instance), self.contents)

    def carrier(self, instance: str) -> HeartbeatCarrier:
        """What carries heartbeats to one Odoo instance and back."""
        return HeartbeatCarrier(instance, Heartbeats(self.database), self.instances[instance])

    def retention(self, drop_month: DropMonth | None = None) -> Retention:
        """What is kept for a time only; without `drop_month`, the ledger's months stay."""
        days, months = self.settings.c360_keep_closed_days, self.settings.c360_keep_ledger_months
        return Retention(self.database, timedelta(days=days), months, drop_month)

    def restorer(self, instance: str) -> Restorer:
        """The part that raises epochs after a restore."""
        restored = RestoredTenants(self.database, instance)
        return Restorer(instance, self.instances[instance], self.registry, restored)

    def claimant(self, instance: str) -> Claimant:
        """What compares this database's token with the one that an Odoo instance has."""
        return Claimant(Claims(self.database, instance, self.installation, _holder(self.settings)), renews=False)

    def contract_check(self, instance: str) -> ContractCheck:
        """The comparer of the contract with the app's tables and with one Odoo instance."""
        return ContractCheck(AppSchema(self.database, instance), self.instances[instance])

    def keeper(self, attach: Attach | None = None) -> TenantKeeper:
        """The keeper of the tenants that live on the configured instance."""
        return TenantKeeper(self.registry, self.outbox, self.pusher(self.settings.odoo_instance), attach, _not_whole)


@contextmanager
def open_bridge(
    settings: Settings,
    observe: Observe = lambda _method, _seconds, _outcome: None,
    is_restored: bool = False,
    renews: bool = False,
) -> Iterator[Bridge]:
    """Connect what a command or the daemon needs. Raises TransientError or FatalError if the app's database refuses.

    Shapes: `is_restored` takes sides that were set back as they are, to raise their epochs. `renews` is for the daemon,
    which leaves Odoo a new token of this database every minute.
    """
    database = Database(settings)
    try:
        known = KnownDatabase(database)
        known.check(is_restored)
        registry = Registry(database, settings.is_selftest)
        installation = _named_to_odoo(settings, registry.installation())
        instance = settings.odoo_instance
        claimant = Claimant(Claims(database, instance, installation, _holder(settings)), renews)
        verifier = Verifier(instance, registry, known, claimant, is_restored)
        verifier.odoo = open_odoo(settings, installation, verifier.verify, observe)
        instances: dict[str, Odoo] = {instance: verifier.odoo}
        letters = DeadLetters(database, settings.is_selftest)
        outbox, contents = Outbox(database, settings.is_selftest), _contents(settings, database)
        yield Bridge(settings, database, registry, letters, outbox, installation, instances, contents)
    finally:
        database.close()


@dataclass
class Verifier:
    """Makes sure that the Odoo that answers and the app's database belong together, every minute."""

    instance: str
    registry: Registry
    known: KnownDatabase
    claimant: Claimant
    is_restored: bool
    odoo: Odoo | None = None

    def verify(self) -> Callable[[OdooInfo], None]:
        """Read what is known before a ping; what it returns takes the answer. Raises CopyError or FatalError."""
        self.known.check(self.is_restored)
        if self.is_restored:
            return self.registry.identify_instance(self.instance)
        return partial(self._taken, self.registry.verify_instance(self.instance))

    def _taken(self, verify: Callable[[OdooInfo], None], info: OdooInfo) -> None:
        verify(info)
        if self.odoo is not None:
            self.claimant.hold(self.odoo, info)


def _holder(settings: Settings) -> str:
    return f"{settings.platform_postgres_db} at {settings.platform_postgres_host}:{settings.platform_postgres_port}"


def _named_to_odoo(settings: Settings, installation: UUID) -> UUID:
    """Towards Odoo the selftest is a separate installation, so neither is ever offered the other's changes."""
    return selftest_of(installation) if settings.is_selftest else installation


def _contents(settings: Settings, database: Database) -> Contents:
    largest = round(settings.c360_document_limit_mb * MEGABYTE)
    address, tries = settings.c360_document_address, settings.c360_document_tries
    return Contents(open_storage(settings), ContentMemory(database), largest, address, tries)


def register_tenant(settings: Settings, tenant: UUID) -> None:
    """Register one tenant in Odoo: the last step of `c360 tenant create` before it is active."""
    with open_bridge(settings) as bridge:
        bridge.keeper().register(tenant)


class Daemon:
    """The threads of one process."""

    def __init__(
        self,
        bridge: Bridge,
        only: Collection[str] = SERVICES,
        attach: Attach | None = None,
        health: Health | None = None,
        drop_month: DropMonth | None = None,
    ) -> None:
        self._bridge = bridge
        self._stop = threading.Event()
        self._crashed: list[str] = []
        self.refused = False
        self.loops = list(_loops(bridge, only, attach, drop_month))
        for loop in self.loops:
            loop.patience = max(loop.patience, bridge.settings.odoo_timeout_seconds + BESIDE_A_CALL)
        if health is not None:
            self.loops += _watch_loops(bridge, health)
            health.loops = self.loops
        self._threads = [
            threading.Thread(target=self._supervised, args=(loop,), name=loop.name, daemon=True) for loop in self.loops
        ]

    def start(self) -> None:
        """Start all services."""
        self._bridge.registry.ensure_partitions()
        for thread in self._threads:
            thread.start()
        log.info("daemon.started", services=[loop.name for loop in self.loops])

    def stop(self, grace: timedelta = GRACE) -> bool:
        """Take nothing new and finish what is in flight, within `grace`. Returns whether every thread ended.

        Abandoned work stays owed, and the next daemon sends it: a hanging neighbour must not keep the process alive.
        """
        self._stop.set()
        end = time.monotonic() + grace.total_seconds()
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        given_up = [thread.name for thread in self._threads if thread.is_alive()]
        closing = threading.Thread(target=self._close, name="closing", daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)
        log.info("daemon.stopped", given_up=given_up)
        return not given_up and not closing.is_alive()

    def _close(self) -> None:
        for loop in self.loops:
            try:
                loop.close()
            except errors.BridgeError as error:
                log.warning("service.close_failed", service=loop.name, error=str(error))

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until asked to stop, a service crashed, or the time is over; True if the process should end."""
        return self._stop.wait(seconds)

    def ask_to_stop(self) -> None:
        """Ask the daemon to stop; safe in a signal handler."""
        self._stop.set()

    @property
    def crashed(self) -> list[str]:
        """Services whose thread died of an unforeseen error."""
        return self._crashed

    def _supervised(self, loop: Loop) -> None:
        try:
            loop.run(self._stop)
        except errors.CopyError as error:
            log.error("daemon.refused", service=loop.name, error=str(error))
            self.refused = True
            self._stop.set()
        except Exception:
            log.exception("service.crashed", service=loop.name)
            self._crashed.append(loop.name)
            self._stop.set()


def serve(
    settings: Settings,
    only: Collection[str] = SERVICES,
    attach: Attach | None = None,
    drop_month: DropMonth | None = None,
) -> int:
    """Run until SIGTERM or SIGINT; the process's exit code. A second signal ends it at once."""
    health = Health(settings.heartbeat_interval, settings.c360_ready_seconds)
    with open_bridge(settings, health.odoo_called, renews=True) as bridge, served(settings, health):
        _refuse_what_came_back(bridge)
        daemon = Daemon(bridge, only, attach, health, drop_month)
        _on_signals(daemon)
        daemon.start()
        daemon.wait()
        ended = daemon.stop()
        code = CONFIGURATION if daemon.refused else 1 if daemon.crashed else 0
        if not ended:
            # a thread that hangs in a driver holds what closing the connections would wait for
            os._exit(code)
    return code


def _refuse_what_came_back(bridge: Bridge) -> None:
    """Raises: ConfigError while a restore has brought erased customers back."""
    undone = [one for one in Erasures(bridge.database, bridge.settings.odoo_instance).listed() if one.is_undone]
    if undone:
        raise errors.ConfigError(
            f"a restore brought {len(undone)} erased customers back, client {undone[0].client} of tenant"
            f" {undone[0].tenant} first: run `c360 erase replay`, then start the daemon"
        )


def _on_signals(daemon: Daemon) -> None:
    def handle(_number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        daemon.ask_to_stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)


def _loops(
    bridge: Bridge, only: Collection[str], attach: Attach | None, drop_month: DropMonth | None
) -> Iterator[Loop]:
    settings = bridge.settings
    if "relay" in only:
        yield _relay_loop(bridge)
    for instance in bridge.instances:
        if "push" in only:
            yield from _push_loops(bridge, instance)
        if "pull" in only:
            inbound = Inbound(bridge.database, instance, settings.odoo_login)
            # the lease must not run out in between
            pull_every = min(PULL_EVERY, settings.pull_lease / 3)
            carrier = bridge.carrier(instance)
            puller = Puller(bridge.instances[instance], inbound, settings.pull_lease, carrier, pull_every)
            yield Loop(f"pull {instance}", puller.run_once, settings.c360_pull_seconds, puller.release)
        if "reconcile" in only:
            yield _reconcile_loop(bridge, instance)
        if "contract" in only:
            watch = ContractWatch(bridge.contract_check(instance), _warn, _retrier(bridge))
            yield Loop(f"contract {instance}", watch.run_once, CONTRACT_REST, patience=2 * CONTRACT_REST)
    if "publish" in only:
        yield from _publish_loops(bridge)
    if "events" in only:
        yield _event_loop(bridge)
    yield from _slow_loops(bridge, only, attach, drop_month)


def _slow_loops(
    bridge: Bridge, only: Collection[str], attach: Attach | None, drop_month: DropMonth | None
) -> Iterator[Loop]:
    if "tenants" in only:
        keeper = bridge.keeper(attach)
        yield Loop("tenants", keeper.run_once, bridge.settings.c360_tenant_refresh_seconds, patience=ATTACHING)
    if "retention" in only:
        yield _retention_loop(bridge, drop_month)


def _relay_loop(bridge: Bridge) -> Loop:
    settings, publisher = bridge.settings, RabbitPublisher(bridge.settings)
    instances = [] if settings.is_selftest else list(bridge.instances)
    sender = HeartbeatSender(Heartbeats(bridge.database), publisher, instances, settings.heartbeat_interval)
    relay = Relay(bridge.outbox, publisher, settings.lease, sender, CLAIM_EVERY)
    return Loop("relay", relay.run_once, settings.c360_poll_seconds, publisher.close)


def _watch_loops(bridge: Bridge, health: Health) -> Iterator[Loop]:
    if bridge.settings.c360_health_port:
        yield from watch_loops(bridge.settings, bridge.database, bridge.installation, health)
    if not bridge.settings.is_selftest:
        yield watch_itself(bridge.settings, bridge.database, health)


def _retrier(bridge: Bridge) -> Callable[[str, Collection[UUID]], None]:
    def retry(code: str, tenants: Collection[UUID]) -> None:
        letters = [letter for letter in bridge.dead_letters.open(code=code) if letter.tenant in tenants]
        if letters:
            bridge.dead_letters.retry(letters, THE_BRIDGE)

    return retry


def _push_loops(bridge: Bridge, instance: str) -> Iterator[Loop]:
    stream = RabbitHintStream(bridge.settings, instance, _bad_message(bridge))
    for number in range(1, bridge.settings.c360_push_workers + 1):
        pusher = HintedPusher(bridge.pusher(instance), stream, HINT_WAIT, bridge.carrier(instance))
        # Taking a hint waits by itself.
        yield Loop(f"push {instance} {number}", pusher.run_once, 0, stream.close)
    if bridge.settings.c360_push_workers > 1:
        # where several work, one more waits for edits, so that they never queue behind a load
        edits = HintedPusher(bridge.pusher(instance), stream, HINT_WAIT, bridge.carrier(instance), (Lane.LIVE,))
        yield Loop(f"push {instance} live", edits.run_once, 0, stream.close)


def _reconcile_loop(bridge: Bridge, instance: str) -> Loop:
    interval = timedelta(hours=bridge.settings.c360_reconcile_hours)

    def on_compared(found: Comparison, mended: int, is_disaster: bool) -> None:
        said = log.warning if is_disaster else log.info
        said(
            "reconcile.compared",
            tenant=found.tenant,
            entity=found.entity.value,
            mended=mended,
            left_to_a_person=is_disaster,
            **{finding.name.lower(): number for finding, number in found.counts.items()},
        )

    schedule = ReconcileSchedule(
        bridge.reconciler(instance), interval, on_compared, while_at_work=partial(repeated, every=RENEWED)
    )
    return Loop(f"reconcile {instance}", schedule.run_once, RECONCILE_REST, schedule.release)


def _not_whole(tenant: UUID, step: Step, problem: str) -> None:
    log.error(f"tenant.not_{step.value}", tenant=str(tenant), error=problem)


def _warn(found: Mismatch) -> None:
    log.warning(
        "contract.mismatch",
        tenant=str(found.tenant or "all"),
        where=found.place,
        value=found.value,
        message=found.message,
    )


def _retention_loop(bridge: Bridge, drop_month: DropMonth | None) -> Loop:
    keeping = RetentionService(bridge.retention(drop_month), bridge.registry.ensure_partitions, _kept_for_longer)
    return Loop("retention", keeping.run_once, KEEPING_REST, patience=2 * KEEPING_REST)


def _kept_for_longer(months: Sequence[date]) -> None:
    log.warning(
        "ledger.months_kept",
        months=[month.strftime("%Y-%m") for month in months],
        message="only the migrator drops them: set C360_MIGRATOR_PASSWORD, or run c360 db prune",
    )


def _publish_loops(bridge: Bridge) -> Iterator[Loop]:
    settings, events = bridge.settings, OutgoingEvents(bridge.database)
    relay = EventRelay(events, RabbitEventPublisher(settings), PUBLISH_LEASE)
    yield Loop("publish", relay.run_once, max(settings.c360_poll_seconds, PUBLISH_REST), relay.close)
    retention = EventRetention(events, timedelta(days=settings.c360_event_days))
    yield Loop("publish retention", retention.run_once, RETENTION_REST)


def _event_loop(bridge: Bridge) -> Loop:
    instance = bridge.settings.odoo_instance
    events = RabbitAppEvents(bridge.settings, _bad_message(bridge))

    def on_unknown(key: RecordKey) -> None:
        log.warning("event.ignored", tenant=str(key.tenant), entity=key.entity.value, record_id=str(key.record_id))
        message = f"an event of the app names {key}, but that tenant has no such row; nothing was read or written"
        problem = errors.RejectedError("no_such_row", message, "id", str(key.record_id))
        park_message(bridge.database, instance, key.tenant, problem)

    listener = EventListener(events, Rows(bridge.database, instance), bridge.outbox, on_unknown, HINT_WAIT)
    return Loop("events", listener.run_once, 0, events.close)


def _bad_message(bridge: Bridge) -> Callable[[errors.RejectedError, bytes], None]:
    def park(error: errors.RejectedError, body: bytes) -> None:
        park_message(bridge.database, bridge.settings.odoo_instance, named_tenant(body), error)

    return park
