"""Which pages there are, who looks at them, and when they are complete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from playwright.sync_api import Page

_DRAWN = """() => document.fonts.status === "loaded" && [...document.images].every((image) => image.complete)"""

Step = Callable[[Page], None]


@dataclass(frozen=True)
class Screen:
    """One page: where it is, what is clicked there, and what has to be seen before the picture is taken."""

    name: str
    path: str
    ready: str
    login: str = "naledi"
    steps: tuple[Step, ...] = field(default=())
    kinds: tuple[str, ...] = ("desktop", "mobile")

    def show(self, page: Page, url: str) -> None:
        """Opens the page and waits until it is complete."""
        page.goto(f"{url}/odoo/{self.path}")
        for step in self.steps:
            step(page)
        page.locator(self.ready).first.wait_for()
        # the live channel never falls idle: what a picture needs is there when nothing loads and all is drawn
        page.locator(".o_loading_indicator").wait_for(state="detached")
        page.wait_for_function(_DRAWN)
        if page.locator("canvas").count():
            # nothing says when a chart has finished growing
            page.wait_for_timeout(1500)


def _find(text: str) -> Step:
    def look(page: Page) -> None:
        field = page.locator(".o_searchview_input")
        if not field.first.is_visible():
            page.locator(".o_control_panel .oi-search, .o_control_panel .fa-search").first.click()
        field.first.fill(text)
        field.first.press("Enter")
        page.locator(f".o_data_row:has-text('{text}'), .o_kanban_record:has-text('{text}')").first.click()

    return look


def _first(selector: str) -> Step:
    return lambda page: page.locator(selector).first.click()


def _see(selector: str) -> Step:
    return lambda page: page.locator(selector).first.scroll_into_view_if_needed()


def _framed(selector: str) -> Step:
    return lambda page: page.frame_locator("iframe").locator(selector).first.wait_for()


LIMIT = ".o_field_widget[name=x_comply360_tenant_ids]"
ROW = ".o_data_row .o_data_cell"
CARD = ".o_kanban_record:not(.o_kanban_ghost)"
FORM = ".o_form_view .o_form_sheet"
MANAGER = "daniel"

PAGES = (
    Screen("today", "comply360-today", ".o_c360_today .card"),
    Screen("today-manager", "comply360-today", ".o_c360_today .card", MANAGER),
    Screen("commissions-kanban", "comply360-commissions", CARD),
    Screen("commissions-list", "comply360-commissions?view_type=list", f"{ROW}, {CARD}"),
    Screen("commissions-pivot", "comply360-commissions?view_type=pivot", f".o_pivot table, {CARD}"),
    Screen("analysis-pivot", "comply360-analysis", ".o_pivot table"),
    Screen("analysis-graph", "comply360-analysis?view_type=graph", ".o_graph_canvas_container"),
    Screen("analysis-list", "comply360-analysis?view_type=list", f"{ROW}, {CARD}"),
    Screen("commissions-graph", "comply360-commissions?view_type=graph", f".o_graph_canvas_container, {CARD}"),
    Screen("commissions-calendar", "comply360-commissions?view_type=calendar", f".o_calendar_view .fc, {CARD}"),
    Screen("commission", "comply360-commissions", FORM, steps=(_first(CARD),)),
    Screen(
        "statement-dialogue",
        "contacts?view_type=list",
        ".modal .o_field_widget[name=month]",
        MANAGER,
        (_find("Thandiwe"), _first("a[name=comply360]"), _first("button:has-text('Commission Statement')")),
    ),
    Screen(
        "statement",
        "contacts?view_type=list",
        "iframe",
        MANAGER,
        (
            _find("Thandiwe"),
            _first("a[name=comply360]"),
            _first("button:has-text('Commission Statement')"),
            _first("button[name=action_print]"),
            _framed(".page table"),
        ),
    ),
    Screen("registrations-list", "comply360-registrations", f"{ROW}, {CARD}", MANAGER),
    Screen("registrations-kanban", "comply360-registrations?view_type=kanban", CARD, MANAGER),
    Screen("registration", "comply360-registrations", FORM, MANAGER, (_first(f"{ROW}, {CARD}"),)),
    Screen("issues", "comply360-issues", f"{ROW}, {CARD}", MANAGER),
    Screen("issue", "comply360-issues", FORM, MANAGER, (_first(f"{ROW}, {CARD}"),)),
    Screen("issue-activities", "comply360-issues?view_type=list", ".o_data_row, .o_kanban_record"),
    Screen("settings", "comply360-settings", ".o_setting_box", MANAGER),
    Screen("tenants", "comply360-tenants", f"{ROW}, {CARD}", MANAGER),
    Screen("tenant", "comply360-tenants", FORM, MANAGER, (_first(f"{ROW}, {CARD}"),)),
    Screen("user", "users", LIMIT, MANAGER, (_find("Lindiwe"), _see(LIMIT))),
    Screen("bill", "action-account.action_move_in_invoice_type", FORM, steps=(_first(f"{ROW}, {CARD}"),)),
    Screen(
        "uninstall",
        "apps?view_type=list",
        ".modal .o_field_widget[name=x_comply360_warning]",
        MANAGER,
        (_find("Comply360 Bridge"), _first("button[name=button_uninstall_wizard]")),
        # a phone's page of apps has no such button
        ("desktop",),
    ),
    Screen("customers-to-link", "action-comply360_bridge.comply360_link_action", ".o_view_controller"),
    Screen("changes", "action-comply360_bridge.comply360_outbox_action", ".o_view_controller", MANAGER),
    Screen("bindings", "action-comply360_bridge.comply360_binding_action", ".o_view_controller", MANAGER),
)
