"""What leaves this machine is encrypted and goes to whom it should: one decision for every neighbour."""

from __future__ import annotations

import re
import socket
import urllib.request
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from db_init import connect
from sync_daemon.config import Settings, load_settings, redacted, tls_mode
from sync_daemon.errors import ConfigError
from sync_daemon.health import Health, served
from sync_daemon.odoo.transports.http_post import odoo_address
from sync_daemon.postgres.connection import connection_parameters
from sync_daemon.rabbitmq import connection as rabbitmq
from sync_daemon.storage import bucket
from sync_daemon.urls import is_local

ROOT = Path(__file__).resolve().parents[2]
CANARY = "canary-5e11"


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("C360_STACK_DIR", str(tmp_path / "stack"))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1.2.3", "localhost", "LOCALHOST", "::1", "[::1]", "/run/postgresql", ""]
)
def test_this_machine_is_known_in_every_form(host: str) -> None:
    assert is_local(host)


@pytest.mark.parametrize(
    "host", ["db.example", "10.0.0.1", "192.168.1.1", "localhost.example", "127.0.0.1,db.example", "::", "2001:db8::1"]
)
def test_everything_else_is_a_network(host: str) -> None:
    assert not is_local(host)


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require", "verify-ca"])
def test_a_mode_that_verifies_nobody_is_refused_beyond_this_machine(mode: str) -> None:
    url = f"postgresql://app:{CANARY}@db.example/comply?sslmode={mode}"
    for settings in (
        load_settings({"PLATFORM_POSTGRES_HOST": "db.example", "PLATFORM_POSTGRES_SSLMODE": mode}),
        load_settings({"DATABASE_URL": url}),
    ):
        with pytest.raises(ConfigError, match="verify-full") as caught:
            connection_parameters(settings)
        assert CANARY not in str(caught.value)
        with pytest.raises(ConfigError, match="verify-full"):
            connect.sslmode(connect.app_server(settings))
    assert tls_mode("127.0.0.1", mode) == mode


def test_an_authority_of_ones_own_may_verify_the_server_alone() -> None:
    assert tls_mode("db.example", "verify-ca", "/etc/ca.pem") == "verify-ca"
    assert tls_mode("db.example", "") == "verify-full"
    assert tls_mode("::1", "") == "prefer"


def test_a_broker_beyond_this_machine_needs_tls() -> None:
    far = Settings(rabbitmq_host="mq.example")
    with pytest.raises(ConfigError, match="RABBITMQ_TLS"):
        rabbitmq.connect(far, "test")
    assert rabbitmq._tls(Settings(rabbitmq_host="::1")) is None
    assert rabbitmq._tls(far.model_copy(update={"rabbitmq_tls": True})) is not None


def test_odoo_and_the_storage_beyond_this_machine_need_https() -> None:
    assert odoo_address("http://[::1]:8069").hostname == "::1"
    with pytest.raises(ConfigError, match="ODOO_URL"):
        odoo_address("http://odoo.example")
    with pytest.raises(ConfigError, match="C360_STORAGE_ENDPOINT"):
        bucket._endpoint(Settings(c360_storage_endpoint="http://minio.example"))


@pytest.mark.parametrize(
    "url", [f"key:{CANARY}", f"ftp://{CANARY}", f"https:{CANARY}", f"https://x:{CANARY}", f"//u:{CANARY}@h"]
)
def test_an_address_that_cannot_be_read_shows_nothing_of_itself(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        odoo_address(url)
    assert CANARY not in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        bucket._endpoint(Settings(c360_storage_endpoint=url))
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "url", [f"user:{CANARY}@host", f"https:user:{CANARY}@host", f"https://u:{CANARY}@{CANARY}@host/x"]
)
def test_a_password_in_an_address_of_another_form_does_not_show(url: str) -> None:
    assert CANARY not in str(redacted(load_settings({"ODOO_URL": url})))


def test_an_empty_secret_file_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("\n")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=f"C360_SYNC_PASSWORD_FILE: {path} is empty"):
        load_settings({"C360_SYNC_PASSWORD_FILE": str(path)})


def test_hosts_may_have_the_brackets_of_an_address() -> None:
    settings = load_settings({"PLATFORM_POSTGRES_HOST": "[::1]", "RABBITMQ_HOST": "[::1]"})
    assert (settings.platform_postgres_host, settings.rabbitmq_host) == ("::1", "::1")
    assert load_settings({"DATABASE_URL": "postgresql://a:b@[::1]:5433/x"}).platform_postgres_host == "::1"


def test_an_empty_health_host_is_not_every_address() -> None:
    with pytest.raises(ConfigError, match="C360_HEALTH_HOST"):
        load_settings({"C360_HEALTH_HOST": " "})
    with pytest.raises(ValidationError):
        Settings(c360_health_host="")
    unchecked = Settings().model_copy(update={"c360_health_host": "", "c360_health_port": 1})
    with pytest.raises(ConfigError, match="C360_HEALTH_HOST"), served(unchecked, Health(timedelta(seconds=30), 300.0)):
        pass


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_health_pages_are_served_on_either_kind_of_address(host: str, free_port: int) -> None:
    settings = Settings(c360_health_host=host, c360_health_port=free_port)
    shown = f"[{host}]" if ":" in host else host
    health, address = Health(timedelta(seconds=30), 300.0), f"http://{shown}:{free_port}/metrics"
    with served(settings, health), urllib.request.urlopen(address, timeout=5) as answer:
        assert answer.status == 200


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_nothing_of_the_daemons_outlasts_a_transaction() -> None:
    """PgBouncer hands each transaction to another session: no lock, statement, table or setting may be a session's."""
    # prepare(...) is a method that the driver asks of an adapter
    session = re.compile(
        r"\bpg_(try_)?advisory_lock\(|\bLISTEN\b|\bPREPARE\b(?!\()|\bDECLARE \w+ .*CURSOR|\bTEMP(ORARY)? TABLE"
        r"|\bSET (?!LOCAL\b)(SESSION|ROLE|search_path|statement_timeout|lock_timeout|timezone)\b"
        r"|set_config\([^)]*false\)",
        re.IGNORECASE,
    )
    paths = [*(ROOT / "sync_daemon").rglob("*.sql"), *(ROOT / "sync_daemon" / "postgres").rglob("*.py")]
    found = [
        (str(path.relative_to(ROOT)), match.group(0))
        for path in paths
        for match in session.finditer(re.sub(r"--[^\n]*|#[^\n]*", "", path.read_text(encoding="utf-8")))
    ]
    assert len(paths) > 40
    assert found == []
