"""The addon's mappers, which need no Odoo; what they share with the daemon is compared with it."""

from __future__ import annotations

import importlib
import subprocess
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_daemon.domain import contracts, document
from sync_daemon.domain.contract import Owner
from sync_daemon.domain.keys import Entity

ADDON = Path(__file__).resolve().parents[2] / "addons" / "comply360_bridge"
LOOKUPS = {"currency": {"ZAR": 1, "USD": 2}, "country": {"ZA": 3}}
TENANT = str(uuid4())


def _load() -> ModuleType:
    # the addon's own package imports odoo; its mappers must not
    sys.path.insert(0, str(ADDON))
    try:
        return importlib.import_module("mappers")
    finally:
        sys.path.remove(str(ADDON))


mappers: Any = _load()
codec: Any = importlib.import_module("mappers.codec")
wire: Any = importlib.import_module("mappers.document")


def _commission(**changes: str) -> dict[str, Any]:
    fields = {"registration_fee": "10.00", "commission_rate": "1.00", "commission_amount": "0.10", "currency": "ZAR"}
    return _raw("commission", {**fields, **changes}, {"status": {"value": "pending"}})


def _raw(entity: str, fields: dict[str, Any], two_way: dict[str, Any] | None = None) -> dict[str, Any]:
    named = {"tenant": TENANT, "entity": entity, "record_id": str(uuid4()), "version": "1.2", "digest": ""}
    return {**named, "fields": fields, "two_way": two_way or {}, "refs": {}}


def test_the_mappers_need_no_odoo() -> None:
    program = f"import sys; sys.path.insert(0, {str(ADDON)!r}); import mappers; sys.exit('odoo' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_addon_knows_exactly_the_fields_of_the_daemons_contract() -> None:
    for entity in Entity:
        contract, mapper = contracts.CONTRACTS[entity], mappers.MAPPERS[entity.value]
        ours = {rule.name: (rule.required, rule.two_way) for rule in mapper.rules}
        theirs = {field.name: (field.required, field.owner is Owner.TWO_WAY) for field in contract.fields}
        assert ours == theirs, entity
        assert mapper.model == contract.odoo_model
        assert {(ref.role, ref.entity, ref.required) for ref in mapper.references} == {
            (ref.role, ref.entity.value, ref.required) for ref in contract.references
        }


def test_the_order_of_application_is_the_contracts() -> None:
    assert list(mappers.MAPPERS) == [entity.value for entity in Entity]


_SCALARS = st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.booleans())


@given(
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), _SCALARS),
    st.dictionaries(st.text("abc"), st.uuids()),
)
def test_both_sides_compute_the_same_digest(fields: dict[str, str | bool], refs: dict[str, UUID]) -> None:
    ours = wire.digest_of(fields, {role: f"client:{identity}" for role, identity in refs.items()})
    theirs = document.digest_of(fields, {role: (Entity.CLIENT, identity) for role, identity in refs.items()})
    assert ours == theirs


@pytest.mark.reliability("F45")
@given(st.decimals(min_value=Decimal("-99999999.99"), max_value=Decimal("99999999.99"), places=2))
def test_every_amount_of_the_column_survives_both_ways_to_the_cent(amount: Decimal) -> None:
    amounts = codec.Amount(10)
    decoded = amounts.decode(amounts.encode("commission_amount", f"{amount:f}"))
    assert Decimal(decoded) == amount
    assert len(decoded.partition(".")[2]) == 2


@pytest.mark.parametrize(
    "value", ["100000000.00", "-100000000.00", "0.001", "1e999", "NaN", "Infinity", "ten", "", "1,5"]
)
def test_an_amount_the_column_cannot_hold_is_refused_by_name(value: str) -> None:
    with pytest.raises(mappers.Refused) as caught:
        codec.Amount(10).encode("registration_fee", value)
    assert (caught.value.code, caught.value.field, caught.value.value) == ("bad_amount", "registration_fee", value)


@pytest.mark.reliability("F46")
@given(st.datetimes())
def test_instants_survive_both_ways_in_whole_seconds(moment: datetime) -> None:
    text = moment.replace(microsecond=0).isoformat(sep=" ")
    instants = codec.Instant()
    assert instants.decode(instants.encode("paid_at", text)) == text


@pytest.mark.parametrize("value", ["2026-01-02T03:04:05", "2026-01-02 03:04:05+02:00", "2026-13-01 00:00:00", "soon"])
def test_an_instant_of_another_form_is_refused(value: str) -> None:
    with pytest.raises(mappers.Refused, match="YYYY-MM-DD"):
        codec.Instant().encode("paid_at", value)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])).map(str.strip))
def test_canonical_texts_survive_both_ways(text: str) -> None:
    texts = codec.Text()
    assert texts.decode(texts.encode("name", text)) == text


