"""Every fault is named by `c360 doctor` with a remedy, and who follows the remedy is rid of it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from demo.databases import odoo_database
from stack import odoo as odoo_server
from stack.layout import Layout
from sync_daemon.domain.keys import Lane
from sync_daemon.rabbitmq import topology
from tests import databases
from tests.acceptance.command import c360, daemon, eventually, printed
from tests.acceptance.disk import full, in_the_app
from tests.acceptance.parties import App, Broker, Odoo

LIVE = topology.hints_queue("main", Lane.LIVE)
SYNC = "comply360_sync"

# while it waits, the fault is there; it gets the remedy, and follows it
Steps = Generator[None, str, None]


@dataclass
class Place:
    """A system that works, and what the fault changes of a command's settings."""

    app: App
    odoo: Odoo
    broker: Broker
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def admin(self, statement: str) -> None:
        """As the app's DBA."""
        with closing(databases.as_admin(self.app.settings)) as connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def in_odoo(self, statement: str) -> None:
        """As the DBA of Odoo's database."""
        with odoo_database(self.app.settings) as connection, connection.cursor() as cursor:
            cursor.execute(statement)

    @contextmanager
    def set(self, **environment: str) -> Iterator[None]:
        """What an operator sets wrong."""
        self.environment = environment
        yield
        self.environment = {}

    @contextmanager
    def running(self, **environment: str) -> Iterator[None]:
        """A daemon."""
        with daemon(self.folder / f"{uuid4().hex[:6]}.log", **environment):
            yield

    def findings(self) -> list[dict[str, str]]:
        """What `c360 doctor` prints."""
        return list(printed("doctor", expect=None, **self.environment))


