"""Documents of the app: attached to the lead and the customer, with the very bytes that the app's storage has."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.acceptance.command import c360, eventually
from tests.acceptance.parties import App, Odoo

FIELDS = [
    "name",
    "type",
    "url",
    "public",
    "res_model",
    "res_id",
    "file_size",
    "description",
    "x_comply360_status",
    "x_comply360_external_id",
    "x_comply360_original_id",
    "datas",
]


class Files:
    """The app's storage: a folder, one folder in it per tenant."""

    def __init__(self, root: Path, app: App) -> None:
        self.root = root
        self.app = app
        self.environment = {
            "C360_STORAGE_ROOT": f"file://{root}",
            "C360_DOCUMENT_LIMIT_MB": "2",
            "C360_DOCUMENT_TRIES": "2",
        }

    def write(self, name: str, content: bytes) -> str:
        """Puts a file there; gives its path as the app stores it."""
        path = self.root / str(self.app.tenant) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return f"{self.app.tenant}/{name}"

    def drain(self, **more: str) -> None:
        """Syncs what is owed."""
        c360("drain", **{**self.environment, **more}, expect=None)


@pytest.fixture
def files(tmp_path: Path, app: App) -> Files:
    """Gives an empty storage."""
    (tmp_path / "documents").mkdir()
    return Files(tmp_path / "documents", app)


def add_document(app: App, registration: UUID, path: str, name: str = "ID copy.pdf", status: str = "pending") -> UUID:
    """A row as the app writes it."""
    identity = uuid4()
    app.run(
        """
        INSERT INTO {t}.documents (id, tenant_id, registration_id, document_type, file_name, file_size, mime_type,
                                   storage_path, status)
        VALUES (%s, %s, %s, 'id_document', %s, 1, 'application/pdf', %s, %s)
        """,
        [identity, app.tenant, registration, name, path, status],
    )
    return identity


def attachments(odoo: Odoo, document: UUID) -> list[dict[str, Any]]:
    """The document's attachment, and the one that shows it on the customer."""
    domain = [
        "|",
        ["x_comply360_external_id", "=", str(document)],
        ["x_comply360_original_id.x_comply360_external_id", "=", str(document)],
    ]
    return list(odoo.call("ir.attachment", "search_read", domain, FIELDS, order="id"))


def content(attachment: Mapping[str, Any]) -> bytes:
    return base64.b64decode(attachment["datas"] or "")


def lead_of(app: App, registration: UUID) -> int:
    return int(app.one("SELECT odoo_lead_id FROM {t}.registrations WHERE id = %s", [registration]))


@pytest.mark.reliability("F71")
@pytest.mark.acceptance("A4")
def test_a_document_is_on_the_lead_with_the_same_bytes_and_a_new_version_replaces_it(
    transport: str, app: App, odoo: Odoo, files: Files
) -> None:
    first = os.urandom(1_900_000)
    (registration,) = app.register()
    document = add_document(app, registration, files.write("scans/one", first), "Zoë's ID 📄.pdf")
    files.drain()

    (found,) = attachments(odoo, document)
    assert (found["res_model"], found["res_id"]) == ("crm.lead", lead_of(app, registration))
    assert (found["name"], found["type"], found["public"]) == ("Zoë's ID 📄.pdf", "binary", False)
    assert hashlib.sha256(content(found)).digest() == hashlib.sha256(first).digest()

    second = b"a new version"
    app.run(
        "UPDATE {t}.documents SET storage_path = %s, status = 'verified' WHERE id = %s",
        [files.write("scans/two", second), document],
    )
    files.drain()
    (again,) = attachments(odoo, document)
    assert (again["id"], content(again), again["x_comply360_status"]) == (found["id"], second, "verified")


@pytest.mark.acceptance("A4")
def test_a_documents_content_goes_once_and_the_customer_shows_the_same_file(app: App, odoo: Odoo, files: Files) -> None:
    (registration,) = app.register()
    path = files.write("scans/one", b"the same bytes")
    document = add_document(app, registration, path)
    files.drain()
    app.run("UPDATE {t}.registrations SET status = 'approved', approved_at = now() WHERE id = %s", [registration])
    files.drain()

    on_lead, on_customer = attachments(odoo, document)
    (lead,) = odoo.call("crm.lead", "read", [lead_of(app, registration)], ["partner_id"])
    assert (on_customer["res_model"], on_customer["res_id"]) == ("res.partner", lead["partner_id"][0])
    assert content(on_lead) == content(on_customer) == b"the same bytes"

    # other bytes that the storage shows no sign of: whoever read the file again would find them
    place = files.root / path
    before = place.stat()
    place.write_bytes(b"THE SAME BYTES")
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    app.run("UPDATE {t}.documents SET status = 'verified' WHERE id = %s", [document])
    files.drain()
    on_lead, on_customer = attachments(odoo, document)
    assert on_lead["x_comply360_status"] == "verified"
    assert content(on_lead) == content(on_customer) == b"the same bytes"


