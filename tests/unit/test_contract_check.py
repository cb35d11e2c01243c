"""The contract beside the app's tables and Odoo's fields: what does not fit is named, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from sync_daemon.domain.codec import kind_of
from sync_daemon.domain.contract import Field
from sync_daemon.domain.contracts import CONTRACTS, TYPES, columns_of
from sync_daemon.domain.keys import Entity
from sync_daemon.domain.operations.contract_check import Column, Mismatch, OdooField, OdooFields, check_app, check_odoo
from sync_daemon.domain.overrides import OVERRIDABLE, Contracts
from sync_daemon.postgres.admin.app_schema import allowed
from tests.unit.records import OTHER_TENANT, TENANT
from tests.unit.test_overrides import in_force

EXTRA = '[tenants.TENANT.registration.extra]\nx_seats = { from = "form_data.seats", type = "integer" }'
_ODOO_TYPES = {
    "text": "char",
    "code": "char",
    "choice": "selection",
    "money": "monetary",
    "instant": "datetime",
    "absent": "boolean",
    "count": "integer",
    "person": "many2one",
}


def fitting_column(entity: Entity, name: str) -> Column:
    """A column as the contract expects it."""
    for item in CONTRACTS[entity].fields:
        kind = kind_of(item.codec)
        if f"row.{name}" in item.sources and kind.name == "choice":
            return Column("varchar", 50, values=frozenset(kind.values))
        if f"row.{name}" in item.sources and kind.name == "money":
            return Column("numeric", digits=kind.limits[0], scale=kind.limits[1])
        if f"row.{name}" in item.sources and kind.name == "instant":
            return Column("timestamp")
    return Column(min(TYPES.get(name, {"varchar"})), None if name in TYPES else 2)


def tables(**changed: Column | None) -> dict[str, dict[str, Column]]:
    """Every table as the contract expects it, but for these columns of registrations and commissions."""
    found = {
        CONTRACTS[entity].table: {name: fitting_column(entity, name) for name in columns_of(entity)}
        for entity in OVERRIDABLE
    }
    for name, column in changed.items():
        table = "commissions" if name.startswith("commission_") else "registrations"
        if column is None:
            del found[table][name]
        else:
            found[table][name] = column
    return found


def app(found: Mapping[str, Mapping[str, Column]], contracts: Contracts | None = None) -> list[Mismatch]:
    return list(check_app(TENANT, (contracts or Contracts()).of(TENANT), found))


def fitting_field(item: Field) -> OdooField:
    kind = kind_of(item.codec)
    is_flag = any(isinstance(value, bool) for value in kind.values.values())
    values = () if is_flag else tuple(map(str, kind.values.values()))
    return OdooField("some.model", item.name, "boolean" if is_flag else _ODOO_TYPES[kind.name], item.required, values)


def odoo_fields(entity: Entity = Entity.REGISTRATION, **changed: OdooField | None) -> OdooFields:
    """Odoo as the contract expects it, but for these fields of one entity."""
    found = {
        contract.entity: {item.name: fitting_field(item) for item in contract.fields} for contract in CONTRACTS.values()
    }
    for name, field in changed.items():
        if field is None:
            del found[entity][name]
        else:
            found[entity][name] = field
    return OdooFields(found, {}, {})


def odoo(found: OdooFields, contracts: Contracts | None = None) -> list[Mismatch]:
    return list(check_odoo(contracts or Contracts(), [TENANT, OTHER_TENANT], found))


def test_what_fits_is_not_spoken_of() -> None:
    assert app(tables()) == []
    assert odoo(odoo_fields()) == []


def test_a_status_that_the_contract_does_not_know_is_named_until_it_is_mapped() -> None:
    statuses = fitting_column(Entity.REGISTRATION, "status").values or frozenset()
    grown = tables(status=Column("varchar", 50, values=statuses | {"on_hold"}))
    assert app(grown) == [
        Mismatch(
            TENANT,
            "registrations.status",
            "on_hold",
            "registrations.status may be on_hold, which the contract does not know",
            ("registration", "status"),
        )
    ]
    mapped = in_force('[tenants.TENANT.registration.fields.status]\nvalues = { on_hold = "in_review" }')
    assert app(grown, mapped) == []


@pytest.mark.parametrize(
    ("column", "type_", "needed"), [("client_id", "text", "uuid"), ("form_data", "text", "json or jsonb")]
)
def test_a_column_of_a_type_that_statements_cannot_use_is_named(column: str, type_: str, needed: str) -> None:
    [found] = app(tables(**{column: Column(type_)}))
    assert (found.tenant, found.place, found.value) == (TENANT, f"registrations.{column}", type_)
    assert f"must be {needed}" in found.message


def test_a_column_without_a_closed_set_of_values_is_no_finding() -> None:
    assert app(tables(status=Column("varchar", 50))) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"company_name": None}, "registrations.company_name does not exist or cannot be read: the field is skipped"),
        (
            {"company_name": Column("varchar", 300)},
            "registrations.company_name holds 300 characters, but company_name at most 255",
        ),
        (
            {"company_name": Column("text")},
            "registrations.company_name holds any number of characters, but company_name at most 255",
        ),
        ({"submitted_at": Column("int8")}, "registrations.submitted_at is of type int8, but submitted_at is instant"),
        (
            {"commission_amount": Column("numeric", digits=14, scale=2)},
            "commissions.commission_amount is numeric(14,2), but commission_amount has at most "
            "10 digits, 2 of them decimals",
        ),
        (
            {"commission_amount": Column("float8")},
            "commissions.commission_amount is of type float8, but commission_amount is money",
        ),
    ],
)
def test_a_column_that_became_another_one_is_named(changed: dict[str, Column | None], said: str) -> None:
    assert [item.message for item in app(tables(**changed))] == [said]


def test_a_value_that_odoo_sends_and_the_table_refuses_is_named() -> None:
    found = tables()
    found["commissions"]["status"] = Column("varchar", 50, values=frozenset({"pending", "approved", "paid"}))
    [item] = app(found)
    assert (item.place, item.value) == ("commissions.status", "cancelled")


def test_a_table_that_is_gone_is_one_finding() -> None:
    found = tables()
    del found["documents"]
    assert [item.message for item in app(found)] == ["the table documents does not exist or cannot be read"]


def test_a_selection_that_lost_a_key_is_named() -> None:
    status = next(item for item in CONTRACTS[Entity.REGISTRATION].fields if item.name == "status")
    field = fitting_field(status)
    shorter = replace(field, values=tuple(value for value in field.values if value != "rejected"))
    [item] = odoo(odoo_fields(status=shorter))
    assert (item.tenant, item.value, item.rule) == (None, "rejected", ("registration", "status"))
    assert item.message == "some.model.status has no value rejected in Odoo, which status may have"


@pytest.mark.parametrize(
    ("field", "said"),
    [
        (OdooField("crm.lead", "x", "integer", False, ()), "crm.lead.x is integer in Odoo, but mobile text"),
        (OdooField("crm.lead", "x", "char", True, ()), "crm.lead.x is required in Odoo, but mobile may be empty"),
        (None, "Odoo has no field for registration.mobile: bring addon and daemon to the same release"),
    ],
)
def test_a_field_of_odoo_that_became_another_one_is_named(field: OdooField | None, said: str) -> None:
    assert [item.message for item in odoo(odoo_fields(mobile=field))] == [said]


def test_an_obligatory_field_that_people_added_is_named() -> None:
    added = OdooField("crm.lead", "x_region", "char", True, ())
    [item] = odoo(replace(odoo_fields(), required={Entity.REGISTRATION: {"x_region": added}}))
    assert item.message == "crm.lead.x_region is required in Odoo, and no field of the contract fills it"


def test_an_extra_field_must_be_listed_for_its_tenant_and_be_of_its_type() -> None:
    contracts = in_force(EXTRA)
    [item] = odoo(odoo_fields(), contracts)
    assert (item.tenant, item.place) == (TENANT, "crm.lead.x_seats")
    assert item.rule == ("registration", "extra", "x_seats")
    seats = OdooField("crm.lead", "x_seats", "integer", False, ())
    assert odoo(replace(odoo_fields(), listed={TENANT: {"x_seats": seats}}), contracts) == []
    assert len(odoo(replace(odoo_fields(), listed={OTHER_TENANT: {"x_seats": seats}}), contracts)) == 1
    wrong = replace(seats, type="char")
    [item] = odoo(replace(odoo_fields(), listed={TENANT: {"x_seats": wrong}}), contracts)
    assert item.message == "crm.lead.x_seats is char in Odoo, but x_seats integer"


@pytest.mark.parametrize(
    ("checks", "values"),
    [
        (
            [
                "CHECK (((status)::text = ANY "
                "((ARRAY['draft'::character varying, 'on hold'::character varying])::text[])))"
            ],
            {"draft", "on hold"},
        ),
        (["CHECK ((status = ANY ('{draft,submitted}'::text[])))"], {"draft", "submitted"}),
        (["CHECK (((status = 'a'::text) OR (status = 'b'::text)))"], {"a", "b"}),
        (["CHECK (((m IS NULL) OR ((m)::text = ANY ((ARRAY['totp'::character varying])::text[]))))"], {"totp"}),
        (["CHECK ((s = ANY (ARRAY['a'::text, 'it''s'::text])))", "CHECK ((s = ANY (ARRAY['it''s'::text])))"], {"it's"}),
        (["CHECK (((subdomain)::text ~ '^[a-z]+$'::text))"], None),
        (["CHECK ((status <> 'draft'::text))"], None),
        (["CHECK ((length(status) > 0))"], None),
        ([], None),
    ],
)
def test_only_a_check_that_names_a_closed_set_says_what_is_allowed(checks: list[str], values: set[str] | None) -> None:
    assert allowed(checks) == values
