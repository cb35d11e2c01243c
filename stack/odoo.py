"""The local Odoo server: its configuration, its database with the addon, two workers, on 127.0.0.1."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.sql import SQL, Identifier

from stack import processes
from stack.layout import Layout, secrets, write_private
from stack.odoo_source import OdooSource, locate
from stack.processes import Program
from stack.progress import step
from stack.teardown import stop as stop_services
from sync_daemon.config import Settings
from sync_daemon.errors import UnavailableError

NAME = "odoo"
ADDON = "comply360_bridge"
MODULES = ("crm", "account", ADDON)
ADMIN = "admin"


def prepare_database(layout: Layout, settings: Settings) -> None:
    """Installs the addon the first time and updates it after its files changed, stopping a running server.

    Raises: UnavailableError with the reason Odoo gives.
    """
    source = locate(layout.cache)
    digest = addon_digest(layout, source)
    recorded = _recorded(layout, settings.odoo_postgres_db)
    link = _connect(settings)
    try:
        installed = _installed(link)
    finally:
        link.close()
    if installed and recorded.exists() and recorded.read_text() == digest:
        return
    stop(layout)
    how = "-u" if installed else "-i"
    with step("updating the addon in Odoo" if installed else "installing crm, account and the addon in Odoo"):
        run(layout, settings, [how, ADDON if installed else ",".join(MODULES), "--stop-after-init"], "odoo-install")
    if not installed:
        with step("setting the password of Odoo's administrator"):
            _set_admin_password(layout)
    write_private(recorded, digest)


def copy_database(layout: Layout, settings: Settings, target: str) -> None:
    """Replaces `target` with an exact copy of Odoo's database; nobody may be connected to either.

    Raises: UnavailableError if somebody is.
    """
    origin = settings.odoo_postgres_db
    admin = {
        "odoo_postgres_db": "postgres",
        "c360_odoo_db_user": settings.odoo_postgres_admin_user,
        "c360_odoo_db_password": settings.odoo_postgres_admin_password,
    }
    names = {"new": Identifier(target), "old": Identifier(origin), "owner": Identifier(settings.c360_odoo_db_user)}
    link = _connect(settings.model_copy(update=admin))
    link.autocommit = True
    try:
        with link.cursor() as cursor:
            for statement in (
                "DROP DATABASE IF EXISTS {new} WITH (FORCE)",
                "CREATE DATABASE {new} TEMPLATE {old} OWNER {owner}",
                "REVOKE ALL ON DATABASE {new} FROM PUBLIC",
            ):
                cursor.execute(SQL(statement).format(**names))
    except psycopg2.OperationalError as error:
        raise UnavailableError(f"the database {origin} could not be copied: {_first(error)}") from None
    finally:
        link.close()
    files = layout.state / NAME / "filestore"
    shutil.rmtree(files / target, ignore_errors=True)
    if (files / origin).is_dir():
        shutil.copytree(files / origin, files / target)
    if (digest := _recorded(layout, origin)).exists():
        write_private(_recorded(layout, target), digest.read_text())


def start(layout: Layout, settings: Settings, options: Sequence[str] = ()) -> bool:
    """Starts the server; gives whether it had to be started. Options come on top of the configuration.

    Raises: ConfigError for a busy port.
    """
    source = locate(layout.cache)
    configuration = write_configuration(layout, settings)
    present = addon_digest(layout, source) + configuration.read_text() + " ".join(options)
    fingerprint = hashlib.sha256(present.encode()).hexdigest()
    if (record := processes.running(layout, NAME)) and record.fingerprint == fingerprint:
        return False
    stop(layout)
    processes.require_free({"Odoo": layout.ports.odoo, "Odoo's live channel": layout.ports.odoo_gevent})
    command = _command(layout, options)
    processes.launch(layout, Program(NAME, command, environment(layout, source), fingerprint, layout.state))
    return True


def await_ready(layout: Layout) -> None:
    """Waits until the server answers.

    Raises: UnavailableError with the end of its log.
    """
    processes.await_ready(layout, NAME, lambda: _answers(layout), 90)


def stop(layout: Layout) -> bool:
    """Stops the server; gives whether it was running."""
    return bool(stop_services(layout, [NAME]))


def url(layout: Layout) -> str:
    """Gives the server's address."""
    return f"http://127.0.0.1:{layout.ports.odoo}"


def run(layout: Layout, settings: Settings, arguments: Sequence[str], log: str) -> Path:
    """Runs Odoo once in the foreground and gives its log.

    Raises: UnavailableError with the last error line if it fails.
    """
    write_configuration(layout, settings)
    path = processes.log_path(layout, log)
    with path.open("wb") as output:
        done = subprocess.run(
            _command(layout, [*arguments, "--no-http"]),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(layout, locate(layout.cache)),
            cwd=layout.state,
            check=False,
        )
    if done.returncode:
        raise UnavailableError(f"Odoo failed; {_last_error(path)}; full log: {path}")
    return path


