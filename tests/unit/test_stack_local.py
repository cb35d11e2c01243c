"""Which servers are started, and what the settings say of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from stack import layout as layouts
from stack import local
from stack.layout import Layout
from sync_daemon.config import Settings


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Gives an empty stack."""
    return Layout(tmp_path / "state", 27900)


def _states(layout: Layout) -> dict[str, str]:
    return {state.name: state.state for state in local.status(layout)}


def _nothing(settings: Settings) -> str:
    raise AssertionError("nothing is there to be prepared")


def test_without_any_setting_every_service_is_our_own(layout: Layout) -> None:
    assert _states(layout) == dict.fromkeys(layouts.SERVICES, "stopped")


@pytest.mark.parametrize(
    ("given", "external"),
    [
        ({"RABBITMQ_HOST": "mq"}, {"rabbitmq"}),
        ({"ODOO_URL": "https://odoo.example.org"}, {"odoo"}),
        ({"PLATFORM_POSTGRES_HOST": "db"}, set()),
        ({"PLATFORM_POSTGRES_HOST": "db", "ODOO_POSTGRES_HOST": "db"}, {"postgres"}),
        ({"DATABASE_URL": "postgresql://u:p@db/comply360_app", "ODOO_URL": "https://o"}, {"postgres", "odoo"}),
    ],
)
def test_a_server_named_by_the_environment_is_external(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], external: set[str]
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert {name for name, state in _states(layout).items() if state == "external"} == external


def test_a_server_named_by_the_env_file_is_external(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "own.env").write_text("RABBITMQ_HOST=mq\n")
    monkeypatch.setenv("C360_ENV_FILE", str(tmp_path / "own.env"))
    assert _states(layout)["rabbitmq"] == "external"


def test_settings_of_the_user_win_over_those_of_the_stack(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RABBITMQ_HOST", "mq.example.org")
    monkeypatch.setenv("RABBITMQ_PASSWORD", "theirs")
    settings = local.up(layout, local.Steps(_nothing, _nothing), without=("postgres", "odoo", "daemon"))
    assert (settings.rabbitmq_host, settings.rabbitmq_password.get_secret_value()) == ("mq.example.org", "theirs")
    assert (settings.platform_postgres_host, settings.platform_postgres_port) == ("127.0.0.1", 27900)
    assert settings.odoo_url == "http://127.0.0.1:27905"
    assert layout.environment_file.stat().st_mode & 0o077 == 0
    assert "RABBITMQ" not in layout.environment_file.read_text()


def test_stopping_a_stack_that_never_was_is_no_error(layout: Layout) -> None:
    assert local.down(layout) == []
    assert not layout.state.exists()
