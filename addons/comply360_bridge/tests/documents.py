"""Documents as the daemon sends them, and the case that all tests of the bridge share."""

import json
from uuid import NAMESPACE_OID, uuid5

from odoo.tests import TransactionCase, new_test_user

from ..mappers import MAPPERS
from ..mappers.document import digest_of

INSTALLATION = str(uuid5(NAMESPACE_OID, "bridge"))
TENANT = str(uuid5(NAMESPACE_OID, "tenant one"))
OTHER_TENANT = str(uuid5(NAMESPACE_OID, "tenant two"))

DEFAULTS = {
    "tenant": {"name": "Agency One", "subdomain": "agency1", "status": "active"},
    "user": {"name": "Thandiwe Nkosi", "email": "thandi@agency.example", "phone": "", "mobile": "", "active": True},
    "client": {
        "name": "Café Zoë (Pty) Ltd",
        "is_company": True,
        "email": "zoe@cafe.example",
        "phone": "+27 21 555 0101",
        "mobile": "+27 82 555 0101",
        "tax_number": "not a VAT number",
        "street": "1 Long Street",
        "city": "Cape Town",
        "state_province": "Western Cape",
        "postal_code": "8001",
        "country": "ZA",
        "active": True,
    },
    "registration": {
        "company_name": "O'Brien & Söhne 🚀",
        "contact_name": 'Zoë "Z" Ndlovu',
        "email": "zoe@example.com",
        "phone": "+27 21 555 0100",
        "mobile": "",
        "registration_type": "pty_ltd",
        "registration_number": "",
        "jurisdiction": "ZA",
        "status": "submitted",
        "submitted_at": "2026-01-02 03:04:05",
        "approved_at": "",
        "rejected_at": "",
        "rejection_reason": "",
        "reference": "",
        "assigned_name": "",
        "assigned_email": "",
        "assigned_user": "",
        "document_count": "0",
        "documents_verified": False,
        "active": True,
    },
    "commission": {
        "registration_fee": "1000.00",
        "commission_rate": "12.50",
        "commission_amount": "125.00",
        "currency": "ZAR",
        "status": "pending",
        "approved_at": "",
        "paid_at": "",
        "payment_reference": "",
        "approved_by": "",
    },
    "document": {
        "file_name": "ID copy.pdf",
        "document_type": "id_document",
        "mime_type": "application/pdf",
        "status": "pending",
        "verified_at": "",
        "sha256": "",
        "link": "",
        "note": "",
        "active": True,
    },
    "issue": {
        "kind": "dead",
        "direction": "app_to_odoo",
        "record_entity": "registration",
        "record_id": str(uuid5(NAMESPACE_OID, "registration/1")),
        "field": "status",
        "value": "wrong",
        "code": "unknown_value",
        "message": "status has the unknown value 'wrong'",
        "attempts": "1",
        "first_at": "2026-01-02 03:04:05",
        "last_at": "2026-01-02 03:04:06",
        "state": "open",
    },
}


def record_id(entity, name):
    """The uuid of a record by a name for it."""
    return TENANT if entity == "tenant" else str(uuid5(NAMESPACE_OID, f"{entity}/{name}"))


def document(entity, name, /, *, version="1.1", tenant=TENANT, refs=None, bases=None, live=False, **changes):
    """A whole document.

    Shapes: `refs` maps role to (entity, name); `bases` maps a two-way field to its base.
    """
    two_way_names = {rule.name for rule in MAPPERS[entity].rules if rule.two_way}
    values = {**DEFAULTS[entity], **changes}
    links = {role: {"entity": kind, "record_id": record_id(kind, of)} for role, (kind, of) in (refs or {}).items()}
    return {
        "tenant": tenant,
        "entity": entity,
        "record_id": tenant if entity == "tenant" else record_id(entity, name),
        "version": version,
        "digest": digest_of(values, {role: f"{link['entity']}:{link['record_id']}" for role, link in links.items()}),
        "fields": {key: value for key, value in values.items() if key not in two_way_names},
        "two_way": {
            key: {"value": value, **({"base": bases[key]} if key in (bases or {}) else {})}
            for key, value in values.items()
            if key in two_way_names
        },
        "refs": links,
        **({"live": True} if live else {}),
    }


def commission(name, /, **changes):
    """A commission of registration 1, owed to user 1."""
    refs = {"registration": ("registration", "1"), "agent": ("user", "1")}
    return document("commission", name, **{"refs": refs, **changes})


def batch(*documents):
    """The argument of `apply_batch`, before it becomes a text."""
    return {"protocol": "3", "installation": INSTALLATION, "run": "run 1", "documents": list(documents)}


def applied(bridge, argument):
    """The answer of `apply_batch`, as the daemon reads it."""
    return json.loads(bridge.apply_batch(json.dumps(argument)))


def pulled(bridge, installation=INSTALLATION, limit="100", per_tenant="100"):
    """The answer of `pull_changes`, as the daemon reads it."""
    return json.loads(bridge.pull_changes(installation, limit, per_tenant))


class BridgeCase(TransactionCase):
    """Calls as the bridge's own user, with one tenant that is known already."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.bot = cls.env.ref("comply360_bridge.user_bridge")
        cls.bridge = cls.env["comply360.bridge"].with_user(cls.bot)
        cls.apply(document("tenant", "one"))

    @classmethod
    def apply(cls, *documents):
        """The results of one batch; what Odoo still holds in memory is forgotten, as at the end of a call."""
        answer = applied(cls.bridge, batch(*documents))
        cls.env.invalidate_all()
        return answer["results"]

    def another_bridge(self):
        """Calls as the bridge's user of another installation."""
        user = new_test_user(self.env, "c360_another", groups="base.group_user,comply360_bridge.group_service")
        return self.env["comply360.bridge"].with_user(user)

    def statuses(self, *documents):
        """Only the statuses of one batch."""
        return [result["status"] for result in self.apply(*documents)]

    def record(self, entity, name):
        """The record that is bound, archived or not; as the superuser."""
        binding = self.binding(entity, name)
        return self.env[binding.res_model].browse(binding.res_id)

    def binding(self, entity, name):
        """A record's binding."""
        return self.env["comply360.binding"].search(
            [
                ("installation", "=", INSTALLATION),
                ("entity", "=", entity),
                ("external_id", "=", record_id(entity, name)),
            ]
        )

    def changes(self, limit="100", per_tenant="100"):
        """What the daemon would pull now."""
        self.env.flush_all()
        return pulled(self.bridge, INSTALLATION, limit, per_tenant)["changes"]

    def acknowledge(self, change, verdict, message=""):
        """Send one verdict."""
        named = {key: change[key] for key in ("tenant", "entity", "record_id", "version")}
        return self.bridge.ack_changes(INSTALLATION, json.dumps([{**named, "verdict": verdict, "message": message}]))
