"""The private RabbitMQ node, with its own epmd; every listener is bound to 127.0.0.1."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets as randomness
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from stack import packages, processes
from stack.layout import Layout, secrets, write_private
from stack.processes import Program
from stack.teardown import stop as stop_services
from sync_daemon.errors import ConfigError, UnavailableError

NAME = "rabbitmq"
PACKAGES = ("rabbitmq-server",)
VHOST = "/comply360"
USER = "comply360_bridge"
ADMIN = "comply360_admin"
_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_CONTROL = _SERVER.with_name("rabbitmqctl")
_NODE = "comply360@localhost"
# a quorum queue reports its counters, and the management plugin samples them, every 5 s: too late for whoever looks on
_ADVANCED = """\
[
 {rabbit, [{quorum_tick_interval, 500}]},
 {rabbitmq_management, [
   {sample_retention_policies, [{global, [{605, 1}]}, {basic, [{605, 1}]}, {detailed, [{10, 1}]}]}
 ]}
].
"""


def install() -> None:
    """Installs the server if it is missing."""
    packages.install(PACKAGES)


def start(layout: Layout) -> bool:
    """Starts the node; gives whether it had to be started.

    Raises: ConfigError for a busy port or a missing server.
    """
    home = layout.state / NAME
    home.mkdir(mode=0o700, exist_ok=True)
    fingerprint = _configure(layout, home)
    if (record := processes.running(layout, NAME)) and record.fingerprint == fingerprint:
        return False
    stop(layout)
    ports = layout.ports
    processes.require_free(
        {
            "RabbitMQ": ports.amqp,
            "RabbitMQ's management": ports.management,
            "RabbitMQ's distribution": ports.distribution,
            "epmd": ports.epmd,
        }
    )
    environment = _environment(layout, home)
    processes.launch(layout, Program("epmd", _epmd(ports.epmd), environment, fingerprint, home))
    processes.launch(layout, Program(NAME, [str(_SERVER)], environment, fingerprint, home))
    return True


def await_ready(layout: Layout) -> None:
    """Waits until the node takes connections and knows its users.

    Raises: UnavailableError with the end of its log.
    """
    processes.await_ready(layout, NAME, lambda: _answers(layout), 90)


def stop(layout: Layout) -> bool:
    """Stops the node; persistent messages stay. Gives whether it was running."""
    return bool(stop_services(layout, [NAME]))


def control(layout: Layout, *arguments: str) -> None:
    """Runs a `rabbitmqctl` command on the node. Raises: UnavailableError with the node's message."""
    done = subprocess.run(
        [str(_CONTROL), *arguments],
        capture_output=True,
        text=True,
        env=_environment(layout, layout.state / NAME),
        cwd=layout.state,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[0]
        raise UnavailableError(f"rabbitmqctl {arguments[0]} failed: {reason}")


def management_url(layout: Layout) -> str:
    """Gives the address of the management API; its user is `ADMIN` with the secret RABBITMQ_ADMIN_PASSWORD."""
    return f"http://127.0.0.1:{layout.ports.management}"


def _answers(layout: Layout) -> bool:
    credentials = f"{ADMIN}:{secrets(layout)['RABBITMQ_ADMIN_PASSWORD']}".encode()
    request = urllib.request.Request(  # noqa: S310 - the address is http on 127.0.0.1
        f"{management_url(layout)}/api/aliveness-test/{VHOST.replace('/', '%2F')}",
        headers={"Authorization": f"Basic {base64.b64encode(credentials).decode()}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _configure(layout: Layout, home: Path) -> str:
    definitions = home / "definitions.json"
    _write_if_changed(definitions, json.dumps(_definitions(layout, home), indent=1))
    _write_if_changed(home / "rabbitmq.conf", _configuration(layout, definitions))
    _write_if_changed(home / "advanced.config", _ADVANCED)
    _write_if_changed(home / "enabled_plugins", "[rabbitmq_management].\n")
    cookie = home / ".erlang.cookie"
    if not cookie.exists():
        write_private(cookie, randomness.token_hex(20))
        cookie.chmod(0o400)
    content = definitions.read_text() + (home / "rabbitmq.conf").read_text() + _ADVANCED + str(layout.ports)
    return hashlib.sha256(content.encode()).hexdigest()


def _configuration(layout: Layout, definitions: Path) -> str:
    ports = layout.ports
    return f"""\
listeners.tcp.local = 127.0.0.1:{ports.amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {ports.management}
management.load_definitions = {definitions}
log.console = true
log.console.level = info
log.file = false
disk_free_limit.absolute = 200MB
vm_memory_high_watermark.absolute = 1GB
collect_statistics_interval = 1000
"""


def _definitions(layout: Layout, home: Path) -> dict[str, object]:
    known = secrets(layout)
    passwords = {USER: known["RABBITMQ_PASSWORD"], ADMIN: known["RABBITMQ_ADMIN_PASSWORD"]}
    salt = _salt(home)
    return {
        "vhosts": [{"name": VHOST}],
        "users": [
            {
                "name": name,
                "password_hash": _hashed(password, salt),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": "administrator" if name == ADMIN else "",
            }
            for name, password in passwords.items()
        ],
        "permissions": [
            {"user": name, "vhost": VHOST, "configure": ".*", "write": ".*", "read": ".*"} for name in passwords
        ],
    }


def _salt(home: Path) -> bytes:
    path = home / "salt"
    if not path.exists():
        write_private(path, randomness.token_hex(4))
    return bytes.fromhex(path.read_text())


def _hashed(password: str, salt: bytes) -> str:
    """Source: RabbitMQ documentation, "Credentials and Passwords", computing password hash."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def _write_if_changed(path: Path, text: str) -> None:
    if not path.exists() or path.read_text() != text:
        write_private(path, text)


def _epmd(port: int) -> list[str]:
    program = shutil.which("epmd")
    if program is None or not _SERVER.exists():
        raise ConfigError("RabbitMQ is missing; install it as root: apt-get install rabbitmq-server")
    return [program, "-port", str(port), "-address", "127.0.0.1"]


def _environment(layout: Layout, home: Path) -> dict[str, str]:
    ports = layout.ports
    return {
        "PATH": os.defpath + ":/usr/sbin:/sbin",
        "LC_ALL": "C.UTF-8",
        "HOME": str(home),
        "RABBITMQ_NODENAME": _NODE,
        "RABBITMQ_NODE_PORT": str(ports.amqp),
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_DIST_PORT": str(ports.distribution),
        "ERL_EPMD_PORT": str(ports.epmd),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        # the node's own port would otherwise listen on every interface
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(layout.logs),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "advanced.config"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_FEATURE_FLAGS_FILE": str(home / "feature_flags"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(home / "generated"),
    }
