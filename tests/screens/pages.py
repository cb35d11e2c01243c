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
        if page.locator("canvas").count():
            # nothing says when a chart has finished growing
            page.wait_for_timeout(1500)


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
    Screen("commissions-list", "comply360-commissions?view_type=list", f"{ROW}, {CARD}"),
    Screen("commissions-pivot", "comply360-commissions?view_type=pivot", f".o_pivot table, {CARD}"),
    Screen("commissions-graph", "comply360-commissions?view_type=graph", f".o_graph_canvas_container, {CARD}"),
    Screen("commissions-calendar", "comply360-commissions?view_type=calendar", f".o_calendar_view .fc, {CARD}"),
    Screen("commission", "comply360-commissions", FORM, steps=(_first(CARD),)),
    Screen("registrations-list", "comply360-registrations", f"{ROW}, {CARD}", MANAGER),
    Screen("registrations-kanban", "comply360-registrations?view_type=kanban", CARD, MANAGER),
    Screen("registration", "comply360-registrations", FORM, MANAGER, (_first(f"{ROW}, {CARD}"),)),
    Screen("issues", "comply360-issues", f"{ROW}, {CARD}", MANAGER),
    Screen("issue", "comply360-issues", FORM, MANAGER, (_first(f"{ROW}, {CARD}"),)),
    Screen("tenants", "comply360-tenants", f"{ROW}, {CARD}", MANAGER),
    Screen("tenant", "comply360-tenants", FORM, MANAGER, (_first(f"{ROW}, {CARD}"),)),
)
