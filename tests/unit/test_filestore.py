"""Odoo's files: packed by the names of the database, put back without touching what is whole."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from db_init import filestore
from db_init.filestore import contents, is_named_rightly, pack, unpack
from sync_daemon.config import Settings
from sync_daemon.errors import ConfigError


def put(folder: Path, content: bytes) -> str:
    """A file as Odoo names it."""
    sha1 = hashlib.sha1(content).hexdigest()
    path = folder / sha1[:2] / sha1
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return f"{sha1[:2]}/{sha1}"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "data" / "filestore" / "odoo"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "other" / "filestore").mkdir(parents=True)
    return tmp_path / "other" / "filestore" / "odoo"


def test_what_the_database_names_is_packed_and_what_is_not_whole_is_told(source: Path, tmp_path: Path) -> None:
    whole, damaged = put(source, b"whole"), put(source, b"damaged")
    put(source, b"nobody names it any more")
    (source / damaged).write_bytes(b"half")
    packed = pack(source, [whole, damaged, "ab/" + "c" * 40], tmp_path / "files.tar")
    assert (packed.files, packed.missing, packed.damaged) == (2, ("ab/" + "c" * 40,), (damaged,))
    found = dict(contents(tmp_path / "files.tar"))
    assert found.keys() == {whole, damaged}
    assert is_named_rightly(whole, found[whole]) and not is_named_rightly(damaged, found[damaged])


def test_missing_and_damaged_files_come_back_and_newer_ones_stay(source: Path, target: Path, tmp_path: Path) -> None:
    names = [put(source, content) for content in (b"one", b"two", b"three")]
    pack(source, names, tmp_path / "files.tar")
    put(target, b"one")
    (target / put(target, b"two")).write_bytes(b"half of it")
    newer = put(target, b"newer than the backup")
    assert unpack(tmp_path / "files.tar", target) == (2, 1)
    assert [(target / name).read_bytes() for name in names] == [b"one", b"two", b"three"]
    assert (target / newer).read_bytes() == b"newer than the backup"
    assert unpack(tmp_path / "files.tar", target) == (0, 3), "done again, nothing is written"
    assert not list(target.rglob("*.new"))


@pytest.mark.parametrize("name", ["../../escaped", "/tmp/escaped", "ab/escaped"])
def test_an_archive_with_a_name_that_is_not_odoos_is_refused(name: str, target: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "files.tar", "w") as archive:
        info = tarfile.TarInfo(name)
        info.size = 4
        archive.addfile(info, io.BytesIO(b"evil"))
    with pytest.raises(ConfigError, match="not a file of Odoo's"):
        unpack(tmp_path / "files.tar", target)
    assert not list(tmp_path.rglob("escaped"))


def test_an_archive_that_is_cut_short_is_refused_in_a_sentence(target: Path, tmp_path: Path) -> None:
    (tmp_path / "files.tar").write_bytes(b"no archive at all")
    with pytest.raises(ConfigError, match="cannot be read"):
        unpack(tmp_path / "files.tar", target)


def test_where_the_files_are_must_be_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ODOO_DATA_DIR is not set"):
        filestore.folder_of(Settings(odoo_data_dir=""), "odoo")
    with pytest.raises(ConfigError, match="is not a folder"):
        filestore.folder_of(Settings(odoo_data_dir=str(tmp_path / "nowhere")), "odoo")
    assert filestore.folder_of(Settings(odoo_data_dir=str(tmp_path)), "odoo") == tmp_path / "filestore" / "odoo"
