"""The stack's folders, ports and secrets."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from stack import layout as layouts
from stack import teardown
from stack.layout import Layout
from sync_daemon.errors import BridgeError, ConfigError, UnavailableError


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Gives an empty stack."""
    empty = Layout(tmp_path / "state", 27900)
    layouts.prepare(empty)
    return empty


@pytest.mark.parametrize("base", ["http", "80", "65530", "-1", "2.5"])
def test_a_port_base_that_cannot_be_used_is_refused_by_name(base: str) -> None:
    with pytest.raises(ConfigError, match="C360_STACK_PORT_BASE"):
        layouts.from_environment({"C360_STACK_PORT_BASE": base})


def test_a_stack_keeps_its_ports_until_others_are_named(layout: Layout) -> None:
    named = {"C360_STACK_DIR": str(layout.state)}
    assert layouts.from_environment(named) == layout
    assert layouts.from_environment({**named, "C360_STACK_PORT_BASE": "30000"}).port_base == 30000


def test_no_two_servers_share_a_port() -> None:
    ports = vars(layouts.from_environment({"C360_STACK_PORT_BASE": "30000"}).ports)
    assert len(set(ports.values())) == len(ports)
    assert min(ports.values()) == 30000


def test_the_state_folder_is_closed_to_other_users(layout: Layout) -> None:
    assert stat.S_IMODE(layout.state.stat().st_mode) == 0o700


def test_secrets_are_made_once_differ_and_are_private(layout: Layout) -> None:
    first = layouts.secrets(layout)
    assert layouts.secrets(layout) == first
    assert len(set(first.values())) == len(first) >= 10
    assert all(len(secret) >= 32 for secret in first.values())
    assert stat.S_IMODE((layout.state / "secrets").stat().st_mode) == 0o600


def test_a_remembered_secret_is_kept_beside_the_generated_ones(layout: Layout) -> None:
    before = layouts.secrets(layout)
    layouts.remember(layout, "ODOO_API_KEY", "k=1")
    assert layouts.secrets(layout) == before | {"ODOO_API_KEY": "k=1"}


def test_a_private_file_is_private_from_its_first_byte_whatever_the_umask(layout: Layout) -> None:
    before = os.umask(0)
    try:
        layouts.write_private(layout.state / "file", "a")
        layouts.write_private(layout.state / "file", "b")
    finally:
        os.umask(before)
    assert (layout.state / "file").read_text() == "b"
    assert stat.S_IMODE((layout.state / "file").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("error", "code"), [(ConfigError("x"), 78), (UnavailableError("x"), 69), (BridgeError("x"), 1)]
)
def test_expected_failures_have_their_exit_codes(error: BridgeError, code: int) -> None:
    assert layouts.exit_code(error) == code


def test_removing_a_stack_takes_away_its_folder_below_var_tmp_too(layout: Layout) -> None:
    home = teardown.POSTGRES_HOME_PARENT / f"{teardown.POSTGRES_HOME_PREFIX}unit-test-{os.getpid()}"
    (home / "data").mkdir(parents=True)
    (layout.state / "postgres-home").write_text(str(home))
    teardown.remove(layout)
    assert not home.exists()
    assert not layout.state.exists()


@pytest.mark.parametrize("elsewhere", ["precious", "comply360-postgres-x"])
def test_removing_a_stack_touches_no_folder_that_is_not_its_own(layout: Layout, tmp_path: Path, elsewhere: str) -> None:
    precious = tmp_path / elsewhere
    precious.mkdir()
    (layout.state / "postgres-home").write_text(str(precious))
    teardown.remove(layout)
    assert precious.is_dir()


def test_cleaning_finds_the_server_files_of_a_state_folder_that_was_removed_by_hand(tmp_path: Path) -> None:
    homes = {
        name: teardown.POSTGRES_HOME_PARENT / f"{teardown.POSTGRES_HOME_PREFIX}unit-{name}-{os.getpid()}"
        for name in ("ours", "other")
    }
    try:
        for name, home in homes.items():
            home.mkdir()
            (home / teardown.OWNER_FILE).write_text(str(tmp_path / name / "build" / "stack"))
        teardown.remove_server_files(tmp_path / "ours")
        assert not homes["ours"].exists()
        assert homes["other"].is_dir()
    finally:
        shutil.rmtree(homes["other"], ignore_errors=True)
