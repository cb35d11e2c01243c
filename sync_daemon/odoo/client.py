"""The Odoo port over RPC: one call per method, one transaction per call."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Protocol, TypeVar
from uuid import UUID

from sync_daemon.config import Settings
from sync_daemon.domain.document import Document, Result, Verdict
from sync_daemon.domain.drift import Content
from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.domain.operations.adoption import Half, Sought
from sync_daemon.domain.operations.books import OdooEntry
from sync_daemon.domain.operations.claims import Claim
from sync_daemon.domain.operations.contract_check import Mismatch, OdooFields
from sync_daemon.domain.operations.erasure import OdooErasure
from sync_daemon.domain.operations.user_links import OdooUser
from sync_daemon.domain.tenant import Tenant
from sync_daemon.errors import BridgeError, FatalError, RejectedError, TransientError
from sync_daemon.odoo import wire
from sync_daemon.odoo.transports.json2 import Json2
from sync_daemon.odoo.transports.xmlrpc import XmlRpc
from sync_daemon.ports import Claimed, Holdings, OdooBacklog, OdooBinding, OdooInfo, Pulled, Pulse, RecordDigest

MODEL = "comply360.bridge"

# the same whatever language the service user has: a translated text would look like a change
_CONTEXT = {"lang": "en_US", "tz": "UTC"}

VERIFIED_SECONDS = 60.0

_VERIFYING = frozenset({"ping", "claim"})
"""The calls by which Odoo and this database make sure of each other."""

LARGEST_PIECE, USUAL_LIMIT, SMALLEST_PIECE = 4 * 1024 * 1024, 512 * 1024, 16 * 1024
"""Bytes of a content in one call; many proxies take requests of up to 1 MB."""

VerifyInstance = Callable[[], Callable[[OdooInfo], None]]
Observe = Callable[[str, float, str], None]
"""Receives each finished call: method, seconds, `ok` or the kind of error."""

_T = TypeVar("_T")


class Transport(Protocol):
    """Calls one method, once; `newest` asks the route of its own that makes that question cheap."""

    def call(self, method: str, arguments: Mapping[str, object]) -> object: ...

    @property
    def newest(self) -> Callable[[], int]: ...


def _anyone() -> Callable[[OdooInfo], None]:
    return lambda _info: None


class RpcOdoo:
    """One Odoo instance as one app installation sees it; any number of threads may use it.

    Shapes: `verify_instance` is called before a ping, and the function that it returns takes the answer: before the
    first call, every minute and after an outage. It raises FatalError for a stranger. `selftest` flags new tenants.
    """

    def __init__(
        self,
        transport: Transport,
        installation: UUID,
        verify_instance: VerifyInstance = _anyone,
        selftest: bool = False,
        observe: Observe = lambda _method, _seconds, _outcome: None,
    ) -> None:
        self._transport = transport
        self._installation = str(installation)
        self._verify_instance = verify_instance
        self._selftest = selftest
        self._observe = observe
        self._verified_until = 0.0
        self._piece = LARGEST_PIECE

    def ping(self) -> OdooInfo:
        """Who answers."""
        return self._call("ping", {"protocol": wire.PROTOCOL}, wire.info)

    def claim(self, instance: str, claim: Claim, holder: str, renew: bool) -> Claimed:
        """Show the token that this database left in Odoo last; with `renew`, leave the next one."""
        shown = {
            "instance": instance,
            "token": str(claim.token),
            "next": str(claim.following or ""),
            "number": str(claim.number),
            "holder": holder,
            "renew": renew,
            "anyway": renew and claim.is_announced,
        }
        return self._call("claim", {"installation": self._installation, "claim": shown}, wire.claimed)

    def apply_batch(self, run: UUID, documents: Sequence[Document]) -> list[Result]:
        """Apply documents, parents before children.

        Raises: RejectedError naming record and field before anything is sent, if one cannot cross.
        """
        batch = {
            "protocol": wire.PROTOCOL,
            "installation": self._installation,
            "run": str(run),
            "documents": [wire.document(document) for document in documents],
            **({"selftest": True} if self._selftest else {}),
        }
        return self._call(
            "apply_batch",
            {"batch": wire.as_text(batch)},
            lambda answer: wire.results(wire.from_text(answer), documents),
        )

    def put_content(self, key: RecordKey, sha256: str, pieces: Iterator[bytes]) -> None:
        """Upload a content in pieces, in order; this replaces earlier pieces of the same content.

        Where something before Odoo refuses a piece for its size, or breaks off, pieces are smaller from then on.

        Raises: RejectedError `too_big` if even the smallest piece is refused.
        """
        offset = 0
        for piece in pieces:
            while piece:
                part = piece[: self._piece]
                try:
                    self._put_part(key, sha256, offset, part)
                except RejectedError as problem:
                    if problem.code != "too_big" or len(part) <= SMALLEST_PIECE:
                        raise
                    self._piece = max(len(part) // 2, SMALLEST_PIECE)
                    continue
                except TransientError:
                    # a proxy may close the connection without a word; the next upload tries with less
                    self._piece = max(min(self._piece, len(part) // 2), USUAL_LIMIT)
                    raise
                offset += len(part)
                piece = piece[len(part) :]

    def _put_part(self, key: RecordKey, sha256: str, offset: int, part: bytes) -> None:
        arguments = {
            "installation": self._installation,
            "record": wire.key(key),
            "sha256": sha256,
            "offset": str(offset),
            "data": base64.b64encode(part).decode("ascii"),
        }
        received = self._call("put_content", arguments, lambda answer: wire.count(answer, "received"))
        if received != offset + len(part):
            raise TransientError(f"Odoo holds {received} bytes of a content, not {offset + len(part)}")

    def pull_changes(self, limit: int, per_tenant: int) -> Pulled:
        """What changed in Odoo, oldest first; nothing is removed."""
        arguments = {"installation": self._installation, "limit": str(limit), "per_tenant": str(per_tenant)}
        return self._call("pull_changes", arguments, lambda answer: wire.pulled(wire.from_text(answer)))

    def newest(self) -> int:
        """The number of the newest mark that waits in Odoo, 0 without one."""
        return self._observed("newest", self._transport.newest)

    def ack_changes(self, verdicts: Sequence[Verdict]) -> None:
        """Send the verdicts on pulled changes."""
        rows = [wire.verdict(verdict) for verdict in verdicts]
        self._call(
            "ack_changes",
            {"installation": self._installation, "verdicts": wire.as_text(rows)},
            lambda answer: wire.count(answer, "acked"),
        )

    def requeue_changes(self, keys: Sequence[RecordKey]) -> int:
        """Mark bound records, so that Odoo reports them again; returns how many there were."""
        arguments = {"installation": self._installation, "records": [wire.key(key) for key in keys]}
        return self._call("requeue_changes", arguments, lambda answer: wire.count(answer, "requeued"))

    def heartbeat(self, beat: int, tenants: Sequence[UUID]) -> Pulse:
        """Deliver a heartbeat, which the next pull returns."""
        arguments = {
            "installation": self._installation,
            "beat": str(beat),
            "tenants": [str(tenant) for tenant in tenants],
        }
        return self._call("heartbeat", arguments, wire.pulse)

    def epochs(self) -> tuple[int, int]:
        """Odoo's own epoch, and the newest one of the app's that was applied there."""
        return self._call("epochs", {"installation": self._installation}, wire.epochs)

    def raise_epoch(self, beyond: int) -> int:
        """Start an epoch of Odoo's versions that is newer than the present one and than `beyond`."""
        return self._call("raise_epoch", {"beyond": str(beyond)}, lambda answer: wire.count(answer, "epoch"))

    def report_again(self) -> int:
        """Mark every lead, so that Odoo reports it again; returns how many."""
        return self._call(
            "report_again", {"installation": self._installation}, lambda answer: wire.count(answer, "reported")
        )

    def backlog(self) -> Mapping[UUID, OdooBacklog]:
        """What waits in Odoo, by tenant."""
        return self._call("backlog", {"installation": self._installation}, wire.backlog)

    def show_binding(self, key: RecordKey) -> OdooBinding:
        """Odoo's binding of one record."""
        return self._call("show_binding", {"installation": self._installation, "record": wire.key(key)}, wire.bound)

    def relink_binding(self, key: RecordKey, res_id: int) -> tuple[str, int]:
        """Link an app record to another Odoo record. Raises RejectedError with Odoo's sentence if Odoo refuses."""
        arguments = {"installation": self._installation, "record": wire.key(key), "res_id": str(res_id)}
        model, bound, refused = self._call("relink_binding", arguments, wire.relinked)
        if refused:
            raise RejectedError("refused", refused)
        return model, bound

    def rename_binding(self, key: RecordKey, record_id: UUID) -> str:
        """Give a record of the app its new id; returns why Odoo refuses, empty if it is done."""
        arguments = {"installation": self._installation, "record": wire.key(key), "record_id": str(record_id)}
        return self._call("rename_binding", arguments, wire.refusal)

    def forget_binding(self, key: RecordKey) -> None:
        """End a binding whose record is gone. Raises RejectedError with Odoo's sentence if Odoo refuses."""
        if refused := self._call(
            "forget_binding", {"installation": self._installation, "record": wire.key(key)}, wire.refusal
        ):
            raise RejectedError("refused", refused)

    def purge_selftest(self, tenant: UUID) -> int:
        """Remove a selftest tenant and its records; returns how many. Raises RejectedError for any other tenant."""
        arguments = {"installation": self._installation, "tenant": str(tenant)}
        removed, refused = self._call("purge_selftest", arguments, wire.purged)
        if refused:
            raise RejectedError("refused", refused)
        return removed

    def erase_client(self, erasure: UUID, key: RecordKey, records: Sequence[RecordKey], dry_run: bool) -> OdooErasure:
        """Erase a customer with its leads and documents. Raises RejectedError with Odoo's sentence if Odoo refuses."""
        arguments = {
            "installation": self._installation,
            "erasure": str(erasure),
            "client": wire.key(key),
            "records": [wire.key(record) for record in records],
            "dry_run": dry_run,
        }
        found = self._call("erase_client", arguments, wire.erased)
        if found.refused:
            raise RejectedError("refused", found.refused)
        return found

    def erasures(self) -> Mapping[UUID, frozenset[RecordKey]]:
        """The erasures that Odoo carried out, with their records."""
        return self._call("erasures", {"installation": self._installation}, wire.erasures)

    def holdings(self) -> Holdings:
        """What Odoo has of this installation; nothing in a fresh database."""
        return self._call("holdings", {"installation": self._installation}, wire.holdings)

    def adopt_records(self, tenant: Tenant, entity: Entity, sought: Sequence[Sought], dry_run: bool) -> list[Half]:
        """Find the halves of records, one finding each in the same order; bind them unless it is a dry run."""
        arguments = {
            "installation": self._installation,
            "tenant": {"record_id": str(tenant.id), "name": tenant.subdomain},
            "entity": str(entity),
            "records": [wire.sought(one) for one in sought],
            "dry_run": dry_run,
        }
        return self._call("adopt_records", arguments, lambda answer: wire.halves(answer, sought))

    def commission_books(self, tenant: UUID, after: str, limit: int) -> tuple[list[tuple[UUID, OdooEntry]], bool]:
        """One page of a tenant's commissions with what is billed of them."""
        arguments = {"installation": self._installation, "tenant": str(tenant), "after": after, "limit": str(limit)}
        return self._call("commission_books", arguments, wire.commission_books)

    def known_ranges(
        self, tenant: UUID, entity: Entity, bounds: Sequence[str], fields: Collection[str] = ()
    ) -> list[str]:
        """Like `digest_ranges`, from Odoo's stored digests only."""
        return self._ranges("known_ranges", tenant, entity, bounds, fields)

    def digest_ranges(
        self, tenant: UUID, entity: Entity, bounds: Sequence[str], fields: Collection[str] = ()
    ) -> list[str]:
        """One digest per range of ids, of Odoo's present values."""
        return self._ranges("digest_ranges", tenant, entity, bounds, fields)

    def _ranges(
        self, method: str, tenant: UUID, entity: Entity, bounds: Sequence[str], fields: Collection[str]
    ) -> list[str]:
        arguments: dict[str, object] = {
            "installation": self._installation,
            "tenant": str(tenant),
            "entity": str(entity),
            "bounds": list(bounds),
        }
        if fields:
            arguments["fields"] = sorted(fields)
        return self._call(method, arguments, lambda answer: wire.range_digests(answer, len(bounds) - 1))

    def digests(
        self, tenant: UUID, entity: Entity, after: str, limit: int, fields: Collection[str] = ()
    ) -> tuple[list[RecordDigest], bool]:
        """One page of what Odoo holds, in order of id; the flag says whether more follow."""
        arguments: dict[str, object] = {
            "installation": self._installation,
            "tenant": str(tenant),
            "entity": str(entity),
            "after": after,
            "limit": str(limit),
        }
        if fields:
            arguments["fields"] = sorted(fields)
        return self._call("digests", arguments, wire.digests)

    def show_values(
        self, tenant: UUID, entity: Entity, ids: Sequence[UUID], fields: Collection[str] = ()
    ) -> Mapping[UUID, Content]:
        """The present values of these records, as far as Odoo has them."""
        arguments: dict[str, object] = {
            "installation": self._installation,
            "tenant": str(tenant),
            "entity": str(entity),
            "records": [str(record_id) for record_id in ids],
        }
        if fields:
            arguments["fields"] = sorted(fields)
        return self._call("show_values", arguments, wire.contents)

    def describe_fields(self) -> OdooFields:
        """The Odoo fields that documents are written to."""
        return self._call("describe_fields", {"installation": self._installation}, wire.described)

    def check_setup(self, currencies: Mapping[UUID, Mapping[str, int]]) -> list[Mismatch]:
        """What does not fit in Odoo's own settings, for tenants with these currencies."""
        arguments = {
            "installation": self._installation,
            "currencies": {
                str(tenant): {code: str(decimals) for code, decimals in of_tenant.items()}
                for tenant, of_tenant in currencies.items()
            },
        }
        return self._call("check_setup", arguments, wire.setup)

    def causes(self) -> Mapping[UUID, Mapping[str, int]]:
        """Why records wait in Odoo or do not flow."""
        return self._call("causes", {"installation": self._installation}, wire.causes)

    def internal_users(self, after: str, limit: int) -> tuple[list[OdooUser], bool]:
        """One page of Odoo's internal users, in order of id; the flag says whether more follow."""
        return self._call("internal_users", {"after": after, "limit": str(limit)}, wire.internal_users)

    def _verify(self) -> None:
        if time.monotonic() < self._verified_until:
            return
        verify = self._verify_instance()
        info = self.ping()
        if info.protocol != wire.PROTOCOL:
            raise FatalError(
                f"Odoo's addon {info.addon} speaks protocol {info.protocol}, this bridge {wire.PROTOCOL}: "
                "bring both to the same release"
            )
        verify(info)
        self._verified_until = time.monotonic() + VERIFIED_SECONDS

    def _call(self, method: str, arguments: Mapping[str, object], read: Callable[[object], _T]) -> _T:
        if method not in _VERIFYING:
            self._verify()
        answer = self._sent(method, {**arguments, "context": _CONTEXT})
        try:
            return read(answer)
        except wire.MalformedError as error:
            raise TransientError(f"Odoo's answer to {method} does not follow the contract: {error}") from None

    def _sent(self, method: str, arguments: Mapping[str, object]) -> object:
        return self._observed(method, partial(self._transport.call, method, arguments))

    def _observed(self, method: str, call: Callable[[], _T]) -> _T:
        began, outcome = time.monotonic(), "ok"
        try:
            return call()
        except BridgeError as error:
            outcome = type(error).__name__
            if isinstance(error, TransientError):
                # Whoever answers next may have been restored meanwhile.
                self._verified_until = 0.0
            raise
        finally:
            self._observe(method, time.monotonic() - began, outcome)


def open_odoo(
    settings: Settings,
    installation: UUID,
    verify_instance: VerifyInstance = _anyone,
    observe: Observe = lambda _method, _seconds, _outcome: None,
) -> RpcOdoo:
    """The Odoo and the transport that the settings name; nothing is sent yet.

    Raises: ConfigError for an address that must not be used.
    """
    transport: Transport = Json2(settings, MODEL) if settings.odoo_transport == "json2" else XmlRpc(settings, MODEL)
    return RpcOdoo(transport, installation, verify_instance, settings.is_selftest, observe)
