"""Documents and answers in their wire form. Source: docs/wire.md."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from sync_daemon.domain.codec import printable
from sync_daemon.domain.contracts.commission import PAYMENT_DISCREPANCIES
from sync_daemon.domain.document import (
    NOTHING_SEEN,
    Change,
    Document,
    FieldProblem,
    Op,
    Result,
    Scalar,
    Sent,
    Status,
    TwoWay,
    Verdict,
)
from sync_daemon.domain.drift import Content, Difference
from sync_daemon.domain.hint import record_key
from sync_daemon.domain.keys import Entity, RecordKey, Version
from sync_daemon.domain.operations.adoption import Candidate, Finding, Half, Sought
from sync_daemon.domain.operations.books import Bill, Discrepancy, OdooEntry
from sync_daemon.domain.operations.contract_check import Mismatch, OdooField, OdooFields
from sync_daemon.domain.operations.erasure import KeptInOdoo, OdooErasure
from sync_daemon.domain.operations.user_links import OdooUser
from sync_daemon.domain.snapshot import BindingState
from sync_daemon.errors import RejectedError
from sync_daemon.ports import Claimed, Holdings, OdooBacklog, OdooBinding, OdooInfo, Pulled, Pulse, RecordDigest

PROTOCOL = "3"

_T = TypeVar("_T")

# Everything outside the Char production of XML 1.0, section 2.2, and the carriage return, which arrives as a line feed.
_FORBIDDEN = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


_AMOUNT = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")


class MalformedError(Exception):
    """An answer that does not follow the contract; the text says where."""


def document(value: Document) -> dict[str, object]:
    """One document. Raises RejectedError naming the record and the field that cannot cross."""
    try:
        fields = {name: _sendable(name, scalar) for name, scalar in value.fields.items()}
        two_way = {name: _two_way(name, pair) for name, pair in value.two_way.items()}
        offers = {name: {"value": _sendable(name, scalar), "offer": True} for name, scalar in value.offers.items()}
        initial = {name: _sendable(name, scalar) for name, scalar in value.initial.items()}
        numbers = [_sendable("registration_number", number) for number in value.numbers]
    except RejectedError as error:
        raise RejectedError(error.code, f"{value.key}: {error.message}", error.field, error.value) from None
    return {
        **key(value.key),
        "version": str(value.version),
        "digest": value.digest,
        "fields": fields,
        "two_way": {**two_way, **offers},
        "refs": {
            role: {"entity": str(entity), "record_id": str(record_id)}
            for role, (entity, record_id) in value.refs.items()
        },
        **({"last_seen_version": str(value.last_seen_version)} if value.last_seen_version > NOTHING_SEEN else {}),
        **({"initial": initial} if initial else {}),
        **({"numbers": numbers} if numbers else {}),
        **({"live": True} if value.is_live else {}),
    }


def as_text(value: object) -> str:
    """A batch or a list as the one text that crosses.

    Raises: RejectedError for what no JSON carries, and for half a character, which no transport encodes.
    """
    try:
        shown = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        shown.encode()
    except (TypeError, ValueError) as error:
        raise RejectedError("not_transferable", f"JSON cannot carry this: {error}"[:300]) from None
    return shown


def from_text(answer: object) -> object:
    """What the JSON text of an answer says."""
    if not isinstance(answer, str):
        raise MalformedError("the answer is not JSON text")
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        raise MalformedError("the answer is not JSON text") from None


def key(value: RecordKey) -> dict[str, object]:
    """A record's key on the wire."""
    return {"tenant": str(value.tenant), "entity": str(value.entity), "record_id": str(value.record_id)}


def verdict(value: Verdict) -> dict[str, object]:
    """One verdict; its message escapes characters that cannot cross."""
    return {
        **key(value.key),
        "version": str(value.version),
        "verdict": str(value.ruling),
        "message": _FORBIDDEN.sub(lambda found: f"U+{ord(found.group()):04X}", value.message),
    }


def info(answer: object) -> OdooInfo:
    """The answer to ping."""
    fields = _dict(answer, "the answer")
    expires = _text(fields, "key_expires")
    return OdooInfo(
        protocol=_text(fields, "protocol"),
        addon=_text(fields, "addon"),
        addon_on_disk=_text(fields, "addon_on_disk"),
        odoo=_text(fields, "odoo"),
        instance_uuid=_text(fields, "instance_uuid"),
        epoch=_number(fields, "epoch"),
        newest=_number(fields, "newest"),
        database=_text(fields, "database"),
        user=_text(fields, "user"),
        key_expires=_instant(expires, "key_expires") if expires else None,
    )


