"""Errors, sorted by what to do about them. Driver exceptions become one of these where they enter."""

from __future__ import annotations


class BridgeError(Exception):
    """Base of every error the bridge raises on purpose; its text is a sentence for an operator."""


class TransientError(BridgeError):
    """The same call may succeed later: a neighbour is down, slow or busy. Retry with back-off."""


class BusyError(TransientError):
    """One statement waited too long or lost against another one; the connection and other tenants are well."""


class RejectedError(BridgeError):
    """This record or field cannot go as it is. Park it and notify a person.

    Shapes: `field` and `value` are empty where the whole record is meant.
    """

    def __init__(self, code: str, message: str, field: str = "", value: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.value = value


class FatalError(BridgeError):
    """Nothing of this kind can succeed until a person acts: wrong key, missing database, old addon. Pause."""


class StatementError(FatalError):
    """One statement cannot succeed because of the rows, tables or rights it is about; other tenants' may."""


class ConfigError(BridgeError):
    """The configuration cannot be used; the process ends with code 78."""


class CopyError(ConfigError):
    """This database is not the one that the installation lives in; every process on it ends with code 78.

    Shapes: `remedy` is the command that decides what it is.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; run: {remedy} (docs/runbook.md, Copies of the database)")
        self.problem = problem
        self.remedy = remedy


class UnavailableError(BridgeError):
    """A neighbour that a command needs cannot be reached; the process ends with code 69."""
