"""`make screenshots`: every page of the addon on its demo data, as a PNG for a desk and one for a phone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, ViewportSize

from stack import layout as layouts
from stack import odoo
from stack.layout import Layout
from tests import lanes
from tests.acceptance.web import started_browser
from tests.screens.pages import PAGES, Screen
from tests.seed import ROOT
from tests.stack_use import using

FOLDER = ROOT / "build" / "screens"
VIEWPORTS = {"desktop": ViewportSize(width=1440, height=900), "mobile": ViewportSize(width=390, height=844)}
# of people who exist in the test stack only
PASSWORD = "Screens-2026"

# accountants see every commission, managers the configuration too
_PEOPLE = f"""
env["comply360.bridge"]._load_demo()
for login, name, groups in (
    ("naledi", "Naledi Molefe", ["comply360_bridge.group_accountant"]),
    ("lindiwe", "Lindiwe Cele", ["comply360_bridge.group_user", "sales_team.group_sale_salesman"]),
    ("daniel", "Daniel Fourie", [
        "comply360_bridge.group_manager", "sales_team.group_sale_manager", "base.group_system"]),
):
    found = env["res.users"].search([("login", "=", login)])
    found or env["res.users"].create({{"login": login, "name": name, "password": "{PASSWORD}",
        "group_ids": [(4, env.ref(group).id) for group in groups]}})
manager = env["res.users"].search([("login", "=", "daniel")])
own = env["crm.lead"].search([("x_comply360_external_id", "!=", False)], order="id", limit=5)
own.with_user(manager).write({{"user_id": manager.id}})
env.company.external_report_layout_id = env.ref("web.external_layout_standard")
tenant = env["comply360.tenant"].search([("subdomain", "=", "ubuntu")])
limited = env["res.users"].search([("login", "=", "lindiwe")])
limited.x_comply360_tenant_ids = tenant
accountant = env["res.users"].search([("login", "=", "naledi")])
env.company.x_comply360_responsible_id = accountant
to_bill = [("state", "=", "approved"), ("bill_id", "=", False), ("currency_id.name", "=", "ZAR")]
if not env["x_commission"].search_count([("bill_id", "!=", False)]):
    zar = env["res.currency"].search([("name", "=", "ZAR")])
    env["res.currency.rate"].create({{"currency_id": zar.id, "rate": 18.5, "name": "2020-01-01"}})
    env["x_commission"].search(to_bill, limit=1).with_user(accountant).action_create_bill()
for installation in tenant.mapped("installation"):
    env["comply360.heartbeat"]._take(installation, "1")
    env["comply360.heartbeat"]._newest(installation)
"""


def main(wanted: list[str]) -> int:
    """Makes the pictures of the pages whose name holds one of these words; of all without any."""
    layout = layouts.from_environment(lanes.TEST_ENVIRONMENT)
    with using(layout):
        if code := lanes.prepare():
            return code
        odoo.run_script(layout, _PEOPLE)
        screens = [screen for screen in PAGES if not wanted or any(word in screen.name for word in wanted)]
        with started_browser() as browser:
            for kind in VIEWPORTS:
                _take(browser, layout, kind, screens)
    print(f"the pictures are in {FOLDER}")
    return 0


def _take(browser: Browser, layout: Layout, kind: str, screens: list[Screen]) -> None:
    for login in sorted({screen.login for screen in screens}):
        with _signed_in(browser, layout, kind, login) as page:
            for screen in screens:
                if screen.login == login and kind in screen.kinds:
                    screen.show(page, odoo.url(layout))
                    path = FOLDER / kind / f"{screen.name}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    page.screenshot(path=path, animations="disabled")
                    print(f"   {path.relative_to(ROOT)}")


@contextmanager
def _signed_in(browser: Browser, layout: Layout, kind: str, login: str) -> Iterator[Page]:
    size = VIEWPORTS[kind]
    context = browser.new_context(viewport=size, locale="en-ZA", timezone_id="UTC", has_touch=kind == "mobile")
    with context:
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.goto(f"{odoo.url(layout)}/web/login")
        page.fill("input[name=login]", login)
        page.fill("input[name=password]", PASSWORD)
        page.get_by_role("button", name="Log in", exact=True).click()
        page.wait_for_url("**/odoo**")
        yield page


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