def results(answer: object, documents: Sequence[Document]) -> list[Result]:
    """The answer to apply_batch: one result per document, same order."""
    rows = _list(_dict(answer, "the answer"), "results")
    if len(rows) != len(documents):
        raise MalformedError(f"{len(rows)} results for {len(documents)} documents")
    found = [_result(row) for row in rows]
    for one, asked in zip(found, documents, strict=True):
        if one.key != asked.key:
            raise MalformedError(f"a result for {one.key} came instead of one for {asked.key}")
    return found


def pulled(answer: object) -> Pulled:
    """The answer to pull_changes."""
    fields = _dict(answer, "the answer")
    changes = tuple(_change(row) for row in _list(fields, "changes"))
    beat = _text(fields, "beat", "")
    return Pulled(_number(fields, "epoch"), changes, _flag(fields, "more"), int(beat) if beat.isdecimal() else 0)


def count(answer: object, name: str) -> int:
    """A count in an answer."""
    return _number(_dict(answer, "the answer"), name)


def pulse(answer: object) -> Pulse:
    """The answer to heartbeat."""
    fields = _dict(answer, "the answer")
    unserved = tuple(_parsed("unserved", UUID, str(tenant)) for tenant in _list(fields, "unserved"))
    return Pulse(unserved, tuple(str(name) for name in _list(fields, "missing")))


def epochs(answer: object) -> tuple[int, int]:
    """The answer to epochs."""
    fields = _dict(answer, "the answer")
    return _number(fields, "epoch"), _number(fields, "applied")


def claimed(answer: object) -> Claimed:
    """The answer to claim."""
    fields = _dict(answer, "the answer")
    at = _text(fields, "at")
    seen = _instant(at, "at") if at else None
    return Claimed(_flag(fields, "held"), _number(fields, "number"), _text(fields, "holder"), seen)


def backlog(answer: object) -> dict[UUID, OdooBacklog]:
    """The answer to backlog."""
    tenants = _dict(_dict(answer, "the answer").get("tenants"), "tenants")
    return {_parsed("tenant", UUID, tenant): _tenant_backlog(row) for tenant, row in tenants.items()}


def causes(answer: object) -> dict[UUID, dict[str, int]]:
    """The answer to causes."""
    tenants = _dict(_dict(answer, "the answer").get("tenants"), "tenants")
    return {
        _parsed("tenant", UUID, tenant): {
            _text(row, "cause"): _number(row, "records")
            for row in (_dict(row, "a cause") for row in _list(tenants, tenant))
        }
        for tenant in tenants
    }


def setup(answer: object) -> list[Mismatch]:
    """The answer to check_setup."""
    return [_misfit(_dict(row, "a finding")) for row in _list(_dict(answer, "the answer"), "findings")]


def _misfit(fields: Mapping[str, object]) -> Mismatch:
    place, value, message, code, advice = (
        _text(fields, name) for name in ("place", "value", "message", "code", "advice")
    )
    return Mismatch(_parsed("tenant", UUID, _text(fields, "tenant")), place, value, message, (), code, advice)


def bound(answer: object) -> OdooBinding:
    """The answer to show_binding."""
    fields = _dict(answer, "the answer")
    texts = {name: _text(fields, name) for name in ("state", "model", "res_id", "version", "synced_at", "name")}
    return OdooBinding(**texts, opted_out=_flag(fields, "opted_out"))


def relinked(answer: object) -> tuple[str, int, str]:
    """The answer to relink_binding: model, id, refusal."""
    fields = _dict(answer, "the answer")
    res_id = _number(fields, "res_id") if _text(fields, "res_id", "") else 0
    return _text(fields, "model", ""), res_id, _text(fields, "refused")


def refusal(answer: object) -> str:
    """Why something was refused; empty if it was done."""
    return _text(_dict(answer, "the answer"), "refused")


def purged(answer: object) -> tuple[int, str]:
    """The number of removed records, or why none was removed."""
    return count(answer, "removed"), refusal(answer)


def erased(answer: object) -> OdooErasure:
    """The answer to erase_client."""
    fields = _dict(answer, "the answer")
    counts = _dict(fields.get("counts"), "counts")
    return OdooErasure(
        _text(fields, "refused"),
        _text(fields, "customer"),
        {kind: _number(counts, kind) for kind in counts},
        tuple(_kept(_dict(row, "what was kept")) for row in _list(fields, "kept")),
        frozenset(_record_key(_dict(row, "a record")) for row in _list(fields, "records")),
    )


