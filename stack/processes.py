"""Processes that outlive the command that started them, identified by pid and start time, never by name."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from stack.layout import Layout
from sync_daemon.errors import ConfigError, UnavailableError

_POLL_SECONDS = 0.1
_TAIL_LINES = 5
_LOG_BYTES = 10_000_000
# kept so that a child of this very process is reaped when it ends
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Record:
    """The unambiguous identity of a started process, and its configuration."""

    pid: int
    started: int
    boot: str
    fingerprint: str


@dataclass(frozen=True)
class Program:
    """A server to start.

    Shapes: `user` is (uid, gid) where it must not be ours; a change of `fingerprint` means restart.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    fingerprint: str = ""
    folder: Path = Path("/")
    user: tuple[int, int] | None = None


def running(layout: Layout, name: str) -> Record | None:
    """Gives the record of the process if it is still the same process."""
    record = _recorded(layout, name)
    if record is None:
        return None
    if child := _children.get(record.pid):
        child.poll()
    return record if _start_time(record.pid) == record.started else None


def launch(layout: Layout, program: Program) -> Record:
    """Starts a server in a session of its own; its output goes to its log file."""
    path = log_path(layout, program.name)
    if path.exists() and path.stat().st_size > _LOG_BYTES:
        path.replace(path.with_name(path.name + ".1"))
    with path.open("ab") as log:
        child = subprocess.Popen(
            list(program.command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(program.environment),
            cwd=program.folder,
            start_new_session=True,
            user=program.user[0] if program.user else None,
            group=program.user[1] if program.user else None,
            extra_groups=[] if program.user else None,
        )
    _children[child.pid] = child
    record = Record(child.pid, _start_time(child.pid) or 0, _boot_id(), program.fingerprint)
    _path(layout, program.name).write_text(json.dumps(asdict(record)))
    return record


def stop(layout: Layout, name: str, how: signal.Signals = signal.SIGTERM, seconds: float = 60) -> bool:
    """Ends the process and the rest of its session; gives whether it was running."""
    record, was_running = _recorded(layout, name), running(layout, name) is not None
    if record and was_running:
        _signal(record.pid, how)
        if not wait(lambda: running(layout, name) is None, seconds):
            _signal(record.pid, signal.SIGKILL)
            wait(lambda: running(layout, name) is None, 10)
    # a number in use as a session is not given to a new process: what is left of it is ours
    if record and _start_time(record.pid) is None:
        _end_session(record.pid)
    _path(layout, name).unlink(missing_ok=True)
    return was_running


def await_ready(layout: Layout, name: str, ready: Callable[[], bool], seconds: float) -> None:
    """Waits until a started server answers.

    Raises: UnavailableError with the end of its log if it ends before, or does not answer in time.
    """
    wait(lambda: ready() or running(layout, name) is None, seconds)
    if running(layout, name) is None:
        raise UnavailableError(f"{name} ended while starting; {_tail(layout, name)}")
    if not ready():
        raise UnavailableError(f"{name} did not answer within {seconds:.0f} s; {_tail(layout, name)}")


def wait(condition: Callable[[], bool], seconds: float) -> bool:
    """Gives whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return met


def require_free(ports: Mapping[str, int]) -> None:
    """Checks that the ports are free.

    Shapes: what for -> port.
    Raises: ConfigError that names the first busy one.
    """
    for purpose, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise ConfigError(
                    f"port {port} ({purpose}) cannot be used: {error.strerror}; "
                    f"end the program that uses it or set C360_STACK_PORT_BASE to another number, for example 28000"
                ) from None


def log_path(layout: Layout, name: str) -> Path:
    """Gives the log file of a process."""
    return layout.logs / f"{name}.log"


def _recorded(layout: Layout, name: str) -> Record | None:
    try:
        record = Record(**json.loads(_path(layout, name).read_text()))
    except (FileNotFoundError, json.JSONDecodeError, TypeError):
        return None
    return record if record.boot == _boot_id() else None


def _path(layout: Layout, name: str) -> Path:
    return layout.records / f"{name}.json"


def _tail(layout: Layout, name: str) -> str:
    path = log_path(layout, name)
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:] if path.exists() else []
    return f"the end of {path}:\n  " + "\n  ".join(lines or ["(empty)"])


def _signal(pid: int, how: signal.Signals) -> None:
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        return


def _end_session(session: int) -> None:
    for pid in _members(session):
        _signal(pid, signal.SIGKILL)
    # their ports are free only once they are gone
    wait(lambda: not _members(session), 10)


def _members(session: int) -> list[int]:
    processes = [path for path in Path("/proc").glob("[0-9]*") if _field(path, 3) == session]
    return [int(path.name) for path in processes if not _has_ended(path)]


def _start_time(pid: int) -> int | None:
    process = Path(f"/proc/{pid}")
    return None if _has_ended(process) else _field(process, 19)


def _has_ended(process: Path) -> bool:
    fields = _stat(process)
    # the first thread of a killed process is a zombie while others still hold its ports
    return not fields or fields[0] == "X" or (fields[0] == "Z" and int(fields[17]) <= 1)


def _field(process: Path, index: int) -> int | None:
    fields = _stat(process)
    return int(fields[index]) if fields else None


def _stat(process: Path) -> list[str]:
    """Gives the fields after the program's name, which may itself hold spaces and brackets."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
