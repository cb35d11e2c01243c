"""The local stack's folders, ports, generated secrets and settings file."""

from __future__ import annotations

import fcntl
import os
import secrets as randomness
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stack.progress import note
from sync_daemon.errors import BridgeError, ConfigError, UnavailableError

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ("postgres", "rabbitmq", "odoo", "daemon")

_DEFAULT_PORT_BASE = "26000"
_PORT_BASE_FILE = "port-base"
_GENERATED = (
    "POSTGRES_ADMIN_PASSWORD",
    "C360_APP_PASSWORD",
    "C360_SYNC_PASSWORD",
    "C360_MIGRATOR_PASSWORD",
    "C360_MONITOR_PASSWORD",
    "C360_ODOO_DB_PASSWORD",
    "RABBITMQ_PASSWORD",
    "RABBITMQ_ADMIN_PASSWORD",
    "ODOO_ADMIN_PASSWORD",
    "ODOO_MASTER_PASSWORD",
)


@dataclass(frozen=True)
class Ports:
    """The TCP ports of one local stack, all on 127.0.0.1."""

    postgres: int
    amqp: int
    management: int
    distribution: int
    epmd: int
    odoo: int
    odoo_gevent: int
    odoo_tests: int
    health: int


@dataclass(frozen=True)
class Layout:
    """One local stack: its state folder and its first port."""

    state: Path
    port_base: int

    @property
    def ports(self) -> Ports:
        """Gives consecutive ports from the base."""
        return Ports(*range(self.port_base, self.port_base + 9))

    @property
    def logs(self) -> Path:
        """Gives the folder with one log file per process."""
        return self.state / "logs"

    @property
    def records(self) -> Path:
        """Gives the folder with one record per running process."""
        return self.state / "run"

    @property
    def cache(self) -> Path:
        """Gives the folder of what was downloaded; all stacks of a checkout share it."""
        return ROOT / ".cache"

    @property
    def addons(self) -> Path:
        """Gives the folder of the project's own Odoo addons."""
        return ROOT / "addons"

    @property
    def environment_file(self) -> Path:
        """Gives the file that `sync_daemon.config.load_settings` reads last."""
        return self.state / "env"


def from_environment(environ: Mapping[str, str] | None = None) -> Layout:
    """Gives the stack that `C360_STACK_DIR` and `C360_STACK_PORT_BASE` name; a stack keeps its first ports.

    Raises: ConfigError for an unusable port base.
    """
    given = os.environ if environ is None else environ
    folder = given.get("C360_STACK_DIR")
    state = Path(folder).absolute() if folder else ROOT / "build" / "stack"
    kept = state / _PORT_BASE_FILE
    base = given.get("C360_STACK_PORT_BASE") or (kept.read_text() if kept.is_file() else _DEFAULT_PORT_BASE)
    if not base.isdecimal() or not 1024 <= int(base) <= 65000:
        raise ConfigError(f"C360_STACK_PORT_BASE: {base} should be a number from 1024 to 65000")
    return Layout(state, int(base))


def prepare(layout: Layout) -> None:
    """Creates the state folder, closed to other users.

    Raises: ConfigError without the right to write; UnavailableError if the disk is full.
    """
    try:
        for folder in (layout.state, layout.logs, layout.records):
            folder.mkdir(parents=True, exist_ok=True)
        layout.state.chmod(0o700)
        (layout.state / _PORT_BASE_FILE).write_text(str(layout.port_base))
    except PermissionError:
        raise ConfigError(f"{layout.state} cannot be written; set C360_STACK_DIR to a folder of your own") from None
    free = os.statvfs(layout.state)
    if free.f_bavail * free.f_frsize < 1_000_000_000:
        raise UnavailableError(f"less than 1 GB is free on the disk of {layout.state}: free about 2 GB and try again")


@contextmanager
def locked(layout: Layout) -> Iterator[None]:
    """Makes a second `c360 stack` command on the same stack wait while the block runs."""
    layout.state.mkdir(parents=True, exist_ok=True)
    with (layout.state / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note("another `c360 stack` command is running on this stack; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def secrets(layout: Layout) -> dict[str, str]:
    """Gives the stack's passwords, generated once."""
    path = layout.state / "secrets"
    known = _read(path)
    created = {name: randomness.token_urlsafe(24) for name in _GENERATED if name not in known}
    if created:
        write_private(path, _lines(known | created))
    return known | created


def remember(layout: Layout, name: str, value: str) -> None:
    """Adds one secret to those generated, or replaces it."""
    write_private(layout.state / "secrets", _lines(secrets(layout) | {name: value}))


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner may read; a reader sees the old or the new text, never a part."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as handle:
        handle.write(text)
    draft.replace(path)


def exit_code(error: BridgeError) -> int:
    """Gives the exit code of an expected failure."""
    if isinstance(error, ConfigError):
        return 78
    return 69 if isinstance(error, UnavailableError) else 1


def _read(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    return dict(line.split("=", 1) for line in path.read_text(encoding="utf-8").splitlines() if "=" in line)


def _lines(values: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in values.items())