def _kept(fields: Mapping[str, object]) -> KeptInOdoo:
    ids = tuple(_parsed("ids", int, str(one)) for one in _list(fields, "ids"))
    return KeptInOdoo(_text(fields, "model"), _number(fields, "records"), ids)


def _record_key(fields: Mapping[str, object]) -> RecordKey:
    return RecordKey(
        _parsed("tenant", UUID, _text(fields, "tenant")),
        _parsed("entity", Entity, _text(fields, "entity")),
        _parsed("record_id", UUID, _text(fields, "record_id")),
    )


def erasures(answer: object) -> dict[UUID, frozenset[RecordKey]]:
    """The answer to erasures."""
    found = _dict(_dict(answer, "the answer").get("erasures"), "erasures")
    return {
        _parsed("erasure", UUID, erasure): frozenset(
            _record_key(_dict(row, "a record")) for row in _list(found, erasure)
        )
        for erasure in found
    }


def digests(answer: object) -> tuple[list[RecordDigest], bool]:
    """The answer to digests."""
    fields = _dict(answer, "the answer")
    return [_digest(row) for row in _list(fields, "digests")], _flag(fields, "more")


def contents(answer: object) -> dict[UUID, Content]:
    """The answer to show_values."""
    rows = _list(_dict(answer, "the answer"), "values")
    return dict(_record_values(_dict(row, "a record's values")) for row in rows)


def _record_values(fields: Mapping[str, object]) -> tuple[UUID, Content]:
    refs = {role: _named(role, name) for role, name in _dict(fields.get("refs"), "refs").items()}
    record_id = _parsed("record_id", UUID, _text(fields, "record_id"))
    return record_id, Content(_scalars(fields, "fields"), refs)


def _named(role: str, name: object) -> tuple[Entity, UUID]:
    entity, _, record_id = str(name).partition(":")
    return _parsed(role, Entity, entity), _parsed(role, UUID, record_id)


def described(answer: object) -> OdooFields:
    """The answer to describe_fields."""
    fields = _dict(answer, "the answer")
    entities = _dict(fields.get("entities"), "entities")
    tenants = _dict(fields.get("tenants"), "tenants")
    return OdooFields(
        {_parsed("entity", Entity, name): _odoo_fields(rows, name) for name, rows in entities.items()},
        {_parsed("tenant", UUID, name): _odoo_fields(rows, name) for name, rows in tenants.items()},
        {
            _parsed("entity", Entity, name): _odoo_fields(rows, name)
            for name, rows in _dict(fields.get("required"), "required").items()
        },
    )


def _odoo_fields(rows: object, name: str) -> dict[str, OdooField]:
    return {field: _odoo_field(_dict(row, field)) for field, row in _dict(rows, name).items()}


def _odoo_field(row: Mapping[str, object]) -> OdooField:
    values = _list(row, "values")
    if not all(isinstance(value, str) for value in values):
        raise MalformedError("values contains something other than text")
    texts = {name: _text(row, name) for name in ("model", "field", "type")}
    return OdooField(**texts, required=_flag(row, "required"), values=tuple(map(str, values)))


def holdings(answer: object) -> Holdings:
    """The answer to holdings."""
    fields = _dict(answer, "the answer")
    entities = _dict(fields.get("entities"), "entities")
    former = frozenset(str(uuid) for uuid in _list(fields, "former"))
    return Holdings({entity: _number(entities, entity) for entity in entities}, former)


def sought(value: Sought) -> dict[str, object]:
    """A record to look for in Odoo; numbers with characters that cannot cross recognise nothing."""
    numbers = [number for number in value.numbers if not _FORBIDDEN.search(number)]
    texts = {
        "registration": str(value.registration or ""),
        "client": str(value.client or ""),
        "sha256": value.sha256,
        "name": _FORBIDDEN.sub("", value.name),
    }
    return {
        "record_id": str(value.record_id),
        **({"numbers": numbers} if numbers else {}),
        **({"is_shared": True} if value.is_shared else {}),
        **{name: text for name, text in texts.items() if text},
    }


def halves(answer: object, asked: Sequence[Sought]) -> list[Half]:
    """The answer to adopt_records: one finding per record, same order."""
    found = [_half(row) for row in _list(_dict(answer, "the answer"), "records")]
    if [half.record_id for half in found] != [one.record_id for one in asked]:
        raise MalformedError(f"{len(found)} findings that are not those of the {len(asked)} records asked for")
    return found


