"""Settings: environment variables, secret files, and the local stack's own file, in that order of precedence."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Self

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from sync_daemon.errors import ConfigError
from sync_daemon.urls import bare_host, database_settings, is_local, require_encryption

SYNC_ROLE = "comply360_sync"
MIGRATOR_ROLE = "comply360_migrator"
MONITOR_ROLE = "comply360_monitor"
BRIDGE_OWNER_ROLE = "comply360_bridge_owner"

# ODOO_INSTANCE cannot have a hyphen: no tenant of anybody's can belong to it
SELFTEST_INSTANCE = "self-test"

SslMode = Literal["", "disable", "allow", "prefer", "require", "verify-ca", "verify-full"]


class Settings(BaseSettings):
    """Everything a deployment can set, one attribute per variable; `.env.example` explains each.

    Source: the environment; for `X_FILE=path` the file's content stands for `X`.
    """

    model_config = SettingsConfigDict(extra="ignore", case_sensitive=False, hide_input_in_errors=True)

    # the app's PostgreSQL
    platform_postgres_host: str = "127.0.0.1"
    platform_postgres_port: int = Field(5432, ge=1, le=65535)
    platform_postgres_db: str = "comply360_app"
    platform_postgres_sslmode: SslMode = ""
    platform_postgres_sslrootcert: str = ""
    platform_postgres_admin_user: str = "postgres"
    platform_postgres_admin_password: SecretStr = SecretStr("")

    # Odoo's PostgreSQL
    odoo_postgres_host: str = "127.0.0.1"
    odoo_postgres_port: int = Field(5432, ge=1, le=65535)
    odoo_postgres_db: str = "comply360_odoo"
    odoo_postgres_sslmode: SslMode = ""
    odoo_postgres_sslrootcert: str = ""
    odoo_postgres_admin_user: str = "postgres"
    odoo_postgres_admin_password: SecretStr = SecretStr("")

    # login roles
    c360_app_user: str = "comply360_user"
    c360_app_password: SecretStr = SecretStr("")
    c360_sync_password: SecretStr = SecretStr("")
    c360_migrator_password: SecretStr = SecretStr("")
    c360_monitor_password: SecretStr = SecretStr("")
    c360_odoo_db_user: str = "odoo_user"
    c360_odoo_db_password: SecretStr = SecretStr("")

    # RabbitMQ
    rabbitmq_host: str = "127.0.0.1"
    rabbitmq_port: int = Field(5672, ge=1, le=65535)
    rabbitmq_vhost: str = "/comply360"
    rabbitmq_user: str = "comply360_bridge"
    rabbitmq_password: SecretStr = SecretStr("")
    rabbitmq_tls: bool = False
    rabbitmq_cafile: str = ""
    # only for `c360 audit isolation`
    rabbitmq_management_url: str = Field("", pattern=r"^(https?://[^\s]+)?$")
    rabbitmq_admin_user: str = ""
    rabbitmq_admin_password: SecretStr = SecretStr("")

    # Odoo
    odoo_url: str = "http://127.0.0.1:8069"
    odoo_database: str = "comply360_odoo"
    odoo_instance: str = Field("main", pattern=r"^[a-z][a-z0-9_]{0,30}$")
    odoo_transport: Literal["xmlrpc", "json2"] = "xmlrpc"
    odoo_cafile: str = ""
    odoo_login: str = "comply360_bridge"
    odoo_api_key: SecretStr = SecretStr("")
    odoo_admin_login: str = "admin"
    odoo_admin_password: SecretStr = SecretStr("")
    odoo_timeout_seconds: float = Field(180.0, gt=0)
    odoo_data_dir: str = ""

    # the app's documents
    c360_storage_root: str = ""
    c360_storage_endpoint: str = ""
    c360_storage_region: str = ""
    c360_storage_key: str = ""
    c360_storage_secret: SecretStr = SecretStr("")
    c360_document_limit_mb: float = Field(25.0, ge=0, le=96)
    c360_document_address: str = Field("", pattern=r"^(https?://[^\s]+)?$")
    c360_document_tries: int = Field(8, ge=1, le=100)

    # what this deployment changes of the contract
    c360_contract_file: str = ""

    # the daemon
    c360_push_workers: int = Field(2, ge=1, le=32)
    c360_batch_size: int = Field(250, ge=1, le=1000)
    c360_poll_seconds: float = Field(0.02, gt=0, le=60)
    c360_pull_seconds: float = Field(0.12, gt=0, le=60)
    c360_pull_lease_seconds: float = Field(6.0, gt=0)
    c360_tenant_refresh_seconds: float = Field(5.0, gt=0, le=3600)
    c360_lease_seconds: float = Field(60.0, gt=0)
    c360_reconcile_hours: float = Field(24.0, gt=0)
    c360_event_days: float = Field(7.0, gt=0)
    c360_heartbeat_seconds: float = Field(30.0, gt=0, le=600)
    c360_health_host: str = Field("127.0.0.1", min_length=1)
    c360_health_port: int = Field(0, ge=0, le=65535)
    c360_ready_seconds: float = Field(300.0, gt=0)
    c360_keep_ledger_months: int = Field(84, ge=12, le=600)
    c360_person: str = ""
    c360_keep_closed_days: int = Field(90, ge=1, le=36_500)
    c360_log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("platform_postgres_host", "odoo_postgres_host", "rabbitmq_host", "c360_health_host", mode="before")
    @classmethod
    def _bare(cls, host: object) -> object:
        return bare_host(host) if isinstance(host, str) else host

    @property
    def lease(self) -> timedelta:
        """How long the relay waits before it publishes a key again."""
        return timedelta(seconds=self.c360_lease_seconds)

    @property
    def pull_lease(self) -> timedelta:
        """How long a dead puller keeps the next one waiting."""
        return timedelta(seconds=self.c360_pull_lease_seconds)

    @property
    def heartbeat_interval(self) -> timedelta:
        """How often a heartbeat starts."""
        return timedelta(seconds=self.c360_heartbeat_seconds)

    @property
    def is_selftest(self) -> bool:
        """Whether only the selftest's tenants are served."""
        return self.odoo_instance == SELFTEST_INSTANCE

    @property
    def of_selftest(self) -> Self:
        """The same settings for the selftest's tenants, without the health port, which the other daemon uses."""
        return self.model_copy(update={"odoo_instance": SELFTEST_INSTANCE, "c360_health_port": 0})


