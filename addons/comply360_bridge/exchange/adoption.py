"""Finds the halves of the app's records that are in Odoo already: by ids first, then by numbers, never by name."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..mappers import MAPPERS
from ..mappers.client import canonical_number
from ..mappers.document import Key

MATCHED, NEW, AMBIGUOUS, DELETED = "matched", "new", "ambiguous", "deleted"
MOST_CANDIDATES = 5
# people may have moved these between companies; the others belong where their parents do
_OF_COMPANY = ("res.partner", "crm.lead")
_REPORTED = ("client", "registration", "commission", "invoice")


class Candidate(NamedTuple):
    """A record that may be the half; `reason` says why it alone will not do."""

    record: Any
    name: str
    reason: str


@dataclass(eq=False)
class Found:
    """What is known of one record of the app."""

    record_id: str
    verdict: str = NEW
    by: str = ""
    record: Any = None
    state: str = ""
    candidates: list[Candidate] = field(default_factory=list)

    def match(self, record: Any, by: str) -> None:
        """This is the half."""
        self.verdict, self.by, self.record, self.state = MATCHED, by, record, "active"

    def leave_open(self, candidates: Sequence[Candidate], by: str) -> None:
        """A person must choose."""
        self.verdict, self.by, self.record, self.state, self.candidates = AMBIGUOUS, by, None, "", list(candidates)


class Adoption:
    """One page of records of one entity; the environment is the superuser's.

    Shapes: `tenant` may be empty as long as nothing is written: then only records without a tenant can match.
    """

    def __init__(self, env: Any, installation: str, uuid: str, tenant: Any, entity: str) -> None:
        self.env = env
        self.installation = installation
        self.uuid = uuid
        self.tenant = tenant
        self.company = tenant.company_id or env.company
        self.entity = entity
        self.model = env[MAPPERS[entity].model]
        self.bindings = env["comply360.binding"]
        self._own: dict[str, Any] = {}
        self._owners: dict[int, Any] = {}
        self._alive: dict[int, Any] = {}

    def find(self, asked: Sequence[Mapping[str, Any]]) -> list[Found]:
        """One finding per record, in the same order."""
        ids = [row["record_id"] for row in asked]
        self._own = self._bound(ids)
        carried = self._carried(ids)
        bound = {binding.res_id for binding in self._own.values() if binding.state == "active" and binding.res_id}
        self._alive = {record.id: record for record in self.model.browse(bound).exists()}
        self._learn_owners(carried)
        found = [self._by_id(record_id, self._own.get(record_id), carried) for record_id in ids]
        open_ones = {one.record_id: one for one in found if one.verdict == NEW}
        rows = [row for row in asked if row["record_id"] in open_ones]
        match self.entity:
            case "client" | "registration":
                self._by_number(rows, open_ones)
            case "document":
                self._by_content(rows, open_ones)
        self._refuse_shared(found)
        return found

    def adopt(self, found: Sequence[Found]) -> None:
        """Bind what matched and have Odoo report it; hold back what a person must decide about."""
        binding_ids = []
        for one in found:
            key: Key = (self.uuid, self.entity, one.record_id)
            if one.verdict == MATCHED and one.state != "alias":
                binding_ids.append(self._bind(key, one))
            elif one.verdict == AMBIGUOUS and not self._is_proposed(one):
                self.bindings._leave_open(self.installation, self.tenant, key, _words(one))
        if self.entity == "document":
            for one in found:
                if one.verdict == MATCHED:
                    self._claim_copy(one.record)
        if self.entity in _REPORTED:
            self.env["comply360.outbox"]._append(binding_ids, "upsert")

    # -- by id -----------------------------------------------------------------------------------------------------

    def _bound(self, ids: Sequence[str]) -> dict[str, Any]:
        of_tenant = [("installation", "=", self.installation), ("tenant", "=", self.uuid)]
        rows = self.bindings.search([*of_tenant, ("entity", "=", self.entity), ("external_id", "in", list(ids))])
        return {row.external_id: row for row in rows}

    def _carried(self, ids: Sequence[str]) -> dict[str, list[Any]]:
        """The records that carry the app's ids, of this tenant or of none."""
        if not self.model._fields["x_comply360_external_id"].store:
            return {}
        carried: dict[str, list[Any]] = {}
        for record in self.model.search([("x_comply360_external_id", "in", list(ids))], order="id"):
            if record.x_comply360_tenant_id <= self.tenant:
                carried.setdefault(record.x_comply360_external_id, []).append(record)
        return carried

    def _by_id(self, record_id: str, binding: Any, carried: Mapping[str, list[Any]]) -> Found:
        found = Found(record_id)
        if binding and binding.state in ("alias", "unlinked"):
            found.verdict, found.state = (MATCHED if binding.state == "alias" else DELETED), binding.state
            found.record, found.by = self.model.browse(binding.res_id or []), "id"
            return found
        records = list(carried.get(record_id, ()))
        if binding and binding.state == "active" and binding.res_id not in [record.id for record in records]:
            records += [self._alive[binding.res_id]] if binding.res_id in self._alive else []
        if not records:
            return found
        candidates = [self._candidate(record, self._objection(record, record_id)) for record in records]
        if len(records) == 1 and not candidates[0].reason:
            found.match(records[0], "id")
        else:
            found.leave_open(candidates, "id")
        return found

    def _candidate(self, record: Any, reason: str = "") -> Candidate:
        """A candidate; nobody hears the name of another tenant's record."""
        is_own = record.x_comply360_tenant_id <= self.tenant
        return Candidate(record, (record.display_name or "") if is_own else "", reason)

    def _objection(self, record: Any, record_id: str = "") -> str:
        """Why a record cannot be adopted without a person; empty if it can."""
        if record_id and record.x_comply360_tenant_id != self.tenant:
            return "belongs to another tenant" if record.x_comply360_tenant_id else "belongs to no tenant"
        if self.model._name in _OF_COMPANY and record.company_id not in (self.company, self.company.browse()):
            return f"belongs to the company {record.company_id.name}"
        other = self._owners.get(record.id)
        if other and (other.tenant, other.entity, other.external_id) != (self.uuid, self.entity, record_id):
            return f"is already {other.entity} {other.external_id}" if other.tenant == self.uuid else "is taken"
        return ""

    def _learn_owners(self, carried: Mapping[str, Sequence[Any]]) -> None:
        """The bindings of the records that may match by id, in one query."""
        ids = {record.id for records in carried.values() for record in records} | self._alive.keys()
        bound = [("res_model", "=", self.model._name), ("res_id", "in", list(ids)), ("state", "=", "active")]
        self._owners = {binding.res_id: binding for binding in self.bindings.search(bound)}

    # -- by number -------------------------------------------------------------------------------------------------

    def _by_number(self, rows: Sequence[Mapping[str, Any]], found: Mapping[str, Found]) -> None:
        numbers = {row["record_id"]: set(filter(None, map(canonical_number, row.get("numbers", ())))) for row in rows}
        wanted = frozenset().union(*numbers.values())
        known = self.model._comply360_unbound_by_number(wanted) if wanted else {}
        for row in rows:
            candidates = {record for number in numbers[row["record_id"]] for record in known[number]}
            self._settle(found[row["record_id"]], candidates, "number", bool(row.get("is_shared")))

    def _settle(self, found: Found, candidates: Any, by: str, is_shared: bool) -> None:
        own = sorted((record for record in candidates if self._may_be(record)), key=lambda record: record.id)
        if len(own) == 1 and not is_shared and not (self._objection(own[0]) or self._doubt(own[0])):
            found.match(own[0], by)
        elif own:
            found.leave_open(
                [self._candidate(record, self._objection(record) or self._doubt(record)) for record in own], by
            )

    def _may_be(self, record: Any) -> bool:
        """A record of another tenant is never shown, one that carries another id of the app is that one's."""
        return (
            record.x_comply360_tenant_id <= self.tenant
            and not record.x_comply360_external_id
            and record.company_id in (self.company, self.company.browse())
        )

    def _doubt(self, record: Any) -> str:
        """A record without a tenant may be another tenant's if several share the company."""
        if record.x_comply360_tenant_id:
            return ""
        sharing = self.env["comply360.tenant"].search_count(
            [("company_id", "=", self.company.id), ("id", "!=", self.tenant.id or 0)], limit=1
        )
        return "belongs to no tenant, and several tenants share its company" if sharing else ""

    # -- by content ------------------------------------------------------------------------------------------------

    def _by_content(self, rows: Sequence[Mapping[str, Any]], found: Mapping[str, Found]) -> None:
        """A document is an attachment of its own lead, or of its customer, with the same bytes."""
        keys = {
            (self.uuid, entity, row[entity])
            for row in rows
            for entity in ("registration", "client")
            if row.get("sha256") and row.get(entity)
        }
        parents = self.bindings._find(self.installation, keys)
        for row in rows:
            named = ((self.uuid, entity, row.get(entity)) for entity in ("registration", "client"))
            model, res_id, _state = next((parents[key] for key in named if key in parents), ("", 0, ""))
            if res_id and row.get("sha256"):
                self._settle_content(found[row["record_id"]], self._attachments(model, res_id), row)

    def _attachments(self, model: str, res_id: int) -> Any:
        domain = [
            ("res_model", "=", model),
            ("res_id", "=", res_id),
            ("res_field", "=", False),
            ("x_comply360_external_id", "=", False),
            ("x_comply360_original_id", "=", False),
        ]
        found = self.model.search(domain, order="id")
        bound = [("res_model", "=", "ir.attachment"), ("res_id", "in", found.ids), ("state", "=", "active")]
        return found - found.browse(self.bindings.search(bound).mapped("res_id"))

    def _settle_content(self, found: Found, attachments: Any, row: Mapping[str, Any]) -> None:
        same = attachments.filtered(lambda item: hashlib.sha256(item._comply360_bytes()).hexdigest() == row["sha256"])
        named = same.filtered(lambda item: item.name == row.get("name"))
        same = named or same
        if len(same) == 1:
            found.match(same, "content")
        elif same:
            found.leave_open([self._candidate(record) for record in same], "content")

    def _claim_copy(self, document: Any) -> None:
        """The copy of a document on its customer is not made a second time."""
        customer = document.x_comply360_lead_id.partner_id or (
            self.env["crm.lead"].browse(document.res_id).partner_id if document.res_model == "crm.lead" else None
        )
        if not customer or document.x_comply360_copy_ids:
            return
        same = self._attachments("res.partner", customer.id).filtered(
            lambda item: (item.checksum, item.name) == (document.checksum, document.name)
        )
        same[:1].write({"x_comply360_original_id": document.id})

    # -- one half each ---------------------------------------------------------------------------------------------

    def _refuse_shared(self, found: Sequence[Found]) -> None:
        """No record of Odoo is the half of two records of the app."""
        taken = Counter(one.record.id for one in found if one.verdict == MATCHED and one.state == "active")
        for one in found:
            if one.verdict == MATCHED and one.state == "active" and taken[one.record.id] > 1:
                one.leave_open([self._candidate(one.record, "several records of the app may be this one")], one.by)

    def _bind(self, key: Key, one: Found) -> int:
        binding = self._own.get(one.record_id)
        if binding and (binding.state, binding.res_id) == ("active", one.record.id):
            if one.record.x_comply360_external_id != one.record_id and self.entity != "invoice":
                one.record.write(one.record._comply360_key_values(self.tenant, key))
            return int(binding.id)
        return int(self.bindings._bind(self.installation, self.tenant, key, one.record))

    def _is_proposed(self, one: Found) -> bool:
        """The link of a customer found by number is proposed in Odoo, as for any new customer."""
        return self.entity == "client" and one.by == "number"


def shown(one: Found) -> dict[str, Any]:
    """A finding in wire form. Shapes: keys without a value are left out."""
    row = {
        "record_id": one.record_id,
        "verdict": one.verdict,
        "by": one.by,
        "state": one.state,
        "model": one.record._name if one.record else "",
        "res_id": str(one.record.id) if one.record else "",
        "candidates": [
            {"model": record._name, "res_id": str(record.id), "name": name, "reason": reason}
            for record, name, reason in one.candidates[:MOST_CANDIDATES]
        ],
    }
    return {name: value for name, value in row.items() if value}


def _words(one: Found) -> str:
    return ", ".join(
        f"{record._name} {record.id}" + (f" ({reason})" if reason else "")
        for record, _name, reason in one.candidates[:MOST_CANDIDATES]
    )
