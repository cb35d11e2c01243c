"""What the demo shows: two agencies with twelve registrations, twenty commissions and three failures."""

from datetime import timedelta
from uuid import NAMESPACE_OID, uuid5

from ..mappers import MAPPERS
from ..mappers.document import digest_of

INSTALLATION = str(uuid5(NAMESPACE_OID, "comply360 demo"))
AGENCIES = {"ubuntu": "Ubuntu Company Registrations", "zambezi": "Zambezi Corporate Services"}
AGENTS = {
    "ubuntu": ("Thandiwe Nkosi", "Pieter van der Merwe", "Ayesha Naidoo"),
    "zambezi": ("Tatenda Moyo", "Chipo Dube"),
}
COMPANIES = {
    "ubuntu": (
        ("Karoo Bakery", "pty_ltd", "submitted", "Lerato Mokoena"),
        ("Table Bay Logistics", "pty_ltd", "in_review", "James Botha"),
        ("Protea Textiles", "close_corporation", "approved", "Nomsa Khumalo"),
        ("Highveld Solar", "pty_ltd", "approved", "Sipho Dlamini"),
        ("Blue Crane Books", "business_name", "submitted", "Anna Jacobs"),
        ("Garden Route Tours", "pty_ltd", "rejected", "Mandla Zulu"),
        ("Cedar Mountain Wines", "vat_registration", "in_review", "Ruth Adams"),
    ),
    "zambezi": (
        ("Victoria Falls Crafts", "pty_ltd", "approved", "Rudo Chikwanha"),
        ("Masvingo Granite", "pty_ltd", "approved", "Farai Ncube"),
        ("Baobab Foods", "business_name", "submitted", "Nyasha Sibanda"),
        ("Eastern Highlands Tea", "pty_ltd", "in_review", "Tendai Mutasa"),
        ("Harare Print House", "close_corporation", "cancelled", "Grace Phiri"),
    ),
}
CURRENCIES = {"ubuntu": ("ZAR", "ZAR", "USD"), "zambezi": ("USD", "ZWL", "USD")}
FEES = {"ZAR": (1250, 3500, 1750, 8750), "USD": (95, 240, 310, 1120), "ZWL": (64000, 412750, 1850000)}
STATES = ("pending", "approved", "pending", "paid", "pending", "approved", "cancelled", "pending", "paid", "approved")
FAILURES = (
    ("ubuntu", "registration", 4, "dead", "registration_type", "trust", "unknown_value"),
    ("ubuntu", "registration", 6, "field", "phone", "+27 21 \u0007", "forbidden_character"),
    ("zambezi", "registration", 3, "conflict", "email", "office@baobab.example", "conflict"),
)
MESSAGES = {
    "unknown_value": "registration_type has the unknown value 'trust'",
    "forbidden_character": "phone holds the character U+0007, which Odoo cannot store",
    "conflict": "email was changed in the app and in Odoo",
}


def batches(now):
    """The documents of one call each, parents before children; `now` is when the demo begins."""
    for agency in AGENCIES:
        yield [_tenant(agency)]
        yield [*_agents(agency), *_registrations(agency, now)]
        yield [*_commissions(agency, now), *_failures(agency, now)]


def record_id(agency, entity, number):
    """The uuid of the agency's nth record of a kind."""
    return str(uuid5(NAMESPACE_OID, f"comply360 demo/{agency}/{entity}/{number}"))


def _tenant(agency):
    fields = {"name": AGENCIES[agency], "subdomain": agency, "status": "active"}
    return _document(agency, "tenant", 0, fields)


def _agents(agency):
    for number, name in enumerate(AGENTS[agency]):
        email = f"{name.split()[0].lower()}@{agency}.example"
        fields = {"name": name, "email": email, "phone": "", "mobile": "", "active": True}
        yield _document(agency, "user", number, fields)


def _registrations(agency, now):
    is_south_african = agency == "ubuntu"
    for number, (company, kind, status, contact) in enumerate(COMPANIES[agency]):
        submitted = now - timedelta(days=40 - 3 * number, hours=number)
        decided = (submitted + timedelta(days=6)).strftime("%Y-%m-%d %H:%M:%S")
        fields = {
            "company_name": company,
            "contact_name": contact,
            "email": f"{contact.split()[0].lower()}@{company.split()[0].lower()}.example",
            "phone": f"+27 21 555 01{number:02}" if is_south_african else f"+263 24 255 01{number:02}",
            "mobile": "",
            "registration_type": kind,
            "registration_number": f"{submitted.year}/{410200 + 37 * number}/07",
            "jurisdiction": "ZA" if is_south_african else "ZW",
            "status": status,
            "submitted_at": submitted.strftime("%Y-%m-%d %H:%M:%S"),
            "approved_at": decided if status == "approved" else "",
            "rejected_at": decided if status == "rejected" else "",
            "rejection_reason": "The name is already taken." if status == "rejected" else "",
            "reference": "",
            "assigned_name": "",
            "assigned_email": "",
            "assigned_user": "",
            "document_count": str(2 + number % 3),
            "documents_verified": status == "approved",
            "active": True,
        }
        yield _document(agency, "registration", number, fields)


def _commissions(agency, now):
    for number, state in enumerate(STATES):
        currency = CURRENCIES[agency][number % len(CURRENCIES[agency])]
        fee = FEES[currency][number % len(FEES[currency])]
        decided = (now - timedelta(days=20 - number)).strftime("%Y-%m-%d %H:%M:%S")
        is_approved = state in ("approved", "paid")
        fields = {
            "registration_fee": f"{fee}.00",
            "commission_rate": "12.50",
            "commission_amount": f"{fee * 0.125:.2f}",
            "currency": currency,
            "status": state,
            "approved_at": decided if is_approved else "",
            "paid_at": decided if state == "paid" else "",
            "payment_reference": f"EFT-{1040 + number}" if state == "paid" else "",
            "approved_by": "",
        }
        refs = {
            "registration": ("registration", number % len(COMPANIES[agency])),
            "agent": ("user", number % len(AGENTS[agency])),
        }
        yield _document(agency, "commission", number, fields, refs)


def _failures(agency, now):
    for number, (of_agency, entity, record, kind, field, value, code) in enumerate(FAILURES):
        if of_agency == agency:
            fields = {
                "kind": kind,
                "direction": "app_to_odoo",
                "record_entity": entity,
                "record_id": record_id(agency, entity, record),
                "field": field,
                "value": value.replace("\u0007", "\\a"),
                "code": code,
                "message": MESSAGES[code],
                "attempts": "1",
                "first_at": (now - timedelta(hours=5)).strftime("%Y-%m-%d %H:%M:%S"),
                "last_at": (now - timedelta(hours=1 + number)).strftime("%Y-%m-%d %H:%M:%S"),
                "state": "open",
            }
            yield _document(agency, "issue", number, fields)


def _document(agency, entity, number, values, refs=None):
    tenant = record_id(agency, "tenant", 0)
    two_way = {rule.name for rule in MAPPERS[entity].rules if rule.two_way}
    links = {
        role: {"entity": kind, "record_id": record_id(agency, kind, of)} for role, (kind, of) in (refs or {}).items()
    }
    return {
        "tenant": tenant,
        "entity": entity,
        "record_id": record_id(agency, entity, number),
        "version": "1.1",
        "digest": digest_of(values, {role: f"{link['entity']}:{link['record_id']}" for role, link in links.items()}),
        "fields": {name: value for name, value in values.items() if name not in two_way},
        "two_way": {name: {"value": value} for name, value in values.items() if name in two_way},
        "refs": links,
    }
