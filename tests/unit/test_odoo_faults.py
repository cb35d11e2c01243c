"""What becomes of Odoo's faults. The texts are Odoo 19's own."""

from __future__ import annotations

import pytest

from sync_daemon.errors import BridgeError, FatalError, RejectedError, TransientError
from sync_daemon.odoo import faults

FRAMES = (
    "Traceback (most recent call last):\n"
    '  File "/usr/lib/python3/dist-packages/odoo/addons/rpc/controllers/xmlrpc.py", line 154, in xmlrpc_2\n'
    "    response = self._xmlrpc(service)\n"
    "               ^^^^^^^^^^^^^^^^^^^^^\n"
    '  File "/usr/lib/python3/dist-packages/odoo/sql_db.py", line 427, in execute\n'
    "    self._obj.execute(query, params)\n"
)
CHAINED = (
    FRAMES + "ValueError: inner\n\nDuring handling of the above exception, another exception occurred:\n\n" + FRAMES
)


@pytest.mark.reliability("F41", "F65")
@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("psycopg2.errors.SerializationFailure: could not serialize access due to concurrent update\n", TransientError),
        ("psycopg2.errors.LockNotAvailable: canceling statement due to lock timeout\n", TransientError),
        ("psycopg2.errors.DeadlockDetected: deadlock detected\nDETAIL:  Process 1 waits\n", TransientError),
        (
            "psycopg2.OperationalError: server closed the connection unexpectedly\n\tThis probably means\n",
            TransientError,
        ),
        ("psycopg2.InterfaceError: connection already closed\n", TransientError),
        ("odoo.exceptions.ConcurrencyError\n", TransientError),
        ("odoo.exceptions.LockError: Cannot grab a lock on records\n", TransientError),
        ("MemoryError\n", TransientError),
        ("some.module.NeverSeenError: hm\n", TransientError),
        ('psycopg2.OperationalError: connection failed: FATAL:  database "x" does not exist\n\n', FatalError),
        ('psycopg2.errors.UndefinedTable: relation "comply360_binding" does not exist\nLINE 1: SELECT\n', FatalError),
        ("AttributeError: The method 'comply360.bridge.ping' does not exist\n", FatalError),
        ("odoo.exceptions.AccessDenied: Access Denied\n", FatalError),
        ("ValueError: Invalid field 'ghost' on model 'crm.lead'\n", RejectedError),
        ("TypeError: ping() got an unexpected keyword argument 'x'\n", RejectedError),
        ("xml.parsers.expat.ExpatError: not well-formed (invalid token): line 12, column 20\n", RejectedError),
        ("binascii.Error: Incorrect padding\n", RejectedError),
        ("odoo.exceptions.ValidationError: The operation cannot be completed\n", RejectedError),
        ("odoo.exceptions.MissingError: Record does not exist or has been deleted.\n", RejectedError),
    ],
)
def test_the_class_of_the_last_exception_decides(last: str, expected: type[BridgeError]) -> None:
    assert type(faults.of_fault(1, FRAMES + last)) is expected
    assert type(faults.of_fault(1, CHAINED + last)) is expected


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (2, "Object comply360.bridge doesn't exist", FatalError),
        (2, "The bridge speaks protocol 2, this addon 1: update the older one.", FatalError),
        (2, "Something a user did", RejectedError),
        (3, "Access Denied", FatalError),
        (4, "Only the Comply360 bridge's own user may call this.", FatalError),
        (1, "", TransientError),
        (1, "no traceback at all", TransientError),
        (77, "an unknown code", TransientError),
        ("text", "an unknown code", TransientError),
    ],
)
def test_a_fault_without_a_traceback_is_read_by_its_code(code: object, text: str, expected: type[BridgeError]) -> None:
    assert type(faults.of_fault(code, text)) is expected


@pytest.mark.parametrize(
    ("status", "name", "expected"),
    [
        (401, "werkzeug.exceptions.Unauthorized", FatalError),
        (403, "odoo.exceptions.AccessError", FatalError),
        (404, "werkzeug.exceptions.NotFound", FatalError),
        (404, "odoo.exceptions.MissingError", RejectedError),
        (409, "odoo.exceptions.LockError", TransientError),
        (422, "odoo.exceptions.ValidationError", RejectedError),
        (500, "psycopg2.errors.SerializationFailure", TransientError),
        (500, "builtins.ValueError", RejectedError),
        (500, "", TransientError),
        (418, "", FatalError),
    ],
)
def test_json2_tells_the_class_itself(status: int, name: str, expected: type[BridgeError]) -> None:
    assert type(faults.of_status(status, name, "a message")) is expected


def test_the_sentence_holds_the_cause_and_no_traceback() -> None:
    error = faults.of_fault(1, FRAMES + "ValueError: two\nlines " + "x" * 5000)
    assert "ValueError: two lines xxx" in str(error)
    assert "File" not in str(error)
    assert len(str(error)) < 400
