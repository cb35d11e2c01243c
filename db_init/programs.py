"""PostgreSQL's client programs, run without a password on any command line."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from db_init.connect import Connection, Server, sslmode
from sync_daemon.errors import BridgeError, ConfigError, FatalError, UnavailableError

_FOLDERS = Path("/usr/lib/postgresql")
_VERSION = re.compile(r"\b(\d+)(?:\.\d+)*\b")
_MESSAGE = re.compile(r"^\w+: (?:error: |fatal: )?(.*)$")


@dataclass(frozen=True)
class Program:
    """One client program; `version` as it says of itself."""

    path: Path
    version: str

    @property
    def major(self) -> int:
        """The release it belongs to."""
        return int(self.version.split(".")[0])


def locate(name: str, connection: Connection) -> Program:
    """The newest program of that name on this machine, for the server of this connection.

    Raises: ConfigError if there is none, or only one that is older than the server.
    """
    server = connection.server_version // 10_000
    folders = sorted(_FOLDERS.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    found = folders[-1:] or [Path(path) for path in [shutil.which(name)] if path]
    hint = f"install PostgreSQL's client programs of release {server} or newer (Debian: postgresql-client-{server})"
    if not found:
        raise ConfigError(f"{name} is missing: {hint}")
    said = subprocess.run([str(found[0]), "--version"], capture_output=True, text=True, check=False).stdout
    version = _VERSION.search(said)
    if version is None:
        raise ConfigError(f"{found[0]} does not say its version: {hint}")
    program = Program(found[0], version.group())
    if program.major < server:
        raise ConfigError(f"{program.path} {program.version} is older than the server, {server}: {hint}")
    return program


def run(program: Program, server: Server, arguments: Sequence[str]) -> None:
    """Run a program against a server; only their owner can read the files it creates.

    Raises: UnavailableError if server or disk is at fault, ConfigError if a right is missing, otherwise FatalError.
    """
    command = [str(program.path), "--no-password", *arguments]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=_environment(server),
        umask=0o077,
        check=False,
    )
    if done.returncode:
        raise _failure(program.path.name, server, done.stderr)


def _environment(server: Server) -> dict[str, str]:
    # the command line is readable by every user of the machine, the environment is not
    values = {
        "PGHOST": server.host,
        "PGPORT": str(server.port),
        "PGUSER": server.admin,
        "PGPASSWORD": server.password,
        "PGSSLMODE": sslmode(server),
        "PGSSLROOTCERT": server.sslrootcert,
        "PGCONNECT_TIMEOUT": "10",
        "PGAPPNAME": "c360",
        # thousands of small commits while restoring; the renaming at the end waits for all of them
        "PGOPTIONS": "-c synchronous_commit=off",
    }
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **{name: value for name, value in values.items() if value}}


def _failure(name: str, server: Server, output: str) -> BridgeError:
    lines = [line for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "error: " in line or "fatal: " in line] or lines[-1:] or ["no reason given"]
    found = _MESSAGE.match(errors[0])
    sentence = f"{name} at {server}: {found.group(1) if found else errors[0]}"
    if "No space left on device" in output:
        return UnavailableError(f"the disk is full: {sentence}")
    if "connection to server" in output or "server closed the connection" in output:
        return UnavailableError(sentence)
    if "permission denied" in output.lower() or "row-level security" in output:
        return ConfigError(f"user {server.admin} may not do that; {sentence}")
    return FatalError(sentence)
