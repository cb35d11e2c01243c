"""`c360`, told by its environment which databases to work on."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from sync_daemon.config import Settings
from tests import forking


def c360(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command without a terminal; its exit code and what it said."""
    return forking.run(arguments, os.environ | environment(settings), Path.cwd(), 60)


def environment(settings: Settings) -> dict[str, str]:
    """The settings as variables, secrets in the clear."""
    plain = {name.upper(): getattr(value, "get_secret_value", lambda value=value: value)() for name, value in settings}
    return {name: str(value) for name, value in plain.items() if value != ""}
