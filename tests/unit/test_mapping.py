"""A row becomes fields: each from its own sources, refused ones named, nothing else held up."""

from __future__ import annotations

import pytest

from sync_daemon.domain.contract import written_columns
from sync_daemon.domain.contracts import CONTRACTS, columns_of
from sync_daemon.domain.keys import Entity
from sync_daemon.domain.mapping import Mapped, Row, UnreadableJson, map_row
from sync_daemon.errors import RejectedError
from tests.unit.records import row


def mapped(entity: Entity, own: Row, **related: Row | None) -> Mapped:
    return map_row(CONTRACTS[entity], {"row": own, **related})


@pytest.mark.parametrize("entity", [entity for entity in Entity if CONTRACTS[entity].fields])
def test_a_plain_row_maps_whole(entity: Entity) -> None:
    result = mapped(entity, row(entity), client=row(Entity.CLIENT), assigned=None)
    assert result.parked == ()
    assert set(result.fields) == {field.name for field in CONTRACTS[entity].fields}


def test_a_linked_assignee_and_approver_go_by_odoos_id_and_others_are_nobody() -> None:
    assert (
        mapped(Entity.REGISTRATION, row(Entity.REGISTRATION), linked={"assigned_to": "7"}).fields["assigned_user"]
        == "7"
    )
    assert mapped(Entity.COMMISSION, row(Entity.COMMISSION), linked={"approved_by": "7"}).fields["approved_by"] == "7"
    assert (
        mapped(Entity.REGISTRATION, row(Entity.REGISTRATION), linked={"assigned_to": None}).fields["assigned_user"]
        == ""
    )
    assert mapped(Entity.COMMISSION, row(Entity.COMMISSION)).fields["approved_by"] == ""


def test_an_unknown_value_of_an_optional_field_parks_the_field_alone() -> None:
    result = mapped(Entity.CLIENT, row(Entity.CLIENT, client_type="trust"))
    (problem,) = result.parked
    assert (problem.field, problem.value, problem.code) == ("is_company", "trust", "unknown_value")
    assert "is_company" not in result.fields, "a default would hide the unknown value"
    assert result.fields["name"] == "Tendai Moyo"


def test_an_unknown_value_of_a_required_field_parks_the_record() -> None:
    with pytest.raises(RejectedError) as caught:
        mapped(Entity.REGISTRATION, row(Entity.REGISTRATION, status="completed"), client=None, assigned=None)
    assert (caught.value.code, caught.value.field, caught.value.value) == ("unknown_value", "status", "completed")


def test_a_required_field_without_a_value_parks_the_record() -> None:
    with pytest.raises(RejectedError) as caught:
        mapped(Entity.COMMISSION, row(Entity.COMMISSION, commission_amount=None))
    assert (caught.value.code, caught.value.field) == ("required", "commission_amount")


def test_the_first_source_that_holds_a_value_wins() -> None:
    fields = mapped(Entity.CLIENT, row(Entity.CLIENT, phone=None, mobile="+263 77 1")).fields
    assert (fields["phone"], fields["mobile"]) == ("+263 77 1", "+263 77 1")
    fields = mapped(Entity.CLIENT, row(Entity.CLIENT, phone="04 1", mobile="+263 77 1")).fields
    assert (fields["phone"], fields["mobile"]) == ("04 1", "+263 77 1")


@pytest.mark.parametrize("blank", [None, "", " \t", "\u00a0"])
def test_a_blank_source_holds_no_value(blank: str | None) -> None:
    assert mapped(Entity.CLIENT, row(Entity.CLIENT, company_name=blank)).fields["name"] == "Tendai Moyo"


@pytest.mark.parametrize(
    ("first", "last", "name"),
    [("Thandi", "Nkosi", "Thandi Nkosi"), (" Thandi ", None, "Thandi"), (None, " ", "t@x.example")],
)
def test_a_name_is_joined_from_the_parts_that_are_there(first: str | None, last: str | None, name: str) -> None:
    own = row(Entity.USER, first_name=first, last_name=last, email="t@x.example")
    assert mapped(Entity.USER, own).fields["name"] == name


