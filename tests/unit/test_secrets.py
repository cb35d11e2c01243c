"""No value of ours shows its secret when it is printed, as a failing test or a traceback with locals would."""

from __future__ import annotations

from db_init.connect import app_server, odoo_server
from db_init.roles import app_side, odoo_side
from sync_daemon.config import Settings, load_settings

CANARY = "canary-5e11"


def settings() -> Settings:
    secrets = [name.upper() for name in Settings.model_fields if name.endswith(("password", "api_key"))]
    return load_settings({**dict.fromkeys(secrets, CANARY), "C360_ENV_FILE": "/dev/null"})


def test_servers_and_roles_know_their_passwords_and_do_not_show_them() -> None:
    values = [app_server(settings()), odoo_server(settings()), *app_side(settings()), *odoo_side(settings())]
    assert CANARY in {getattr(value, "password", "") for value in values}
    assert CANARY not in repr(values) + str(values)
