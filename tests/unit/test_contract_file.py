"""The file of overrides: read, or refused with file and line; and where a rule stands."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from sync_daemon.contract_file import line_of, load_contract_file, rule_line
from sync_daemon.domain.contract import Owner
from sync_daemon.domain.keys import Entity
from sync_daemon.domain.overrides import contracts
from sync_daemon.errors import ConfigError
from tests.unit.records import OTHER_TENANT, TENANT

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "contract.example.toml"
TEXT = """\
# a comment = with a sign
[all.client.fields]
phone.owner = "app"

[tenants."agency-1".registration]  # a tenant
filtered.status = []
fields.status.values = { on_hold = "in_review" }

[tenants.two.registration.extra.x_seats]
from = "form_data.seats"
"""


def refused(text: str, folder: Path) -> str:
    path = folder / "contract.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_contract_file(str(path))
    return str(caught.value).replace(str(folder), "")


def place(beginning: str) -> str:
    """Where a line of the example stands."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    [number] = [number for number, line in enumerate(lines, start=1) if line.startswith(beginning)]
    return f"{EXAMPLE}:{number}"


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("all", "client", "fields", "phone", "owner"), 3),
        (("all", "client", "fields"), 2),
        (("tenants", "agency-1", "registration", "filtered", "status"), 6),
        (("tenants", "agency-1", "registration", "fields", "status", "values", "on_hold"), 7),
        (("tenants", "two", "registration", "extra", "x_seats"), 9),
        (("tenants", "two", "registration", "extra", "x_seats", "from"), 10),
        (("tenants", "two"), 9),
        (("nowhere",), 1),
    ],
)
def test_a_key_is_found_by_its_line(path: tuple[str, ...], line: int) -> None:
    assert line_of(TEXT, path) == line


def test_the_example_is_a_file_that_can_be_applied() -> None:
    file = load_contract_file(str(EXAMPLE))
    found = contracts(file.for_tenants({"agency1": TENANT}))
    registration = found.of(TENANT)[Entity.REGISTRATION]
    assert registration.filtered == {"status": frozenset()}
    assert [item.name for item in registration.fields if item.is_extra] == ["x_board_seats", "x_trading_as"]
    phone = next(item for item in found.of(OTHER_TENANT)[Entity.CLIENT].fields if item.name == "phone")
    assert phone.owner is Owner.PREFER_ODOO


def test_a_tenant_that_is_not_there_is_named() -> None:
    file = load_contract_file(str(EXAMPLE))
    with pytest.raises(ConfigError) as caught:
        file.for_tenants({"agency2": UUID(int=1)})
    where = place("[tenants.agency1.registration]")
    assert f"{where}: tenant agency1, as a whole: no attached tenant agency1" in str(caught.value)


def test_everything_that_cannot_be_is_said_at_once_with_line_tenant_field_and_value(tmp_path: Path) -> None:
    said = refused(
        '[tenants.agency1.client.fields]\nphone.owner = "nobody"\nphone.ownr = "app"\n'
        '[tenants.agency1.registration.extra]\nx_a.from = "metadata.a"\n',
        tmp_path,
    )
    lines = said.splitlines()
    assert lines[0] == "these overrides cannot be used:"
    assert lines[1].startswith("  /contract.toml:2: tenant agency1, client.fields.phone.owner: Input should be 'app'")
    assert lines[1].endswith(": nobody")
    assert lines[2].startswith("  /contract.toml:3: tenant agency1, client.fields.phone.ownr: Extra inputs")
    assert lines[3].startswith("  /contract.toml:5: tenant agency1, registration.extra.x_a.from: ")
    assert len(lines) == 4


def test_what_the_contract_does_not_allow_is_said_by_line(tmp_path: Path) -> None:
    said = refused('[all.client.fields]\nname.owner = "off"\n', tmp_path)
    assert "/contract.toml:2: all.client.fields.name.owner: client.name cannot be off: Odoo needs it" in said


def test_a_text_that_is_no_toml_is_refused_with_its_place(tmp_path: Path) -> None:
    assert "line 1" in refused("[all\n", tmp_path)


@pytest.mark.parametrize(("name", "said"), [("", "C360_CONTRACT_FILE is not set"), ("/nowhere.toml", "cannot read")])
def test_a_file_that_is_not_there_is_a_matter_of_configuration(name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_contract_file(name)


def test_a_rule_stands_in_its_module_or_in_the_file() -> None:
    where = rule_line(("registration", "status"), "agency2", None, 0)
    path, _, line = where.rpartition(":")
    assert path == "sync_daemon/domain/contracts/registration.py"
    assert 'Field("status"' in (ROOT / path).read_text(encoding="utf-8").splitlines()[int(line) - 1]
    file = load_contract_file(str(EXAMPLE))
    assert rule_line(("registration", "status"), "agency2", file, 3) == where
    section = "[tenants.agency1.registration.fields.status]"
    assert rule_line(("registration", "status"), "agency1", file, 3) == place(section)
    assert rule_line(("client", "phone"), "agency2", file, 3) == place("phone.owner")
    extra = ("registration", "extra", "x_board_seats")
    assert rule_line(extra, "agency1", file, 3) == place("x_board_seats")
    assert rule_line(extra, "agency1", None, 3) == "overrides, version 3"