def _half(answer: object) -> Half:
    row = _dict(answer, "a finding")
    state = _text(row, "state", "")
    return Half(
        _parsed("record_id", UUID, _text(row, "record_id")),
        _parsed("verdict", Finding, _text(row, "verdict")),
        _text(row, "by", ""),
        _parsed("state", BindingState, state) if state else None,
        _text(row, "model", ""),
        _number(row, "res_id") if "res_id" in row else 0,
        tuple(_candidate(item) for item in (_list(row, "candidates") if "candidates" in row else ())),
    )


def _candidate(answer: object) -> Candidate:
    row = _dict(answer, "a candidate")
    return Candidate(_text(row, "model"), _number(row, "res_id"), _text(row, "name"), _text(row, "reason"))


def range_digests(answer: object, count: int) -> list[str]:
    """The answer to known_ranges and digest_ranges: one digest per range that was asked for."""
    found = _list(_dict(answer, "the answer"), "digests")
    if len(found) != count or not all(isinstance(digest, str) for digest in found):
        raise MalformedError(f"{len(found)} digests for {count} ranges")
    return [str(digest) for digest in found]


def commission_books(answer: object) -> tuple[list[tuple[UUID, OdooEntry]], bool]:
    """The answer to commission_books."""
    fields = _dict(answer, "the answer")
    return [_book_row(row) for row in _list(fields, "rows")], _flag(fields, "more")


def internal_users(answer: object) -> tuple[list[OdooUser], bool]:
    """The answer to internal_users."""
    fields = _dict(answer, "the answer")
    return [_odoo_user(row) for row in _list(fields, "users")], _flag(fields, "more")


def _odoo_user(row: object) -> OdooUser:
    fields = _dict(row, "a user")
    return OdooUser(_number(fields, "id"), *(_text(fields, name) for name in ("login", "name", "email")))


def _book_row(row: object) -> tuple[UUID, OdooEntry]:
    fields = _dict(row, "a commission")
    bill = None
    if name := _text(fields, "bill", ""):
        bill = Bill(name, _text(fields, "billed_currency"), _amount(fields, "billed"))
    entry = OdooEntry(
        _text(fields, "currency"),
        _text(fields, "state"),
        _amount(fields, "amount"),
        bill,
        _amounts(fields, "paid"),
        _book_discrepancy(fields),
    )
    return _parsed("record_id", UUID, _text(fields, "record_id")), entry


def _amounts(fields: Mapping[str, object], name: str) -> dict[str, Decimal]:
    sums = _dict(fields.get(name, {}), name)
    return {currency: _amount(sums, currency) for currency in sums}


def _book_discrepancy(fields: Mapping[str, object]) -> Discrepancy | None:
    code = _text(fields, "payment_discrepancy", "")
    if code and code not in PAYMENT_DISCREPANCIES:
        raise MalformedError(f"payment_discrepancy is an unknown word: {printable(code)}")
    return Discrepancy(code, _text(fields, "payment_discrepancy_about", "")) if code else None


def _amount(fields: Mapping[str, object], name: str) -> Decimal:
    text = _text(fields, name)
    if not _AMOUNT.fullmatch(text):
        raise MalformedError(f"{name} is not an amount: {printable(text)}")
    return Decimal(text)


def _two_way(name: str, pair: TwoWay) -> dict[str, Scalar]:
    wire = {"value": _sendable(name, pair.value)}
    if pair.base is not None:
        wire["base"] = _sendable(name, pair.base)
    return wire


def _sendable(name: str, value: object) -> Scalar:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        shown = printable(value)
        raise RejectedError("no_text", f"{name} is neither text nor a boolean: {shown}", name, shown)
    if found := _FORBIDDEN.search(value):
        shown = printable(value)
        message = f"{name} holds the character U+{ord(found.group()):04X}, which cannot be sent: {shown}"
        raise RejectedError("forbidden_character", message, name, shown)
    return value


def _result(row: object) -> Result:
    fields = _dict(row, "a result")
    return Result(
        key=_key(fields),
        version=_parsed("version", Version.parse, _text(fields, "version")),
        status=_parsed("status", Status, _text(fields, "status")),
        model=_text(fields, "model", ""),
        res_id=_number(fields, "res_id") if _text(fields, "res_id", "") else 0,
        code=_text(fields, "code", ""),
        message=_text(fields, "message", ""),
        field=_text(fields, "field", ""),
        value=_text(fields, "value", ""),
        skipped=tuple(_problem(problem) for problem in _list(fields, "skipped", ())),
        diverged=_scalars(fields, "diverged"),
        normalised=_scalars(fields, "normalised"),
        replaced=_scalars(fields, "replaced"),
    )


