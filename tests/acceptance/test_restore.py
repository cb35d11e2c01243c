"""After one side was set back to an earlier time: nothing of what came after is lost, doubled or taken for old."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from stack.layout import Layout
from sync_daemon.config import Settings
from tests.acceptance.command import c360, printed
from tests.acceptance.drill import Drill, drilling
from tests.acceptance.parties import App

DRIFT = ("different", "missing_in_odoo", "missing_in_app", "orphaned", "duplicate")

Records = set[tuple[str, str]]


@pytest.fixture(scope="module")
def drill(stack_layout: Layout, stack_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    with drilling(stack_layout, stack_settings, tmp_path_factory.mktemp("drill")) as made:
        yield made


@pytest.fixture(scope="module")
def agencies(drill: Drill) -> tuple[App, App]:
    return drill.tenant(), drill.tenant()


def reconcile(*arguments: str, expect: int | None) -> dict[str, Any]:
    return dict(printed("reconcile", *arguments, expect=expect))


def named(found: dict[str, Any], *findings: str) -> Records:
    return {(item["entity"], item["record_id"]) for item in found["drift"] if item["finding"] in findings}


def earned(app: App, name: str) -> tuple[UUID, UUID, UUID]:
    """An approved registration, its client and its commission."""
    (registration,) = app.register(status="approved", name=name)
    client = app.one("SELECT client_id FROM {t}.registrations WHERE id = %s", [registration])
    return registration, client, app.commission(registration)


def decide(drill: Drill, app: App, commission: UUID, paid: str = "") -> None:
    """An accountant approves a commission in Odoo, and pays it under a reference."""
    (record,) = [item for item in drill.odoo.commissions(app) if item["x_comply360_external_id"] == str(commission)]
    drill.accountant.call("x_commission", "action_approve", [record["id"]])
    if paid:
        drill.accountant.call("x_commission", "mark_paid", [record["id"]], paid, "2026-11-02 09:15:30")


def in_step(drill: Drill, apps: Collection[App], orphans: Records) -> None:
    """Invariants I1 to I7, read by plain SQL in both databases; `orphans` are what Odoo alone may have."""
    leads = drill.in_odoo(
        "SELECT l.x_comply360_external_id, t.uuid, l.id, l.partner_name, l.x_comply360_status"
        " FROM crm_lead l JOIN comply360_tenant t ON t.id = l.x_comply360_tenant_id"
    )
    commissions = drill.in_odoo(
        "SELECT c.x_comply360_external_id, t.uuid, c.id, c.commission_amount::numeric(10, 2), c.state,"
        " coalesce(c.payment_reference, '')"
        " FROM x_commission c JOIN comply360_tenant t ON t.id = c.x_comply360_tenant_id"
    )
    for rows in (leads, commissions):
        assert set(Counter(row[0] for row in rows).values()) <= {1}, "I2: exactly one"
    there = {row[0]: tuple(row[1:]) for row in leads}
    decided = {row[0]: tuple(row[1:]) for row in commissions}
    here: set[str] = set()
    for app in apps:
        for identity, *rest in app.run(
            "SELECT id::text, odoo_lead_id, company_name, status FROM {t}.registrations"
            " WHERE status <> 'draft' OR odoo_lead_id IS NOT NULL"
        ):
            here.add(identity)
            assert there.get(identity) == (str(app.tenant), *rest), "I1, I4, I6: its lead, with its values, its tenant"
        for identity, *rest in app.run(
            "SELECT id::text, odoo_commission_id, commission_amount, status::text, coalesce(payment_reference, '')"
            " FROM {t}.commissions"
        ):
            here.add(identity)
            assert decided.get(identity) == (str(app.tenant), *rest), "I1, I4, I6: its commission, decided alike"
        attached = drill.in_odoo(
            "SELECT count(*), a.x_comply360_external_id FROM ir_attachment a"
            " JOIN comply360_tenant t ON t.id = a.x_comply360_tenant_id WHERE t.uuid = %s GROUP BY 2",
            str(app.tenant),
        )
        assert sorted(attached) == sorted((1, str(row[0])) for row in app.run("SELECT id FROM {t}.documents")), "I1, I2"
    alone = {("registration", key) for key in there.keys() - here} | {("commission", k) for k in decided.keys() - here}
    assert alone == {item for item in orphans if item[0] in ("registration", "commission")}, "I3: nothing unexpected"
    for statement in (
        "SELECT count(*) FROM bridge.outbox",
        "SELECT count(*) FROM bridge.delivery WHERE dead_version IS DISTINCT FROM version",
    ):
        assert drill.in_app(statement) == [(0,)], "I5: nothing is owed to Odoo"
    pending = "SELECT count(*) FROM comply360_outbox WHERE state = 'pending'"
    assert drill.in_odoo(pending) == [(0,)], "I5: nor to the app"
    assert reconcile(expect=0)["drift"] == [], "I4: digests agree"
    before = echo(drill)
    c360("drain", expect=None)
    assert echo(drill) == before, "I7: nothing goes to and fro"


def echo(drill: Drill) -> Sequence[Any]:
    return [
        drill.in_app("SELECT count(*) FROM bridge.ledger"),
        drill.in_app("SELECT count(*), sum(version) FROM bridge.binding"),
        drill.in_odoo("SELECT last_value FROM comply360_outbox_id_seq"),
    ]


@pytest.mark.reliability("F17")
@pytest.mark.acceptance("R-BACKUP")
def test_after_the_app_alone_was_set_back_only_what_it_has_forgotten_is_an_orphan(
    drill: Drill, agencies: tuple[App, App]
) -> None:
    app, other = agencies
    (kept,) = app.register(name="Kept")
    (draft,) = app.register(status="draft", name="Draft")
    first, _, paid = earned(app, "Earned")
    _, _, open_one = earned(app, "Still open")
    other.register(name="Of another agency")
    c360("drain")
    backup = drill.backup("app")
    (drawn_before,) = drill.in_app("SELECT last_value FROM bridge.version_seq")[0]

    # W1: what the app is going to forget
    lost, lost_client, lost_commission = earned(app, "Lost")
    (lost_elsewhere,) = other.register(name="Lost elsewhere")
    app.run("UPDATE {t}.registrations SET company_name = 'Renamed in between' WHERE id = %s", [kept])
    app.run("UPDATE {t}.registrations SET status = 'submitted' WHERE id = %s", [draft])
    decide(drill, app, paid, paid="EFT 1")
    c360("drain")
    (drawn_since,) = drill.in_app("SELECT last_value FROM bridge.version_seq")[0]
    drill.restore(backup, "app")
    assert drill.in_app("SELECT last_value FROM bridge.version_seq")[0] < (drawn_since,)

    # W2: on both sides, before anybody looked; the app's version numbers are W1's once more
    _, _, new_commission = earned(app, "New")
    other.register(name="New elsewhere")
    app.run("UPDATE {t}.registrations SET company_name = 'Renamed afterwards' WHERE id = %s", [first])
    decide(drill, app, open_one)
    decide(drill, app, lost_commission)

    orphans = {
        ("registration", str(lost)),
        ("client", str(lost_client)),
        ("commission", str(lost_commission)),
        ("registration", str(lost_elsewhere)),
    }
    found = reconcile(expect=3)
    told = {(item["entity"], item["record_id"]) for item in found["drift"] if item["remedy"] == "tell a person"}
    assert told == orphans, "exactly what happened since the backup"
    reconcile("--fix", "--plan", "/dev/null", expect=0)
    assert printed("drain", expect=3)["owed"] == 0, "with the orphans parked"
    letters = printed("dead", "list", expect=None)
    assert {(item["entity"], item["record_id"]) for item in letters} == orphans

    in_step(drill, agencies, orphans)
    rows = dict(app.run("SELECT id, status FROM {t}.commissions"))
    assert rows == {paid: "paid", open_one: "approved", new_commission: "pending"}
    assert app.one("SELECT status FROM {t}.registrations WHERE id = %s", [draft]) == "draft"
    (lowest,) = drill.in_app("SELECT min(version) FROM bridge.binding WHERE epoch > 1")[0]
    assert drawn_before < lowest <= drawn_since, "the numbers were W1's"


@pytest.mark.acceptance("R-BACKUP")
def test_after_odoo_alone_was_set_back_it_gets_again_what_the_app_knows(
    drill: Drill, agencies: tuple[App, App]
) -> None:
    app, other = agencies
    _, client, paid = earned(app, "Paid in between")
    _, _, open_one = earned(app, "Decided afterwards")
    c360("drain", expect=None)
    backup = drill.backup("odoo")
    orphans_before = orphans_in(drill, agencies)

    # W1: what Odoo is going to forget
    (forgotten,) = app.register(name="Forgotten")
    document = drill.document(app, forgotten, b"of a forgotten registration")
    other.register(name="Forgotten elsewhere")
    decide(drill, app, paid, paid="EFT 2")
    email = "SELECT id FROM res_partner WHERE x_comply360_external_id = %s"
    drill.odoo.call("res.partner", "write", [drill.in_odoo(email, str(client))[0][0]], {"email": "w1@mail.example"})
    c360("drain", expect=None)
    (number,) = drill.in_odoo("SELECT id FROM crm_lead WHERE x_comply360_external_id = %s", str(forgotten))[0]

    assert c360("db", "restore", "--from", str(backup), "--only", "odoo", "--yes", expect=69).stderr.count("connected")
    drill.stop_odoo()
    drill.restore(backup, "odoo")
    drill.start_odoo()

    # W2
    app.register(3, name="New")
    decide(drill, app, open_one)
    app.run("UPDATE {t}.commissions SET commission_amount = 130.10 WHERE id = %s", [paid])

    found = reconcile(expect=3)
    assert named(found, "missing_in_odoo") >= {("registration", str(forgotten)), ("document", str(document))}
    assert not named(found, "orphaned") - orphans_before
    reconcile("--fix", "--plan", "/dev/null", expect=None)
    assert printed("drain", expect=None)["owed"] == 0
    assert printed("conflict", "list", expect=None) == [], "Odoo holds what the app had sent, and no person's edit"

    in_step(drill, agencies, orphans_before)
    rows = dict(app.run("SELECT id, status FROM {t}.commissions"))
    assert (rows[paid], rows[open_one]) == ("paid", "approved"), "a payment is never undone"
    assert drill.in_odoo("SELECT email FROM res_partner WHERE x_comply360_external_id = %s", str(client)) == [
        ("w1@mail.example",)
    ]
    # whoever comes first gets the number once more, the forgotten one or a new one
    assert len(drill.in_odoo("SELECT x_comply360_external_id FROM crm_lead WHERE id = %s", number)) == 1


def orphans_in(drill: Drill, apps: Collection[App]) -> Records:
    """What Odoo has of registrations and commissions that the app has not."""
    here = {
        str(identity)
        for app in apps
        for table in ("registrations", "commissions")
        for (identity,) in app.run(f"SELECT id FROM {{t}}.{table}")
    }
    there = drill.in_odoo(
        "SELECT entity, external_id FROM comply360_binding WHERE entity IN ('registration', 'commission')"
    )
    return {(entity, identity) for entity, identity in there if identity not in here}


@pytest.mark.acceptance("R-BACKUP")
def test_a_restore_by_other_means_is_noticed_and_nothing_is_taken_for_old(
    drill: Drill, agencies: tuple[App, App]
) -> None:
    app, _ = agencies
    _, _, commission = earned(app, "Twice decided")
    c360("drain", expect=None)
    (epoch,) = drill.in_odoo("SELECT value FROM ir_config_parameter WHERE key = 'comply360_bridge.epoch'")[0]
    (newest,) = drill.in_odoo("SELECT last_value FROM comply360_outbox_id_seq")[0]
    decide(drill, app, commission)
    c360("drain", expect=None)

    # as a restored database has it: the sequence of marks is where it was
    drill.in_odoo("SELECT setval('comply360_outbox_id_seq', %s)", newest)
    said = c360("drain", "--timeout", "5", expect=3).stderr
    assert "was set back to an earlier time" in said and "c360 epoch bump --side odoo" in said
    shown = printed("epoch", "show", expect=3)
    assert shown["odoo_was_set_back"] and not shown["app_was_set_back"]

    c360("epoch", "bump", "--side", "odoo", "--dry-run")
    c360("epoch", "bump", "--side", "odoo")
    assert printed("epoch", "show", expect=0)["odoo"].startswith(f"{int(epoch) + 1}.")
    (record,) = [row for row in drill.odoo.commissions(app) if row["x_comply360_external_id"] == str(commission)]
    drill.accountant.call("x_commission", "mark_paid", [record["id"]], "EFT 3", "2026-11-02 09:15:30")
    c360("drain", expect=None)
    assert app.one("SELECT status FROM {t}.commissions WHERE id = %s", [commission]) == "paid"


@pytest.mark.acceptance("R-BACKUP")
def test_an_app_that_was_set_back_by_other_means_is_noticed(drill: Drill, agencies: tuple[App, App]) -> None:
    app, _ = agencies
    (registration,) = app.register(name="Edited twice")
    (drawn,) = drill.in_app("SELECT last_value FROM bridge.version_seq")[0]
    for name in ("Once", "Twice"):
        app.run("UPDATE {t}.registrations SET company_name = %s WHERE id = %s", [name, registration])
        c360("drain", expect=None)
    drill.in_app("SELECT setval('bridge.version_seq', %s)", drawn - 1)
    app.run("UPDATE {t}.registrations SET company_name = 'After' WHERE id = %s", [registration])
    said = c360("drain", "--timeout", "5", expect=3).stderr
    assert "the app's database was set back" in said and "c360 epoch bump --side app" in said
    c360("epoch", "bump", "--side", "app")
    c360("drain", expect=None)
    assert drill.in_odoo("SELECT partner_name FROM crm_lead WHERE x_comply360_external_id = %s", str(registration)) == [
        ("After",)
    ]


@pytest.mark.reliability("F61", "F86")
@pytest.mark.acceptance("R-BACKUP")
def test_after_the_filestore_alone_was_set_back_lost_contents_are_handed_over_again(
    drill: Drill, agencies: tuple[App, App]
) -> None:
    app, _ = agencies
    (registration,) = app.register(name="With documents")
    drill.document(app, registration, b"before the backup")
    c360("drain", expect=None)
    backup = drill.backup("filestore")
    lost = drill.document(app, registration, b"after the backup")
    c360("drain", expect=None)
    for path in drill.filestore.rglob("*"):
        if path.is_file():
            path.unlink()
    drill.restore(backup, "filestore")
    new = drill.document(app, registration, b"after the restore")
    c360("drain", expect=None)

    found = reconcile(expect=3)
    assert named(found, *DRIFT) == {("document", str(lost))}, "exactly what happened since the backup"
    reconcile("--fix", "--plan", "/dev/null", expect=0)
    c360("drain", expect=None)
    assert reconcile(expect=0)["drift"] == []
    for document, content in ((lost, b"after the backup"), (new, b"after the restore")):
        (name,) = drill.in_odoo(
            "SELECT store_fname FROM ir_attachment WHERE x_comply360_external_id = %s", str(document)
        )[0]
        assert (drill.filestore / name).read_bytes() == content


@pytest.mark.acceptance("R-BACKUP")
def test_a_backup_is_tried_and_one_that_is_not_whole_is_not_restored(drill: Drill, agencies: tuple[App, App]) -> None:
    backup = drill.backup()
    checks = printed("db", "restore", "--from", str(backup), "--verify", expect=0)
    assert {(item["part"], tuple(item["problems"])) for item in checks} == {
        ("app", ()),
        ("odoo", ()),
        ("filestore", ()),
    }
    assert all(path.stat().st_mode & 0o077 == 0 for path in (backup, *backup.iterdir()))
    assert not drill.in_app("SELECT datname FROM pg_database WHERE datname LIKE 'c360\\_verify%%'")
    assert [path for path in drill.backups.iterdir() if path.name.startswith(".")] == []
    secrets = drill.settings.c360_app_password.get_secret_value().encode()
    assert all(secrets not in path.read_bytes() for path in backup.iterdir())

    victim = next(path for path in drill.filestore.rglob("*") if path.is_file())
    content = victim.read_bytes()
    victim.write_bytes(b"other bytes")
    damaged = Path(c360("db", "backup", "--to", str(drill.backups), "--only", "filestore", expect=3).stdout.strip())
    (check,) = printed("db", "restore", "--from", str(damaged), "--verify", expect=3)
    assert check["problems"] == [f"file {victim.parent.name}/{victim.name} does not match the SHA-1 in its name"]
    victim.write_bytes(content)
    assert hashlib.sha1(content).hexdigest() == victim.name

    with (backup / "app.dump").open("ab") as dump:
        dump.write(b"more")
    said = c360("db", "restore", "--from", str(backup), "--only", "app", "--yes", expect=78).stderr
    assert "do not use this backup" in said
