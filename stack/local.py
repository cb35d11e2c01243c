"""The local stack as a whole: what starts, in which order, and the resulting settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from stack import daemon, odoo, odoo_source, postgres, processes, rabbitmq, teardown
from stack import layout as layouts
from stack.layout import Layout
from stack.progress import step
from sync_daemon.config import Settings, load_settings

_KEY = "ODOO_API_KEY"


@dataclass(frozen=True)
class Steps:
    """What the stack needs from other packages; each is idempotent."""

    initialise_databases: Callable[[Settings], object]
    issue_bot_key: Callable[[Settings], str]


@dataclass(frozen=True)
class ServiceState:
    """What `c360 stack status` shows of one service."""

    name: str
    state: str
    pid: int | None
    address: str
    log: Path


def up(layout: Layout, steps: Steps, without: Collection[str] = ()) -> Settings:
    """Starts what is not running and gives the settings to reach it.

    Shapes: `without` names services of `layout.SERVICES`.
    Raises: ConfigError for a busy port or a missing right; UnavailableError for temporary failures.
    """
    given = environment()
    local = [name for name in layouts.SERVICES if name not in without and not _external(name, given)]
    layouts.prepare(layout)
    with layouts.locked(layout):
        _install(layout, local)
        _start_servers(layout, local)
        settings = _settings(layout, given)
        if "postgres" in local:
            with step("preparing the databases"):
                steps.initialise_databases(settings)
        if "odoo" in local:
            odoo.prepare_database(layout, settings)
            if odoo.start(layout, settings):
                with step("starting Odoo"):
                    odoo.await_ready(layout)
        if "rabbitmq" in local:
            with step("waiting for RabbitMQ"):
                rabbitmq.await_ready(layout)
        settings = _with_bot_key(layout, settings, steps, given, local)
        if "daemon" in local and daemon.start(layout):
            with step("starting the daemon"):
                daemon.await_ready(layout)
    return settings


def down(layout: Layout, services: Collection[str] = ()) -> list[str]:
    """Stops the named services, or all; data stays. Gives the names of those that were running."""
    if not layout.records.is_dir():
        return []
    with layouts.locked(layout):
        return teardown.stop(layout, services or layouts.SERVICES)


def status(layout: Layout) -> list[ServiceState]:
    """Gives the state of each service: running, stopped, or external if the environment names another server."""
    given = environment()
    return [_state(layout, name, given) for name in layouts.SERVICES]


def environment() -> dict[str, str]:
    """Gives the user's settings: the process's environment, and the file named by `C360_ENV_FILE` (default `.env`)."""
    file = Path(os.environ.get("C360_ENV_FILE", ".env"))
    from_file = {key: value for key, value in dotenv_values(file, interpolate=False).items() if value}
    return {**from_file, **os.environ}


def _external(name: str, given: Mapping[str, str]) -> bool:
    if name == "postgres":
        app = bool(given.get("DATABASE_URL") or given.get("PLATFORM_POSTGRES_HOST"))
        return app and bool(given.get("ODOO_POSTGRES_HOST") or given.get("ODOO_URL"))
    return bool(given.get({"rabbitmq": "RABBITMQ_HOST", "odoo": "ODOO_URL"}.get(name, "")))


def _install(layout: Layout, local: Collection[str]) -> None:
    if "postgres" in local:
        postgres.install()
    if "rabbitmq" in local:
        rabbitmq.install()
    if "odoo" in local:
        odoo_source.locate(layout.cache)


def _start_servers(layout: Layout, local: Collection[str]) -> None:
    with step("starting the servers"):
        # RabbitMQ needs some seconds; nobody waits for it before Odoo is there
        if "rabbitmq" in local:
            rabbitmq.start(layout)
        if "postgres" in local:
            postgres.start(layout)
            postgres.await_ready(layout)


def _settings(layout: Layout, given: Mapping[str, str]) -> Settings:
    """Writes the stack's settings file and reads all settings back."""
    values = _connections(layout, given)
    known = layouts.secrets(layout)
    if _KEY in known:
        values[_KEY] = known[_KEY]
    layouts.write_private(layout.environment_file, "".join(f"{key}='{value}'\n" for key, value in values.items()))
    saved = os.environ.get("C360_STACK_DIR")
    os.environ["C360_STACK_DIR"] = str(layout.state)
    try:
        return load_settings()
    finally:
        if saved is None:
            del os.environ["C360_STACK_DIR"]
        else:
            os.environ["C360_STACK_DIR"] = saved


