"""The demo's rows: the same on every run, so that loading twice adds nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from uuid import UUID, uuid5

from demo import names

NAMESPACE = UUID("6f1c6a52-0d2b-5b8e-9a57-3c4d8f0e7c11")

TYPES = ("pty_ltd", "close_corporation", "business_name", "vat_registration")
STATUSES = ("approved", "submitted", "in_review", "approved", "rejected", "draft", "approved", "cancelled")
JURISDICTIONS = ("ZA", "ZW")
DOCUMENTS = (
    ("id_document", "ID copy.pdf", "application/pdf"),
    ("proof_of_address", "Rates account – Mai 2026.pdf", "application/pdf"),
    ("company_documents", 'MOI "final" v2.doc', "application/msword"),
    ("bank_statement", "statement.pdf", "application/pdf"),
    ("tax_clearance", "tax clearance 📄.png", "image/png"),
    ("cipc_documents", "CoR 14.3.pdf", "application/pdf"),
)
FEES = {
    "ZAR": (Decimal("1250.00"), Decimal("3499.99"), Decimal("175.50"), Decimal("8750.00"), Decimal("100.70")),
    "USD": (Decimal("95.00"), Decimal("240.50"), Decimal("1.15"), Decimal("1120.00"), Decimal("310.25")),
    "ZWL": (Decimal("1850000.00"), Decimal("99999999.99"), Decimal("412750.35"), Decimal("0.01"), Decimal("64000.00")),
}
RATES = (Decimal("10.00"), Decimal("12.50"), Decimal("7.75"), Decimal("15.00"), Decimal("33.33"), Decimal("100.00"))
COMMISSION_STATUSES = ("pending", "pending", "pending", "approved", "pending", "paid", "pending", "cancelled")
EPOCH = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)

Row = Mapping[str, object]


@dataclass(frozen=True)
class Agency:
    """One demo tenant; `currencies` are used in turn for its commissions."""

    subdomain: str
    name: str
    country: str
    registrations: int
    clients: int
    agents: int
    currencies: Sequence[str]
    first_unusual: int


AGENCIES = (
    Agency("ubuntu", "Ubuntu Company Registrations", "ZA", 204, 150, 7, ("ZAR", "ZAR", "USD"), 0),
    Agency("zambezi", "Zambezi Corporate Services", "ZW", 138, 100, 5, ("USD", "ZWL", "ZAR"), 7),
)


def identity(agency: Agency, kind: str, number: int) -> UUID:
    """The id of the agency's nth record of a kind, the same on every installation."""
    return uuid5(NAMESPACE, f"{agency.subdomain}/{kind}/{number}")


def tables(agency: Agency, tenant: UUID) -> dict[str, list[Row]]:
    """All rows of one agency by table, parents before children."""
    registrations = list(_registrations(agency, tenant))
    return {
        "users": list(_users(agency, tenant)),
        "user_roles": list(_user_roles(agency)),
        "clients": list(_clients(agency, tenant)),
        "registrations": registrations,
        "documents": list(_documents(agency, tenant, registrations)),
        "commissions": list(_commissions(agency, tenant, registrations)),
    }


def to_approve(agency: Agency) -> list[UUID]:
    """The pending commissions that the demo's accountant approves; `to_pay` names those that are also paid."""
    return [row for number, row in enumerate(_pending(agency)) if number % 3 != 2]


def to_pay(agency: Agency) -> list[UUID]:
    """The commissions that the demo's accountant approves and pays."""
    return [row for number, row in enumerate(_pending(agency)) if number % 3 == 0]


def _pending(agency: Agency) -> list[UUID]:
    nobody = UUID(int=0)
    rows = _commissions(agency, nobody, list(_registrations(agency, nobody)))
    return [UUID(str(row["id"])) for row in rows if row["status"] == "pending"]


def amount(fee: Decimal, rate: Decimal) -> Decimal:
    """The commission as the app computes it: in binary floating point, rounded half up to cents.

    Source: contract/app-database.md; 1.15 at 10 % gives 0.11 or 0.12 depending on how one rounds.
    """
    cents = math.floor(float(fee) * float(rate) / 100 * 100 + 0.5)
    return Decimal(cents).scaleb(-2)


def _users(agency: Agency, tenant: UUID) -> Iterator[Row]:
    for number in range(agency.agents + 2):
        first, last = _person(agency, 40 + number)
        yield {
            "id": identity(agency, "user", number),
            "tenant_id": tenant,
            "email": f"{_ascii(first)}.{_ascii(last)}@{agency.subdomain}.example",
            "first_name": first,
            "last_name": last,
            "phone": _phone(agency.country, 7000 + number),
            "mobile": _phone(agency.country, 8000 + number) if number % 2 else None,
            "status": "locked" if number == agency.agents - 1 else "active",
            "email_verified": True,
            "created_at": EPOCH,
        }


