"""Odoo's web page, as a person sees it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

from tests.acceptance.parties import Odoo

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]


@contextmanager
def started_browser() -> Iterator[Browser]:
    """Debian's own browser."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def fresh_page(browser: Browser) -> Iterator[Page]:
    """A page of its own: nothing of another one is known there."""
    with browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-ZA", timezone_id="UTC") as context:
        shown = context.new_page()
        shown.set_default_timeout(30_000)
        yield shown


def sign_in(page: Page, person: Odoo) -> None:
    """Sign a person in, who then sees the first page."""
    page.goto(f"{person.settings.odoo_url}/web/login")
    page.fill("input[name=login]", person.login)
    page.fill("input[name=password]", person.password)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.wait_for_url("**/odoo**")