def stack_directory() -> Path:
    """The folder of the local stack: `C360_STACK_DIR`, else `build/stack` of the current checkout."""
    return Path(os.environ.get("C360_STACK_DIR", "build/stack")).absolute()


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; a later source fills only what earlier ones leave open.

    Shapes: environment, then the file named by `C360_ENV_FILE` (default `.env`), then the local stack's `env` file.

    Raises: ConfigError naming every variable that cannot be used, with the form it should have.
    """
    given = dict(os.environ if environ is None else environ)
    values: dict[str, str] = {}
    for source in (_file(stack_directory() / "env"), _file(Path(given.get("C360_ENV_FILE", ".env"))), given):
        values.update(_normalised(source))
    try:
        return Settings.model_validate({key.lower(): value for key, value in values.items()})
    except ValidationError as error:
        raise ConfigError(_sentences(error)) from None


def tls_mode(host: str, sslmode: str, sslrootcert: str = "") -> str:
    """The sslmode of connections to the PostgreSQL server on `host`, given the one that is set.

    Raises: ConfigError for one that does not verify a server beyond this machine.
    """
    chosen = sslmode or ("prefer" if is_local(host) else "verify-full")
    # any server can show a certificate of a public authority: verify-ca means something with an authority of one's own
    is_verified = chosen == "verify-full" or (chosen == "verify-ca" and bool(sslrootcert))
    remedy = f"sslmode {chosen} is not accepted for {host}: use verify-full, or verify-ca with an sslrootcert"
    require_encryption("sslmode", host, is_verified, remedy)
    return chosen


def redacted(settings: Settings) -> dict[str, Any]:
    """All settings for display; a secret shows as `***` or, when not set, as the empty text."""
    return {name.upper(): _shown(value) for name, value in settings}


def _shown(value: object) -> object:
    if isinstance(value, SecretStr):
        return "***" if value.get_secret_value() else ""
    # what stands before the @ of an address is refused where it is used, and may be a password all the same
    return re.sub(r"^(\w+://)?.*@", r"\1***@", value, flags=re.DOTALL) if isinstance(value, str) else value


def _file(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    return {key: value for key, value in dotenv_values(path, interpolate=False).items() if value is not None}


def _normalised(source: Mapping[str, str]) -> dict[str, str]:
    known = {name.upper() for name in Settings.model_fields}
    values: dict[str, str] = {}
    if url := source.get("DATABASE_URL"):
        values.update(database_settings(url))
    for name, value in source.items():
        target = name.upper().removesuffix("_FILE")
        if name.upper().endswith("_FILE") and target in known and value:
            values[target] = _secret_file(name, Path(value))
    values.update({name.upper(): value for name, value in source.items() if name.upper() in known and value != ""})
    return values


def _secret_file(name: str, path: Path) -> str:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{name}: cannot read {path}: {error.strerror}") from None
    if stat.S_IMODE(mode) & 0o077 and not str(path).startswith("/run/secrets/"):
        raise ConfigError(f"{name}: {path} is readable by others; run: chmod 600 {path}")
    if not text.strip():
        raise ConfigError(f"{name}: {path} is empty")
    return text.strip()


def _sentences(error: ValidationError) -> str:
    lines = [f"{'.'.join(map(str, item['loc'])).upper()}: {item['msg']}" for item in error.errors(include_input=False)]
    return "these settings cannot be used:\n  " + "\n  ".join(lines)
