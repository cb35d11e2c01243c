"""Nothing differs, waits or lies aside without being named, and what a person cannot decide mends itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from demo.databases import odoo_database
from tests.acceptance.command import c360, printed
from tests.acceptance.parties import App, Odoo
from tests.acceptance.test_reconcile import counts, document, lead_of, reconcile, uncaptured

FINDINGS = 3


def silently(app: App, statement: str, values: Sequence[object]) -> None:
    """What no trigger of Odoo's tells: exactly one record is changed."""
    with odoo_database(app.settings) as connection, connection.cursor() as cursor:
        own = "SELECT set_config('comply360.applying', array_agg(id)::text, TRUE) FROM comply360_binding"
        cursor.execute(own)
        cursor.execute(statement, values)
        assert cursor.rowcount == 1


def named(found: Mapping[str, Any]) -> set[tuple[str, str, object, object]]:
    """What a comparison says: record, field, the app's value, Odoo's value."""
    return {
        (item["record_id"], field["field"], field["app"], field["odoo"])
        for item in found["drift"]
        for field in item["fields"]
    }


def is_mended(app: App, expected: Mapping[str, int]) -> None:
    """The repair is carried out, and a second look finds nothing."""
    c360("drain")
    after = reconcile(app, expect=0)
    assert after["drift"] == []
    assert {entity: counts(after, entity) for entity in expected} == {
        entity: {"matched": number} for entity, number in expected.items()
    }


def merge(odoo: Odoo, survivor: int, other: int) -> None:
    context = {"active_model": "res.partner", "active_ids": [survivor, other], "lang": "en_US"}
    wizard = odoo.call(
        "base.partner.merge.automatic.wizard",
        "create",
        {"partner_ids": [[6, 0, [survivor, other]]], "dst_partner_id": survivor, "state": "selection"},
        context=context,
    )
    odoo.call("base.partner.merge.automatic.wizard", "action_merge", [wizard], context=context)


def partner_of(odoo: Odoo, record: UUID) -> int:
    [partner] = odoo.call("res.partner", "search", [["x_comply360_external_id", "=", str(record)]])
    return int(partner)


def client_of(app: App, registration: UUID) -> UUID:
    return UUID(str(app.one("SELECT client_id FROM {t}.registrations WHERE id = %s", [registration])))


@pytest.mark.acceptance("C6")
def test_what_belongs_to_a_merged_partner_is_compared_with_the_survivor(app: App, odoo: Odoo) -> None:
    first, second = app.register(2, status="approved")
    commissions = [app.commission(first, "125.05")]
    staying = app.agents.pop()
    commissions.append(app.commission(second, "59.05"))
    c360("drain")
    merge(odoo, partner_of(odoo, client_of(app, first)), partner_of(odoo, client_of(app, second)))
    merge(odoo, partner_of(odoo, staying), partner_of(odoo, app.agent()))
    c360("drain")
    found = reconcile(app, expect=0)
    assert {entity: counts(found, entity) for entity in ("registration", "commission")} == {
        "registration": {"matched": 2},
        "commission": {"matched": 2},
    }
    assert [line["parked"] for line in found["compared"]] == [0] * len(found["compared"])

    lead = lead_of(odoo, app, second)["id"]
    silently(app, "UPDATE crm_lead SET x_comply360_reference = 'Z-1', email_from = 'a@b.example' WHERE id = %s", [lead])
    silently(
        app,
        "UPDATE x_commission SET commission_amount = 777.77 WHERE x_comply360_external_id = %s",
        [str(commissions[1])],
    )
    found = reconcile(app, "--fix", "--plan", "/dev/null", expect=0)
    assert named(found) >= {
        (str(second), "reference", "", "Z-1"),
        (str(commissions[1]), "commission_amount", "59.05", "777.77"),
    }
    assert {item["finding"] for item in found["drift"]} == {"different"}
    is_mended(app, {"registration": 2, "commission": 2})
    assert lead_of(odoo, app, second)["email_from"] == lead_of(odoo, app, first)["email_from"]

    with uncaptured(app, "registrations"):
        app.run("UPDATE {t}.registrations SET company_name = 'Renamed Silently' WHERE id = %s", [second])
    elsewhere = create(odoo, "res.partner", name="Somebody else")
    statement = "UPDATE x_commission SET agent_id = %s WHERE x_comply360_external_id = %s"
    silently(app, statement, [elsewhere, str(commissions[1])])
    found = reconcile(app, "--fix", "--plan", "/dev/null", expect=0)
    assert {(record, field) for record, field, _, _ in named(found)} == {
        (str(second), "company_name"),
        (str(commissions[1]), "agent"),
    }
    is_mended(app, {"registration": 2, "commission": 2})