def _user_roles(agency: Agency) -> Iterator[Row]:
    admin = identity(agency, "user", agency.agents)
    roles = ["agent"] * agency.agents + ["tenant_admin", "agent_assistant"]
    for number, role in enumerate(roles):
        yield {
            "id": identity(agency, "role", number),
            "user_id": identity(agency, "user", number),
            "role": role,
            "granted_by": admin,
            "granted_at": EPOCH,
        }


def _clients(agency: Agency, tenant: UUID) -> Iterator[Row]:
    for number in range(agency.clients):
        yield {
            "id": identity(agency, "client", number),
            "tenant_id": tenant,
            **_client_name(agency, number),
            **_client_contact(agency, number),
            "status": "inactive" if number % 17 == 16 else "active",
            "created_at": EPOCH + timedelta(hours=7 * number),
        }


def _client_name(agency: Agency, number: int) -> Row:
    first, last = _person(agency, number)
    is_company = number % 3 == 1
    full_name = f"{first} {last}"
    if number % 11 == 5:
        full_name = names.UNUSUAL_PEOPLE[(number // 11 + agency.first_unusual) % len(names.UNUSUAL_PEOPLE)]
    if number == 20:
        full_name = names.of_length(full_name, 255)
    return {
        "client_type": "company" if is_company else "individual",
        "full_name": full_name,
        "company_name": _company(agency, number + 500, "pty_ltd", agency.country) if is_company else None,
        "id_number": _national_id(agency.country, number),
        "passport_number": f"A{4_500_000 + 37 * number:08d}" if number % 9 == 4 else None,
        "tax_number": f"{9_000_000_000 + 7_919 * number}" if number % 2 else None,
    }


def _client_contact(agency: Agency, number: int) -> Row:
    first, last = _person(agency, number)
    place = number % len(names.PLACES[agency.country])
    email = f"{_ascii(first)}.{_ascii(last)}{number}@mail.example"
    if number == 21:
        email = f"{'long.' * 12}name@{'.'.join(['subdomain' * 6] * 3)}.{'z' * 17}.example"
    return {
        "email": email,
        "phone": _phone(agency.country, number) if number % 5 else None,
        "mobile": _phone(agency.country, 3000 + number) if number % 4 != 3 else None,
        "street_address": f"{3 + number} {names.STREETS[number % len(names.STREETS)]}"
        + (f'\nUnit {number % 30 + 1}, "The Arches"' if number % 6 == 0 else ""),
        "city": names.PLACES[agency.country][place],
        "state_province": names.PROVINCES[agency.country][place],
        "postal_code": f"{2000 + 13 * number % 7000:04d}" if agency.country == "ZA" else None,
        "country": agency.country,
    }


def _registrations(agency: Agency, tenant: UUID) -> Iterator[Row]:
    kinds = list(product(JURISDICTIONS, TYPES))
    for number in range(agency.registrations):
        jurisdiction, kind = kinds[number % len(kinds)]
        # a step of one more after every full round lets every status meet every type and jurisdiction
        status = STATUSES[(number + number // len(kinds)) % len(STATUSES)]
        yield {
            "id": identity(agency, "registration", number),
            "tenant_id": tenant,
            "client_id": identity(agency, "client", number * 7 % agency.clients),
            "registration_type": kind,
            "company_name": _company(agency, number, kind, jurisdiction),
            "jurisdiction": jurisdiction,
            "status": status,
            **_progress(agency, number, status, jurisdiction),
            "form_data": {"directors": [" ".join(_person(agency, number + step)) for step in range(1, 3)]},
        }


def _progress(agency: Agency, number: int, status: str, jurisdiction: str) -> Row:
    created = EPOCH + timedelta(hours=19 * number, minutes=11 * number % 60)
    submitted = created + timedelta(days=1, minutes=number)
    decided = submitted + timedelta(days=3 + number % 9, seconds=number)
    reference = f"{9_400_000_000 + 104_729 * number}"
    return {
        "created_at": created,
        "submitted_at": None if status == "draft" else submitted,
        "approved_at": decided if status == "approved" else None,
        "rejected_at": decided if status == "rejected" else None,
        "rejection_reason": _reason(number) if status == "rejected" else None,
        "registration_number": _registration_number(number, jurisdiction) if status == "approved" else None,
        "cipc_reference": reference if jurisdiction == "ZA" and status != "draft" else None,
        "dcip_reference": f"DCIP/{reference}" if jurisdiction == "ZW" and status != "draft" else None,
        "assigned_to": identity(agency, "user", number % agency.agents) if number % 5 != 4 else None,
    }


def _reason(number: int) -> str:
    reason = names.REJECTION_REASONS[number % len(names.REJECTION_REASONS)]
    return names.of_length(reason, 4_000) if number % 29 == 0 else reason


def _documents(agency: Agency, tenant: UUID, registrations: Sequence[Row]) -> Iterator[Row]:
    number = 0
    for registration in registrations:
        for _ in range(0 if registration["status"] == "draft" else 1 + number % 3):
            kind, file_name, mime_type = DOCUMENTS[number % len(DOCUMENTS)]
            yield {
                "id": identity(agency, "document", number),
                "tenant_id": tenant,
                "registration_id": registration["id"],
                "client_id": registration["client_id"],
                "uploaded_by": identity(agency, "user", number % agency.agents),
                "document_type": kind,
                "file_name": file_name if number else names.of_length("annexure", 251) + ".pdf",
                "file_size": 18_000 + 7_013 * number,
                "mime_type": mime_type,
                "storage_path": f"{tenant}/{registration['id']}/{number}",
                "status": "verified" if registration["status"] == "approved" else "pending",
                "created_at": registration["created_at"],
            }
            number += 1


def _commissions(agency: Agency, tenant: UUID, registrations: Sequence[Row]) -> Iterator[Row]:
    earning = [row for row in registrations if row["status"] == "approved"]
    for number, registration in enumerate(earning):
        currency = agency.currencies[number % len(agency.currencies)]
        fee = FEES[currency][number // len(agency.currencies) % len(FEES[currency])]
        rate = RATES[number % len(RATES)]
        status = COMMISSION_STATUSES[number % len(COMMISSION_STATUSES)]
        yield {
            "id": identity(agency, "commission", number),
            "tenant_id": tenant,
            "registration_id": registration["id"],
            "agent_id": identity(agency, "user", number % agency.agents),
            "registration_fee": fee,
            "commission_rate": rate,
            "commission_amount": amount(fee, rate),
            "currency": currency,
            **_payment(number, status, registration),
        }


def _payment(number: int, status: str, registration: Row) -> Row:
    earned = registration["approved_at"]
    assert isinstance(earned, datetime)
    reference = f"EFT {20_260_000 + number} “agent’s share”"
    return {
        "status": status,
        "created_at": earned,
        "approved_at": earned + timedelta(days=2) if status in {"approved", "paid"} else None,
        "paid_at": earned + timedelta(days=9, seconds=number) if status == "paid" else None,
        "payment_reference": reference if status == "paid" else None,
    }


def _person(agency: Agency, number: int) -> tuple[str, str]:
    first, last = names.FIRST_NAMES[agency.country], names.LAST_NAMES[agency.country]
    return first[number % len(first)], last[(number + number // len(last) * 7) % len(last)]


def _company(agency: Agency, number: int, kind: str, jurisdiction: str) -> str:
    if number % 9 == 3:
        return names.UNUSUAL_COMPANIES[(number // 9 + agency.first_unusual) % len(names.UNUSUAL_COMPANIES)]
    suffix = names.SUFFIXES[jurisdiction][kind]
    place = names.PLACES[jurisdiction][number // 3 % len(names.PLACES[jurisdiction])]
    mark = names.MARKS[number % len(names.MARKS)]
    trade = names.TRADES[(number * 3 + number // len(names.TRADES)) % len(names.TRADES)]
    plain = f"{mark} {trade}{suffix}" if number % 2 else f"{place} {mark} {trade}{suffix}"
    return names.of_length(plain, 255) if number == 22 else plain


def _registration_number(number: int, jurisdiction: str) -> str:
    if jurisdiction == "ZA":
        return f"2026/{100_000 + 331 * number:06d}/07"
    return f"{7_000 + 17 * number}/2026"


def _national_id(country: str, number: int) -> str:
    if country == "ZW":
        return f"63-{1_000_000 + 4_211 * number}{'ABCDEFGHJKLMNPQRSTVWXYZ'[number % 23]}{7 + number % 70:02d}"
    born = datetime(1960, 1, 15, tzinfo=UTC) + timedelta(days=131 * number % 15_000)
    digits = f"{born:%y%m%d}{5_000 + 41 * number % 5_000:04d}08"
    return digits + str(_luhn(digits))


def _luhn(digits: str) -> int:
    doubled = (int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return -sum(value - 9 if value > 9 else value for value in doubled) % 10


def _phone(country: str, number: int) -> str:
    if country == "ZA":
        return f"+27 {70 + number % 14} {200 + number % 700:03d} {1000 + 37 * number % 9000:04d}"
    return f"+263 77{number % 9} {100 + number % 800:03d} {100 + 53 * number % 900:03d}"


def _ascii(name: str) -> str:
    kept = (character for character in name.casefold() if character.isascii() and character.isalnum())
    return "".join(kept)
