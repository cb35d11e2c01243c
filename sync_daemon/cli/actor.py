"""Who gives a command: the name that the ledger keeps."""

from __future__ import annotations

import getpass
import os

from sync_daemon.config import load_settings


def actor() -> str:
    """The person at the terminal: `C360_PERSON`, else who called sudo, else the login name."""
    named = load_settings().c360_person.strip() or os.environ.get("SUDO_USER", "").strip()
    return f"{named or getpass.getuser()} (c360)"
