"""Records of one made-up tenant, for the tests of the domain."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from uuid import UUID, uuid5

from hypothesis import strategies as st

from sync_daemon.domain.contracts import CONTRACTS, columns_of
from sync_daemon.domain.document import Change, Op, Scalar
from sync_daemon.domain.keys import Entity, Lane, RecordKey, Version
from sync_daemon.domain.mapping import Row
from sync_daemon.domain.snapshot import Binding, BindingState, Owed

TENANT = UUID("6b8f9a1e-0f5d-4c53-9d53-6f6f2f3f0a01")
OTHER_TENANT = UUID("c0ffee00-0f5d-4c53-9d53-6f6f2f3f0a02")
SCHEMA = "tenant_agency1"

CANONICAL_TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=40
).map(str.strip)


def key_of(entity: Entity, name: str = "one", tenant: UUID = TENANT) -> RecordKey:
    """Gives the key of a record by a readable name."""
    return RecordKey(tenant, entity, tenant if entity is Entity.TENANT else uuid5(tenant, f"{entity} {name}"))


def owed(key: RecordKey, number: int = 7, attempts: int = 0) -> Owed:
    """Gives the record as owed to Odoo."""
    return Owed(key, SCHEMA, Version(1, number), attempts, Lane.LIVE)


def bound(key: RecordKey, digest: str = "", state: BindingState = BindingState.ACTIVE) -> Binding:
    """Gives the record's binding to Odoo's record 41."""
    return Binding(key, state, CONTRACTS[key.entity].odoo_model, 41, Version(1, 3), digest, Version(0, 0))


def is_plain(text: str) -> bool:
    """Whether a text is one line that can be stored and that a terminal shows as it stands."""
    kinds = {unicodedata.category(letter) for letter in text if letter not in "\u200c\u200d"}
    return not kinds & {"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"}


def row(entity: Entity, **values: object) -> Row:
    """Gives a complete row: the bare minimum that flows, every other column NULL."""
    columns: dict[str, object] = dict.fromkeys(columns_of(entity))
    return {**columns, **_LEAST[entity], **values}


def commission_change(fields: Mapping[str, Scalar], number: int = 5) -> Change:
    """Gives a commission as pulled from Odoo."""
    key = key_of(Entity.COMMISSION)
    return Change(key, Version(1, number), Op.UPSERT, "x_commission", 41, "2026-01-31 10:00:00", "accountant", fields)


_LEAST: Mapping[Entity, Row] = {
    Entity.TENANT: {"name": "Agency One", "subdomain": "agency1", "status": "active"},
    Entity.USER: {"first_name": "Thandi", "last_name": "Nkosi", "email": "thandi@agency1.example", "status": "active"},
    Entity.CLIENT: {"full_name": "Tendai Moyo", "client_type": "individual", "email": "tendai@moyo.example"},
    Entity.REGISTRATION: {
        "company_name": "Moyo Milling (Pty) Ltd",
        "registration_type": "pty_ltd",
        "jurisdiction": "ZW",
        "status": "submitted",
        "client_id": str(key_of(Entity.CLIENT).record_id),
        "form_data": {},
    },
    Entity.COMMISSION: {
        "registration_fee": "1500.00",
        "commission_rate": "12.50",
        "commission_amount": "187.50",
        "currency": "ZAR",
        "status": "pending",
        "registration_id": str(key_of(Entity.REGISTRATION).record_id),
        "agent_id": str(key_of(Entity.USER).record_id),
    },
    Entity.DOCUMENT: {
        "file_name": "ID copy.pdf",
        "status": "pending",
        "storage_path": "one/ID copy.pdf",
        "registration_id": str(key_of(Entity.REGISTRATION).record_id),
    },
    Entity.ISSUE: {
        "kind": "dead",
        "direction": "app_to_odoo",
        "entity": "registration",
        "record_id": str(key_of(Entity.REGISTRATION).record_id),
        "code": "unknown_value",
        "message": "status has the unknown value on_hold",
        "state": "open",
    },
}
