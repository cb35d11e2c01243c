"""The app's storage in memory, in a folder, and in a bucket behind a server that speaks S3, by the same rules."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import boto3
import pytest
from moto.server import ThreadedMotoServer

from sync_daemon.config import Settings
from sync_daemon.domain.content import Place
from sync_daemon.errors import ConfigError, RejectedError, TransientError
from sync_daemon.ports import Storage
from sync_daemon.storage.open import open_storage
from tests.memory import storage as memory

TENANT = UUID("6b8f9a1e-0f5d-4c53-9d53-6f6f2f3f0a01")
PLACE = Place(TENANT, "tenant_agency1", f"{TENANT}/scans/Zoë's ID 📄.pdf")
PIECE = 64 * 1024

Put = Callable[[str, bytes], None]


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """Gives the address of an S3 server on a free port of this machine."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs what asks for a storage in memory, and on each kind of real one."""
    if "storage" in metafunc.fixturenames:
        sides = [("memory", ""), ("real", "folder"), ("real", "bucket")]
        metafunc.parametrize(("side", "kind"), sides, indirect=True, ids=["memory", "real-folder", "real-bucket"])


@pytest.fixture
def side(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def storage(request: pytest.FixtureRequest, side: str, kind: str, tmp_path: Path) -> tuple[Storage, Put]:
    """Gives one storage, and the app's way to put a content there."""
    if side == "memory":
        files = memory.Files()
        return memory.Storage(files), files.put
    if kind == "folder":
        return _opened(c360_storage_root=f"file://{tmp_path}"), lambda path, content: _write(tmp_path / path, content)
    address, bucket = request.getfixturevalue("s3"), f"b{uuid4().hex}"
    client = boto3.client(
        "s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret"
    )
    client.create_bucket(Bucket=bucket)
    opened = _opened(
        c360_storage_root=f"s3://{bucket}/prefix",
        c360_storage_endpoint=address,
        c360_storage_region="us-east-1",
        c360_storage_key="key",
        c360_storage_secret="secret",
    )
    return opened, lambda path, content: client.put_object(Bucket=bucket, Key=f"prefix/{path}", Body=content)


def _opened(**values: str) -> Storage:
    found = open_storage(Settings.model_validate(values))
    assert found is not None
    return found


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.mark.reliability("F48")
@pytest.mark.parametrize("size", [0, 1, PIECE, 3 * PIECE + 17])
def test_a_content_comes_back_whole_in_pieces(storage: tuple[Storage, Put], size: int) -> None:
    opened, put = storage
    content = os.urandom(size)
    put(PLACE.path, content)
    found = opened.stat(PLACE)
    pieces = list(opened.read(PLACE, found, PIECE))
    assert (found.size, b"".join(pieces)) == (size, content)
    assert all(len(piece) <= PIECE for piece in pieces)


def test_another_content_under_the_same_path_has_another_stamp(storage: tuple[Storage, Put]) -> None:
    opened, put = storage
    put(PLACE.path, b"one")
    found = opened.stat(PLACE)
    assert opened.stat(PLACE) == found
    put(PLACE.path, b"another")
    assert opened.stat(PLACE).stamp != found.stamp
    with pytest.raises(TransientError, match="changed"):
        list(opened.read(PLACE, found, PIECE))


def test_what_is_not_there_is_missing(storage: tuple[Storage, Put]) -> None:
    opened, put = storage
    put(PLACE.path, b"one")
    with pytest.raises(RejectedError) as refused:
        opened.stat(replace(PLACE, path=f"{TENANT}/scans/other"))
    assert refused.value.code == "content_missing"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../../etc/passwd",
        f"{TENANT}/../{uuid4()}/x",
        f"{TENANT}//x",
        f"{TENANT}/./x",
        f"{TENANT}",
        f"{TENANT}/%2e%2e/x",
        f"{TENANT}/..\\x",
        f"{TENANT}/x\0y",
        f"{TENANT}/x\ny",
        f"{uuid4()}/x",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "s3://other-bucket/x",
        f"{TENANT}/" + "x" * 256,
    ],
)
def test_no_path_leads_out_of_the_tenants_folder(storage: tuple[Storage, Put], path: str) -> None:
    opened, _put = storage
    with pytest.raises(RejectedError) as refused:
        opened.stat(replace(PLACE, path=path))
    assert refused.value.code == "bad_path"


def test_nothing_but_a_regular_file_is_read_and_no_link_is_followed(tmp_path: Path) -> None:
    opened = _opened(c360_storage_root=f"file://{tmp_path}/{{tenant}}")
    own, other = tmp_path / str(TENANT), tmp_path / "other"
    _write(other / "secret", b"not yours")
    own.mkdir()
    (own / "file").symlink_to(other / "secret")
    (own / "folder").symlink_to(other)
    os.mkfifo(own / "fifo")
    (own / "deep").mkdir()
    for path in ("file", "folder/secret", "fifo", "deep"):
        with pytest.raises(RejectedError) as refused:
            opened.stat(replace(PLACE, path=path))
        assert refused.value.code == "bad_path", path


def test_a_storage_that_is_away_is_nobodys_fault(tmp_path: Path) -> None:
    away = _opened(
        c360_storage_root="s3://bucket",
        c360_storage_endpoint="http://127.0.0.1:9",
        c360_storage_region="us-east-1",
        c360_storage_key="key",
        c360_storage_secret="secret",
    )
    unmounted = _opened(c360_storage_root=f"file://{tmp_path}/not-mounted")
    for opened in (away, unmounted):
        with pytest.raises(TransientError):
            opened.stat(PLACE)


@pytest.mark.parametrize(
    ("root", "endpoint"),
    [
        ("http://host/x", ""),
        ("file://host/x", ""),
        ("relative", ""),
        ("s3://key@bucket/x", ""),
        ("s3://bucket/x?y", ""),
        ("s3://bucket", "http://minio.example.com"),
        ("s3://bucket", "ftp://127.0.0.1"),
    ],
)
def test_a_root_that_cannot_be_used_is_refused_at_the_start(root: str, endpoint: str) -> None:
    with pytest.raises(ConfigError, match="C360_STORAGE"):
        _opened(c360_storage_root=root, c360_storage_endpoint=endpoint)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("c360_storage_root", "s3://key:canary@bucket/prefix"),
        ("c360_storage_root", "s3://key:canary/part@bucket/prefix"),
        ("c360_storage_root", "ftp://key:12/canary@bucket"),
        ("c360_storage_endpoint", "https://key:canary@minio.example.com"),
        ("c360_storage_endpoint", "https://key:12/canary@minio.example.com"),
        ("c360_storage_endpoint", "https://key:canary"),
    ],
)
def test_an_address_with_a_secret_in_it_is_refused_and_not_shown(name: str, address: str) -> None:
    with pytest.raises(ConfigError, match=name.upper()) as caught:
        _opened(**{"c360_storage_root": "s3://bucket", name: address})
    assert "canary" not in str(caught.value)
