"""A deployment's overrides: checked against both sides, planned, applied, and followed tenant by tenant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.acceptance.command import c360, daemon, eventually, printed
from tests.acceptance.parties import App, Odoo

FINDINGS, CONFIGURATION = 3, 78
ALL_STATUSES = ("draft", "submitted", "in_review", "approved", "rejected", "cancelled", "on_hold")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Gives the file of overrides."""
    return tmp_path / "contract.toml"


@pytest.fixture
def apply(file: Path) -> Iterator[Callable[[str], None]]:
    """Gives a way to put overrides in force; afterwards the contract is as it was."""

    def put(text: str) -> None:
        file.write_text(text, encoding="utf-8")
        c360("contract", "apply", "--file", str(file))

    yield put
    put("")


@pytest.fixture
def new_field(odoo: Odoo) -> Iterator[Callable[[str, str], int]]:
    """Gives a way to add a field to leads in Odoo; afterwards it is gone."""
    made: list[int] = []

    def add(name: str, type_: str) -> int:
        (model,) = odoo.call("ir.model", "search", [["model", "=", "crm.lead"]])
        values = {"name": name, "model_id": model, "field_description": name, "ttype": type_}
        made.append(int(odoo.call("ir.model.fields", "create", values)))
        return made[-1]

    yield add
    odoo.call("ir.model.fields", "unlink", made)


def _list(odoo: Odoo, app: App, field: int) -> None:
    (tenant,) = odoo.call("comply360.tenant", "search", [["uuid", "=", str(app.tenant)]])
    odoo.call("comply360.tenant", "write", [tenant], {"extra_field_ids": [[4, field]]})


def _allow(app: App, *statuses: str) -> None:
    app.run("ALTER TABLE {t}.registrations DROP CONSTRAINT registrations_status_check")
    listed = ", ".join(f"'{status}'" for status in statuses)
    app.run(f"ALTER TABLE {{t}}.registrations ADD CONSTRAINT registrations_status_check CHECK (status IN ({listed}))")


def _mismatches(app: App, *arguments: str) -> list[dict[str, Any]]:
    found = printed("contract", "check", *arguments)
    return [row for row in found if row["tenant"] in (app.subdomain, "all")]


def _lead(odoo: Odoo, registration: UUID, *fields: str) -> dict[str, Any]:
    names = ["partner_name", "x_comply360_status", *fields]
    (lead,) = odoo.call("crm.lead", "search_read", [["x_comply360_external_id", "=", str(registration)]], names)
    return dict(lead)


def _warned(log: Path, app: App) -> bool:
    lines = [line for line in log.read_text(encoding="utf-8").splitlines() if "contract.mismatch" in line]
    return any(str(app.tenant) in line and "on_hold" in line for line in lines)


def _different(app: App, entity: str, expect: int) -> int:
    found = printed("reconcile", "--tenant", app.subdomain, "--entity", entity, expect=expect)
    (row,) = found["compared"]
    return int(row["different"])


def _letters(app: App) -> list[tuple[str, str, str]]:
    found = printed("dead", "list", "--tenant", app.subdomain)
    return [(row["field"], row["code"], row["value"]) for row in found]


@pytest.mark.acceptance("C1")
def test_a_tenants_new_status_is_named_parks_its_field_alone_and_flows_once_it_is_mapped(
    app: App, make_app: Callable[[], App], odoo: Odoo, apply: Callable[[str], None], daemon_log: Path
) -> None:
    other = make_app()
    (registration,) = app.register()
    (elsewhere,) = other.register()
    c360("drain")
    assert _mismatches(app) == []
    _allow(app, *ALL_STATUSES)
    (found,) = _mismatches(app)
    assert (found["tenant"], found["where"], found["value"]) == (app.subdomain, "registrations.status", "on_hold")
    path, _, line = found["rule"].rpartition(":")
    assert 'Field("status"' in Path(path).read_text(encoding="utf-8").splitlines()[int(line) - 1]
    assert c360("contract", "check", expect=FINDINGS).stdout
    assert any(
        item["place"] == f"tenant {app.subdomain}" and "may be on_hold" in item["problem"] for item in printed("doctor")
    )
    with daemon(daemon_log):
        eventually(lambda: _warned(daemon_log, app), "the daemon's log names it, and the daemon works")

    app.run("UPDATE {t}.registrations SET status = 'on_hold', company_name = 'Renamed' WHERE id = %s", [registration])
    other.run("UPDATE {t}.registrations SET status = 'approved' WHERE id = %s", [elsewhere])
    (new,) = app.register(status="on_hold")
    c360("drain", expect=FINDINGS)
    lead = _lead(odoo, registration)
    assert (lead["partner_name"], lead["x_comply360_status"]) == ("Renamed", "submitted"), "the rest of it flows"
    assert _lead(odoo, elsewhere)["x_comply360_status"] == "approved", "another tenant is not concerned"
    assert _letters(app) == [("status", "unknown_value", "on_hold")] * 2
    assert app.leads([new]) == 0, "a lead cannot be made without a status"

    apply(f'[tenants.{app.subdomain}.registration.fields.status]\nvalues = {{ on_hold = "in_review" }}\n')
    c360("drain")
    assert _lead(odoo, registration)["x_comply360_status"] == "in_review"
    assert _lead(odoo, new)["x_comply360_status"] == "in_review"
    assert _letters(app) == [] and _mismatches(app) == []


