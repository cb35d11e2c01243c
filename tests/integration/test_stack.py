"""The local stack keeps its promises about exposure, durability and idempotence."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from stack import layout as layouts
from stack import local, odoo, processes, rabbitmq
from stack.layout import Layout
from sync_daemon.cli.stack import steps
from sync_daemon.config import Settings

PROCESSES = ("postgres", "rabbitmq", "epmd", "odoo")


def _stat(pid: str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return []


def _family(layout: Layout) -> set[str]:
    """Gives the ids of all processes of the stack: those started and their descendants."""
    pids = [path.name for path in Path("/proc").glob("[0-9]*")]
    parents = {pid: fields[1] for pid in pids if (fields := _stat(pid))}
    records = [processes.running(layout, name) for name in PROCESSES]
    family = {str(record.pid) for record in records if record}
    while more := {pid for pid, parent in parents.items() if parent in family and pid not in family}:
        family |= more
    return family


def _listeners(pids: set[str]) -> Iterator[tuple[str, int]]:
    """Gives (address in hex, port) of every listening TCP socket of the processes."""
    sockets = set()
    for pid in pids:
        for handle in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                sockets.add(str(handle.readlink()))
            except FileNotFoundError:
                continue
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                address, port = fields[1].split(":")
                yield address, int(port, 16)


def _c360(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sync_daemon", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)


def test_every_listener_is_on_loopback(stack_layout: Layout, stack_settings: Settings) -> None:
    listeners = set(_listeners(_family(stack_layout)))
    ports = stack_layout.ports
    expected = {ports.postgres, ports.amqp, ports.management, ports.distribution, ports.epmd, ports.odoo}
    assert expected <= {port for _address, port in listeners}
    loopback = {"0100007F", "00000000000000000000000001000000"}
    assert {listener for listener in listeners if listener[0] not in loopback} == set()


def test_no_secret_is_on_a_command_line(stack_layout: Layout, stack_settings: Settings) -> None:
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes().decode() for pid in _family(stack_layout)]
    assert len(lines) >= 4
    leaked = [name for name, secret in layouts.secrets(stack_layout).items() if any(secret in line for line in lines)]
    assert leaked == []


def test_no_file_with_a_secret_is_readable_by_others(stack_layout: Layout, stack_settings: Settings) -> None:
    secrets = {value.encode() for value in layouts.secrets(stack_layout).values()}
    files = [path for path in stack_layout.state.rglob("*") if path.is_file() and path.stat().st_size < 1_000_000]
    telling = [path for path in files if any(secret in path.read_bytes() for secret in secrets)]
    assert {"secrets", "env", "odoo.conf"} <= {path.name for path in telling}
    assert [path for path in telling if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_no_log_holds_a_secret(stack_layout: Layout, stack_settings: Settings) -> None:
    text = b"".join(path.read_bytes() for path in stack_layout.logs.glob("*.log"))
    assert text
    assert [name for name, value in layouts.secrets(stack_layout).items() if value.encode() in text] == []


@pytest.mark.reliability("F85")
def test_postgres_is_durable_and_takes_no_connection_without_a_password(stack_settings: Settings) -> None:
    place: dict[str, Any] = {
        "host": stack_settings.platform_postgres_host,
        "port": stack_settings.platform_postgres_port,
        "user": stack_settings.platform_postgres_admin_user,
        "dbname": "postgres",
    }
    password = stack_settings.platform_postgres_admin_password.get_secret_value()
    with psycopg2.connect(password=password, **place) as link, link.cursor() as cursor:
        values = {}
        for name in ("fsync", "full_page_writes", "synchronous_commit", "unix_socket_directories"):
            cursor.execute(f"SHOW {name}")
            [(values[name],)] = cursor.fetchall()
    link.close()
    assert values == {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "unix_socket_directories": "",
    }
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(password="wrong", **place)


def test_rabbitmq_knows_no_guest_and_the_bridge_is_no_administrator(
    stack_layout: Layout, stack_settings: Settings
) -> None:
    password = stack_settings.rabbitmq_password.get_secret_value()
    admin = layouts.secrets(stack_layout)["RABBITMQ_ADMIN_PASSWORD"]
    codes = {
        user: _management(stack_layout, user, secret)
        for user, secret in {"guest": "guest", rabbitmq.USER: password, rabbitmq.ADMIN: admin}.items()
    }
    assert codes == {"guest": 401, rabbitmq.USER: 401, rabbitmq.ADMIN: 200}


def _management(layout: Layout, user: str, password: str) -> int:
    request = urllib.request.Request(f"{rabbitmq.management_url(layout)}/api/overview")
    request.add_header("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_odoo_lists_no_databases(stack_settings: Settings) -> None:
    body = b"<?xml version='1.0'?><methodCall><methodName>list</methodName><params/></methodCall>"
    request = urllib.request.Request(f"{stack_settings.odoo_url}/xmlrpc/2/db", data=body)
    request.add_header("Content-Type", "text/xml")
    with urllib.request.urlopen(request, timeout=30) as response:
        answer = response.read().decode()
    assert "AccessDenied" in answer or "Access Denied" in answer
    assert stack_settings.odoo_database not in answer


def test_installing_the_addon_leaves_no_warning_in_odoos_log(stack_layout: Layout, stack_settings: Settings) -> None:
    log = processes.log_path(stack_layout, "odoo-install").read_text()
    assert f"Module {odoo.ADDON} loaded" in log
    assert [line for line in log.splitlines() if " WARNING " in line or " ERROR " in line] == []


def test_a_second_start_leaves_everything_as_it_is(stack_layout: Layout, stack_settings: Settings) -> None:
    before = {name: processes.running(stack_layout, name) for name in PROCESSES}
    assert None not in before.values()
    began = time.monotonic()
    assert local.up(stack_layout, steps(), without=("daemon",)) == stack_settings
    assert time.monotonic() - began < 60
    assert {name: processes.running(stack_layout, name) for name in PROCESSES} == before


def test_a_server_that_was_killed_is_started_again(stack_layout: Layout, stack_settings: Settings) -> None:
    before = processes.running(stack_layout, "odoo")
    assert before
    os.kill(before.pid, 9)
    assert processes.wait(lambda: processes.running(stack_layout, "odoo") is None, 30)
    local.up(stack_layout, steps(), without=("daemon",))
    after = processes.running(stack_layout, "odoo")
    assert after and after != before
    with urllib.request.urlopen(f"{stack_settings.odoo_url}/web/login", timeout=30) as response:
        assert response.status == 200


def test_a_busy_port_ends_in_one_sentence(stack_layout: Layout, stack_settings: Settings, tmp_path: Path) -> None:
    environment = {"C360_STACK_DIR": str(tmp_path / "other")}
    done = _c360(["stack", "up", "--without", "odoo", "--without", "rabbitmq", "--without", "daemon"], environment)
    assert done.returncode == 78, done.stderr
    sentence = done.stderr.strip().splitlines()[-1]
    assert f"port {stack_layout.ports.postgres} (PostgreSQL)" in sentence
    assert "Traceback" not in done.stderr


def test_status_names_every_service_and_what_is_stopped(stack_layout: Layout, stack_settings: Settings) -> None:
    done = _c360(["stack", "status", "--json"], {})
    assert done.returncode == 3, done.stderr
    for name in ("postgres", "rabbitmq", "odoo", "daemon"):
        assert f'"name": "{name}"' in done.stdout
    assert done.stdout.count('"state": "running"') == 3


def test_neighbours_named_by_the_environment_are_not_started(stack_layout: Layout, tmp_path: Path) -> None:
    environment = {
        "C360_STACK_DIR": str(tmp_path / "other"),
        "PLATFORM_POSTGRES_HOST": "db.example.org",
        "ODOO_POSTGRES_HOST": "db.example.org",
        "RABBITMQ_HOST": "mq.example.org",
        "ODOO_URL": "https://odoo.example.org",
    }
    done = _c360(["stack", "up", "--without", "daemon"], environment)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "other" / "run").iterdir()) == []
    shown = _c360(["stack", "status", "--json"], environment)
    assert shown.stdout.count('"state": "external"') == 3
