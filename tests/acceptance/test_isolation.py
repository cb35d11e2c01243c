"""Agencies that share an Odoo stay apart for users limited to them, and `c360 audit isolation` proves it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from audit.canaries import MARK
from sync_daemon.config import Settings
from sync_daemon.errors import BridgeError
from tests.acceptance.command import C360, ROOT, c360, printed
from tests.acceptance.parties import App, Odoo
from tests.acceptance.test_documents import Files, add_document, attachments

SELLER = "sales_team.group_sale_salesman_all_leads"
MakeUser = Callable[..., Odoo]


@pytest.fixture
def make_user(odoo: Odoo, stack_settings: Settings) -> Iterator[MakeUser]:
    """Gives a maker of users with these groups, limited to these apps' tenants; archived at the end."""
    made = []

    def make(*groups: str, apps: tuple[App, ...] = ()) -> Odoo:
        login, password = f"u{uuid4().hex[:10]}", uuid4().hex
        tenants = odoo.call("comply360.tenant", "search", [["uuid", "in", [str(app.tenant) for app in apps]]])
        ids = [odoo.call("ir.model.data", "check_object_reference", *name.split(".", 1))[1] for name in groups]
        values = {"name": login, "login": login, "password": password, "group_ids": [[6, 0, ids]]}
        context = {"no_reset_password": True}
        limit = {"x_comply360_tenant_ids": [[6, 0, tenants]]}
        made.append(odoo.call("res.users", "create", {**values, **limit}, context=context))
        return Odoo(stack_settings, login, password)

    yield make
    odoo.call("res.users", "write", made, {"x_comply360_tenant_ids": [[5, 0, 0]], "active": False})


def leads(person: Odoo, app: App) -> list[Any]:
    return list(person.call("crm.lead", "search", [["x_comply360_tenant_id.uuid", "=", str(app.tenant)]]))