@pytest.mark.acceptance("C1")
def test_a_phone_that_odoo_is_preferred_for_is_filled_by_the_app_and_never_replaced(
    app: App, odoo: Odoo, apply: Callable[[str], None], file: Path
) -> None:
    (registration, _) = app.register(2, status="approved")
    client = app.one("SELECT client_id FROM {t}.registrations WHERE id = %s", [registration])
    c360("drain")
    text = f'[tenants.{app.subdomain}.client.fields.phone]\nowner = "prefer_odoo_unless_blank"\n'
    file.write_text(text, encoding="utf-8")
    assert printed("contract", "plan", "--file", str(file), expect=0) == [
        {
            "tenant": app.subdomain,
            "entity": "client",
            "rule": "phone",
            "old": "two_way",
            "new": "prefer_odoo_unless_blank",
            "records": 2,
        }
    ]
    c360("contract", "apply", "--file", str(file), "--dry-run")
    assert len(printed("contract", "plan", "--file", str(file))) == 1, "a rehearsal puts nothing in force"
    apply(text)
    assert printed("contract", "plan", "--file", str(file)) == []

    def partner() -> dict[str, Any]:
        domain = [["x_comply360_external_id", "=", str(client)]]
        return dict(odoo.call("res.partner", "search_read", domain, ["phone", "write_date"])[0])

    kept = partner()["phone"]
    app.run("UPDATE {t}.clients SET phone = '+27 11 000 0001', city = 'Durban' WHERE id = %s", [client])
    c360("drain")
    assert partner()["phone"] == kept, "an edit of the app never replaces one"
    assert app.one("SELECT phone FROM {t}.clients WHERE id = %s", [client]) == kept, "and Odoo's stands on both sides"
    odoo.call("res.partner", "write", [partner()["id"]], {"phone": "+27 31 555 0000"})
    c360("drain")
    assert app.one("SELECT phone FROM {t}.clients WHERE id = %s", [client]) == "+27 31 555 0000"

    odoo.call("res.partner", "write", [partner()["id"]], {"phone": False})
    c360("drain")
    assert partner()["phone"] == "+27 31 555 0000", "what Odoo has lost is filled from the app"
    assert _letters(app) == []
    before = partner()["write_date"]
    c360("backfill", "--tenant", app.subdomain)
    c360("drain")
    assert partner()["write_date"] == before
    assert _different(app, "client", expect=0) == 0


@pytest.mark.acceptance("C1")
def test_every_owner_lets_go_what_is_its_own_and_comes_to_rest(
    app: App, odoo: Odoo, apply: Callable[[str], None]
) -> None:
    (registration,) = app.register(status="approved")
    client = app.one("SELECT client_id FROM {t}.registrations WHERE id = %s", [registration])
    write = "UPDATE {t}.clients SET city = %s, street_address = %s, tax_number = %s, postal_code = %s WHERE id = %s"

    def row() -> tuple[Any, ...]:
        columns = "city, street_address, tax_number, postal_code"
        return app.run(f"SELECT {columns} FROM {{t}}.clients WHERE id = %s", [client])[0]

    def partner() -> tuple[Any, ...]:
        names = ["city", "street", "x_comply360_tax_number", "zip", "id"]
        (found,) = odoo.call("res.partner", "search_read", [["x_comply360_external_id", "=", str(client)]], names)
        return tuple(found[name] or None for name in names[:4])

    def edit(**values: object) -> None:
        ids = odoo.call("res.partner", "search", [["x_comply360_external_id", "=", str(client)]])
        odoo.call("res.partner", "write", ids, values)

    apply(
        f"[tenants.{app.subdomain}.client.fields]\n"
        'city.owner = "odoo"\nstreet.owner = "create_only"\ntax_number.owner = "off"\n'
        'postal_code.owner = "prefer_app_unless_blank"\n'
    )
    app.run(write, ["Harare", "1 First St", "123456", "0001", client])
    c360("drain")
    assert partner() == ("Harare", "1 First St", None, "0001")
    app.run(write, ["Mutare", "2 Second St", "654321", "0002", client])
    c360("drain")
    assert partner() == ("Harare", "1 First St", None, "0002")
    assert row() == ("Harare", "2 Second St", "654321", "0002"), "Odoo's own city is put back"
    edit(city="Gweru", street="3 Third St", zip="0003", vat="999999")
    c360("drain")
    assert row() == ("Gweru", "2 Second St", "654321", "0002")
    assert partner() == ("Gweru", "3 Third St", "999999", "0002"), "the app's code goes back"
    app.run(write, ["Gweru", None, None, None, client])
    c360("drain")
    assert row() == ("Gweru", None, None, "0002"), "Odoo's fills what the app has not"
    assert partner() == ("Gweru", "3 Third St", "999999", "0002")
    assert _letters(app) == [] and _different(app, "client", expect=0) == 0


