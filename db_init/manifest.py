"""A backup's manifest: its files, their databases, and how to verify them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from psycopg2 import sql

from db_init.connect import Connection
from sync_daemon.errors import ConfigError

NAME = "manifest.json"
FORMAT = 1


@dataclass(frozen=True)
class Part:
    """One file of a backup.

    Shapes: `rows` counts a database's rows by table, in the very snapshot that was dumped. `facts` are the part's
    identity: versions, epochs, roles. `missing` and `damaged` are files of the filestore that are not intact.
    """

    file: str
    sha256: str
    bytes: int
    database: str
    rows: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    files: int = 0
    missing: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """One backup. Shapes: `parts` by name: app, odoo, filestore. Units: `made_at` in UTC."""

    made_at: str
    c360: str
    tools: Mapping[str, str]
    parts: Mapping[str, Part]

    def save(self, folder: Path) -> None:
        """Write the manifest beside the files."""
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=1)
        (folder / NAME).write_text(text, encoding="utf-8")


def load(folder: Path) -> Manifest:
    """The manifest of a backup. Raises: ConfigError if the folder is none, or one of a newer release."""
    try:
        content = json.loads((folder / NAME).read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT:
            raise ConfigError(f"{folder / NAME} was written by another release of c360")
        parts = {
            name: Part(**{**part, "missing": tuple(part["missing"]), "damaged": tuple(part["damaged"])})
            for name, part in content.pop("parts").items()
        }
        return Manifest(parts=parts, **content)
    except OSError as error:
        raise ConfigError(f"{folder} is not a backup: {NAME}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{folder / NAME} cannot be read: {type(error).__name__}: {error}") from None


def checked(folder: Path, manifest: Manifest, name: str) -> Part:
    """A part whose file matches the manifest. Raises: ConfigError otherwise."""
    if name not in manifest.parts:
        raise ConfigError(f"the backup {folder} contains {', '.join(manifest.parts)}, but not {name}")
    part = manifest.parts[name]
    path = folder / part.file
    if not path.is_file() or path.stat().st_size != part.bytes or sha256(path) != part.sha256:
        raise ConfigError(f"{path} is missing or does not match {NAME}: do not use this backup")
    return part


def sha256(path: Path) -> str:
    """The file's SHA-256."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def structure(connection: Connection) -> dict[str, int]:
    """How many validated constraints, valid indexes, enabled triggers and policies a database has."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT (SELECT count(*) FROM pg_constraint WHERE convalidated),
                   (SELECT count(*) FROM pg_index WHERE indisvalid),
                   (SELECT count(*) FROM pg_trigger WHERE tgenabled <> 'D' AND NOT tgisinternal),
                   (SELECT count(*) FROM pg_policy)
            """
        )
        return dict(zip(("constraints", "indexes", "triggers", "policies"), cursor.fetchall()[0], strict=True))


def rows(connection: Connection) -> dict[str, int]:
    """How many rows each table has, as the connection's transaction sees them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT nspname, relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
             WHERE relkind = 'r' AND nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
             ORDER BY 1, 2
            """
        )
        found = {}
        for schema, table in cursor.fetchall():
            cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table)))
            counted = cursor.fetchone()
            found[f"{schema}.{table}"] = int(counted[0]) if counted else 0
        return found
