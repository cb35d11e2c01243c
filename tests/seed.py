"""What a test stack begins with: data that are made once and copied, in memory while its servers run.

The seed is a stack in which only the databases are there: initialised, with Odoo and the addon installed. PostgreSQL's
files lie in memory where there is room: the server is configured as ever, and what it syncs costs nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import psycopg2

from stack import layout as layouts
from stack import local, odoo, odoo_source, packages, postgres, rabbitmq
from stack.layout import Layout
from stack.teardown import POSTGRES_HOME_IN_MEMORY, POSTGRES_HOME_PARENT, remove_postgres_home
from sync_daemon.cli.stack import steps
from sync_daemon.config import Settings
from sync_daemon.errors import BridgeError

ROOT = Path(__file__).resolve().parent.parent
FIRST_PORT = int(os.environ.get("C360_TEST_PORT_BASE", "27000"))
# a copy of the tree (tests/mutants) uses the servers of the tree itself
STACKS = Path(os.environ.get("C360_TEST_STACKS", ROOT / "build"))
# ports beyond those of all stacks and of the servers that tests start beside them
_PORTS_BEYOND = 90
PRISTINE_DATABASE = "comply360_addon_pristine"
PACKAGES = ("docker-compose", "chromium")
SERVERS = ("rabbitmq", "odoo", "daemon")
# three stacks with their databases and what they write ahead take less
_ROOM = 6 << 30
# of a test stack's folder this much stays: who uses it, and what was said
_KEPT = frozenset({"in-use", "lock", "run", "logs"})
_CLUSTER, _DIGEST = "cluster", "digest"

_BUNDLES = """
bundle = env["ir.qweb"]._get_asset_bundle
for name in ("web.assets_web", "web.assets_frontend_minimal", "web.assets_frontend_lazy", "web.assets_emoji"):
    bundle(name, css=False, js=True).js()
for name in ("web.assets_web", "web.assets_web_print", "web.assets_frontend"):
    bundle(name, css=True, js=False).css()
"""


def lay(layout: Layout) -> None:
    """Gives a stopped stack the seed's data in place of its own; the seed is made or renewed first."""
    seed = renew()
    remove(layout)
    layouts.prepare(layout)
    for name in ("secrets", odoo.NAME, "logs/odoo-install.log", *_names(seed, "addon-digest-*")):
        _copy(seed.state / name, layout.state / name)
    _lay_cluster(seed, layout)


def remove(layout: Layout) -> None:
    """Takes a stopped stack's data away, from memory above all; its logs stay."""
    remove_postgres_home(layout)
    for path in layout.state.iterdir() if layout.state.is_dir() else ():
        if path.name not in _KEPT:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def renew() -> Layout:
    """Makes the seed as the sources are now, one run at a time; one that fits them stays as it is."""
    seed = Layout(STACKS / "test-seed", FIRST_PORT + _PORTS_BEYOND)
    seed.state.mkdir(parents=True, exist_ok=True)
    with (seed.state / "renewing").open("w") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        packages.install(PACKAGES)
        postgres.install()
        rabbitmq.install()
        digest, recorded = _digest(seed), seed.state / _DIGEST
        if recorded.is_file() and recorded.read_text() == digest:
            return seed
        recorded.unlink(missing_ok=True)
        layouts.prepare(seed)
        # of a run that was killed
        remove_postgres_home(seed)
        home = _lay_cluster(seed, seed)
        try:
            _make(seed)
            local.down(seed)
            _copy(home / "data", seed.state / f"{_CLUSTER}.new")
        finally:
            local.down(seed)
            remove_postgres_home(seed)
        shutil.rmtree(seed.state / _CLUSTER, ignore_errors=True)
        (seed.state / f"{_CLUSTER}.new").rename(seed.state / _CLUSTER)
        recorded.write_text(digest)
    return seed


def _make(seed: Layout) -> None:
    if (seed.state / _CLUSTER).is_dir():
        _drop_app(seed)
    settings = local.up(seed, steps(), without=SERVERS)
    odoo.prepare_database(seed, settings)
    # what every first page of a lane would compile
    odoo.run_script(seed, _BUNDLES)
    odoo.copy_database(seed, settings, PRISTINE_DATABASE)


def _drop_app(seed: Layout) -> None:
    """A level may have changed that the database believes to have reached."""
    postgres.start(seed)
    postgres.await_ready(seed)
    with closing(
        psycopg2.connect(
            host="127.0.0.1",
            port=seed.ports.postgres,
            user=postgres.ADMIN,
            password=layouts.secrets(seed)["POSTGRES_ADMIN_PASSWORD"],
            dbname="postgres",
        )
    ) as link:
        link.autocommit = True
        with link.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {Settings.model_fields['platform_postgres_db'].default}")


def _digest(seed: Layout) -> str:
    """Gives one value for all that the seed is made of."""
    digest = hashlib.sha256(odoo.addon_digest(seed, odoo_source.locate(seed.cache)).encode())
    for path in (Path(__file__), *sorted((ROOT / "db_init").rglob("*"))):
        if path.suffix in {".py", ".sql"}:
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _lay_cluster(seed: Layout, layout: Layout) -> Path:
    home = postgres.make_home(layout, POSTGRES_HOME_IN_MEMORY if _has_room() else POSTGRES_HOME_PARENT)
    if (seed.state / _CLUSTER).is_dir():
        _copy(seed.state / _CLUSTER, home / "data")
    return home


def _has_room() -> bool:
    with suppress(OSError):
        memory = os.statvfs(POSTGRES_HOME_IN_MEMORY)
        available = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())["MemAvailable"]
        return min(memory.f_bavail * memory.f_frsize, int(available.split()[0]) << 10) >= _ROOM
    return False


def _names(seed: Layout, pattern: str) -> list[str]:
    return [path.name for path in seed.state.glob(pattern)]


def _copy(origin: Path, target: Path) -> None:
    """With owners and rights."""
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", str(origin), str(target)], check=True)


def main() -> int:
    """Makes or renews the seed of the checkout's test stacks."""
    try:
        renew()
    except BridgeError as error:
        print(f"c360: {error}", file=sys.stderr)
        return layouts.exit_code(error)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