@pytest.mark.reliability("F48")
@pytest.mark.acceptance("A4")
def test_a_document_over_the_cap_becomes_a_link_with_the_reason(app: App, odoo: Odoo, files: Files) -> None:
    (registration,) = app.register()
    document = add_document(app, registration, files.write("large", b"0" * 2_000_001))
    files.drain(C360_DOCUMENT_ADDRESS="https://app.example/documents/{id}")
    (found,) = attachments(odoo, document)
    assert (found["type"], found["url"]) == ("url", f"https://app.example/documents/{document}")
    assert "2.0 MB (2000001 bytes), more than the 2 MB" in found["description"]


@pytest.mark.acceptance("A4")
def test_a_missing_content_is_tried_again_then_parked_and_goes_when_it_is_there(
    app: App, odoo: Odoo, files: Files
) -> None:
    (registration,) = app.register()
    document = add_document(app, registration, f"{app.tenant}/late")
    files.drain()
    eventually(lambda: files.drain() or odoo.issues(app), "the document is parked and shown in Odoo")
    assert [(issue["record_id"], issue["code"]) for issue in odoo.issues(app)] == [(str(document), "content_missing")]
    assert attachments(odoo, document) == []

    files.write("late", b"here I am")
    app.run("UPDATE {t}.documents SET updated_at = now() WHERE id = %s", [document])
    files.drain()
    assert [content(item) for item in attachments(odoo, document)] == [b"here I am"]
    assert odoo.issues(app) == []


@pytest.mark.acceptance("A4")
@pytest.mark.parametrize("way", ["another tenant's folder", "upwards", "a link", "a host"])
def test_a_path_never_leads_out_of_the_tenants_folder(way: str, app: App, odoo: Odoo, files: Files) -> None:
    (registration,) = app.register()
    own, other = files.root / str(app.tenant), files.root / str(uuid4())
    for folder in (own, other):
        folder.mkdir(parents=True)
    (other / "secret").write_bytes(b"not yours")
    (own / "link").symlink_to(other / "secret")
    path = {
        "another tenant's folder": f"{other.name}/secret",
        "upwards": f"{app.tenant}/../{other.name}/secret",
        "a link": f"{app.tenant}/link",
        "a host": "http://169.254.169.254/latest",
    }[way]
    document = add_document(app, registration, path)
    files.drain()
    files.drain()
    assert attachments(odoo, document) == []
    assert [(issue["record_id"], issue["code"]) for issue in odoo.issues(app)] == [(str(document), "bad_path")]


@pytest.mark.acceptance("A4")
@pytest.mark.parametrize("hard", [False, True], ids=["deleted_at", "DELETE"])
def test_a_deleted_document_takes_its_attachments_away_and_a_restored_one_is_back(
    hard: bool, app: App, odoo: Odoo, files: Files
) -> None:
    (registration,) = app.register(status="approved")
    document = add_document(app, registration, files.write("one", b"bytes"))
    files.drain()
    assert len(attachments(odoo, document)) == 2

    gone = (
        "DELETE FROM {t}.documents WHERE id = %s"
        if hard
        else ("UPDATE {t}.documents SET deleted_at = now() WHERE id = %s")
    )
    app.run(gone, [document])
    files.drain()
    assert attachments(odoo, document) == []
    assert odoo.issues(app) == []
    if not hard:
        app.run("UPDATE {t}.documents SET deleted_at = NULL WHERE id = %s", [document])
        files.drain()
        assert [content(item) for item in attachments(odoo, document)] == [b"bytes"] * 2


@pytest.mark.acceptance("A1")
def test_the_number_of_documents_reaches_every_lead_that_shows_it(app: App, odoo: Odoo, files: Files) -> None:
    first, second = app.register(2)
    path = files.write("one", b"bytes")
    moving, staying = add_document(app, first, path, status="verified"), add_document(app, first, path)
    files.drain()
    assert figures(odoo, app, first, second) == [(2, False), (0, False)]

    app.run("UPDATE {t}.documents SET registration_id = %s WHERE id = %s", [second, moving])
    files.drain()
    assert figures(odoo, app, first, second) == [(1, False), (1, True)]

    app.run("DELETE FROM {t}.documents WHERE id = %s", [staying])
    files.drain()
    assert figures(odoo, app, first, second) == [(0, False), (1, True)]


def figures(odoo: Odoo, app: App, *registrations: UUID) -> list[tuple[int, bool]]:
    fields = ["x_comply360_document_count", "x_comply360_documents_verified"]
    read = [odoo.call("crm.lead", "read", [lead_of(app, one)], fields)[0] for one in registrations]
    return [(row[fields[0]], row[fields[1]]) for row in read]
