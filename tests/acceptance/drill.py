"""An installation of its own, whose databases can be set back: both databases, an Odoo server, a broker's queues."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg2
import pytest
from psycopg2 import sql

from db_init import connect
from demo import accountant as demo
from stack import layout as layouts
from stack import odoo as odoo_server
from stack.layout import Layout
from sync_daemon.config import Settings
from sync_daemon.odoo.admin import issue_bot_key
from tests import databases
from tests.acceptance.command import c360, printed
from tests.acceptance.parties import App, Odoo, forget_people
from tests.lanes import LANES
from tests.seed import PRISTINE_DATABASE

# ports beyond those of all lanes: of a second stack beside each lane's, of which only Odoo is started
PORTS_BEYOND = 10 * (LANES + 1)


@dataclass
class Drill:
    """One installation under drill."""

    settings: Settings
    layout: Layout
    backups: Path
    documents: Path
    password: str = field(repr=False)

    @property
    def odoo(self) -> Odoo:
        """Odoo's administrator."""
        return Odoo(self.settings, self.settings.odoo_admin_login, self.settings.odoo_admin_password.get_secret_value())

    @property
    def accountant(self) -> Odoo:
        """A person in Odoo who decides about commissions."""
        return Odoo(self.settings, demo.LOGIN, self.password)

    def tenant(self) -> App:
        """A new agency."""
        made = printed("tenant", "create", f"d{uuid4().hex[:12]}", "--country", "ZA", expect=0)
        return App(self.settings, UUID(made["id"]), made["schema"], made["subdomain"])

    def start_odoo(self) -> None:
        """Odoo's server on the database as it is now."""
        odoo_server.start(self.layout, self.settings)
        odoo_server.await_ready(self.layout)
        forget_people()

    def stop_odoo(self) -> None:
        """Nobody is connected to Odoo's database afterwards."""
        odoo_server.stop(self.layout)

    def backup(self, *parts: str) -> Path:
        """A backup of these parts, or of everything."""
        only = [word for part in parts for word in ("--only", part)]
        return Path(c360("db", "backup", "--to", str(self.backups), *only).stdout.strip())

    def restore(self, folder: Path, part: str) -> None:
        """One part comes back."""
        c360("db", "restore", "--from", str(folder), "--only", part, "--yes")

    @property
    def filestore(self) -> Path:
        """Odoo's files."""
        return Path(self.settings.odoo_data_dir) / "filestore" / self.settings.odoo_postgres_db

    def in_app(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Plain SQL in the app's database, past everything of the bridge's."""
        return self._rows(connect.app_server(self.settings), self.settings.platform_postgres_db, statement, values)

    def in_odoo(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Plain SQL in Odoo's database."""
        return self._rows(connect.odoo_server(self.settings), self.settings.odoo_postgres_db, statement, values)

    def document(self, app: App, registration: UUID, content: bytes) -> UUID:
        """A file in the app's storage, and the row that names it."""
        identity = uuid4()
        path = self.documents / str(app.tenant) / f"{identity}.pdf"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        app.run(
            "INSERT INTO {t}.documents (id, tenant_id, registration_id, document_type, file_name, file_size, mime_type,"
            " storage_path) VALUES (%s, %s, %s, 'id_document', 'ID copy.pdf', 1, 'application/pdf', %s)",
            [identity, app.tenant, registration, f"{app.tenant}/{path.name}"],
        )
        return identity

    @staticmethod
    def _rows(server: connect.Server, database: str, statement: str, values: tuple[object, ...]) -> list[Any]:
        with (
            closing(
                psycopg2.connect(
                    host=server.host, port=server.port, dbname=database, user=server.admin, password=server.password
                )
            ) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def drilling(stack_layout: Layout, stack_settings: Settings, folder: Path) -> Iterator[Drill]:
    """A running installation; every `c360` of the block is its own. Everything of it is removed afterwards."""
    layout = Layout(stack_layout.state / "drill", stack_layout.port_base + PORTS_BEYOND)
    with databases.scratch(stack_settings) as own, pytest.MonkeyPatch.context() as environment:
        documents = folder / "documents"
        documents.mkdir()
        settings = own.model_copy(
            update={
                "odoo_database": own.odoo_postgres_db,
                "odoo_url": odoo_server.url(layout),
                "odoo_instance": "drill",
                "odoo_data_dir": str(layout.state / odoo_server.NAME),
                "c360_storage_root": documents.as_uri(),
            }
        )
        for name in (
            "platform_postgres_db",
            "odoo_postgres_db",
            "odoo_database",
            "odoo_url",
            "odoo_instance",
            "odoo_data_dir",
            "c360_storage_root",
        ):
            environment.setenv(name.upper(), getattr(settings, name))
        drill = Drill(settings, layout, folder / "backups", documents, uuid4().hex)
        try:
            _make(drill, stack_layout, stack_settings, environment)
            yield drill
        finally:
            drill.stop_odoo()
            shutil.rmtree(layout.state)
            _drop_kept(settings)


def _make(drill: Drill, stack: Layout, stack_settings: Settings, environment: pytest.MonkeyPatch) -> None:
    layouts.prepare(drill.layout)
    c360("db", "init")
    name = drill.settings.odoo_postgres_db
    pristine = stack_settings.model_copy(update={"odoo_postgres_db": PRISTINE_DATABASE})
    odoo_server.copy_database(stack, pristine, name)
    drill.filestore.parent.mkdir(parents=True)
    (stack.state / odoo_server.NAME / "filestore" / name).rename(drill.filestore)
    drill.start_odoo()
    environment.setenv("ODOO_API_KEY", issue_bot_key(drill.settings))
    demo.ensure(drill.settings, drill.password, renew=True)


def _drop_kept(settings: Settings) -> None:
    """What restores kept under other names."""
    for server, name in (
        (connect.app_server(settings), settings.platform_postgres_db),
        (connect.odoo_server(settings), settings.odoo_postgres_db),
    ):
        with connect.as_admin(server, autocommit=True) as admin, admin.cursor() as cursor:
            cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"{name}\\_%"])
            for (kept,) in cursor.fetchall():
                cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(kept)))
