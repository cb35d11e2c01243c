"""Every import law is kept, covers every room, and fails when an import against it is planted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.contract.laws import ROOT, external_packages, graph, is_kept, is_of_addon, laws, session

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# law: imports that break it, each planted alone; an importer that is not there yet is a new room
PLANTED = {
    "layers": [
        ("sync_daemon.domain.plan", "sync_daemon.services.push"),
        ("sync_daemon.services.push", "sync_daemon.postgres.rows"),
        ("sync_daemon.services.push", "sync_daemon.rabbitmq.publisher"),
        ("sync_daemon.rabbitmq.publisher", "sync_daemon.postgres.rows"),
        ("sync_daemon.odoo.client", "sync_daemon.storage.open"),
        ("sync_daemon.ports", "sync_daemon.services.push"),
        ("sync_daemon.parts.contents", "sync_daemon.services.push"),
        ("sync_daemon.parts.contents", "sync_daemon.rabbitmq.publisher"),
        ("sync_daemon.pages.events", "sync_daemon.postgres.rows"),
        ("sync_daemon.errors", "sync_daemon.config"),
        ("sync_daemon.watch", "sync_daemon.daemon"),
        ("sync_daemon.newcomer", "sync_daemon.errors"),
    ],
    "postgres": [
        ("sync_daemon.postgres.push.ledger", "sync_daemon.postgres.admin.books"),
        ("sync_daemon.postgres.pull.inbound", "sync_daemon.postgres.push.outbox"),
        ("sync_daemon.postgres.reconcile.comparison", "sync_daemon.postgres.push.outbox"),
        ("sync_daemon.postgres.admin.books", "sync_daemon.postgres.reconcile.comparison"),
        ("sync_daemon.postgres.rows", "sync_daemon.postgres.push.outbox"),
        ("sync_daemon.postgres.newcomer", "sync_daemon.errors"),
    ],
    "odoo": [
        ("sync_daemon.odoo.transports.xmlrpc", "sync_daemon.odoo.wire"),
        ("sync_daemon.odoo.client", "sync_daemon.odoo.visitor"),
        ("sync_daemon.odoo.newcomer", "sync_daemon.errors"),
    ],
    "decisions": [("sync_daemon.domain.contracts.client", "sync_daemon.domain.events")],
    "levels": [("db_init.migrations.versions", "db_init.migrations.env")],
    "circles": [
        ("sync_daemon.domain.keys", "sync_daemon.domain.plan"),
        ("db_init.connect", "db_init.init"),
        ("stack.layout", "stack.local"),
        ("demo.databases", "demo.load"),
        ("selftest.parties", "selftest.crashes"),
        ("audit.canaries", "audit.isolation"),
    ],
    "operations": [
        ("sync_daemon.domain.plan", "sync_daemon.domain.operations.why"),
        ("sync_daemon.rabbitmq.publisher", "sync_daemon.domain.operations.health"),
    ],
    "domain": [
        ("db_init.init", "sync_daemon.domain.keys"),
        ("stack.local", "sync_daemon.ports"),
        ("audit.matrix", "sync_daemon.domain.keys"),
    ],
    "pages": [
        ("sync_daemon.domain.plan", "sync_daemon.pages.events"),
        ("sync_daemon.daemon", "sync_daemon.pages.contract"),
        ("sync_daemon.daemon", "sync_daemon.contract_file"),
    ],
    "crash_points": [
        ("sync_daemon.domain.plan", "sync_daemon.crash_points"),
        ("sync_daemon.ports", "sync_daemon.crash_points"),
    ],
    "services": [("sync_daemon.health", "sync_daemon.services.push"), ("demo.load", "sync_daemon.services.push")],
    "parts": [("sync_daemon.odoo.client", "sync_daemon.parts.epochs"), ("demo.load", "sync_daemon.parts.contents")],
    "assembly": [("demo.load", "sync_daemon.daemon"), ("stack.daemon", "sync_daemon.daemon")],
    "watching": [("sync_daemon.cli.run", "sync_daemon.watch"), ("selftest.crashes", "sync_daemon.loop")],
    "commands": [("sync_daemon.daemon", "sync_daemon.cli.output"), ("stack.local", "sync_daemon.cli.output")],
    "postgres_edge": [("demo.load", "sync_daemon.postgres.rows"), ("selftest.crashes", "sync_daemon.postgres.rows")],
    "rabbitmq_edge": [("stack.rabbitmq", "sync_daemon.rabbitmq.topology")],
    "odoo_edge": [("db_init.init", "sync_daemon.odoo.client"), ("demo.load", "sync_daemon.odoo.client")],
    "storage_edge": [("demo.files", "sync_daemon.storage.open")],
    "config": [
        ("sync_daemon.domain.plan", "sync_daemon.config"),
        ("sync_daemon.services.push", "sync_daemon.config"),
        ("sync_daemon.ports", "sync_daemon.config"),
    ],
    "tools_of_operators": [
        ("sync_daemon.daemon", "db_init.connect"),
        ("sync_daemon.postgres.rows", "selftest.crashes"),
        ("sync_daemon.daemon", "audit.isolation"),
    ],
    "tools_of_developers": [("sync_daemon.daemon", "stack.local"), ("db_init.init", "demo.names")],
    "psycopg2": [
        ("sync_daemon.domain.plan", "psycopg2"),
        ("sync_daemon.services.push", "psycopg2"),
        ("sync_daemon.odoo.client", "psycopg2"),
        ("sync_daemon.cli.db", "psycopg2"),
        ("demo.accountant", "psycopg2"),
        ("selftest.crashes", "psycopg2"),
        ("stack.local", "psycopg2"),
    ],
    "pika": [("sync_daemon.services.relay", "pika"), ("stack.rabbitmq", "pika"), ("selftest.crashes", "pika")],
    "odoorpc": [("sync_daemon.services.push", "xmlrpc"), ("demo.accountant", "odoorpc")],
    "s3fs": [("sync_daemon.parts.contents", "s3fs"), ("demo.files", "botocore")],
    "click": [("sync_daemon.daemon", "click"), ("stack.local", "click")],
    "rich": [("sync_daemon.pages.contract", "rich"), ("demo.load", "rich")],
    "prometheus_client": [("sync_daemon.services.push", "prometheus_client")],
    "alembic": [("sync_daemon.postgres.connection", "alembic"), ("db_init.connect", "sqlalchemy")],
    "structlog": [("sync_daemon.domain.plan", "structlog"), ("sync_daemon.services.push", "sync_daemon.logs")],
    "pydantic": [("sync_daemon.domain.plan", "pydantic"), ("sync_daemon.odoo.wire", "pydantic")],
    "addon_layers": [
        ("comply360_bridge.mappers.client", "comply360_bridge.models.crm_lead"),
        ("comply360_bridge.exchange.batch", "comply360_bridge.models.crm_lead"),
        ("comply360_bridge.models.crm_lead", "comply360_bridge.controllers.newest"),
        ("comply360_bridge.demo.records", "comply360_bridge.exchange.batch"),
        ("comply360_bridge.newcomer", "comply360_bridge.mappers"),
    ],
    "addon_mappers": [("comply360_bridge.mappers.client", "odoo"), ("comply360_bridge.mappers.codec", "psycopg2")],
    "addon_circles": [("comply360_bridge.mappers.document", "comply360_bridge.mappers.codec")],
}


@pytest.mark.parametrize("law", laws())
def test_a_law_is_kept_and_an_import_against_it_is_found(law: str) -> None:
    addon = is_of_addon(law)
    assert is_kept(law, graph(addon))
    assert PLANTED[law] != []
    for importer, imported in PLANTED[law]:
        imports = graph(addon)
        for module in (importer, imported):
            # a planted name that is gone would prove nothing
            assert module in imports.modules or module.endswith(".newcomer")
        imports.add_module(importer)
        imports.add_import(importer=importer, imported=imported)
        assert not is_kept(law, imports), f"{importer} may import {imported}"


def test_every_planted_import_names_a_law() -> None:
    assert set(PLANTED) == set(laws())


def test_lint_fails_on_a_planted_import(tmp_path: Path) -> None:
    for name in session()["root_packages"]:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    assert lint(tmp_path) == 0
    with (tmp_path / "sync_daemon" / "domain" / "plan.py").open("a") as file:
        file.write("\nimport psycopg2\n")
    assert lint(tmp_path) == 1


def lint(folder: Path) -> int:
    return subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        timeout=60,
        check=False,
    ).returncode


def test_every_package_of_modules_stands_in_a_law() -> None:
    named = set()
    for law in laws().values():
        lists = [law.get(key, []) for key in ("protected_modules", "allowed_importers", "containers", "ancestors")]
        named |= {name for items in lists for name in items}
        words = [word.strip("()") for layer in law.get("layers", []) for word in layer.replace("|", " ").split()]
        named |= {f"{container}.{word}" for container in law.get("containers", []) for word in words}
    for addon in (False, True):
        imports = graph(addon)
        ours = {module for module in imports.modules if not imports.is_module_squashed(module)}
        packages = {module for module in ours if imports.find_children(module)}
        outside = {f"comply360_bridge.{name}" for name in ("tests", "migrations")}
        assert {name for name in packages if not any(name.startswith(away) for away in outside)} - named == set()


def test_every_root_package_is_linted_typed_and_installed() -> None:
    roots = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    tool = PROJECT["tool"]
    assert set(session()["root_packages"]) == roots
    assert set(tool["mypy"]["packages"]) >= roots
    assert {name.rstrip("*") for name in tool["setuptools"]["packages"]["find"]["include"]} == roots
    assert set(tool["ruff"]["lint"]["isort"]["known-first-party"]) == roots


def test_every_library_has_a_law_that_says_where_it_lives() -> None:
    protected = {name for law in laws().values() for name in law.get("protected_modules", [])}
    assert external_packages(graph()) - protected == set()
