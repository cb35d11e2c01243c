"""`c360 db` and `c360 tenant` as an operator meets them: output, exit codes, dry runs."""

from __future__ import annotations

import json

from pydantic import SecretStr

from db_init.attach import attach
from db_init.migrate import migrate, status
from db_init.schema_level import head
from db_init.tenants import NewTenant, create
from sync_daemon.config import Settings
from tests.catalogue import catalogue, difference
from tests.databases import as_admin, register, rows
from tests.migration import former
from tests.migration.command import c360


def without_administrator(settings: Settings) -> Settings:
    """As a machine that holds the migrator's credential and no more."""
    return settings.model_copy(
        update={"platform_postgres_admin_user": "nobody", "platform_postgres_admin_password": SecretStr("")}
    )


def test_init_says_beforehand_what_it_then_makes(scratch: Settings) -> None:
    said = c360(scratch, "db", "init", "--dry-run", "--json")
    assert (said.returncode, said.stderr) == (0, "")
    steps = json.loads(said.stdout)["steps"]
    assert f"create database {scratch.platform_postgres_db}" in steps
    assert c360(scratch, "db", "init").returncode == 0
    again = c360(scratch, "db", "init", "--json")
    assert json.loads(again.stdout) == {"dry_run": False, "steps": []}
    assert c360(scratch, "db", "status").returncode == 0


def test_a_tenant_that_is_not_attached_is_a_finding_with_its_command(shared_installation: Settings) -> None:
    tenant = register(shared_installation, "stranger")
    found = c360(shared_installation, "db", "status", "--json")
    assert found.returncode == 3
    assert json.loads(found.stdout)["unattached"] == [tenant.schema]
    assert "c360 db" in found.stderr
    planned = c360(shared_installation, "db", "attach", "--dry-run")
    assert (planned.returncode, planned.stdout) == (0, f"attach {tenant.schema}\n")
    done = c360(shared_installation, "db", "attach", "--tenant", "stranger", "--json")
    assert (done.returncode, json.loads(done.stdout)[0]["action"]) == (0, "attached")
    assert c360(shared_installation, "db", "status").returncode == 0


def test_detaching_without_a_terminal_wants_a_yes(installation: Settings) -> None:
    attach(installation)
    before = catalogue(installation)
    refused = c360(installation, "db", "detach")
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert difference(before, catalogue(installation)) == []
    assert c360(installation, "db", "detach", "--yes").returncode == 0
    assert rows(as_admin(installation), "SELECT to_regnamespace('bridge')") == [(None,)]
    assert c360(installation, "db", "status").returncode == 3


def test_a_name_that_cannot_be_one_is_a_usage_error(shared_installation: Settings) -> None:
    refused = c360(shared_installation, "tenant", "create", "Robert'); DROP TABLE tenants; --")
    assert refused.returncode == 2
    assert "cannot be a tenant's subdomain" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_an_existing_tenant_is_skipped_or_refused_on_request(shared_installation: Settings) -> None:
    create(shared_installation, NewTenant("known", "Known Agency"), lambda _settings, _tenant: None)
    skipped = c360(shared_installation, "tenant", "create", "known", "--if-exists", "skip", "--json")
    assert (skipped.returncode, json.loads(skipped.stdout)["state"]) == (0, "active")
    assert c360(shared_installation, "tenant", "create", "known", "--if-exists", "fail").returncode == 2
    planned = c360(shared_installation, "tenant", "create", "known", "--dry-run")
    assert (planned.returncode, planned.stdout) == (0, "nothing to do\n")
    shown = c360(shared_installation, "tenant", "show", "known", "--json")
    assert json.loads(shown.stdout)["name"] == "Known Agency"
    assert "known" in c360(shared_installation, "tenant", "list").stdout
    assert c360(shared_installation, "tenant", "show", "unheard").returncode == 1


def test_a_server_that_is_away_is_one_sentence_and_69(shared_installation: Settings) -> None:
    away = shared_installation.model_copy(update={"platform_postgres_port": 1})
    for command in (("db", "status"), ("db", "migrate"), ("tenant", "list")):
        done = c360(away, *command)
        assert done.returncode == 69
        assert len(done.stderr.strip().splitlines()) == 1
        assert "Traceback" not in done.stderr


def test_the_migrators_credential_is_enough_to_migrate_and_to_make_tenants(installation: Settings) -> None:
    register(installation, "before")
    limited = without_administrator(installation)
    assert [outcome.action for outcome in migrate(limited).outcomes] == ["attached"]
    tenant = create(limited, NewTenant("agency1", "Agency One"), lambda _settings, _tenant: None)
    assert tenant.state == "active"
    assert status(limited).is_current
    assert rows(
        as_admin(installation),
        "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class"
        " WHERE relnamespace = %(s)s::regnamespace AND relkind = 'r'",
        s=tenant.schema_name,
    ) == [(installation.c360_app_user,)]


def test_the_migrator_brings_an_old_schema_to_the_current_level(scratch: Settings) -> None:
    former.make(scratch)
    register(scratch, "agency1")
    former.attach(scratch, 1)
    done = migrate(without_administrator(scratch))
    assert (done.before, done.after) == (former.LEVEL, head())
    assert [outcome.action for outcome in done.outcomes] == ["attached"]
    assert status(scratch).is_current