def _connections(layout: Layout, given: Mapping[str, str]) -> dict[str, str]:
    known, ports = layouts.secrets(layout), layout.ports
    roles = ("C360_APP", "C360_SYNC", "C360_MIGRATOR", "C360_MONITOR", "C360_ODOO_DB")
    values = {f"{role}_PASSWORD": known[f"{role}_PASSWORD"] for role in roles}
    for side, named in (("PLATFORM", ("DATABASE_URL", "PLATFORM_POSTGRES_HOST")), ("ODOO", ("ODOO_POSTGRES_HOST",))):
        if not any(given.get(name) for name in named):
            values[f"{side}_POSTGRES_HOST"] = "127.0.0.1"
            values[f"{side}_POSTGRES_PORT"] = str(ports.postgres)
            values[f"{side}_POSTGRES_ADMIN_USER"] = postgres.ADMIN
            values[f"{side}_POSTGRES_ADMIN_PASSWORD"] = known["POSTGRES_ADMIN_PASSWORD"]
    if not _external("rabbitmq", given):
        values |= {"RABBITMQ_HOST": "127.0.0.1", "RABBITMQ_PORT": str(ports.amqp), "RABBITMQ_VHOST": rabbitmq.VHOST}
        values |= {"RABBITMQ_USER": rabbitmq.USER, "RABBITMQ_PASSWORD": known["RABBITMQ_PASSWORD"]}
        values |= {"RABBITMQ_MANAGEMENT_URL": rabbitmq.management_url(layout), "RABBITMQ_ADMIN_USER": rabbitmq.ADMIN}
        values |= {"RABBITMQ_ADMIN_PASSWORD": known["RABBITMQ_ADMIN_PASSWORD"]}
    if not _external("odoo", given):
        values |= {"ODOO_URL": odoo.url(layout), "ODOO_ADMIN_LOGIN": odoo.ADMIN}
        values["ODOO_ADMIN_PASSWORD"] = known["ODOO_ADMIN_PASSWORD"]
        values["ODOO_DATA_DIR"] = str(layout.state / odoo.NAME)
    if not given.get("C360_STORAGE_ROOT"):
        documents = layout.state / "documents"
        documents.mkdir(parents=True, exist_ok=True)
        values["C360_STORAGE_ROOT"] = documents.as_uri()
    return values


def _with_bot_key(
    layout: Layout, settings: Settings, steps: Steps, given: Mapping[str, str], local: Collection[str]
) -> Settings:
    if "odoo" not in local or settings.odoo_api_key.get_secret_value():
        return settings
    with step("issuing the bridge's API key"):
        layouts.remember(layout, _KEY, steps.issue_bot_key(settings))
    return _settings(layout, given)


def _state(layout: Layout, name: str, given: Mapping[str, str]) -> ServiceState:
    ports = {"postgres": layout.ports.postgres, "rabbitmq": layout.ports.amqp, "odoo": layout.ports.odoo}
    ports["daemon"] = layout.ports.health
    address = f"127.0.0.1:{ports[name]}" if name in ports else ""
    record = processes.running(layout, name)
    if _external(name, given):
        return ServiceState(name, "external", None, "", processes.log_path(layout, name))
    state = "running" if record else "stopped"
    return ServiceState(name, state, record.pid if record else None, address, processes.log_path(layout, name))
