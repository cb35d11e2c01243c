"""The parties of an acceptance test, on the running test stack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from playwright.sync_api import Browser, Page

from stack import layout as layouts
from stack.layout import Layout
from sync_daemon.config import Settings
from tests import forking
from tests.acceptance import command
from tests.acceptance.command import printed
from tests.acceptance.parties import App, Broker, Odoo
from tests.acceptance.web import fresh_page, started_browser


@pytest.fixture(scope="session", autouse=True)
def forked() -> Iterator[None]:
    """Every command of a test is forked from one process."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(command, "started_by", forking.run)
        yield


@pytest.fixture(params=["xmlrpc", "json2"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Gives each way of calling Odoo in turn; every `c360` of the test uses it."""
    monkeypatch.setenv("ODOO_TRANSPORT", request.param)
    return str(request.param)


@pytest.fixture
def make_app(stack_settings: Settings) -> Iterator[Callable[..., App]]:
    """Gives a maker of tenants, each created by `c360 tenant create` and suspended at the end."""
    made: list[App] = []

    def make(**environment: str) -> App:
        subdomain = f"t{uuid4().hex[:12]}"
        words = ("tenant", "create", subdomain, "--name", f"Agency {subdomain}", "--country", "ZA")
        found = printed(*words, expect=0, **environment)
        assert found["state"] == "active", found
        made.append(App(stack_settings, UUID(found["id"]), found["schema"], subdomain))
        return made[-1]

    yield make
    for app in made:
        app.close()


@pytest.fixture
def app(make_app: Callable[[], App]) -> App:
    """Gives the app with a new tenant."""
    return make_app()


@pytest.fixture
def odoo(stack_settings: Settings) -> Odoo:
    """Gives Odoo's administrator."""
    password = stack_settings.odoo_admin_password.get_secret_value()
    return Odoo(stack_settings, stack_settings.odoo_admin_login, password)


@pytest.fixture(scope="session")
def accountants_password(stack_settings: Settings, stack_layout: Layout) -> str:
    """Gives the password of the demo's accountant, who is there from now on."""
    from demo import accountant as demo

    known = layouts.secrets(stack_layout)
    password = known.get("ODOO_DEMO_PASSWORD") or uuid4().hex
    demo.ensure(stack_settings, password, renew="ODOO_DEMO_PASSWORD" not in known)
    layouts.remember(stack_layout, "ODOO_DEMO_PASSWORD", password)
    return password


@pytest.fixture
def accountant(stack_settings: Settings, accountants_password: str) -> Odoo:
    """Gives a person in Odoo who may process commissions and is no administrator."""
    from demo import accountant as demo

    return Odoo(stack_settings, demo.LOGIN, accountants_password)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Gives a browser; to start one costs more than most pages."""
    with started_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Gives a page of a browser in which nobody is signed in."""
    with fresh_page(browser) as shown:
        yield shown


@pytest.fixture
def broker(stack_settings: Settings, stack_layout: Layout) -> Broker:
    """Gives RabbitMQ's operator."""
    return Broker(stack_layout)


@pytest.fixture
def daemon_log(tmp_path: Path) -> Path:
    """Gives the file for the daemon's log."""
    return tmp_path / "daemon.log"
