"""SQL lives beside its module, each statement under a line `-- name: ...`."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent
_NAME = re.compile(r"^-- name: (\w+).*$", re.MULTILINE)


@cache
def statements(file: str) -> dict[str, str]:
    """The statements of one file, by name."""
    parts = _NAME.split((_FOLDER / f"{file}.sql").read_text(encoding="utf-8"))
    return {name: text.strip() for name, text in zip(parts[1::2], parts[2::2], strict=True)}
