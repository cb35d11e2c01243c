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

    def show(self, page: Page, url: str) -> None:
        """Opens the page and waits until it is complete."""
        page.goto(f"{url}/odoo/{self.path}")
        for step in self.steps:
            step(page)
        page.locator(self.ready).first.wait_for()
        # the live channel never falls idle: what a picture needs is there when nothing loads and all is drawn
        page.locator(".o_loading_indicator").wait_for(state="detached")
        page.wait_for_function(_DRAWN)


def _view(kind: str) -> Step:
    def choose(page: Page) -> None:
        page.locator(".o_control_panel").first.wait_for()
        button = page.locator(f".o_switch_view.o_{kind}")
        if not button.first.is_visible():
            # a phone shows one button that opens the choice
            page.locator(".o_cp_switch_buttons button").first.click()
            page.locator(f".o_switch_view.o_{kind}, .dropdown-item:has(.oi-view-{kind})").first.click()
        else:
            button.first.click()

    return choose


def _first(selector: str) -> Step:
    return lambda page: page.locator(selector).first.click()


ROW = ".o_data_row .o_data_cell"
CARD = ".o_kanban_record:not(.o_kanban_ghost)"
FORM = ".o_form_view .o_form_sheet"
MANAGER = "daniel"

PAGES = (
    Screen("today", "comply360-today", ".o_c360_today .card"),
    Screen("today-manager", "comply360-today", ".o_c360_today .card", MANAGER),
    Screen("commissions-kanban", "comply360-commissions", CARD),
    Screen("commissions-list", "comply360-commissions", ROW, steps=(_view("list"),)),
    Screen("commissions-pivot", "comply360-commissions", ".o_pivot table", steps=(_view("pivot"),)),
    Screen("commissions-graph", "comply360-commissions", ".o_graph_canvas_container", steps=(_view("graph"),)),
    Screen("commissions-calendar", "comply360-commissions", ".o_calendar_view .fc", steps=(_view("calendar"),)),
    Screen("commission", "comply360-commissions", FORM, steps=(_first(CARD),)),
    Screen("registrations-list", "comply360-registrations", f"{ROW}, {CARD}", MANAGER),
    Screen("registrations-kanban", "comply360-registrations", CARD, MANAGER, (_view("kanban"),)),
    Screen("registration", "comply360-registrations", FORM, MANAGER, (_first(f"{ROW}, {CARD}"),)),
    Screen("issues", "comply360-issues", f"{ROW}, {CARD}", MANAGER),
    Screen("issue", "comply360-issues", FORM, MANAGER, (_first(f"{ROW}, {CARD}"),)),
    Screen("tenants", "comply360-tenants", f"{ROW}, {CARD}", MANAGER),
    Screen("tenant", "comply360-tenants", FORM, MANAGER, (_first(f"{ROW}, {CARD}"),)),
)
