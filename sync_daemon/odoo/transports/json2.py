"""JSON-2, Odoo 19's successor to XML-RPC: one POST per method, named arguments, the key as bearer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import quote

from sync_daemon.config import Settings
from sync_daemon.errors import BridgeError, RejectedError, TransientError
from sync_daemon.odoo import faults
from sync_daemon.odoo.transports.http_post import Answer, HttpPost
from sync_daemon.odoo.transports.newest import Newest


class Json2:
    """Calls methods of one model as the user whose key it is."""

    def __init__(self, settings: Settings, model: str) -> None:
        self._post = HttpPost(settings)
        self.newest = Newest(settings, self._post)
        self._path = f"/json/2/{quote(model)}/"
        self._headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {settings.odoo_api_key.get_secret_value()}",
            "X-Odoo-Database": settings.odoo_database,
            "User-Agent": "comply360-bridge",
        }

    def call(self, method: str, arguments: Mapping[str, object]) -> object:
        """The method's result. Raises TransientError, FatalError or RejectedError."""
        answer = self._post(self._path + quote(method), _encoded(arguments), self._headers, method)
        if answer.status != 200:
            raise _refusal(answer)
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError):
            raise TransientError("Odoo's answer is no JSON") from None


def _encoded(arguments: Mapping[str, object]) -> bytes:
    try:
        return json.dumps(arguments, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise RejectedError("not_transferable", f"JSON cannot carry this: {error}"[:300]) from None


def _refusal(answer: Answer) -> BridgeError:
    try:
        content = json.loads(answer.body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        return faults.of_status(answer.status, "", "")
    return faults.of_status(answer.status, str(content.get("name") or ""), str(content.get("message") or ""))
