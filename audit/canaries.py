"""The audit's tenants as the app would send them: one record of each entity, with the tenant's canary in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID, uuid4

from sync_daemon.domain.document import Document, Scalar, TwoWay
from sync_daemon.domain.keys import Entity, RecordKey, Version

MARK = "c360audit"
"""What every name of an audit begins with: the next run finds by it what a killed one left."""

_BOTH = {
    Entity.CLIENT: (
        "name",
        "email",
        "phone",
        "tax_number",
        "street",
        "city",
        "state_province",
        "postal_code",
        "country",
    ),
    Entity.COMMISSION: ("status", "approved_at", "paid_at", "payment_reference"),
}


@dataclass(frozen=True)
class Canary:
    """One tenant of the audit. Shapes: `text` is in the name of each of its records, and nowhere else."""

    tenant: UUID
    text: str

    @property
    def content(self) -> bytes:
        """The bytes of its document."""
        return f"%PDF-1.4 {self.text}".encode()

    @property
    def number(self) -> str:
        """The tax number that its proposed customer shares with a contact in Odoo."""
        return f"{self.text}-TAX"


@dataclass(frozen=True)
class Cage:
    """A tenant's documents in the order in which Odoo applies them, and its document with the content."""

    tenant: Document
    records: tuple[Document, ...]
    paper: Document


def canary(run: str, number: int) -> Canary:
    """A new tenant of a run."""
    return Canary(uuid4(), f"{MARK}-{run}-{number}")


def cage(one: Canary) -> Cage:
    """The tenant's documents."""
    agent, client, twin, registration, commission, paper, issue = (uuid4() for _ in range(7))
    refs = {"client": (Entity.CLIENT, client)}
    of_lead = {"registration": (Entity.REGISTRATION, registration)}
    tenant = {"name": f"Audit {one.text}", "subdomain": one.text, "status": "active"}
    return Cage(
        _document(one, Entity.TENANT, one.tenant, tenant),
        (
            _document(one, Entity.USER, agent, _user(one)),
            _document(one, Entity.CLIENT, client, _client(one, one.text)),
            _document(one, Entity.CLIENT, twin, {**_client(one, f"{one.text} twin"), "tax_number": one.number}),
            _document(one, Entity.REGISTRATION, registration, _registration(one), refs),
            _document(one, Entity.COMMISSION, commission, _commission(), {**of_lead, "agent": (Entity.USER, agent)}),
            _document(one, Entity.ISSUE, issue, _issue(one, registration)),
        ),
        _document(one, Entity.DOCUMENT, paper, _paper(one), {**of_lead, **refs}),
    )


def _document(
    one: Canary,
    entity: Entity,
    record_id: UUID,
    values: Mapping[str, Scalar],
    refs: Mapping[str, tuple[Entity, UUID]] | None = None,
) -> Document:
    both = _BOTH.get(entity, ())
    return Document(
        RecordKey(one.tenant, entity, record_id),
        Version(1, 1),
        {name: value for name, value in values.items() if name not in both},
        {name: TwoWay(value, None) for name, value in values.items() if name in both},
        refs or {},
    )


def _user(one: Canary) -> dict[str, Scalar]:
    return {
        "name": f"{one.text} agent",
        "email": f"{one.text}@agents.example",
        "phone": "",
        "mobile": "",
        "active": True,
    }


def _client(one: Canary, name: str) -> dict[str, Scalar]:
    return {
        "name": name,
        "is_company": False,
        "email": f"{one.text}@mail.example",
        "phone": "+27 21 555 0100",
        "mobile": "",
        "tax_number": "",
        "street": one.text,
        "city": "",
        "state_province": "",
        "postal_code": "",
        "country": "ZA",
        "active": True,
    }


def _registration(one: Canary) -> dict[str, Scalar]:
    empty = ("registration_number", "submitted_at", "approved_at", "rejected_at", "rejection_reason", "reference")
    return {
        "company_name": one.text,
        "contact_name": one.text,
        "email": f"{one.text}@mail.example",
        "phone": "",
        "mobile": "",
        "registration_type": "pty_ltd",
        "jurisdiction": "ZA",
        "status": "submitted",
        "assigned_name": "",
        "assigned_email": "",
        "assigned_user": "",
        "document_count": "1",
        "documents_verified": False,
        "active": True,
        **dict.fromkeys(empty, ""),
    }


def _commission() -> dict[str, Scalar]:
    return {
        "registration_fee": "1000.00",
        "commission_rate": "12.50",
        "commission_amount": "125.00",
        "currency": "ZAR",
        "status": "pending",
        "approved_at": "",
        "paid_at": "",
        "payment_reference": "",
        "approved_by": "",
    }


def _paper(one: Canary) -> dict[str, Scalar]:
    return {
        "file_name": f"{one.text}.pdf",
        "document_type": "id_document",
        "mime_type": "application/pdf",
        "status": "pending",
        "verified_at": "",
        "sha256": hashlib.sha256(one.content).hexdigest(),
        "link": "",
        "note": "",
        "active": True,
    }


def _issue(one: Canary, registration: UUID) -> dict[str, Scalar]:
    return {
        "kind": "dead",
        "direction": "odoo_to_app",
        "record_entity": "registration",
        "record_id": str(registration),
        "field": "",
        "value": "",
        "code": "refused",
        "message": f"{one.text} is an audit, not an issue",
        "attempts": "1",
        "first_at": "2026-01-02 03:04:05",
        "last_at": "2026-01-02 03:04:05",
        "state": "open",
    }