def run_script(layout: Layout, script: str) -> None:
    """Runs Python in an Odoo of its own, whose `env` it has, and commits.

    Raises: UnavailableError with the last line of what went wrong.
    """
    done = subprocess.run(
        _command(layout, ["--no-http"], "shell"),
        # through stdin: a command line is readable by every user of the machine
        input=f"{script}\nenv.cr.commit()\n",
        capture_output=True,
        text=True,
        env=environment(layout, locate(layout.cache)),
        cwd=layout.state,
        check=False,
    )
    if done.returncode:
        raise UnavailableError((done.stderr.strip().splitlines() or ["no reason given"])[-1])


def environment(layout: Layout, source: OdooSource) -> dict[str, str]:
    """Gives the environment of an Odoo process; the user's own PG* variables must not reach it."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "HOME": str(layout.state / NAME),
        "PYTHONPATH": str(source.python_path),
    }


def addon_digest(layout: Layout, source: OdooSource) -> str:
    """Gives a value that changes with Odoo's version and the addons' files."""
    digest = hashlib.sha256(source.version.encode())
    for path in sorted(layout.addons.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and "tests" not in path.parts:
            digest.update(str(path.relative_to(layout.addons)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def write_configuration(layout: Layout, settings: Settings) -> Path:
    """Writes the server's configuration file, readable by its owner only, and gives its path."""
    source = locate(layout.cache)
    (layout.state / NAME).mkdir(mode=0o700, exist_ok=True)
    path = layout.state / "odoo.conf"
    known = secrets(layout)
    write_private(
        path,
        f"""\
[options]
addons_path = {",".join(map(str, (*source.addons, layout.addons)))}
data_dir = {layout.state / NAME}
admin_passwd = {known["ODOO_MASTER_PASSWORD"]}
db_host = {settings.odoo_postgres_host}
db_port = {settings.odoo_postgres_port}
db_user = {settings.c360_odoo_db_user}
db_password = {settings.c360_odoo_db_password.get_secret_value()}
db_name = {settings.odoo_postgres_db}
db_sslmode = {settings.odoo_postgres_sslmode or "prefer"}
db_maxconn = 24
list_db = False
http_interface = 127.0.0.1
http_port = {layout.ports.odoo}
gevent_port = {layout.ports.odoo_gevent}
workers = 2
max_cron_threads = 1
server_wide_modules = base,rpc,web
log_handler = :INFO,odoo.addons.rpc.controllers.xmlrpc:ERROR,odoo.addons.rpc.controllers.jsonrpc:ERROR
limit_time_cpu = 600
limit_time_real = 1200
with_demo = False
""",
    )
    return path


def _command(layout: Layout, arguments: Sequence[str], command: str = "") -> list[str]:
    # a script and not `-m odoo`: Odoo starts its live channel by running sys.argv[0] again, `gevent` before the rest
    launcher = layout.state / "odoo-bin"
    launcher.write_text("from odoo.cli.command import main\n\nmain()\n", encoding="utf-8")
    words = [command] if command else []
    return [sys.executable, str(launcher), *words, "-c", str(layout.state / "odoo.conf"), *arguments]


def _recorded(layout: Layout, database: str) -> Path:
    return layout.state / f"addon-digest-{database}"


def _connect(settings: Settings) -> Connection:
    try:
        return psycopg2.connect(
            host=settings.odoo_postgres_host,
            port=settings.odoo_postgres_port,
            user=settings.c360_odoo_db_user,
            password=settings.c360_odoo_db_password.get_secret_value(),
            dbname=settings.odoo_postgres_db,
            connect_timeout=10,
        )
    except psycopg2.OperationalError as error:
        role = settings.c360_odoo_db_user
        raise UnavailableError(f"Odoo's database cannot be reached as {role}: {_first(error)}") from None


def _first(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0]


def _installed(link: Connection) -> bool:
    with link.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.ir_module_module') IS NOT NULL")
        if cursor.fetchone() != (True,):
            return False
        cursor.execute("SELECT count(*) FROM ir_module_module WHERE name IN %s AND state = 'installed'", (MODULES,))
        return cursor.fetchone() == (len(MODULES),)


def _set_admin_password(layout: Layout) -> None:
    password = secrets(layout)["ODOO_ADMIN_PASSWORD"]
    try:
        run_script(layout, f"env.ref('base.user_admin').password = {password!r}\n")
    except UnavailableError as error:
        raise UnavailableError(f"the password of Odoo's administrator could not be set; {error}") from None


def _answers(layout: Layout) -> bool:
    try:
        with urllib.request.urlopen(f"{url(layout)}/web/health", timeout=5) as response:  # noqa: S310 - 127.0.0.1
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _last_error(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line for line in lines if re.search(r" (ERROR|CRITICAL) |^[\w.]*(Error|Exception): ", line)]
    return (errors or lines or ["no reason given"])[-1]