def test_a_document_becomes_values_and_a_record_its_wire_form() -> None:
    parsed = mappers.parse_document(_commission())
    translation = mappers.COMMISSION.translate(parsed, LOOKUPS, creating=True)
    assert translation.values == {
        "registration_fee": 10.0,
        "commission_rate": 1.0,
        "commission_amount": 0.1,
        "currency": 1,
        "status": "pending",
    }
    assert not translation.problems
    row = {"registration_fee": 10.0, "commission_rate": 1.0, "commission_amount": 0.1, "currency_id": "ZAR"}
    row |= {"state": "pending", "approved_at": False, "paid_at": False, "payment_reference": False}
    row["x_comply360_approver_id"] = False
    assert mappers.COMMISSION.wire(row) == {
        "registration_fee": "10.00",
        "commission_rate": "1.00",
        "commission_amount": "0.10",
        "currency": "ZAR",
        "status": "pending",
        "approved_at": "",
        "paid_at": "",
        "payment_reference": "",
        "approved_by": "",
    }


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"currency": "XXY"}, "unknown_currency", "currency"),
        ({"currency": ""}, "required", "currency"),
        ({"commission_amount": "1.005"}, "bad_amount", "commission_amount"),
    ],
)
def test_a_required_field_that_cannot_be_used_refuses_the_record(
    changes: dict[str, str], code: str, field: str
) -> None:
    with pytest.raises(mappers.Refused) as caught:
        mappers.COMMISSION.translate(mappers.parse_document(_commission(**changes)), LOOKUPS, creating=True)
    assert (caught.value.code, caught.value.field) == (code, field)


def test_an_optional_field_that_cannot_be_used_is_left_out_by_name() -> None:
    parsed = mappers.parse_document(_raw("client", {"name": "Zoë", "country": "QQ", "shoe_size": "44"}))
    translation = mappers.CLIENT.translate(parsed, LOOKUPS, creating=True)
    assert translation.values == {"name": "Zoë"}
    assert {(problem.field, problem.code) for problem in translation.problems} == {
        ("country", "unknown_country"),
        ("shoe_size", "unknown_field"),
    }


def test_a_user_of_odoo_who_may_not_stand_there_is_left_out_with_the_reason() -> None:
    lookups = {**LOOKUPS, "salesperson": {"7": 7, "8": "Thandi (thandi) is archived in Odoo"}}
    expected = {
        "7": ({"assigned_user": 7}, []),
        "8": ({}, ["assigned_user cannot be applied: Thandi (thandi) is archived in Odoo"]),
        "9": ({}, ["assigned_user cannot be applied: Odoo has no internal user 9"]),
        "x": ({}, ["assigned_user is not a user id: 'x'"]),
        "": ({"assigned_user": False}, []),
    }
    for user, (values, messages) in expected.items():
        parsed = mappers.parse_document(_raw("registration", {"assigned_user": user}))
        translation = mappers.REGISTRATION.translate(parsed, lookups, creating=False)
        assert (translation.values, [problem.message for problem in translation.problems]) == (values, messages)


@pytest.mark.parametrize("status", ["under_review", "completed", "Draft"])
def test_no_unknown_status_is_mapped_to_a_default(status: str) -> None:
    parsed = mappers.parse_document(_raw("registration", {"status": status}))
    with pytest.raises(mappers.Refused, match="unknown value"):
        mappers.REGISTRATION.translate(parsed, LOOKUPS, creating=False)


def test_every_status_has_a_place_in_the_pipeline() -> None:
    registration = importlib.import_module("mappers.registration")
    places = {status: registration.position(status, True).value for status in registration.STATUSES}
    assert places == {
        "draft": "open",
        "submitted": "open",
        "in_review": "review",
        "approved": "won",
        "rejected": "rejected",
        "cancelled": "cancelled",
    }
    deleted = {registration.position(status, False).value for status in registration.STATUSES}
    assert deleted == {"archived", "rejected", "cancelled"}


def test_no_step_leads_out_of_paid() -> None:
    commission = importlib.import_module("mappers.commission")
    assert set(commission.NEXT_STATES) == set(commission.STATES)
    assert commission.NEXT_STATES["paid"] == ()


@given(st.integers(0, 2**31 - 1), st.integers(0, 2**63 - 1))
def test_versions_survive_both_ways(epoch: int, number: int) -> None:
    assert wire.parse_version(wire.show_version((epoch, number))) == (epoch, number)


@pytest.mark.parametrize(
    "change", [{"record_id": "4711"}, {"tenant": "x"}, {"version": "1"}, {"fields": []}, {"fields": {"a": None}}]
)
def test_a_malformed_document_is_refused_with_words(change: dict[str, Any]) -> None:
    with pytest.raises(mappers.Refused) as caught:
        mappers.parse_document({**_commission(), **change})
    assert caught.value.message


def test_a_message_shows_controls_by_their_code_and_stays_short() -> None:
    assert wire.printable("a\nb") == "a\\u000ab"
    assert len(wire.printable("x" * 1000)) == 120