@pytest.mark.acceptance("C1")
def test_a_value_of_form_data_arrives_in_a_field_that_a_manager_listed_and_in_no_other(
    app: App,
    make_app: Callable[[], App],
    odoo: Odoo,
    apply: Callable[[str], None],
    new_field: Callable[[str, str], int],
    file: Path,
) -> None:
    other = make_app()
    name, closed = f"x_seats_{app.subdomain}", f"x_note_{app.subdomain}"
    _list(odoo, app, new_field(name, "integer"))
    note = new_field(closed, "char")
    (registration,) = app.register()
    (elsewhere,) = other.register()
    fill = "UPDATE {t}.registrations SET form_data = %s::jsonb WHERE id = %s"
    for tenant, identity in ((app, registration), (other, elsewhere)):
        tenant.run(fill, ['{"board": {"seats": 7}, "note": "by hand"}', identity])
    c360("drain")
    apply(
        f"[tenants.{app.subdomain}.registration.extra]\n"
        f'{name} = {{ from = "form_data.board.seats", type = "integer" }}\n'
        f'{closed} = {{ from = "form_data.note" }}\n'
    )
    (found,) = _mismatches(app, "--file", str(file))
    assert (found["tenant"], found["where"]) == (app.subdomain, f"crm.lead.{closed}")
    assert found["rule"].endswith("contract.toml:3")
    c360("drain", expect=FINDINGS)
    assert _lead(odoo, registration, name, closed)[name] == 7
    assert _lead(odoo, registration, name, closed)[closed] is False
    assert _letters(app) == [(closed, "not_listed", "by hand")]
    assert _lead(odoo, elsewhere, name)[name] == 0 and _letters(other) == []

    app.run(fill, ['{"board": {"seats": 9}, "note": "by hand"}', registration])
    c360("drain", expect=FINDINGS)
    assert _lead(odoo, registration, name)[name] == 9
    _list(odoo, app, note)
    c360("dead", "retry", "--code", "not_listed", "--tenant", app.subdomain)
    c360("drain")
    assert _lead(odoo, registration, closed)[closed] == "by hand"
    assert _letters(app) == [] and _mismatches(app) == []
    odoo.call("crm.lead", "write", [_lead(odoo, registration)["id"]], {name: 1})
    assert _different(app, "registration", expect=FINDINGS) == 1, "an extra field is compared as any other"


@pytest.mark.acceptance("C1")
def test_the_draft_filter_is_lifted_for_one_tenant_by_a_running_daemon(
    app: App, make_app: Callable[[], App], odoo: Odoo, apply: Callable[[str], None], daemon_log: Path
) -> None:
    other = make_app()
    (draft,) = app.register(status="draft")
    (elsewhere,) = other.register(status="draft")
    with daemon(daemon_log):
        (marker,) = app.register()
        eventually(lambda: app.leads([marker]) == 1, "the daemon works")
        assert app.leads([draft]) == 0
        apply(f"[tenants.{app.subdomain}.registration]\nfiltered.status = []\n")
        eventually(lambda: app.leads([draft]) == 1, "the draft is a lead")
        other.run("UPDATE {t}.registrations SET company_name = company_name || ' changed'")
        (marker,) = other.register()
        eventually(lambda: other.leads([marker]) == 1, "the other tenant's records flow")
    c360("drain")
    assert other.leads([elsewhere]) == 0
    assert _lead(odoo, draft)["x_comply360_status"] == "draft"


@pytest.mark.acceptance("C1")
def test_a_file_that_cannot_be_is_refused_by_line_before_anything_changes(app: App, file: Path) -> None:
    file.write_text(
        f"[tenants.{app.subdomain}.client.fields]\n"
        'mobile.owner = "two_way"\n'
        'phone.ownr = "app"\n'
        "[tenants.nobody.client.fields]\n"
        'phone.owner = "app"\n',
        encoding="utf-8",
    )
    said = c360("contract", "apply", "--file", str(file), expect=CONFIGURATION).stderr
    assert f"{file}:3: tenant {app.subdomain}, client.fields.phone.ownr: " in said
    file.write_text(file.read_text(encoding="utf-8").replace('phone.ownr = "app"\n', ""), encoding="utf-8")
    said = c360("contract", "apply", "--file", str(file), expect=CONFIGURATION).stderr
    assert (
        f"{file}:2: tenant {app.subdomain}, client.fields.mobile.owner: "
        "client.mobile cannot be two_way: the sync role may not write clients.mobile"
    ) in said
    file.write_text(file.read_text(encoding="utf-8").replace('mobile.owner = "two_way"\n', ""), encoding="utf-8")
    said = c360("contract", "plan", expect=CONFIGURATION, C360_CONTRACT_FILE=str(file)).stderr
    assert f"{file}:2: tenant nobody, as a whole: no attached tenant nobody" in said
    (client,) = printed("contract", "show", "--entity", "client", "--tenant", app.subdomain, expect=0)
    assert {field["name"]: field["owner"] for field in client["fields"]}["phone"] == "two_way", "nothing was applied"