def test_contact_data_come_from_the_client_and_else_from_the_form() -> None:
    own = row(Entity.REGISTRATION, form_data={"email": "form@x.example", "phone": "011 1", "directors": [1]})
    client = row(Entity.CLIENT, email="client@x.example", phone=None, mobile=None)
    fields = mapped(Entity.REGISTRATION, own, client=client, assigned=None).fields
    assert (fields["email"], fields["phone"]) == ("client@x.example", "011 1")


@pytest.mark.parametrize("form", [None, [], "text", {}, {"email": 7}, {"email": {"a": 1}}, {"email": None}])
def test_only_a_text_is_taken_from_free_json(form: object) -> None:
    result = mapped(Entity.REGISTRATION, row(Entity.REGISTRATION, form_data=form), client=None, assigned=None)
    assert result.fields["email"] == ""
    assert result.parked == ()


def test_a_dropped_column_parks_the_fields_that_need_it_and_no_others() -> None:
    own = {name: value for name, value in row(Entity.REGISTRATION).items() if name != "rejection_reason"}
    result = mapped(Entity.REGISTRATION, own, client=None, assigned=None)
    (problem,) = result.parked
    assert (problem.field, problem.code) == ("rejection_reason", "missing_column")
    assert "rejection_reason" in problem.message


def test_a_dropped_column_of_a_required_field_parks_the_record() -> None:
    own = {name: value for name, value in row(Entity.TENANT).items() if name != "subdomain"}
    with pytest.raises(RejectedError, match="no column subdomain"):
        mapped(Entity.TENANT, own)


def test_a_column_that_only_a_later_source_needs_is_not_missed() -> None:
    own = {name: value for name, value in row(Entity.CLIENT, phone="04 1").items() if name != "mobile"}
    result = mapped(Entity.CLIENT, own)
    assert result.fields["phone"] == "04 1"
    assert [problem.field for problem in result.parked] == ["mobile"]


def test_a_locked_user_stays_a_person_and_a_deleted_one_is_archived() -> None:
    active = {
        status: mapped(Entity.USER, row(Entity.USER, status=status)).fields["active"]
        for status in ("active", "suspended", "locked", "deleted")
    }
    assert active == {"active": True, "suspended": True, "locked": True, "deleted": False}


def test_a_cancelled_commission_stays_cancelled() -> None:
    assert mapped(Entity.COMMISSION, row(Entity.COMMISSION, status="cancelled")).fields["status"] == "cancelled"


@pytest.mark.parametrize("column", ["password_hash", "mfa_secret", "id_number", "passport_number", "metadata"])
def test_no_contract_reads_what_is_none_of_its_business(column: str) -> None:
    assert all(column not in columns_of(entity) for entity in Entity)


@pytest.mark.parametrize("entity", list(Entity))
def test_every_source_names_the_record_or_one_of_its_relations(entity: Entity) -> None:
    contract = CONTRACTS[entity]
    roles = {part.split(".")[0] for field in contract.fields for source in field.sources for part in source.split("+")}
    known = {Entity.REGISTRATION: {"documents", "linked"}, Entity.COMMISSION: {"linked"}, Entity.DOCUMENT: {"content"}}
    figures = known.get(entity, set())
    assert roles <= {"row", *contract.related, *figures}


def test_only_commissions_and_clients_have_fields_that_odoo_may_write() -> None:
    written = {entity: written_columns(CONTRACTS[entity]) for entity in CONTRACTS}
    assert written.pop(Entity.COMMISSION) == {"status", "approved_at", "paid_at", "payment_reference"}
    assert written.pop(Entity.CLIENT) == {
        "full_name",
        "company_name",
        "email",
        "phone",
        "tax_number",
        "street_address",
        "city",
        "state_province",
        "postal_code",
        "country",
    }
    assert not any(written.values())


def test_free_json_that_cannot_be_read_parks_the_fields_that_need_it_and_no_others() -> None:
    free = {"row": row(Entity.REGISTRATION, form_data=UnreadableJson("is nested too deeply")), "client": None}
    mapped = map_row(CONTRACTS[Entity.REGISTRATION], free)
    assert {(problem.field, problem.code) for problem in mapped.parked} == {
        ("email", "unreadable"),
        ("phone", "unreadable"),
    }
    assert mapped.fields["company_name"] == "Moyo Milling (Pty) Ltd"
