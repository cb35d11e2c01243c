"""XML-RPC: the standard library's marshalling over a transport that sends once."""

from __future__ import annotations

import xmlrpc.client
from collections.abc import Mapping
from typing import Any, cast
from xml.parsers import expat

from sync_daemon.config import Settings
from sync_daemon.errors import FatalError, RejectedError, TransientError
from sync_daemon.odoo import faults
from sync_daemon.odoo.transports.http_post import HttpPost
from sync_daemon.odoo.transports.newest import Newest

_HEADERS = {"Content-Type": "text/xml", "User-Agent": "comply360-bridge"}


class XmlRpc:
    """Calls methods of one model as one user; the user's id is asked for at the first call and after a refusal."""

    def __init__(self, settings: Settings, model: str) -> None:
        self._post = HttpPost(settings)
        self.newest = Newest(settings, self._post)
        self._database = settings.odoo_database
        self._login = settings.odoo_login
        self._key = settings.odoo_api_key.get_secret_value()
        self._model = model
        self._uid = 0

    def call(self, method: str, arguments: Mapping[str, object]) -> object:
        """The method's result. Raises TransientError, FatalError or RejectedError."""
        uid = self._uid = self._uid or self._authenticate()
        parameters: tuple[object, ...] = (self._database, uid, self._key, self._model, method, [], dict(arguments))
        try:
            return self._send("object", "execute_kw", parameters, method)
        except FatalError:
            self._uid = 0
            raise

    def _authenticate(self) -> int:
        uid = self._send("common", "authenticate", (self._database, self._login, self._key, {}))
        if not isinstance(uid, int) or uid <= 0:
            raise FatalError(f"Odoo refuses user {self._login} on database {self._database}: check ODOO_API_KEY")
        return uid

    def _send(self, service: str, method: str, parameters: tuple[object, ...], called: str = "") -> object:
        answer = self._post(f"/xmlrpc/2/{service}", _marshalled(method, parameters), _HEADERS, called)
        if answer.status != 200:
            raise faults.of_status(answer.status, "", "")
        return _unmarshalled(answer.body)


def _marshalled(method: str, parameters: tuple[object, ...]) -> bytes:
    try:
        # surrogates cannot be encoded; None, Decimal and large integers cannot be marshalled
        return xmlrpc.client.dumps(cast(Any, parameters), method, allow_none=False).encode()
    except (TypeError, OverflowError, UnicodeEncodeError) as error:
        raise RejectedError("not_transferable", f"XML-RPC cannot carry this: {error}"[:300]) from None


def _unmarshalled(body: bytes) -> object:
    unmarshaller = xmlrpc.client.Unmarshaller()
    # expat hands over decoded text; until told so, the unmarshaller would decode it again
    cast(Any, unmarshaller).xml(None, None)
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = unmarshaller.start
    parser.EndElementHandler = unmarshaller.end
    parser.CharacterDataHandler = unmarshaller.data
    try:
        parser.Parse(body, True)
        values = unmarshaller.close()
    except xmlrpc.client.Fault as fault:
        raise faults.of_fault(fault.faultCode, str(fault.faultString)) from None
    except (expat.ExpatError, xmlrpc.client.Error, ValueError, TypeError, LookupError, AttributeError) as error:
        raise TransientError(f"Odoo's answer is not XML-RPC: {type(error).__name__}") from None
    if len(values) != 1:
        raise TransientError("Odoo's answer is not XML-RPC: it should hold one value")
    return values[0]


def _refuse_doctype(*_declaration: object) -> None:
    # no XML-RPC answer has one; entities, and with them every XML bomb, need one
    raise ValueError("document type declaration")
