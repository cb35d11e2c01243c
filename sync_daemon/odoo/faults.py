"""The meaning of Odoo's refusals: retry, pause, or reject.

A fault does not prove that nothing was committed; only the error's class decides what happens next.
Source: Odoo 19, addons/rpc/controllers/xmlrpc.py and json2.py, service/model.py, exceptions.py.
"""

from __future__ import annotations

import re

from sync_daemon.errors import BridgeError, FatalError, RejectedError, TransientError

LONGEST_CAUSE = 300

# XML-RPC fault codes: 1 carries a traceback, the others only a message.
UNEXPECTED = 1
USER_ERROR = 2
ACCESS_DENIED = 3
ACCESS_ERROR = 4

_CODES = {
    USER_ERROR: "odoo.exceptions.UserError",
    ACCESS_DENIED: "odoo.exceptions.AccessDenied",
    ACCESS_ERROR: "odoo.exceptions.AccessError",
}

_FRAME = '  File "'
_CAUSE = re.compile(r"^(?P<name>[A-Za-z_][\w.]*)(?:: (?P<message>.*))?$", re.DOTALL)

NO_SESSION = frozenset({"AccessDenied", "SessionExpiredException", "Unauthorized"})
"""What Odoo answers somebody who is not signed in, or no longer."""

_PAUSE = frozenset({"AccessDenied", "AccessError", "SessionExpiredException", "Unauthorized", "Forbidden", "NotFound"})
_PARK = frozenset(
    {
        "ExpatError",
        "ValueError",
        "UnicodeDecodeError",
        "TypeError",
        "ValidationError",
        "MissingError",
        "UserError",
        "RedirectWarning",
        "UnprocessableEntity",
        "RequestEntityTooLarge",
        "DataError",
        "IntegrityError",
    }
)
# Sentences of Odoo, PostgreSQL and the addon that name a part of the installation that is missing or does not fit,
# whatever the class.
_MISSING_PART = re.compile(
    r"Object \S+ doesn't exist|the model '\S+' does not exist|The method '\S+' does not exist"
    r"|The bridge speaks protocol \S+, this addon"
    r"|database \"[^\"]*\" does not exist|relation \"[^\"]*\" does not exist|column \S+ does not exist"
)


def of_fault(code: object, text: str) -> BridgeError:
    """The error that an XML-RPC fault stands for."""
    if code in _CODES:
        return of_exception(_CODES[int(str(code))], text)
    return of_exception(*_last_exception(text))


def of_status(status: int, name: str, message: str) -> BridgeError:
    """The error that an HTTP status and, where the body has them, an exception's class and message stand for."""
    if name:
        return of_exception(name, message)
    if status == 413:
        return RejectedError("too_big", "Odoo refuses a request of this size (HTTP 413)")
    if status == 429 or status >= 500:
        return TransientError(f"Odoo cannot answer now (HTTP {status})")
    if status == 404:
        return FatalError("Odoo answers 404: check ODOO_URL and ODOO_DATABASE, and that server_wide_modules names rpc")
    return FatalError(f"Odoo refuses the request (HTTP {status})")


def of_exception(name: str, message: str) -> BridgeError:
    """The error that an exception in Odoo stands for; an unknown exception is treated as transient.

    Shapes: `name` with or without its module.
    """
    short = name.rpartition(".")[2]
    cause = _short(f"{short}: {message}" if message.strip() else short)
    if short in {"AccessDenied", "Unauthorized"}:
        return FatalError(f"Odoo refuses login or key: {cause}")
    if short in _PAUSE or _MISSING_PART.search(message):
        return FatalError(f"Odoo cannot serve the bridge: {cause}")
    if short in _PARK or name == "binascii.Error":
        return RejectedError("refused", f"Odoo refuses this: {cause}")
    return TransientError(f"Odoo failed: {cause}")


def _last_exception(traceback: str) -> tuple[str, str]:
    lines = traceback.splitlines()
    frames = [number for number, line in enumerate(lines) if line.startswith(_FRAME)]
    rest = lines[frames[-1] + 1 :] if frames else lines
    # below the last frame: its source line, indented, then the exception with as many lines as its message has
    start = next((number for number, line in enumerate(rest) if line and not line.startswith(" ")), None)
    if start is None:
        return "unknown", traceback
    found = _CAUSE.match("\n".join(rest[start:]))
    return (found["name"], found["message"] or "") if found else ("unknown", rest[start])


def _short(text: str) -> str:
    return " ".join(text.split())[:LONGEST_CAUSE]