def status(person: Odoo, path: str) -> int:
    """What the page answers the person in a browser."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    place = {"db": person.settings.odoo_database, "login": person.login, "password": person.password}
    body = json.dumps({"jsonrpc": "2.0", "method": "call", "params": place}).encode()
    headers = {"Content-Type": "application/json"}
    url = person.settings.odoo_url
    opener.open(urllib.request.Request(f"{url}/web/session/authenticate", body, headers), timeout=30).close()
    try:
        with opener.open(f"{url}{path}", timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.acceptance("R-ISOLATION")
def test_a_salesperson_limited_to_one_agency_sees_nothing_of_another_one_and_works_for_their_own(
    make_app: Callable[[], App], make_user: MakeUser
) -> None:
    first, second = make_app(), make_app()
    for app in (first, second):
        (registration,) = app.register(1, "approved", "Baobab Trading")
        app.commission(registration)
    c360("drain")
    seller = make_user(SELLER, "comply360_bridge.group_accountant", apps=(first,))
    everybodys = make_user(SELLER, "comply360_bridge.group_accountant")

    assert len(leads(everybodys, first)) == len(leads(everybodys, second)) == 1, "without a limit, as before"
    assert len(leads(seller, first)) == 1 and leads(seller, second) == []
    of_second = [["x_comply360_tenant_id.uuid", "=", str(second.tenant)]]
    for model in ("crm.lead", "res.partner", "x_commission"):
        [hidden, *_] = everybodys.call(model, "search", of_second)
        assert seller.call(model, "search_count", of_second) == 0
        assert seller.call(model, "name_search", "", [["id", "=", hidden]]) == []
        assert seller.call(model, "formatted_read_group", of_second, [], ["__count"])[0]["__count"] == 0
        for method, argument in (("read", ["display_name"]), ("web_read", {"display_name": {}}), ("write", {})):
            with pytest.raises(BridgeError) as refused:
                seller.call(model, method, [hidden], argument)
            assert "Baobab" not in str(refused.value)

    [commission] = seller.call("x_commission", "search", [["x_comply360_tenant_id.uuid", "=", str(first.tenant)]])
    seller.call("x_commission", "action_approve", [commission])
    c360("drain")
    assert first.one("SELECT status FROM {t}.commissions") == "approved"
    assert second.one("SELECT status FROM {t}.commissions") == "pending"


@pytest.mark.acceptance("R-PAPERS")
def test_a_document_is_read_by_who_reads_its_lead_and_changed_by_nobody(
    app: App, odoo: Odoo, make_user: MakeUser, tmp_path: Path
) -> None:
    (tmp_path / "documents").mkdir()
    files = Files(tmp_path / "documents", app)
    (registration,) = app.register(1, "approved")
    document = add_document(app, registration, files.write("one", b"a passport"))
    files.drain()
    both = attachments(odoo, document)
    assert [item["res_model"] for item in both] == ["crm.lead", "res.partner"]

    clerk = make_user("base.group_user")
    people = {
        "salesperson": make_user(SELLER, "base.group_partner_manager"),
        "accountant": make_user(SELLER, "comply360_bridge.group_accountant"),
        "ERP manager": make_user(SELLER, "sales_team.group_sale_manager", "base.group_erp_manager"),
    }
    for item in both:
        assert status(clerk, f"/web/content/{item['id']}") in (403, 404)
        assert clerk.call("ir.attachment", "search", [["id", "=", item["id"]]]) == []
        with pytest.raises(BridgeError):
            clerk.call("ir.attachment", "read", [item["id"]], ["datas"])
    for name, person in people.items():
        for item in both:
            assert status(person, f"/web/content/{item['id']}") == 200, name
            refused_calls: list[tuple[str, list[object]]] = [
                ("write", [{"raw": "another passport"}]),
                ("write", [{"datas": "YW5vdGhlcg=="}]),
                ("write", [{"name": "other.pdf"}]),
                ("write", [{"mimetype": "text/html"}]),
                ("write", [{"res_id": 1, "res_model": "res.partner"}]),
                ("write", [{"public": True}]),
                ("generate_access_token", []),
                ("unlink", []),
            ]
            for method, arguments in refused_calls:
                with pytest.raises(BridgeError):
                    person.call("ir.attachment", method, [item["id"]], *arguments)
    assert attachments(odoo, document) == both
    c360("reconcile", "--tenant", app.subdomain, expect=0, **files.environment)
    assert app.one("SELECT count(*) FROM {t}.documents WHERE id = %s", [document]) == 1


@pytest.mark.acceptance("R-ISOLATION", "R-PAPERS")
def test_the_audit_finds_only_denials_and_leaves_nothing_behind(odoo: Odoo) -> None:
    everywhere = printed("audit", "isolation", expect=0)
    assert {finding["outcome"] for finding in everywhere} == {"denied"}
    assert {finding["place"] for finding in everywhere} == {"Odoo", "PostgreSQL", "RabbitMQ"}
    found = [finding for finding in everywhere if finding["place"] == "Odoo"]
    assert {finding["actor"] for finding in found} == {"internal", "user", "accountant", "manager", "service"}
    assert len({(finding["own"], finding["other"]) for finding in found if finding["own"]}) == 4, (
        "each pair, and at home"
    )
    assert left_behind(odoo) == []


@pytest.mark.acceptance("R-ISOLATION")
def test_what_a_killed_audit_leaves_behind_is_removed_by_the_next_run(odoo: Odoo) -> None:
    with subprocess.Popen(
        [str(C360), "audit", "isolation"], cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr
        for line in process.stderr:
            if line.startswith("trying as user"):
                break
        os.killpg(process.pid, signal.SIGKILL)
    assert left_behind(odoo)
    c360("audit", "isolation", "--clean")
    assert left_behind(odoo) == []
    assert c360("audit", "isolation", "--clean").stderr.strip() == "nothing to remove"


def left_behind(odoo: Odoo) -> list[Any]:
    """Everything in Odoo that is named by an audit."""
    named = {
        "res.users": "login",
        "comply360.tenant": "subdomain",
        "res.partner": "name",
        "crm.lead": "name",
        "account.move": "ref",
        "account.payment": "memo",
        "calendar.event": "name",
        "ir.attachment": "name",
        "mail.message": "body",
        "mail.activity": "summary",
    }
    return [
        (model, number)
        for model, name in named.items()
        for number in odoo.call(model, "search", [[name, "=like", f"%{MARK}%"]])
    ]
