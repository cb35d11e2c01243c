"""The installed `c360`, told by its environment which databases to work on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sync_daemon.config import Settings


def c360(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command without a terminal; its exit code and what it said."""
    return subprocess.run(
        [str(Path(sys.executable).parent / "c360"), *arguments],
        env=os.environ | environment(settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def environment(settings: Settings) -> dict[str, str]:
    """The settings as variables, secrets in the clear."""
    plain = {name.upper(): getattr(value, "get_secret_value", lambda value=value: value)() for name, value in settings}
    return {name: str(value) for name, value in plain.items() if value != ""}
