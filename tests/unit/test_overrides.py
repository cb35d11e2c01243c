"""What a deployment may change of the contract, and what it is told where it may not."""

from __future__ import annotations

import tomllib

import pytest
from pydantic import ValidationError

from sync_daemon.domain.codec import kind_of
from sync_daemon.domain.contract import Contract, Owner
from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.keys import Entity
from sync_daemon.domain.overrides import Contracts, Overrides, changes, contracts, objections
from tests.unit.records import OTHER_TENANT, TENANT


def overrides(text: str) -> Overrides:
    return Overrides.model_validate(tomllib.loads(text.replace("TENANT", str(TENANT))))


def in_force(text: str, version: int = 1) -> Contracts:
    """The contracts under overrides to which nobody objects."""
    given = overrides(text)
    assert objections(given) == []
    return contracts(given, version)


def owner(contract: Contract, name: str) -> Owner:
    return next(item.owner for item in contract.fields if item.name == name)


def objection(text: str) -> str:
    [found] = objections(overrides(text))
    return found.message


def test_without_overrides_every_tenant_has_the_contract() -> None:
    assert in_force("").of(TENANT) == CONTRACTS == in_force("").of(OTHER_TENANT)


def test_a_tenants_override_changes_nothing_for_another_one() -> None:
    found = in_force('[tenants.TENANT.client.fields.phone]\nowner = "prefer_odoo_unless_blank"')
    assert owner(found.of(TENANT)[Entity.CLIENT], "phone") is Owner.PREFER_ODOO
    assert found.of(OTHER_TENANT) == CONTRACTS


def test_a_tenants_override_stands_above_that_for_all() -> None:
    found = in_force(
        '[all.client.fields]\nphone.owner = "app"\ncity.owner = "off"\n'
        '[tenants.TENANT.client.fields]\nphone.owner = "create_only"'
    )
    assert owner(found.of(OTHER_TENANT)[Entity.CLIENT], "phone") is Owner.APP
    client = found.of(TENANT)[Entity.CLIENT]
    assert (owner(client, "phone"), owner(client, "city")) == (Owner.CREATE_ONLY, Owner.OFF)


