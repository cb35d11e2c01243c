"""Bad input ends as a dead letter that a person can read, here and in Odoo; everything else flows."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from sync_daemon.domain.keys import Lane
from sync_daemon.rabbitmq.topology import HINTS_EXCHANGE, REGISTRATIONS_EXCHANGE, hints_routing_key
from tests.acceptance.command import c360, daemon, eventually, printed
from tests.acceptance.parties import App, Broker, Odoo

FINDINGS = 3


def _letters(app: App) -> list[dict[str, Any]]:
    return list(printed("dead", "list", "--tenant", app.subdomain))


def _flows_beside(app: App, odoo: Odoo, spoil: Callable[[UUID], None]) -> UUID:
    """Spoils one of three registrations before anything is sent; gives its id after the others have arrived."""
    good, bad, also_good = app.register(3)
    spoil(bad)
    c360("drain", expect=FINDINGS)
    arrived = {lead["x_comply360_external_id"] for lead in odoo.leads(app)}
    assert {str(good), str(also_good)} <= arrived
    return bad


def _assert_told(app: App, odoo: Odoo, record: UUID, code: str, field: str, value: str) -> None:
    (letter,) = [item for item in _letters(app) if item["record_id"] == str(record)]
    assert (letter["subdomain"], letter["code"], letter["field"]) == (app.subdomain, code, field)
    assert value in letter["value"]
    assert value in letter["message"]
    (issue,) = [item for item in odoo.issues(app) if item["record_id"] == str(record)]
    assert (issue["code"], issue["field_name"], issue["message"]) == (code, field, letter["message"])
    assert value in issue["value"]


def test_an_unknown_enum_value_is_named_and_never_mapped(app: App, odoo: Odoo) -> None:
    app.run("ALTER TABLE {t}.registrations DROP CONSTRAINT registrations_status_check")

    def spoil(bad: UUID) -> None:
        app.run("UPDATE {t}.registrations SET status = 'under_review' WHERE id = %s", [bad])

    bad = _flows_beside(app, odoo, spoil)
    _assert_told(app, odoo, bad, "unknown_value", "status", "under_review")
    assert len(odoo.leads(app)) == 2

    app.run("UPDATE {t}.registrations SET status = 'in_review' WHERE id = %s", [bad])
    c360("drain")
    assert _letters(app) == []
    assert odoo.issues(app) == []
    assert len(odoo.leads(app)) == 3


def test_a_row_whose_tenant_does_not_match_its_schema_is_not_read(
    app: App, odoo: Odoo, make_app: Callable[[], App]
) -> None:
    other = make_app()

    def spoil(bad: UUID) -> None:
        app.run("UPDATE {t}.registrations SET tenant_id = %s WHERE id = %s", [other.tenant, bad])

    bad = _flows_beside(app, odoo, spoil)
    _assert_told(app, odoo, bad, "foreign_tenant", "tenant_id", str(other.tenant))
    assert odoo.leads(other) == []


@pytest.mark.reliability("F44")
def test_characters_that_xml_forbids_are_told(app: App, odoo: Odoo) -> None:
    rename = "UPDATE {t}.registrations SET company_name = %s WHERE id = %s"
    spoilt = dict(zip(["\x0b", "\x01", "\ufffe"], app.register(4), strict=False))
    for character, bad in spoilt.items():
        app.run(rename, [f"Bad{character}Name", bad])
    c360("drain", expect=FINDINGS)
    for character, bad in spoilt.items():
        _assert_told(app, odoo, bad, "forbidden_character", "company_name", f"Bad\\u{ord(character):04x}Name")
    assert len(odoo.leads(app)) == 1


def test_an_amount_beyond_the_column_is_told_and_the_registration_flows(app: App, odoo: Odoo) -> None:
    app.run("ALTER TABLE {t}.commissions ALTER commission_amount TYPE numeric(14,2)")
    (registration,) = app.register(status="approved")
    commission = app.commission(registration, amount="123456789012.34")
    fine = app.commission(registration)
    c360("drain", expect=FINDINGS)
    _assert_told(app, odoo, commission, "bad_amount", "commission_amount", "123456789012.34")
    assert [row["x_comply360_external_id"] for row in odoo.commissions(app)] == [str(fine)]
    assert len(odoo.leads(app)) == 1


def test_a_currency_that_does_not_exist_is_told(app: App, odoo: Odoo) -> None:
    (registration,) = app.register(status="approved")
    commission = app.commission(registration, currency="XQX")
    c360("drain", expect=FINDINGS)
    (letter,) = _letters(app)
    assert (letter["record_id"], letter["field"], letter["value"]) == (str(commission), "currency", "XQX")
    assert "XQX" in letter["message"]


@pytest.mark.reliability("F70")
def test_a_missing_parent_keeps_its_child_waiting_and_nothing_else(app: App, odoo: Odoo) -> None:
    app.run("ALTER TABLE {t}.commissions DROP CONSTRAINT commissions_registration_id_fkey")
    missing, (registration,) = uuid4(), app.register(status="approved")
    orphan, fine = app.commission(missing), app.commission(registration)
    c360("drain", expect=FINDINGS)
    assert [row["x_comply360_external_id"] for row in odoo.commissions(app)] == [str(fine)]
    _assert_told(app, odoo, orphan, "parent_missing", "registration_id", str(missing))

    (late,) = app.register(status="approved", name="Late")
    app.run("UPDATE {t}.registrations SET id = %s WHERE id = %s", [missing, late])
    c360("drain")
    assert len(odoo.commissions(app)) == 2
    assert _letters(app) == []


def test_a_contract_mismatch_parks_the_field_and_the_record_flows(app: App, odoo: Odoo) -> None:
    app.run("ALTER TABLE {t}.registrations RENAME COLUMN rejection_reason TO reason_of_rejection")
    (registration,) = app.register()
    c360("drain", expect=FINDINGS)
    (lead,) = odoo.leads(app)
    assert lead["x_comply360_external_id"] == str(registration)
    (letter,) = _letters(app)
    assert (letter["record_id"], letter["field"]) == (str(registration), "rejection_reason")
    assert "rejection_reason" in letter["message"]


def test_a_refused_required_value_parks_the_record(app: App, odoo: Odoo) -> None:
    def spoil(bad: UUID) -> None:
        app.run("UPDATE {t}.registrations SET company_name = '   ' WHERE id = %s", [bad])

    bad = _flows_beside(app, odoo, spoil)
    (letter,) = _letters(app)
    assert (letter["record_id"], letter["code"], letter["field"]) == (str(bad), "required", "company_name")
    assert len(odoo.leads(app)) == 2


def test_events_that_cannot_be_right_change_nothing_and_are_told(
    app: App, odoo: Odoo, broker: Broker, make_app: Callable[[], App], daemon_log: Path
) -> None:
    other, missing, unreadable, no_uuid = make_app(), uuid4(), uuid4().hex, uuid4().hex[:20]
    with daemon(daemon_log):
        (registration,) = app.register()
        eventually(lambda: app.leads() == 1 and _is_bound(broker), "the daemon works and listens")
        for body in (
            f"this is no JSON: {unreadable}",
            json.dumps({"id": no_uuid, "tenant_id": str(app.tenant)}),
            json.dumps({"id": str(missing), "tenant_id": str(app.tenant)}),
            json.dumps({"id": str(registration), "tenant_id": str(other.tenant)}),
        ):
            assert broker.publish(REGISTRATIONS_EXCHANGE, "registration.created", body)
        for shown in (unreadable, no_uuid, str(missing), str(registration)):
            eventually(partial(_told, shown), f"the message with {shown} is told of")
        (later,) = app.register(name="Unharmed")
        eventually(lambda: app.leads([later]) == 1, "others flow")
    assert odoo.leads(other) == []


def _is_bound(broker: Broker) -> bool:
    bindings = broker.get("bindings")
    return any(item["source"] == REGISTRATIONS_EXCHANGE for item in bindings)


def _told(shown: str) -> bool:
    letters = printed("dead", "list")
    return any(shown in json.dumps(letter, ensure_ascii=False) for letter in letters)


@pytest.mark.parametrize(
    "body",
    ["no JSON at all: %s", '{"format": 1, "lane": "live", "keys": [["%s", "registration", "x"]]}'],
    ids=["no JSON", "no uuid"],
)
def test_a_hint_that_cannot_be_read_is_told_and_the_queue_goes_on(
    body: str, app: App, broker: Broker, daemon_log: Path
) -> None:
    seal = uuid4().hex[:8]
    with daemon(daemon_log):
        app.register()
        eventually(lambda: app.leads() == 1, "the queues exist")
        assert broker.publish(HINTS_EXCHANGE, hints_routing_key("main", Lane.LIVE), body % seal)
        app.register()
        eventually(lambda: app.leads() == 2, "the next hint is worked off")
        eventually(lambda: _told(seal), "the message is told of")


@pytest.mark.parametrize("depth", [2, 4000])
def test_free_json_of_any_shape_costs_its_own_fields_and_nothing_else(app: App, odoo: Odoo, depth: int) -> None:
    registrations = app.register(2)
    app.run("UPDATE {t}.clients SET email = '', phone = ''")
    nested = "[" * depth + "9" * 5000 + "]" * depth
    free = f'{{"phone": {nested}, "email": "tendai@moyo.example"}}'
    app.run("UPDATE {t}.registrations SET form_data = %s::jsonb WHERE id = %s", [free, registrations[0]])
    c360("drain", expect=FINDINGS if depth > 2 else 0)
    assert app.leads() == 2
    letters = {(item["record_id"], item["field"], item["code"]) for item in _letters(app)}
    unread = {(str(registrations[0]), "phone", "unreadable")}
    assert letters == (unread if depth > 2 else set())
    emails = {lead["email_from"] for lead in odoo.leads(app)}
    assert "tendai@moyo.example" in emails, "each value is read by itself"
