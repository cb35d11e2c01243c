"""Settings come from the environment, files and the local stack, in this order, and secrets stay hidden."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from pydantic import SecretStr

from db_init import connect
from sync_daemon.config import Settings, load_settings, redacted
from sync_daemon.errors import ConfigError
from sync_daemon.postgres.connection import connection_parameters

CANARY = "canary-5e11"


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without .env and without a stack."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("C360_STACK_DIR", str(tmp_path / "stack"))


def secret_file(path: Path, text: str, mode: int = 0o600) -> str:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return str(path)


def test_the_selftests_daemon_takes_the_health_port_from_nobody() -> None:
    settings = load_settings({"C360_HEALTH_PORT": "9107"}).of_selftest
    assert (settings.is_selftest, settings.c360_health_port) == (True, 0)


def test_without_anything_the_defaults_point_to_this_machine() -> None:
    settings = load_settings({})
    assert (settings.platform_postgres_host, settings.platform_postgres_port) == ("127.0.0.1", 5432)
    assert settings.odoo_url == "http://127.0.0.1:8069"


def test_the_environment_wins_over_the_file_and_the_file_over_the_stack(tmp_path: Path) -> None:
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "env").write_text("ODOO_DATABASE=stack\nRABBITMQ_HOST=stack\nODOO_LOGIN=stack\n")
    (tmp_path / ".env").write_text("ODOO_DATABASE=file\nRABBITMQ_HOST=file\n")
    settings = load_settings({"ODOO_DATABASE": "environment"})
    assert (settings.odoo_database, settings.rabbitmq_host, settings.odoo_login) == ("environment", "file", "stack")


def test_another_file_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "other.env").write_text("ODOO_DATABASE=other\n")
    assert load_settings({"C360_ENV_FILE": str(tmp_path / "other.env")}).odoo_database == "other"


def test_a_variable_that_is_set_to_nothing_is_not_set(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ODOO_DATABASE=file\n")
    assert load_settings({"ODOO_DATABASE": ""}).odoo_database == "file"


def test_a_dollar_sign_in_a_password_is_a_dollar_sign(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("C360_SYNC_PASSWORD='a$HOME${b}'\n")
    assert load_settings({}).c360_sync_password.get_secret_value() == "a$HOME${b}"


def test_a_secret_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    path = secret_file(tmp_path / "password", f"{CANARY}\n")
    settings = load_settings({"C360_SYNC_PASSWORD_FILE": path})
    assert settings.c360_sync_password.get_secret_value() == CANARY


def test_a_secret_file_that_others_may_read_is_refused_with_the_command_that_mends_it(tmp_path: Path) -> None:
    path = secret_file(tmp_path / "password", CANARY, mode=0o644)
    with pytest.raises(ConfigError, match=f"chmod 600 {path}") as caught:
        load_settings({"C360_SYNC_PASSWORD_FILE": path})
    assert CANARY not in str(caught.value)


def test_a_secret_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ODOO_API_KEY_FILE: cannot read"):
        load_settings({"ODOO_API_KEY_FILE": str(tmp_path / "nothing")})


def test_the_apps_database_url_is_understood() -> None:
    settings = load_settings({"DATABASE_URL": "postgresql://app%40x:p%2Fw@db.example:6543/comply?sslmode=require"})
    assert (settings.platform_postgres_host, settings.platform_postgres_port) == ("db.example", 6543)
    assert (settings.platform_postgres_db, settings.c360_app_user) == ("comply", "app@x")
    assert settings.c360_app_password.get_secret_value() == "p/w"
    assert settings.platform_postgres_sslmode == "require"


RESERVED = "/?#[]@:%&= +"


def test_a_percent_encoded_password_is_read_whatever_stands_in_it() -> None:
    url = f"postgresql://{quote(RESERVED, safe='')}:{quote(RESERVED, safe='')}@db.example/comply"
    settings = load_settings({"DATABASE_URL": url})
    assert (settings.c360_app_user, settings.c360_app_password.get_secret_value()) == (RESERVED, RESERVED)
    assert (settings.platform_postgres_host, settings.platform_postgres_db) == ("db.example", "comply")


@pytest.mark.parametrize("start", ["canary", "12"], ids=["letters", "digits"])
@pytest.mark.parametrize("sign", [*RESERVED, "\n"])
def test_a_reserved_character_that_is_not_encoded_is_read_or_refused_and_never_shown(start: str, sign: str) -> None:
    password = f"{start}{sign}{CANARY}"
    try:
        settings = load_settings({"DATABASE_URL": f"postgresql://app:{password}@db.example/comply"})
    except ConfigError as error:
        assert "DATABASE_URL" in str(error) and "%2F" in str(error)
        assert "canary" not in str(error) and (error.__suppress_context__ or error.__context__ is None)
    else:
        assert settings.c360_app_password.get_secret_value() == password
        assert (settings.platform_postgres_host, settings.platform_postgres_db) == ("db.example", "comply")


def test_the_url_parameters_for_tls_are_honoured_by_every_connection() -> None:
    query = "sslmode=verify-full&sslrootcert=%2Fetc%2Fca%20of%20ours.pem"
    settings = load_settings({"DATABASE_URL": f"postgresql://app:secret@db.example/comply?{query}"})
    used = connection_parameters(settings)
    assert (used["sslmode"], used["sslrootcert"]) == ("verify-full", "/etc/ca of ours.pem")
    server = connect.app_server(settings)
    assert (connect.sslmode(server), server.sslrootcert) == ("verify-full", "/etc/ca of ours.pem")


@pytest.mark.parametrize("query", ["connect_timeout=5", "sslmode=require&options=-c%20x%3Dy", "passfile=/x"])
def test_a_url_parameter_that_is_not_known_is_refused_by_name(query: str) -> None:
    name = query.rpartition("&")[2].partition("=")[0]
    with pytest.raises(ConfigError, match=f"DATABASE_URL: parameter {name} is not known"):
        load_settings({"DATABASE_URL": f"postgresql://app:secret@db.example/comply?{query}"})


def test_an_unknown_sslmode_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="PLATFORM_POSTGRES_SSLMODE"):
        load_settings({"DATABASE_URL": "postgresql://app:secret@db.example/comply?sslmode=verify"})


@pytest.mark.parametrize("sslmode", ["disable", "allow", "prefer"])
def test_no_connection_sends_a_password_over_a_network_in_the_clear(sslmode: str) -> None:
    settings = load_settings({"PLATFORM_POSTGRES_HOST": "db.example", "PLATFORM_POSTGRES_SSLMODE": sslmode})
    with pytest.raises(ConfigError, match="verify-full"):
        connection_parameters(settings)
    with pytest.raises(ConfigError, match="verify-full"):
        connect.sslmode(connect.app_server(settings))


def test_a_single_variable_wins_over_its_part_of_the_url() -> None:
    url = "postgresql://app:secret@db.example/comply"
    assert load_settings({"DATABASE_URL": url, "PLATFORM_POSTGRES_HOST": "other"}).platform_postgres_host == "other"


@pytest.mark.parametrize("url", ["mysql://a:b@c/d", "db.example", f"postgresql:///{CANARY}"])
def test_a_url_of_another_form_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigError, match="DATABASE_URL should look like") as caught:
        load_settings({"DATABASE_URL": url})
    assert CANARY not in str(caught.value)


def test_every_setting_that_cannot_be_used_is_named_at_once_and_no_value_is_shown() -> None:
    wrong = {"PLATFORM_POSTGRES_PORT": CANARY, "ODOO_TRANSPORT": CANARY, "C360_BATCH_SIZE": "0", "ODOO_INSTANCE": "A"}
    with pytest.raises(ConfigError) as caught:
        load_settings(wrong)
    assert all(name in str(caught.value) for name in wrong)
    assert CANARY not in str(caught.value)


def test_no_secret_shows_in_the_display_or_in_the_representation() -> None:
    secrets = [name for name, field in Settings.model_fields.items() if field.annotation is SecretStr]
    settings = load_settings({name.upper(): CANARY for name in secrets})
    shown = redacted(settings)
    assert len(secrets) >= 9
    assert all(shown[name.upper()] == "***" for name in secrets)
    assert CANARY not in repr(settings) and CANARY not in str(shown)


def test_a_secret_in_an_address_does_not_show() -> None:
    addresses = ("ODOO_URL", "C360_STORAGE_ROOT", "C360_STORAGE_ENDPOINT")
    shown = redacted(load_settings(dict.fromkeys(addresses, f"https://key:{CANARY}/{CANARY}@example.com/x")))
    assert {shown[name] for name in addresses} == {"https://***@example.com/x"}


def test_an_unset_secret_shows_as_empty() -> None:
    assert redacted(load_settings({}))["ODOO_API_KEY"] == ""


def test_the_lease_is_a_duration() -> None:
    assert load_settings({"C360_LEASE_SECONDS": "90"}).lease.total_seconds() == 90