def _problem(row: object) -> FieldProblem:
    fields = _dict(row, "a skipped field")
    return FieldProblem(*(_text(fields, name) for name in ("field", "value", "code", "message")))


def _change(row: object) -> Change:
    fields = _dict(row, "a change")
    if at := _text(fields, "at", ""):
        _instant(at, "at")
    return Change(
        key=_key(fields),
        version=_parsed("version", Version.parse, _text(fields, "version")),
        op=_parsed("op", Op, _text(fields, "op")),
        model=_text(fields, "model", ""),
        res_id=_number(fields, "res_id") if _text(fields, "res_id", "") else 0,
        at=at,
        by=_text(fields, "by", ""),
        fields=_scalars(fields, "fields"),
        sent={name: _sent(name, pair) for name, pair in _dict(fields.get("sent", {}), "sent").items()},
    )


def _sent(name: str, row: object) -> Sent:
    fields = _dict(row, f"sent.{name}")
    scalars = dict(_checked_scalars({key: fields.get(key) for key in ("base", "value")}, f"sent.{name}"))
    return Sent(scalars["base"], scalars["value"], _parsed("version", Version.parse, _text(fields, "version")))


def _tenant_backlog(row: object) -> OdooBacklog:
    fields = _dict(row, "a backlog")
    oldest = _text(fields, "oldest")
    return OdooBacklog(
        _number(fields, "owed"), _number(fields, "parked"), _instant(oldest, "oldest") if oldest else None
    )


def _digest(row: object) -> RecordDigest:
    fields = _dict(row, "a digest")
    return RecordDigest(
        record_id=_parsed("record_id", UUID, _text(fields, "record_id")),
        version=_text(fields, "version"),
        digest=_text(fields, "digest"),
        state=_text(fields, "state"),
        opted_out=_flag(fields, "opted_out"),
        waiting=_flag(fields, "waiting"),
        twins=tuple(_parsed("twins", int, str(twin)) for twin in _list(fields, "twins")),
        deviations=tuple(_deviation(row) for row in _list(fields, "deviations", ())),
    )


def _deviation(row: object) -> Difference:
    fields = _dict(row, "a deviation")
    return Difference(_text(fields, "field"), _text(fields, "expected"), _text(fields, "value"))


def _key(fields: Mapping[str, object]) -> RecordKey:
    try:
        return record_key(*(_text(fields, name) for name in ("tenant", "entity", "record_id")))
    except RejectedError as error:
        raise MalformedError(error.message) from None


def _dict(value: object, what: str) -> Mapping[str, object]:
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise MalformedError(f"{what} is not an object")
    return value


def _list(fields: Mapping[str, object], name: str, default: Sequence[object] | None = None) -> Sequence[object]:
    value = fields.get(name, default)
    if not isinstance(value, list | tuple):
        raise MalformedError(f"{name} is not a list")
    return value


def _text(fields: Mapping[str, object], name: str, default: str | None = None) -> str:
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise MalformedError(f"{name} is not text")
    return value


def _flag(fields: Mapping[str, object], name: str) -> bool:
    value = fields.get(name)
    if not isinstance(value, bool):
        raise MalformedError(f"{name} is not a boolean")
    return value


def _number(fields: Mapping[str, object], name: str) -> int:
    return _parsed(name, int, _text(fields, name))


def _scalars(fields: Mapping[str, object], name: str) -> dict[str, Scalar]:
    values = _dict(fields.get(name, {}), name)
    return dict(_checked_scalars(values, name))


def _checked_scalars(values: Mapping[str, object], name: str) -> Iterator[tuple[str, Scalar]]:
    for field, value in values.items():
        if not isinstance(value, str | bool):
            raise MalformedError(f"{name}.{field} is neither text nor a boolean")
        yield field, value


def _instant(text: str, name: str) -> datetime:
    return _parsed(name, datetime.fromisoformat, text).replace(tzinfo=UTC)


def _parsed(name: str, read: Callable[[str], _T], text: str) -> _T:
    try:
        return read(text)
    except ValueError:
        raise MalformedError(f"{name} has the unreadable value {printable(text)}") from None