@pytest.fixture(scope="module", autouse=True)
def whole_broker(forked: None, stack_layout: Layout, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The first daemon makes what the broker lacks."""
    broker = Broker(stack_layout)
    with daemon(tmp_path_factory.mktemp("doctor") / "daemon.log"):
        eventually(lambda: LIVE in broker.queues(), "the daemon makes the queue")
        eventually(lambda: printed("status")["daemons"], "the daemon is at work")


def follow(fix: str) -> None:
    """The command that the remedy is, or names last."""
    words = re.findall(r"c360 [a-z][\w .-]*", fix)[-1]
    c360(*shlex.split(words)[1:])


def wrong(remedy: str, **environment: str) -> Callable[[Place], Steps]:
    """A setting of an operator's that is wrong, and what the remedy names."""

    def inject(place: Place) -> Steps:
        with place.set(**environment):
            assert remedy in (yield)

    return inject


# -- the app's database ------------------------------------------------------------------------------------------------


def open_to_the_public(place: Place) -> Steps:
    place.admin(f"GRANT CONNECT ON DATABASE {place.app.settings.platform_postgres_db} TO PUBLIC")
    follow((yield))


def administrators_rights(place: Place) -> Steps:
    place.admin(f"ALTER ROLE {SYNC} CREATEROLE")
    follow((yield))


def readable_secret(place: Place) -> Steps:
    place.app.run(f"GRANT SELECT (password_hash) ON {{t}}.users TO {SYNC}")
    follow((yield))


def former_level(place: Place) -> Steps:
    place.admin("DROP TABLE bridge.daemon; REVOKE SELECT ON bridge.schema_version FROM comply360_sync")
    place.admin("UPDATE bridge.schema_version SET version_num = '0030'")
    follow((yield))


def unsafe_server(place: Place) -> Steps:
    place.admin(f"ALTER ROLE {SYNC} SET synchronous_commit = off")
    try:
        assert "synchronous_commit = on" in (yield)
    finally:
        place.admin(f"ALTER ROLE {SYNC} RESET synchronous_commit")


def trigger_dropped(place: Place) -> Steps:
    place.app.run("DROP TRIGGER comply360_bridge_insert ON {t}.clients")
    follow((yield))


def policy_dropped(place: Place) -> Steps:
    place.app.run("DROP POLICY comply360_bridge_sync ON {t}.registrations")
    follow((yield))


def right_revoked(place: Place) -> Steps:
    place.app.run(f"REVOKE UPDATE (odoo_lead_id) ON {{t}}.registrations FROM {SYNC}")
    follow((yield))


def view_dropped(place: Place) -> Steps:
    place.admin(f"DROP VIEW {place.app.schema}.comply360_sync_state")
    follow((yield))


def tenant_not_attached(place: Place) -> Steps:
    tenant = databases.register(place.app.settings, f"t{uuid4().hex[:12]}", status="active")
    try:
        follow((yield))
    finally:
        place.admin(f"UPDATE public.tenants SET status = 'suspended' WHERE id = '{tenant.id}'")


# -- RabbitMQ ----------------------------------------------------------------------------------------------------------


def queue_missing(place: Place) -> Steps:
    place.broker.delete("queues", LIVE)
    assert "c360 run" in (yield)
    with place.running():
        eventually(lambda: LIVE in place.broker.queues(), "the daemon makes the queue")


def exchange_missing(place: Place) -> Steps:
    place.broker.delete("exchanges", topology.HINTS_EXCHANGE)
    assert "c360 run" in (yield)
    with place.running():
        names = lambda: [item["name"] for item in place.broker.get("exchanges")]  # noqa: E731
        eventually(lambda: topology.HINTS_EXCHANGE in names(), "the daemon makes the exchange")
        c360("drain")


def no_rights_in_the_broker(place: Place) -> Steps:
    user = place.app.settings.rabbitmq_user
    place.broker.permit(user, ".*", "^$", ".*")
    words = shlex.split((yield))
    assert words[:5] == ["rabbitmqctl", "set_permissions", "-p", place.app.settings.rabbitmq_vhost, user]
    place.broker.permit(user, *words[5:])


# -- Odoo --------------------------------------------------------------------------------------------------------------


def rpc_not_loaded(place: Place) -> Steps:
    layout, settings = place.broker.layout, place.app.settings
    # with a database of its own, Odoo finds the module there
    odoo_server.start(layout, settings, ["--load=base,web", "--database="])
    odoo_server.await_ready(layout)
    try:
        assert "server_wide_modules must contain rpc" in (yield)
    finally:
        odoo_server.start(layout, settings)
        odoo_server.await_ready(layout)


def key_that_ends_soon(place: Place) -> Steps:
    with _keys_until(place, "now() AT TIME ZONE 'UTC' + interval '5 days'"):
        assert "issue" in (yield)


def expired_key(place: Place) -> Steps:
    with _keys_until(place, "now() AT TIME ZONE 'UTC' - interval '1 hour'"):
        assert "c360 stack issue-key" in (yield)


@contextmanager
def _keys_until(place: Place, moment: str) -> Iterator[None]:
    keys = "res_users_apikeys WHERE user_id = (SELECT id FROM res_users WHERE login = 'comply360_bridge')"
    place.in_odoo(f"CREATE TABLE c360_keys AS SELECT id, expiration_date FROM {keys}")
    place.in_odoo(f"UPDATE res_users_apikeys SET expiration_date = {moment} WHERE id IN (SELECT id FROM c360_keys)")
    try:
        yield
    finally:
        place.in_odoo(
            "UPDATE res_users_apikeys AS k SET expiration_date = f.expiration_date"
            " FROM c360_keys AS f WHERE k.id = f.id"
        )
        place.in_odoo("DROP TABLE c360_keys")


def older_addon(place: Place) -> Steps:
    [before] = place.odoo.call(
        "ir.module.module", "search_read", [["name", "=", "comply360_bridge"]], ["latest_version"]
    )
    version = "UPDATE ir_module_module SET latest_version = '{}' WHERE name = 'comply360_bridge'"
    place.in_odoo(version.format("19.0.1.0.0"))
    try:
        assert "odoo module upgrade comply360_bridge" in (yield)
    finally:
        place.in_odoo(version.format(before["latest_version"]))


def trigger_missing_in_odoo(place: Place) -> Steps:
    table = "ALTER TABLE ir_attachment {} TRIGGER comply360_ir_attachment_deleted"
    with place.running(C360_HEARTBEAT_SECONDS="1"):
        eventually(lambda: printed("status")["daemons"], "the daemon is at work")
        place.in_odoo(table.format("DISABLE"))
        try:
            assert "upgrade comply360_bridge" in (yield)
        finally:
            place.in_odoo(table.format("ENABLE"))
        eventually(lambda: not printed("status")["heartbeats"][0]["missing"], "the daemon has seen it")


# -- documents and the contract ----------------------------------------------------------------------------------------


def no_storage(place: Place) -> Steps:
    folder = place.folder / "documents"
    with place.set(C360_STORAGE_ROOT=f"file://{folder}"):
        assert "create the folder" in (yield)
        folder.mkdir()
        assert [row for row in place.findings() if row["place"] == "documents"] == []


def two_contract_files(place: Place) -> Steps:
    first, second = place.folder / "first.toml", place.folder / "second.toml"
    first.write_text("# the same\n")
    second.write_text("# another\n")
    with place.running(C360_CONTRACT_FILE=str(first)):
        with place.running(C360_CONTRACT_FILE=str(second)):
            assert "same C360_CONTRACT_FILE" in (yield)
        with place.running(C360_CONTRACT_FILE=str(first)):
            eventually(lambda: len(printed("status")["daemons"]) == 2, "both have noted themselves")
            assert [row for row in place.findings() if "contract files" in row["problem"]] == []


# -- services that fail ------------------------------------------------------------------------------------------------


def service_that_fails(place: Place) -> Steps:
    with place.running(ODOO_API_KEY="0123456789abcdef0123456789abcdef01234567"):
        assert "the service goes on by itself" in (yield)


def full_disk(place: Place) -> Steps:
    with place.running():
        eventually(lambda: printed("status")["daemons"], "the daemon is at work")
        with full(in_the_app, place.app.settings):
            place.app.register()
            assert "the service goes on by itself" in (yield)
        eventually(lambda: place.app.leads() == 1, "the lead arrives when there is room", seconds=60)


def no_daemon(place: Place) -> Steps:
    with place.running(C360_HEARTBEAT_SECONDS="1"):
        eventually(lambda: printed("status")["heartbeats"], "a heartbeat began")
    with place.set(C360_HEARTBEAT_SECONDS="1"):
        assert "c360 run" in (yield)
        with place.running(C360_HEARTBEAT_SECONDS="1"):
            eventually(lambda: not [row for row in place.findings() if row["place"] == "heartbeat"], "it beats again")


FAULTS: Mapping[str, tuple[Callable[[Place], Steps], Sequence[str]]] = {
    "wrong password": (
        wrong("C360_SYNC_PASSWORD", C360_SYNC_PASSWORD="not the password"),
        ["password authentication failed"],
    ),
    "no server": (wrong("config show", PLATFORM_POSTGRES_PORT="1"), ["127.0.0.1:1"]),
    "no database": (
        wrong("PLATFORM_POSTGRES_DB", PLATFORM_POSTGRES_DB="comply360_nothing"),
        ["comply360_nothing", "does not exist"],
    ),
    "CONNECT for PUBLIC": (open_to_the_public, ["PUBLIC may connect"]),
    "an administrator's rights": (administrators_rights, ["administrator's rights"]),
    "a secret is readable": (readable_secret, ["can read", "password_hash"]),
    "pending migration": (former_level, ["needs"]),
    "an unsafe server": (unsafe_server, ["synchronous_commit is off"]),
    "a dropped trigger": (trigger_dropped, ["trigger comply360_bridge_insert on clients"]),
    "a dropped policy": (policy_dropped, ["policy comply360_bridge_sync on registrations"]),
    "a revoked right": (right_revoked, ["right UPDATE on registrations.odoo_lead_id"]),
    "a dropped view": (view_dropped, ["view comply360_sync_state"]),
    "a tenant that is not attached": (tenant_not_attached, ["is not attached"]),
    "no broker": (wrong("RABBITMQ_PORT", RABBITMQ_PORT="1"), ["127.0.0.1:1"]),
    "wrong password of the broker": (
        wrong("RABBITMQ_PASSWORD", RABBITMQ_PASSWORD="not the password"),
        ["refuses user"],
    ),
    "wrong virtual host": (wrong("RABBITMQ_VHOST", RABBITMQ_VHOST="/nowhere"), ["/nowhere"]),
    "missing queue": (queue_missing, [f"queue {LIVE} is missing"]),
    "missing exchange": (exchange_missing, [f"exchange {topology.HINTS_EXCHANGE} is missing"]),
    "no rights in the broker": (no_rights_in_the_broker, ["may not write to exchange"]),
    "no Odoo": (wrong("ODOO_URL", ODOO_URL="http://127.0.0.1:1"), ["127.0.0.1:1"]),
    "wrong database of Odoo": (wrong("ODOO_DATABASE", ODOO_DATABASE="comply360_nothing"), ["Odoo: "]),
    "revoked key": (wrong("c360 stack issue-key", ODOO_API_KEY="0123456789abcdef0123456789abcdef01234567"), ["Odoo: "]),
    "a key that ends soon": (key_that_ends_soon, ["expires in 4 days"]),
    "rpc is not loaded": (rpc_not_loaded, ["Odoo: ", "404"]),
    "expired key": (expired_key, ["Odoo: "]),
    "older addon": (older_addon, ["has the addon 19.0.1.0.0"]),
    "a trigger is missing in Odoo": (trigger_missing_in_odoo, ["comply360_ir_attachment_deleted is missing"]),
    "missing storage": (no_storage, ["documents wait"]),
    "two contract files": (two_contract_files, ["different contract files"]),
    "a service that fails": (service_that_fails, ["main", "failing for"]),
    "full disk": (full_disk, ["No space left on device"]),
    "no daemon": (no_daemon, ["no heartbeat has started"]),
}


@pytest.mark.acceptance("R-DOCTOR")
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_with_a_remedy_that_mends_it(
    name: str, app: App, odoo: Odoo, broker: Broker, tmp_path: Path
) -> None:
    inject, signs = FAULTS[name]
    place = Place(app, odoo, broker, tmp_path)
    # whether a daemon ran lately is one of the faults
    before = {_said(row) for row in place.findings() if row["place"] != "heartbeat"}
    with closing(inject(place)) as steps:
        next(steps)
        fix = _named(name, place, before, signs)
        c360("doctor", expect=3, **place.environment)
        with pytest.raises(StopIteration):
            steps.send(fix)
    assert [row for row in place.findings() if _said(row) not in before and _has(row, signs)] == []


def _named(name: str, place: Place, before: Collection[str], signs: Sequence[str]) -> str:
    """The remedy that comes with the fault."""
    named: list[dict[str, str]] = []

    def is_named() -> bool:
        named[:] = [row for row in place.findings() if _said(row) not in before and _has(row, signs)]
        return bool(named)

    eventually(is_named, f"doctor names it: {name}")
    return named[0]["fix"]


def _has(row: Mapping[str, str], signs: Sequence[str]) -> bool:
    return all(sign in f"{row['place']}: {row['problem']}" for sign in signs)


def _said(row: Mapping[str, str]) -> str:
    """Place and problem without what counts seconds."""
    return re.sub(r"\d+", "0", f"{row['place']}: {row['problem']}")
