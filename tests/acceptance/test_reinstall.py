"""The addon uninstalled over Odoo's page and installed again: nothing twice, nothing lost, money as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from db_init.init import initialise
from demo import accountant as demo
from demo.databases import odoo_database
from stack import odoo as odoo_server
from stack import processes
from stack.layout import Layout
from sync_daemon.config import Settings
from sync_daemon.domain.keys import Entity
from sync_daemon.domain.operations.adoption import Sought
from sync_daemon.domain.tenant import Tenant
from sync_daemon.errors import BridgeError
from sync_daemon.odoo.admin import issue_bot_key
from sync_daemon.odoo.client import open_odoo
from tests.acceptance.command import c360, printed
from tests.acceptance.parties import App, Odoo, as_sync, forget_people
from tests.acceptance.test_documents import add_document
from tests.databases import as_role, scratch
from tests.seed import PRISTINE_DATABASE

DAY = "2026-11-02"
ADDON = "comply360_bridge"


@dataclass
class Place:
    """One Odoo database of its own with the addon, and an app that knows no other."""

    settings: Settings
    environment: dict[str, str]
    storage: Path
    first_key: str

    @property
    def admin(self) -> Odoo:
        """Odoo's administrator."""
        password = self.settings.odoo_admin_password.get_secret_value()
        return Odoo(self.settings, self.settings.odoo_admin_login, password)

    @property
    def accountant(self) -> Odoo:
        """Who books bills."""
        return Odoo(self.settings, demo.LOGIN, "Rudo-2026")

    def c360(self, *words: str, expect: int | None = 0) -> Any:
        """A command in this place."""
        return c360(*words, expect=expect, **self.environment)

    def printed(self, *words: str, expect: int | None = 0, **more: str) -> Any:
        """The JSON that a command prints."""
        return printed(*words, expect=expect, **{**self.environment, **more})

    def odoo(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """One statement in Odoo's database."""
        with odoo_database(self.settings) as connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def bridge(self, statement: str) -> list[tuple[Any, ...]]:
        """One question to schema bridge."""
        connection = as_sync(self.settings)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall()
        finally:
            connection.close()

    def counts(self) -> dict[str, int]:
        """How many records Odoo has."""
        tables = ("crm_lead", "res_partner", "ir_attachment", "account_move")
        where = {"ir_attachment": " WHERE res_model IN ('crm.lead', 'res.partner') AND res_field IS NULL"}
        return {table: int(self.odoo(f"SELECT count(*) FROM {table}{where.get(table, '')}")[0][0]) for table in tables}

    def module(self, action: str) -> None:
        """Press Odoo's own button on the addon, as the administrator."""
        found = self.admin.call("ir.module.module", "search", [["name", "=", ADDON]])
        self.admin.call("ir.module.module", action, found)
        self.wait_for_workers()

    def wait_for_workers(self) -> None:
        """A worker of Odoo notices changed modules with its next call; until then a login may fail."""
        assert processes.wait(lambda: all(self.answers() for _ in range(4)), 60)

    def answers(self) -> bool:
        """Whether the administrator can sign in and call."""
        forget_people()
        try:
            return bool(self.admin.call("res.users", "search_count", []))
        except BridgeError:
            return False

    def restored(self) -> Place:
        """The same app with the older copy of the Odoo database, which has the key of that time."""
        database = f"{self.settings.odoo_database}_old"
        settings = self.settings.model_copy(update={"odoo_postgres_db": database, "odoo_database": database})
        environment = {**self.environment, "ODOO_DATABASE": database, "ODOO_API_KEY": self.first_key}
        return Place(settings, environment, self.storage, self.first_key)

    def uninstall(self) -> None:
        """Over the wizard of the page."""
        found = self.admin.call("ir.module.module", "search", [["name", "=", ADDON]])
        wizard = self.admin.call("base.module.uninstall", "create", {"module_ids": [[6, 0, found]]})
        self.admin.call("base.module.uninstall", "action_uninstall", [wizard])
        self.wait_for_workers()

    def install(self) -> None:
        """And a key for the bridge's new user."""
        self.module("button_immediate_install")
        self.environment["ODOO_API_KEY"] = issue_bot_key(self.settings)

    def lead(self, registration: UUID) -> int:
        """The id of the only lead of a registration."""
        [row] = self.odoo("SELECT id FROM crm_lead WHERE x_comply360_external_id = %s", (str(registration),))
        return int(row[0])


@dataclass(frozen=True)
class World:
    """What was there before the addon went."""

    place: Place
    app: App
    other: App
    registrations: list[UUID]
    paid: UUID
    approved: UUID
    document: UUID
    warning: str
    counts: Mapping[str, int]
    bill_lines: list[tuple[Any, ...]]
    leads: Mapping[UUID, int]


@pytest.fixture(scope="module")
def place(stack_settings: Settings, stack_layout: Layout, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Gives an Odoo database fresh from installation, and an app's database that knows no other."""
    with scratch(stack_settings) as own, ExitStack() as made:
        initialise(own)
        name = f"c360_test_odoo_{uuid4().hex[:10]}"
        for database in (name, f"{name}_old"):
            made.callback(_drop, own, database)
        pristine = own.model_copy(update={"odoo_postgres_db": PRISTINE_DATABASE})
        odoo_server.copy_database(stack_layout, pristine, name)
        settings = own.model_copy(update={"odoo_postgres_db": name, "odoo_database": name})
        storage = tmp_path_factory.mktemp("documents")
        environment = {
            "PLATFORM_POSTGRES_DB": own.platform_postgres_db,
            "ODOO_DATABASE": name,
            "C360_STORAGE_ROOT": f"file://{storage}",
            "ODOO_API_KEY": issue_bot_key(settings),
        }
        found = Place(settings, environment, storage, environment["ODOO_API_KEY"])
        # a copy of a database has the id of the other one
        found.odoo("UPDATE ir_config_parameter SET value = %s WHERE key = 'comply360_bridge.instance'", (str(uuid4()),))
        demo.ensure(settings, "Rudo-2026", renew=True)
        yield found


def _drop(own: Settings, name: str) -> None:
    password = own.odoo_postgres_admin_password.get_secret_value()
    admin = as_role(own, own.odoo_postgres_admin_user, password, "postgres")
    with admin.cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    admin.close()


def _tenant(place: Place) -> App:
    made = place.printed("tenant", "create", f"t{uuid4().hex[:12]}", "--country", "ZA")
    return App(place.settings, UUID(made["id"]), made["schema"], made["subdomain"])


def _number(app: App, registrations: list[UUID]) -> None:
    for number, registration in enumerate(registrations):
        app.run(
            "UPDATE {t}.registrations SET registration_number = %s WHERE id = %s",
            [f"2026/{number:06d}/07", registration],
        )


def _bill_and_pay(place: Place, app: App, commission: UUID) -> None:
    """The accountant approves, bills and pays one commission."""
    [found] = [row for row in place.admin.commissions(app) if row["x_comply360_external_id"] == str(commission)]
    accountant = place.accountant
    accountant.call("x_commission", "action_approve", [found["id"]])
    action = accountant.call("x_commission", "action_create_bill", [found["id"]])
    accountant.call("account.move", "action_post", [action["res_id"]])
    named = {"context": {"active_model": "account.move", "active_ids": [action["res_id"]]}}
    values = {"payment_date": DAY, "communication": "EFT 42"}
    wizard = accountant.call("account.payment.register", "create", [values], **named)
    accountant.call("account.payment.register", "action_create_payments", wizard, **named)


def _bill_lines(place: Place) -> list[tuple[Any, ...]]:
    """Each linked bill line with its commission of the app, and what it says about payment."""
    return place.odoo(
        "SELECT l.id, c.x_comply360_external_id, c.state, c.bill_state, c.payment_discrepancy, c.payment_reference"
        "  FROM account_move_line l JOIN x_commission c ON c.id = l.x_comply360_commission_id ORDER BY l.id"
    )


@pytest.fixture(scope="module")
def world(place: Place, stack_settings: Settings, stack_layout: Layout) -> World:
    """Two agencies in one company; then the addon goes, people go on, and it comes back."""
    app, other = _tenant(place), _tenant(place)
    currency = int(place.admin.call("res.currency", "search", [["name", "=", "ZAR"]])[0])
    place.admin.call("res.currency.rate", "create", [{"currency_id": currency, "name": "2020-01-01", "rate": 18.5}])
    registrations = [*app.register(2, status="approved"), *app.register(4)]
    others = other.register(2, status="approved")
    _number(app, registrations)
    _number(other, others)
    paid, approved = app.commission(registrations[0]), app.commission(registrations[1], "200.20")
    app.commission(registrations[2], "300.30")
    path = place.storage / str(app.tenant) / "passport.pdf"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"%PDF passport")
    document = add_document(app, registrations[0], f"{app.tenant}/passport.pdf")
    place.c360("drain")
    _bill_and_pay(place, app, paid)
    [row] = [row for row in place.admin.commissions(app) if row["x_comply360_external_id"] == str(approved)]
    place.accountant.call("x_commission", "action_approve", [row["id"]])
    place.accountant.call("x_commission", "action_create_bill", [row["id"]])
    _invoice(place, registrations[0])
    place.c360("drain")
    assert place.printed("reconcile")["drift"] == []
    leads = {registration: place.lead(registration) for registration in (*registrations, *others)}
    warning, counts, bill_lines = _warning(place), place.counts(), _bill_lines(place)
    assert [line[3] for line in bill_lines] == ["paid", "draft"]

    _back_up(place, stack_settings, stack_layout)
    place.uninstall()
    _go_on_without(place, app, leads, registrations)
    place.install()
    return World(place, app, other, registrations, paid, approved, document, warning, counts, bill_lines, leads)


def _back_up(place: Place, stack_settings: Settings, stack_layout: Layout) -> None:
    """A copy of Odoo's database as it is now; nobody may use it meanwhile."""
    odoo_server.stop(stack_layout)
    odoo_server.copy_database(stack_layout, place.settings, f"{place.settings.odoo_database}_old")
    odoo_server.start(stack_layout, stack_settings)
    odoo_server.await_ready(stack_layout)
    forget_people()


def _invoice(place: Place, registration: UUID) -> None:
    [(lead, partner)] = place.odoo(
        "SELECT id, partner_id FROM crm_lead WHERE x_comply360_external_id = %s", (str(registration),)
    )
    line = [0, 0, {"name": "Fee", "quantity": 1, "price_unit": 1500.10, "tax_ids": [[6, 0, []]]}]
    values = {
        "move_type": "out_invoice",
        "partner_id": partner,
        "x_comply360_lead_id": lead,
        "invoice_line_ids": [line],
    }
    place.admin.call("account.move", "create", [values])


def _warning(place: Place) -> str:
    found = place.admin.call("ir.module.module", "search", [["name", "=", ADDON]])
    wizard = place.admin.call("base.module.uninstall", "create", {"module_ids": [[6, 0, found]]})
    [row] = place.admin.call("base.module.uninstall", "read", [wizard], ["x_comply360_warning"])
    return str(row["x_comply360_warning"])


def _go_on_without(place: Place, app: App, leads: Mapping[UUID, int], registrations: list[UUID]) -> None:
    """What people do meanwhile: delete a lead, move another to a new company, change a phone on each side."""
    admin = place.admin
    admin.call("crm.lead", "unlink", [leads[registrations[3]]])
    company = admin.call("res.company", "create", {"name": "Elsewhere"})
    place.odoo("UPDATE crm_lead SET company_id = %s WHERE id = %s", (company, leads[registrations[4]]))
    [(partner,)] = place.odoo("SELECT partner_id FROM crm_lead WHERE id = %s", (leads[registrations[1]],))
    admin.call("res.partner", "write", [partner], {"city": "Harare"})
    app.run(
        "UPDATE {t}.clients SET phone = '+27 11 000 0001' WHERE id = (SELECT client_id FROM {t}.registrations"
        " WHERE id = %s)",
        [registrations[0]],
    )


@pytest.mark.acceptance("R-REINSTALL")
def test_the_uninstall_dialogue_names_what_goes_and_what_to_do_first(world: World) -> None:
    for words in ("3 commissions", "2 bill lines", "bindings", "c360 drain", "c360 db backup", "--adopt"):
        assert words in world.warning, words


@pytest.mark.acceptance("R-REINSTALL")
def test_a_reinstalled_odoo_is_adopted_and_nothing_is_there_twice(world: World) -> None:
    place, app, registrations = world.place, world.app, world.registrations
    missing, moved, doubled = registrations[3], registrations[4], registrations[5]
    # a second lead that carries the id of another one, as an import can make it
    place.odoo(
        "INSERT INTO crm_lead (name, type, active, stage_id, x_comply360_external_id, x_comply360_tenant_id)"
        " SELECT name || ' copy', type, active, stage_id, x_comply360_external_id, x_comply360_tenant_id"
        " FROM crm_lead WHERE id = %s",
        (world.leads[doubled],),
    )
    before = place.counts()

    lost = [row["fix"] for row in place.printed("doctor", expect=3, ODOO_API_KEY=place.first_key)]
    assert any("c360 stack issue-key" in fix for fix in lost), "the key went with the bridge's user"
    advice = [row["fix"] for row in place.printed("doctor", expect=3) if "another database answers" in row["problem"]]
    assert len(advice) == 1 and "c360 rebuild --adopt" in advice[0]
    for words in (("rebuild", "--dry-run"), ("rebuild", "--yes")):
        refused = place.c360(*words, expect=2).stderr
        assert "would duplicate them" in refused and "c360 rebuild --adopt" in refused

    seen = place.printed("rebuild", "--adopt")
    found = {(row["tenant"], row["entity"]): row for row in seen["found"]}
    leads = found[app.subdomain, "registration"]
    assert (leads["matched"], leads["new"], leads["ambiguous"]) == (3, 1, 2)
    assert found[world.other.subdomain, "registration"]["matched"] == 2
    assert found[app.subdomain, "commission"]["new"] == 3
    assert found[app.subdomain, "document"]["matched"] == 1
    assert found[app.subdomain, "invoice"]["matched"] == 1
    assert {row["record_id"] for row in seen["ambiguous"]} == {str(moved), str(doubled)}
    assert place.counts() == before, "a preview changes nothing"
    assert "another" in place.c360("drain", "--timeout", "5", expect=3).stderr

    _abort_midway(place, app)
    place.c360("rebuild", "--adopt", "--yes")
    place.c360("drain", expect=3)
    after = place.counts()
    assert after["crm_lead"] == before["crm_lead"] + 1, "only the deleted one is made again"
    assert after == {**before, "crm_lead": before["crm_lead"] + 1}
    for registration in registrations[:3]:
        assert place.lead(registration) == world.leads[registration]
    assert place.lead(missing) != world.leads[missing]
    dead = place.printed("dead", "list", expect=3)
    assert {row["record_id"] for row in dead} == {str(moved), str(doubled)}

    place.odoo("UPDATE crm_lead SET company_id = NULL WHERE id = %s", (world.leads[moved],))
    for registration in (moved, doubled):
        place.c360("binding", "relink", str(registration), str(world.leads[registration]), "--yes")
    place.c360("drain")
    place.odoo("DELETE FROM crm_lead WHERE name LIKE '%% copy'")
    _check_money_and_values(world)


def _abort_midway(place: Place, app: App) -> None:
    """The command dies after its first pages: Odoo has bound some records, the app knows nothing of it."""
    settings = place.settings.model_copy(update={"odoo_api_key": SecretStr(place.environment["ODOO_API_KEY"])})
    [(installation,)] = place.bridge("SELECT id FROM bridge.installation")
    clients = [Sought(row[0]) for row in app.run("SELECT id FROM {t}.clients ORDER BY id LIMIT 1")]
    tenant = Tenant(app.tenant, app.subdomain, app.schema)
    open_odoo(settings, UUID(str(installation))).adopt_records(tenant, Entity.CLIENT, clients, dry_run=False)
    assert "would duplicate them" in place.c360("rebuild", "--yes", expect=2).stderr


def _check_money_and_values(world: World) -> None:
    place, app = world.place, world.app
    assert place.printed("reconcile")["drift"] == []
    place.c360("books")
    lines = [
        (line, commission, state, bill, problem) for line, commission, state, bill, problem, _ in _bill_lines(place)
    ]
    assert lines == [tuple(line[:5]) for line in world.bill_lines], "each bill line has its commission again"
    assert app.run("SELECT status, payment_reference FROM {t}.commissions WHERE id = %s", [world.paid]) == [
        ("paid", "EFT 42")
    ]
    assert app.run("SELECT of_former_odoo FROM {t}.comply360_invoices") == [(False,)]
    [(city,)] = app.run(
        "SELECT c.city FROM {t}.clients c JOIN {t}.registrations r ON r.client_id = c.id WHERE r.id = %s",
        [world.registrations[1]],
    )
    assert city == "Harare", "what people changed meanwhile arrives"
    [(phone,)] = place.odoo(
        "SELECT p.phone FROM res_partner p JOIN crm_lead l ON l.partner_id = p.id WHERE l.id = %s",
        (world.leads[world.registrations[0]],),
    )
    assert phone == "+27 11 000 0001", "what the app changed meanwhile arrives"
    assert place.printed("conflict", "list") == []
    doctor = place.printed("doctor", expect=None)
    assert not [row for row in doctor if "database" in row["problem"]], doctor
    assert "nothing to rebuild" in place.c360("rebuild", "--adopt").stderr


@pytest.mark.acceptance("R-REINSTALL")
def test_a_second_reinstall_is_adopted_like_the_first(world: World) -> None:
    place = world.place
    before, lines = place.counts(), _bill_lines(place)
    place.uninstall()
    # nobody adopts after this one
    place.install()
    place.uninstall()
    place.install()
    place.c360("rebuild", "--adopt", "--yes")
    place.c360("drain")
    assert place.counts() == before
    assert _bill_lines(place) == lines
    assert place.printed("reconcile")["drift"] == []


@pytest.mark.acceptance("R-REINSTALL")
def test_an_older_copy_of_the_database_is_adopted_too(world: World) -> None:
    place = world.place.restored()
    before = place.counts()
    refused = place.c360("rebuild", "--yes", expect=2).stderr
    assert "would duplicate them" in refused
    place.c360("rebuild", "--adopt", "--yes")
    place.c360("drain")
    after = place.counts()
    assert after["ir_attachment"] == before["ir_attachment"] and after["account_move"] == before["account_move"]
    assert after["crm_lead"] == before["crm_lead"], "the copy has the lead that was deleted later"
    assert [line[:5] for line in _bill_lines(place)] == [line[:5] for line in world.bill_lines]
    assert place.printed("reconcile")["drift"] == []
