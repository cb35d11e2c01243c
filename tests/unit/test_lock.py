"""What is installed is what was tested, file by file."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)


def pins(name: str) -> set[tuple[str, str]]:
    return set(PIN.findall((ROOT / name).read_text(encoding="utf-8")))


def test_the_lock_has_every_pin_with_its_hashes_and_no_other() -> None:
    assert pins("requirements.lock") == pins("requirements.txt") | pins("requirements-odoo.txt"), (
        "run the command in CONTRIBUTING.md, To change a pin"
    )
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert [block.partition(" ")[0] for block in blocks if not re.search(r"--hash=sha256:[0-9a-f]{64}", block)] == []


def test_the_lock_names_no_index() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text and "--index-url" not in text


def test_the_environment_is_made_from_the_lock_alone() -> None:
    text = (ROOT / "stack" / "bootstrap.py").read_text(encoding="utf-8")
    assert '"--require-hashes", "--no-deps", "-r"' in text
