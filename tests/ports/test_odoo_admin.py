"""Odoo's administration against a real Odoo."""

from __future__ import annotations

import io
import logging
from uuid import uuid4

import pytest
from pydantic import SecretStr

from sync_daemon import logs
from sync_daemon.config import Settings
from sync_daemon.errors import BridgeError, FatalError, RejectedError, TransientError
from sync_daemon.odoo import admin
from sync_daemon.odoo.client import open_odoo
from tests.ports.proxy import Proxy


def with_key(settings: Settings, key: str) -> Settings:
    # JSON-2 asks for the key's validity at each call; XML-RPC remembers
    return settings.model_copy(update={"odoo_api_key": SecretStr(key), "odoo_transport": "json2"})


@pytest.mark.reliability("F62")
def test_a_new_key_opens_odoo_and_former_keys_stay_valid_until_they_are_revoked(stack_settings: Settings) -> None:
    present = stack_settings.odoo_api_key.get_secret_value()
    key = admin.issue_bot_key(stack_settings)
    assert key != present
    for valid in (key, present):
        assert open_odoo(with_key(stack_settings, valid), uuid4()).ping().user == stack_settings.odoo_login
        assert open_odoo(with_key(stack_settings, valid), uuid4()).newest() >= 0
    admin.revoke_other_keys(stack_settings, present)
    assert open_odoo(with_key(stack_settings, present), uuid4()).ping().user == stack_settings.odoo_login
    with pytest.raises(FatalError, match="refuses login or key"):
        open_odoo(with_key(stack_settings, key), uuid4()).ping()
    with pytest.raises(FatalError, match="HTTP 403"):
        open_odoo(with_key(stack_settings, key), uuid4()).newest()


def test_the_server_tells_its_version(stack_settings: Settings) -> None:
    assert admin.server_version(stack_settings).startswith("19.0")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"odoo_admin_password": SecretStr("canary-password")}, FatalError),
        ({"odoo_database": "no_such_database"}, FatalError),
        ({"odoo_login": "nobody@example.com"}, RejectedError),
    ],
    ids=["password", "database", "user"],
)
def test_a_refusal_says_why(stack_settings: Settings, changes: dict[str, object], error: type[BridgeError]) -> None:
    with pytest.raises(error) as caught:
        admin.issue_bot_key(stack_settings.model_copy(update=changes))
    assert "canary-password" not in str(caught.value)


def test_nobody_listening_is_a_transient_error(stack_settings: Settings) -> None:
    with Proxy(("127.0.0.1", 1)) as gone:
        pass
    with pytest.raises(TransientError):
        admin.server_version(stack_settings.model_copy(update={"odoo_url": f"http://127.0.0.1:{gone.port}"}))


def test_a_debug_log_shows_neither_password_nor_key(stack_settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    raw = io.StringIO()
    handler = logging.StreamHandler(raw)
    root, odoorpc = logging.getLogger(), logging.getLogger("odoorpc")
    root.addHandler(handler)
    for name in (None, "odoorpc", "odoorpc.rpc.jsonrpclib"):
        caplog.set_level(logging.DEBUG, name)
    try:
        odoorpc.debug("the log is on")
        key = admin.issue_bot_key(stack_settings)
        present = stack_settings.odoo_api_key.get_secret_value()
        admin.revoke_other_keys(stack_settings, present)
    finally:
        root.removeHandler(handler)
    assert "the log is on" in raw.getvalue()
    for secret in (key, present, stack_settings.odoo_admin_password.get_secret_value()):
        assert secret not in raw.getvalue()
        assert secret not in caplog.text
    assert key not in logs.hide_secrets(f"it is {key}")
