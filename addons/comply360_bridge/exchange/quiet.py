"""Keeps the values of documents out of Odoo's log, where a statement of a batch fails."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import psycopg2

_statements = logging.getLogger("odoo.sql_db")
_is_quiet: ContextVar[bool] = ContextVar("comply360_quiet", default=False)


class _WithoutValues(logging.Filter):
    """Odoo logs a failed statement with its parameters, and PostgreSQL's error repeats them: names, addresses."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Say what failed and where; the values are in the answer to the app alone."""
        if _is_quiet.get() and record.levelno >= logging.ERROR and record.args:
            error = record.args[-1] if isinstance(record.args, tuple) else None
            record.msg, record.args = "a statement of a Comply360 batch failed: %s", (without_values(error),)
            record.exc_info = record.exc_text = None
        return True


def without_values(error: object) -> str:
    """An error's kind; of one of PostgreSQL also its code and the names that it concerns."""
    if not isinstance(error, psycopg2.Error):
        return type(error).__name__
    names = (error.diag.table_name, error.diag.column_name, error.diag.constraint_name)
    return " ".join([type(error).__name__, error.pgcode or "", *filter(None, names)]).strip()


@contextmanager
def quiet() -> Iterator[None]:
    """Within the block, this thread's failed statements are logged without values."""
    token = _is_quiet.set(True)
    try:
        yield
    finally:
        _is_quiet.reset(token)


_statements.addFilter(_WithoutValues())
