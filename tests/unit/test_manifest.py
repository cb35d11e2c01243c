"""A backup's manifest: read back as it was written, and never trusted beyond its files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from db_init import manifest
from db_init.manifest import Manifest, Part
from sync_daemon.errors import ConfigError

CONTENT = b"a dump"


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    (tmp_path / "app.dump").write_bytes(CONTENT)
    part = Part(
        "app.dump",
        manifest.sha256(tmp_path / "app.dump"),
        len(CONTENT),
        "comply360_app",
        rows={"public.tenants": 2},
        facts={"epochs": {"t": 1}},
        missing=("ab/cd",),
    )
    Manifest("2026-11-25T01:00:00+00:00", "0.1.0", {"pg_dump": "15.18"}, {"app": part}).save(tmp_path)
    return tmp_path


def test_it_is_read_as_it_was_written(backup: Path) -> None:
    found = manifest.load(backup)
    part = manifest.checked(backup, found, "app")
    assert (part.rows, part.facts, part.missing) == ({"public.tenants": 2}, {"epochs": {"t": 1}}, ("ab/cd",))
    assert found.tools == {"pg_dump": "15.18"}


@pytest.mark.parametrize("content", [b"", b"a dumb", b"a dump and more"])
def test_a_file_that_is_another_one_is_not_used(backup: Path, content: bytes) -> None:
    (backup / "app.dump").write_bytes(content)
    with pytest.raises(ConfigError, match="do not use this backup"):
        manifest.checked(backup, manifest.load(backup), "app")


def test_a_part_that_is_not_in_it_is_named(backup: Path) -> None:
    with pytest.raises(ConfigError, match="contains app, but not odoo"):
        manifest.checked(backup, manifest.load(backup), "odoo")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 2}', '{"format": 1, "parts": {"app": {}}}'])
def test_a_manifest_that_is_none_is_refused_in_a_sentence(backup: Path, text: str) -> None:
    (backup / manifest.NAME).write_text(text)
    with pytest.raises(ConfigError, match=r"manifest\.json"):
        manifest.load(backup)


def test_a_folder_without_one_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a backup"):
        manifest.load(tmp_path)


def test_it_is_plain_json(backup: Path) -> None:
    assert json.loads((backup / manifest.NAME).read_text())["parts"]["app"]["bytes"] == len(CONTENT)
