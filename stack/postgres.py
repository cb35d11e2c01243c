"""The private PostgreSQL cluster: one server for the app's and Odoo's databases, TCP on 127.0.0.1 only."""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg2

from stack import packages, processes
from stack.layout import Layout, secrets, write_private
from stack.processes import Program
from stack.teardown import OWNER_FILE, POSTGRES_HOME_PARENT, POSTGRES_HOME_POINTER, POSTGRES_HOME_PREFIX
from stack.teardown import stop as stop_services
from sync_daemon.errors import ConfigError, UnavailableError

NAME = "postgres"
ADMIN = "postgres"
PACKAGES = ("postgresql",)
_OLDEST_MAJOR = 13
# fsync, full_page_writes and synchronous_commit stay at their default, on
_CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 256MB
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
# statements hold personal data
log_min_error_statement = panic
"""


def start(layout: Layout) -> bool:
    """Starts the server, creating the cluster the first time; gives whether it had to be started.

    Raises: ConfigError for a busy port; UnavailableError if it does not come up.
    """
    port = layout.ports.postgres
    fingerprint = hashlib.sha256(f"{port}{_CONFIGURATION}".encode()).hexdigest()
    if (record := processes.running(layout, NAME)) and record.fingerprint == fingerprint:
        return False
    stop(layout)
    processes.require_free({"PostgreSQL": port})
    home, user = _home(layout)
    _make_cluster(layout, home, user)
    command = [str(_binaries() / "postgres"), "-D", str(home / "data"), "-p", str(port)]
    command += ["-c", f"config_file={_configuration(home)}"]
    processes.launch(layout, Program(NAME, command, _environment(), fingerprint, home, user))
    return True


def await_ready(layout: Layout) -> None:
    """Waits until the server takes connections.

    Raises: UnavailableError with the end of its log.
    """
    processes.await_ready(layout, NAME, lambda: _answers(layout), 60)


def stop(layout: Layout) -> bool:
    """Stops the server, ending its connections; gives whether it was running."""
    return bool(stop_services(layout, [NAME]))


def _answers(layout: Layout) -> bool:
    try:
        psycopg2.connect(
            host="127.0.0.1",
            port=layout.ports.postgres,
            user=ADMIN,
            password=secrets(layout)["POSTGRES_ADMIN_PASSWORD"],
            dbname="postgres",
            connect_timeout=5,
        ).close()
    except psycopg2.OperationalError:
        return False
    return True


def _binaries() -> Path:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major)
    if not folders and (found := shutil.which("postgres")):
        folders = [Path(found).resolve().parent]
    if not folders or not (folders[-1] / "initdb").exists():
        raise ConfigError("PostgreSQL's server programs are missing; install them as root: apt-get install postgresql")
    return folders[-1]


def install() -> None:
    """Installs the server programs if there are none."""
    if not any(_major(folder) >= _OLDEST_MAJOR for folder in Path("/usr/lib/postgresql").glob("*/bin")):
        packages.install(PACKAGES)


def _major(folder: Path) -> int:
    return int(folder.parent.name) if re.fullmatch(r"\d+", folder.parent.name) else 0


def make_home(layout: Layout, parent: Path) -> Path:
    """Makes the folder that the stack's cluster lies in from now on, outside of the state folder, and gives it."""
    home = Path(tempfile.mkdtemp(prefix=POSTGRES_HOME_PREFIX, dir=parent))
    write_private(layout.state / POSTGRES_HOME_POINTER, str(home))
    # `make clean` finds it again even if the state folder was removed by hand
    write_private(home / OWNER_FILE, str(layout.state))
    if user := _other_user():
        os.chown(home, *user)
    return home


def _home(layout: Layout) -> tuple[Path, tuple[int, int] | None]:
    user, pointer = _other_user(), layout.state / POSTGRES_HOME_POINTER
    if pointer.is_file() and (home := Path(pointer.read_text().strip())).is_dir():
        return home, user
    if user:
        # the checkout may be closed to every user but root, and PostgreSQL refuses to run as root
        return make_home(layout, POSTGRES_HOME_PARENT), user
    home = layout.state / NAME
    home.mkdir(mode=0o700, exist_ok=True)
    return home, None


def _other_user() -> tuple[int, int] | None:
    return _unprivileged_user() if os.geteuid() == 0 else None


def _unprivileged_user() -> tuple[int, int]:
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise ConfigError("PostgreSQL must not run as root and this machine has neither the user postgres nor nobody")


def _make_cluster(layout: Layout, home: Path, user: tuple[int, int] | None) -> None:
    if (home / "data").is_dir():
        return
    draft, password = home / "data.new", home / "password"
    shutil.rmtree(draft, ignore_errors=True)
    write_private(password, secrets(layout)["POSTGRES_ADMIN_PASSWORD"])
    if user:
        os.chown(password, *user)
    try:
        _initdb(draft, password, user)
    finally:
        password.unlink()
    draft.rename(home / "data")


def _initdb(folder: Path, password: Path, user: tuple[int, int] | None) -> None:
    command = [str(_binaries() / "initdb"), "-D", str(folder), "-U", ADMIN, f"--pwfile={password}"]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env=_environment(),
        cwd=folder.parent,
        user=user[0] if user else None,
        group=user[1] if user else None,
        extra_groups=[] if user else None,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UnavailableError(f"PostgreSQL's cluster could not be created in {folder.parent}: {reason}")


def _configuration(home: Path) -> Path:
    included = home / "server.conf"
    included.write_text(f"include '{home}/data/postgresql.conf'\n{_CONFIGURATION}", encoding="utf-8")
    included.chmod(0o644)
    return included


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
