"""The addon's own route for the newest mark: one POST of nothing, the same over each transport."""

from __future__ import annotations

import base64

from sync_daemon.config import Settings
from sync_daemon.errors import TransientError
from sync_daemon.odoo import faults
from sync_daemon.odoo.transports.http_post import HttpPost

PATH = "/comply360_bridge/newest"
MOST_DIGITS = 19
"""Of a 64-bit number."""


class Newest:
    """Asks as the bridge's user, with its key."""

    def __init__(self, settings: Settings, post: HttpPost) -> None:
        self._post = post
        named = f"{settings.odoo_login}:{settings.odoo_api_key.get_secret_value()}".encode()
        self._headers = {
            "Authorization": f"Basic {base64.b64encode(named).decode('ascii')}",
            "X-Odoo-Database": settings.odoo_database,
            "User-Agent": "comply360-bridge",
        }

    def __call__(self) -> int:
        """The number. Raises TransientError or FatalError."""
        answer = self._post(PATH, b"", self._headers, "newest")
        if answer.status != 200:
            raise faults.of_status(answer.status, "", "")
        if not answer.body.isdigit() or len(answer.body) > MOST_DIGITS:
            raise TransientError("Odoo's answer is no number of a mark")
        return int(answer.body)