def test_a_further_value_is_mapped_and_all_others_stay_as_they_are() -> None:
    found = in_force('[tenants.TENANT.registration.fields.status]\nvalues = { on_hold = "in_review" }')
    status = next(item for item in found.of(TENANT)[Entity.REGISTRATION].fields if item.name == "status")
    assert status.codec("status", "on_hold") == "in_review"
    assert kind_of(status.codec).values.keys() - {"on_hold"} == {
        "draft",
        "submitted",
        "in_review",
        "approved",
        "rejected",
        "cancelled",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'client.fields.mobile.owner = "two_way"',
            "client.mobile cannot be two_way: the sync role may not write clients.mobile",
        ),
        (
            'registration.fields.phone.owner = "odoo"',
            "registration.phone cannot be odoo: it shows values of other records "
            "(client.phone, client.mobile, row.form_data.phone)",
        ),
        ('client.fields.name.owner = "off"', "client.name cannot be off: Odoo needs it"),
        (
            'commission.fields.payment_reference.owner = "app"',
            "commission.payment_reference cannot be app: the bridge itself acts on it, so it stays two_way",
        ),
        (
            'registration.fields.status.owner = "create_only"',
            "registration.status cannot be create_only: the bridge itself acts on it, so it stays app",
        ),
        ('registration.fields.colour.owner = "app"', "a registration has no field colour"),
        (
            'registration.fields.status.values.on_hold = "waiting"',
            "registration.status cannot map on_hold to waiting: Odoo knows draft, submitted, in_review, approved, "
            "rejected, "
            "cancelled",
        ),
        (
            "registration.fields.status.values.on_hold = true",
            "registration.status cannot map on_hold to true: Odoo knows draft, submitted, in_review, approved, "
            "rejected, "
            "cancelled",
        ),
        (
            'user.fields.active.values.invited = "false"',
            "user.active cannot map invited to false: Odoo knows true, false",
        ),
        (
            'commission.fields.status.values.approved = "paid"',
            "commission.status cannot map approved to paid: Odoo sends the value back unchanged",
        ),
        ('client.fields.phone.values.a = "b"', "client.phone has no value map: it is text"),
        (
            "registration.fields.documents_verified.values.most = true",
            "registration.documents_verified has no value map: no column holds it",
        ),
        (
            'registration.filtered.status = ["drft"]',
            "registrations.status has no value drft; known values are approved, cancelled, draft, in_review, rejected, "
            "submitted",
        ),
        (
            'registration.filtered.company_name = ["x"]',
            "registrations.company_name is not a column with a fixed set of values",
        ),
        (
            'client.extra.x_a.from = "form_data.a"',
            "client.x_a cannot be an extra field: only a registration has form_data",
        ),
        (
            'registration.extra.note.from = "form_data.a"',
            "registration.note cannot be an extra field: it names a field of Odoo, so it must begin "
            "with x_ and consist of a-z, 0-9 and _",
        ),
        (
            'registration.extra.x_comply360_status.from = "form_data.a"',
            "registration.x_comply360_status cannot be an extra field: it is one of the bridge's own fields",
        ),
        (
            'registration.extra.x_a = { from = "form_data.a", owner = "two_way" }',
            "registration.x_a cannot be an extra field: the bridge does not write to form_data, so it cannot be "
            "two_way",
        ),
        (
            'registration.extra.x_a = { from = "form_data.a", type = "integer", owner = "prefer_odoo_unless_blank" }',
            "registration.x_a cannot be an extra field: in Odoo a value of type integer is never blank, so it cannot "
            "be "
            "prefer_odoo_unless_blank",
        ),
        ('tenant.fields.name.owner = "off"', "the contract of a tenant cannot be overridden"),
    ],
)
def test_what_cannot_be_is_refused_in_plain_words(text: str, said: str) -> None:
    assert objection(f"[all]\n{text}") == said


@pytest.mark.parametrize(
    "text",
    [
        'all.registration.fields.status.ownr = "app"',
        'all.registration.fields.status.owner = "nobody"',
        "all.registrations.filtered.status = []",
        'everybody.client.fields.phone.owner = "app"',
        'all.registration.extra.x_a.from = "metadata.a"',
        'all.registration.extra.x_a.type = "text"',
        "all.registration.fields.status.values.on_hold = 3",
    ],
)
def test_an_unknown_key_or_word_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        overrides(text)


def test_every_change_is_named_with_the_rows_it_concerns() -> None:
    new = in_force(
        '[tenants.TENANT.client.fields.phone]\nowner = "prefer_odoo_unless_blank"\n'
        "[tenants.TENANT.registration]\nfiltered.status = []\n"
        'fields.status.values = { on_hold = "in_review" }\n'
        'extra.x_board = { from = "form_data.board", type = "integer" }\n'
    )
    found = changes(Contracts(), new, [OTHER_TENANT, TENANT])
    assert {change.tenant for change in found} == {TENANT}
    assert [(item.entity, item.rule, item.old, item.new, item.column, item.values) for item in found] == [
        (Entity.CLIENT, "phone", "two_way", "prefer_odoo_unless_blank", "", ()),
        (Entity.REGISTRATION, "status.on_hold", "unknown", "in_review", "status", ("on_hold",)),
        (Entity.REGISTRATION, "x_board", "not in the contract", "app, form_data.board as integer", "", ()),
        (Entity.REGISTRATION, "filtered.status", "draft", "nothing", "status", ("draft",)),
    ]
    assert changes(new, new, [TENANT]) == []
    back = changes(new, Contracts(), [TENANT])
    assert [(item.rule, item.old, item.new) for item in back] == [(item.rule, item.new, item.old) for item in found]