@pytest.mark.acceptance("C6")
def test_documents_of_merged_leads_go_on_with_the_survivor(
    app: App, odoo: Odoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("C360_STORAGE_ROOT", f"file://{tmp_path}")
    (tmp_path / str(app.tenant)).mkdir()
    registrations = app.register(2)
    documents = [
        document(app, registration, tmp_path, name) for registration, name in zip(registrations, "ab", strict=True)
    ]
    c360("drain")
    odoo.call("crm.lead", "merge_opportunity", [lead["id"] for lead in odoo.leads(app)])
    c360("drain")
    assert counts(reconcile(app, expect=0), "document") == {"matched": 2}
    [survivor] = odoo.leads(app)
    shown = odoo.call(
        "ir.attachment",
        "search_read",
        [["x_comply360_external_id", "in", list(map(str, documents))]],
        ["name", "x_comply360_lead_id", "res_id"],
        order="name",
    )
    assert [(row["name"], row["x_comply360_lead_id"][0], row["res_id"]) for row in shown] == [
        (name, survivor["id"], survivor["id"]) for name in "ab"
    ]


@pytest.mark.acceptance("C6")
def test_whatever_is_changed_of_a_document_or_its_copy_is_named_and_mended(
    app: App, odoo: Odoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("C360_STORAGE_ROOT", f"file://{tmp_path}")
    (tmp_path / str(app.tenant)).mkdir()
    [registration] = app.register(status="approved")
    names = ("file", "copy", "gone", "renamed", "typed", "moved", "open", "elsewhere", "same")
    documents = {name: document(app, registration, tmp_path, name) for name in names}
    c360("drain")
    assert counts(reconcile(app, expect=0), "document") == {"matched": len(names)}

    ids = {name: attachment_of(odoo, identity) for name, identity in documents.items()}
    before = shown(odoo, documents)
    overwrite(app, ids["file"][0], b"Content of file")
    [copied] = odoo.call("ir.attachment", "read", [ids["copy"][1]], ["datas"])
    assert copied["datas"]
    silently(app, "UPDATE ir_attachment SET store_fname = NULL, db_datas = 'another' WHERE id = %s", [ids["copy"][1]])
    silently(app, "DELETE FROM ir_attachment WHERE id = %s", [ids["gone"][1]])
    silently(app, "UPDATE ir_attachment SET name = 'passport' WHERE id = %s", [ids["renamed"][1]])
    silently(app, "UPDATE ir_attachment SET mimetype = 'text/html' WHERE id = %s", [ids["typed"][0]])
    silently(app, "UPDATE ir_attachment SET res_model = 'res.partner', res_id = 1 WHERE id = %s", [ids["moved"][0]])
    silently(app, "UPDATE ir_attachment SET public = TRUE WHERE id = %s", [ids["open"][0]])
    silently(app, "UPDATE ir_attachment SET res_id = 1 WHERE id = %s", [ids["elsewhere"][1]])

    found = reconcile(app, "--fix", "--plan", "/dev/null", expect=0)
    fields = {(record, field) for record, field, _, _ in named(found)}
    assert fields >= {
        (str(documents["file"]), "sha256"),
        (str(documents["copy"]), "x_comply360_copy_ids.sha256"),
        (str(documents["gone"]), "x_comply360_copy_ids"),
        (str(documents["renamed"]), "x_comply360_copy_ids.name"),
        (str(documents["typed"]), "mimetype"),
        (str(documents["moved"]), "res_model"),
        (str(documents["open"]), "public"),
        (str(documents["elsewhere"]), "x_comply360_copy_ids"),
    }
    assert str(documents["same"]) not in {record for record, _ in fields}
    is_mended(app, {"document": len(names)})
    assert shown(odoo, documents) == before


def attachment_of(odoo: Odoo, identity: UUID) -> list[int]:
    """The attachment on the lead and the one on the customer."""
    domain = [
        "|",
        ["x_comply360_external_id", "=", str(identity)],
        ["x_comply360_original_id.x_comply360_external_id", "=", str(identity)],
    ]
    return list(odoo.call("ir.attachment", "search", domain, order="id"))


def shown(odoo: Odoo, documents: Mapping[str, UUID]) -> list[list[tuple[object, ...]]]:
    fields = ["name", "mimetype", "public", "res_model", "res_id", "datas", "x_comply360_external_id"]
    return [
        sorted(
            tuple(row[field] for field in fields)
            for row in odoo.call("ir.attachment", "read", attachment_of(odoo, identity), fields)
        )
        for identity in documents.values()
    ]


def overwrite(app: App, attachment: int, content: bytes) -> None:
    """Other bytes of the same length in the file itself, past Odoo."""
    with odoo_database(app.settings) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT store_fname FROM ir_attachment WHERE id = %s", [attachment])
        [(name,)] = cursor.fetchall()
    path = Path(app.settings.odoo_data_dir) / "filestore" / app.settings.odoo_postgres_db / name
    assert path.is_file() and path.stat().st_size == len(content)
    path.write_bytes(content)


@pytest.mark.acceptance("C6")
@pytest.mark.parametrize("way", ["changed", "emptied"])
def test_a_changed_or_emptied_identity_is_named_and_restored(
    way: str, app: App, odoo: Odoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("C360_STORAGE_ROOT", f"file://{tmp_path}")
    (tmp_path / str(app.tenant)).mkdir()
    [registration] = app.register(status="approved")
    records = {
        "crm_lead": registration,
        "res_partner": client_of(app, registration),
        "x_commission": app.commission(registration),
        "ir_attachment": document(app, registration, tmp_path, "a"),
    }
    c360("drain")
    matched = {"client": 1, "registration": 1, "commission": 1, "document": 1}
    is_mended(app, matched)

    other = str(uuid4()) if way == "changed" else None
    expected = set()
    for table, record in records.items():
        silently(
            app,
            f"UPDATE {table} SET x_comply360_external_id = %s WHERE x_comply360_external_id = %s",
            [other, str(record)],
        )
        expected.add((str(record), "x_comply360_external_id", str(record), other or ""))
    found = reconcile(app, "--fix", "--plan", "/dev/null", expect=0)
    assert named(found) == expected
    is_mended(app, matched)

    another = "(SELECT min(id) FROM comply360_tenant WHERE uuid <> %s)" if way == "changed" else "NULL"
    for table, record in records.items():
        silently(
            app,
            f"UPDATE {table} SET x_comply360_tenant_id = {another} WHERE x_comply360_external_id = %s",
            [*([str(app.tenant)] if way == "changed" else []), str(record)],
        )
    role = "user" if way == "changed" else None
    partner = str(records["res_partner"])
    silently(app, "UPDATE res_partner SET x_comply360_entity = %s WHERE x_comply360_external_id = %s", [role, partner])
    found = reconcile(app, "--fix", "--plan", "/dev/null", expect=0)
    fields = {(record, field) for record, field, _, _ in named(found)}
    assert fields - {(str(records["ir_attachment"]), "x_comply360_copy_ids")} == {
        *((str(record), "x_comply360_tenant_id") for record in records.values()),
        (partner, "x_comply360_entity"),
    }
    is_mended(app, matched)


@pytest.mark.acceptance("C6")
def test_a_row_that_cannot_go_and_of_which_nothing_tells_is_found(app: App, odoo: Odoo) -> None:
    [registration] = app.register()
    c360("drain")
    app.run("ALTER TABLE {t}.registrations DROP CONSTRAINT registrations_status_check")
    with uncaptured(app, "registrations"):
        app.run("UPDATE {t}.registrations SET status = 'under_review' WHERE id = %s", [registration])
    found = reconcile(app, "--fix", "--plan", "/dev/null", expect=0)
    assert counts(found) == {"different": 1}
    c360("drain", expect=FINDINGS)
    assert [issue["code"] for issue in odoo.issues(app)] == ["unknown_value"]
    [line] = [line for line in reconcile(app, expect=0)["compared"] if line["entity"] == "registration"]
    assert (line["parked"], line["different"]) == (1, 0)


def causes(app: App) -> list[tuple[str, int]]:
    return [
        (item["cause"], item["records"]) for item in printed("status")["causes"] if item["subdomain"] == app.subdomain
    ]


@pytest.mark.acceptance("R-HEALTH")
def test_whatever_waits_or_is_parked_has_a_cause_that_status_prints(app: App, odoo: Odoo) -> None:
    kept, opted_out, deleted = app.register(3)
    c360("drain")
    assert causes(app) == []
    odoo.call("crm.lead", "action_comply360_opt_out", [lead_of(odoo, app, opted_out)["id"]])
    odoo.call("crm.lead", "unlink", [lead_of(odoo, app, deleted)["id"]])
    app.run("UPDATE {t}.registrations SET company_name = 'Marked' WHERE id = %s", [kept])
    said = dict(causes(app))
    assert said["in Odoo: a user stopped syncing the record"] == 1
    assert said["in Odoo: the change is about to be taken by the app"] == 1
    assert any(cause.startswith("it is about to be") or "was marked" in cause for cause in said)
    c360("drain")
    said = dict(causes(app))
    assert said == {
        "in Odoo: a user stopped syncing the record": 1,
        "in Odoo: a user deleted the record in Odoo": 1,
        "a user deleted the record in Odoo: c360 binding show": 1,
    }
    app.run("UPDATE {t}.registrations SET company_name = 'Again' WHERE id = %s", [deleted])
    c360("drain", expect=FINDINGS)
    assert any("c360 dead list --code unlinked" in cause for cause, _ in causes(app))
    [letter] = printed("dead", "list", "--tenant", app.subdomain, expect=FINDINGS)
    c360("dead", "discard", letter["id"], "--yes")
    assert "its dead letter was discarded: it goes with its next change" in dict(causes(app))


# -- Odoo's settings ---------------------------------------------------------------------------------------------------


def misfits(app: App) -> dict[str, dict[str, str]]:
    """What `c360 contract check` and `c360 doctor` say of this tenant and Odoo's settings, by the place."""
    rows = [row for row in printed("contract", "check") if row["tenant"] == app.subdomain]
    diagnoses = {(item["problem"], item["fix"]) for item in printed("doctor")}
    assert {(row["message"], row["advice"]) for row in rows} <= diagnoses
    return {row["where"]: row for row in rows}


def tenant_of(odoo: Odoo, app: App) -> int:
    [tenant] = odoo.call("comply360.tenant", "search", [["uuid", "=", str(app.tenant)]])
    return int(tenant)


def create(odoo: Odoo, model: str, **values: object) -> int:
    made = odoo.call(model, "create", values)
    return int(made[0] if isinstance(made, list) else made)


@contextmanager
def without_won_stage(odoo: Odoo, team: int) -> Iterator[list[int]]:
    """Every won stage belongs to another team while the block lasts; gives the stages."""
    stages = odoo.call("crm.stage", "search_read", [["is_won", "=", True]], ["team_ids"])
    for stage in stages:
        odoo.call("crm.stage", "write", [stage["id"]], {"team_ids": [[6, 0, [team]]]})
    try:
        yield [stage["id"] for stage in stages]
    finally:
        for stage in stages:
            odoo.call("crm.stage", "write", [stage["id"]], {"team_ids": [[6, 0, stage["team_ids"]]]})


@pytest.mark.acceptance("C1")
def test_without_a_won_stage_an_approval_waits_is_told_and_mends_itself(app: App, odoo: Odoo) -> None:
    [registration] = app.register()
    c360("drain")
    own, other = (create(odoo, "crm.team", name=name) for name in ("Own team", "Other team"))
    odoo.call("comply360.tenant", "write", [tenant_of(odoo, app)], {"team_id": own})
    assert misfits(app) == {}
    lead = lead_of(odoo, app, registration)["id"]
    [before] = odoo.call("crm.lead", "read", [lead], ["stage_id", "probability", "x_comply360_status"])
    assert before["stage_id"]
    with without_won_stage(odoo, other) as stages:
        found = misfits(app)["crm.stage.is_won"]
        assert found["value"] == "Own team"
        assert "Own team has no won stage" in found["message"]
        app.run("UPDATE {t}.registrations SET status = 'approved', approved_at = now() WHERE id = %s", [registration])
        c360("drain", expect=FINDINGS)
        [now] = odoo.call("crm.lead", "read", [lead], ["stage_id", "probability", "x_comply360_status"])
        assert now == before, "the stage is never erased"
        [issue] = odoo.issues(app)
        assert (issue["record_id"], issue["code"]) == (str(registration), "no_won_stage")
        assert "Own team has no won stage" in issue["message"]
        assert any("no won stage" in cause for cause, _ in causes(app))

        # as the advice says
        assert "add Own team to its sales teams" in found["advice"]
        odoo.call("crm.stage", "write", [stages[0]], {"team_ids": [[6, 0, [other, own]]]})
        c360("drain")
        [won] = odoo.call("crm.lead", "read", [lead], ["stage_id", "won_status", "x_comply360_status"])
        assert (won["stage_id"][0], won["won_status"], won["x_comply360_status"]) == (stages[0], "won", "approved")
        assert odoo.issues(app) == []
        assert misfits(app) == {}


@pytest.mark.acceptance("C1")
def test_a_currency_that_does_not_fit_is_found_before_a_commission_meets_it(app: App, odoo: Odoo) -> None:
    [currency] = odoo.call("res.currency", "search_read", [["name", "=", "NAD"]], ["active", "rounding"])
    odoo.call("res.currency", "write", [currency["id"]], {"active": False, "rounding": 0.05})
    try:
        [registration] = app.register(status="draft")
        app.commission(registration, "125.53", "NAD")
        found = misfits(app)
        assert set(found) == {"res.currency.active", "res.currency.rounding", "res.currency.rate"}
        assert {row["value"] for row in found.values()} == {"NAD", "0.05"}

        # as the advices say
        odoo.call("res.currency", "write", [currency["id"]], {"active": True, "rounding": 0.01})
        assert set(misfits(app)) == {"res.currency.rate"}
        assert "enter a rate of NAD" in misfits(app)["res.currency.rate"]["advice"]
        rate = create(odoo, "res.currency.rate", currency_id=currency["id"], name="2026-01-01", rate=1.0)
        assert misfits(app) == {}
        odoo.call("res.currency.rate", "unlink", [rate])
    finally:
        values = {"active": currency["active"], "rounding": currency["rounding"]}
        odoo.call("res.currency", "write", [currency["id"]], values)


@pytest.mark.acceptance("C1")
def test_a_company_that_does_not_fit_is_found(app: App, odoo: Odoo) -> None:
    company = create(odoo, "res.company", name=f"Company of {app.subdomain}")
    own, foreign = (
        create(odoo, "crm.team", name="Fitting", company_id=company),
        create(odoo, "crm.team", name="Foreign", company_id=1),
    )
    odoo.call("comply360.tenant", "write", [tenant_of(odoo, app)], {"company_id": company, "team_id": own})
    assert set(misfits(app)) == {"account.journal.type"}
    create(odoo, "account.journal", name="Bills", code="BILL", type="purchase", company_id=company)
    assert misfits(app) == {}

    silently(app, "UPDATE comply360_tenant SET team_id = %s WHERE uuid = %s", [foreign, str(app.tenant)])
    silently(app, "UPDATE res_company SET fiscalyear_lock_date = current_date + 1 WHERE id = %s", [company])
    found = misfits(app)
    assert set(found) == {"comply360.tenant.team_id", "res.company.fiscalyear_lock_date"}
    assert "Foreign" in found["comply360.tenant.team_id"]["message"]
    silently(app, "UPDATE comply360_tenant SET team_id = %s WHERE uuid = %s", [own, str(app.tenant)])
    silently(app, "UPDATE res_company SET fiscalyear_lock_date = NULL WHERE id = %s", [company])

    [registration] = app.register(status="approved")
    c360("drain")
    assert misfits(app) == {}
    client = str(client_of(app, registration))
    silently(app, "UPDATE res_partner SET company_id = 1 WHERE x_comply360_external_id = %s", [client])
    assert set(misfits(app)) == {"res.partner.company_id"}
    silently(app, "UPDATE res_partner SET company_id = %s WHERE x_comply360_external_id = %s", [company, client])
    assert misfits(app) == {}
