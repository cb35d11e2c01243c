"""`.env.example` names every setting, with the default that is really in force."""

from __future__ import annotations

import re
from pathlib import Path

from sync_daemon.config import Settings

ROOT = Path(__file__).resolve().parents[2]
LINES = re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=(\S*)", (ROOT / ".env.example").read_text(), re.MULTILINE)
# read by the stack and by load_settings themselves, before there are any settings
OUTSIDE_SETTINGS = {"DATABASE_URL", "C360_ENV_FILE", "C360_STACK_DIR", "C360_STACK_PORT_BASE", "ODOO_HOME"}


def test_the_example_names_every_setting_once_and_nothing_else() -> None:
    names = [name for name, _value in LINES]
    compose = set(re.findall(r"(?<!\$)\$\{([A-Z0-9_]+)", (ROOT / "docker-compose.yml").read_text()))
    assert sorted(set(names)) == sorted(names)
    assert set(names) == {name.upper() for name in Settings.model_fields} | OUTSIDE_SETTINGS | compose


def test_the_defaults_in_the_example_are_the_real_ones() -> None:
    real = Settings.model_validate({})
    shown = Settings.model_validate({name.lower(): value for name, value in LINES if value})
    assert {name: value for name, value in shown if value != getattr(real, name)} == {}
