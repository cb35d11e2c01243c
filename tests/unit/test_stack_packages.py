"""What apt says becomes one sentence with what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stack import odoo_source, packages
from sync_daemon.errors import ConfigError, UnavailableError

Apt = Callable[[str], None]


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Apt:
    """Gives a way to put another `apt-get` first on the PATH."""

    def install(script: str) -> None:
        program = tmp_path / "bin" / "apt-get"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    return install


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("E: Could not resolve 'deb.example.org'", "cannot be reached"),
        ("E: Failed to fetch http://x/y  Connection timed out", "cannot be reached"),
        ("E: You don't have enough free space in /var/cache/apt/archives/.", "disk is full"),
        ("dpkg: error: failed to write: No space left on device", "disk is full"),
        ("E: Unable to locate package odoo-19", "Unable to locate package odoo-19"),
    ],
)
def test_a_failing_apt_is_told_in_one_sentence(apt: Apt, tmp_path: Path, said: str, sentence: str) -> None:
    apt(f'echo "{said}" >&2; exit 100')
    with pytest.raises(UnavailableError, match=sentence) as caught:
        packages.unpack(tmp_path / "target", {"unstable": ["odoo-19"]}, packages.Archive("http://x/", "bookworm"))
    assert "\n" not in str(caught.value)


def test_the_mirror_is_the_one_the_machine_uses_and_the_release_its_own(apt: Apt) -> None:
    lines = [
        "Debian|Debian-Security|main|Packages|http://mirror/security/|bookworm-security|oldstable-security",
        "Debian|Debian|main|Packages|http://mirror/debian/|bookworm-updates|oldstable-updates",
        "Debian|Debian|main|Translations|http://mirror/debian/|bookworm|oldstable",
        "Other|Other|main|Packages|http://other/|bookworm|stable",
        "Debian|Debian|main|Packages|http://mirror/debian/|bookworm|oldstable",
    ]
    apt("cat <<'END'\n" + "\n".join(lines) + "\nEND")
    assert packages.own_archive() == packages.Archive("http://mirror/debian/", "bookworm")


def test_a_machine_without_debian_sources_is_told_about_odoo_home(apt: Apt) -> None:
    apt("exit 0")
    with pytest.raises(ConfigError, match="ODOO_HOME"):
        packages.own_archive()


def test_packages_that_are_installed_are_not_installed_again(apt: Apt) -> None:
    apt("echo 'E: apt-get was called' >&2; exit 100")
    packages.install(["dpkg", "apt"])
    assert packages.missing(["dpkg", "no-such-package-anywhere"]) == ["no-such-package-anywhere"]


def _odoo(folder: Path, version: str) -> Path:
    (folder / "odoo" / "addons").mkdir(parents=True)
    (folder / "addons").mkdir()
    (folder / "odoo" / "release.py").write_text(f"version_info = {version}\n")
    return folder


def test_odoo_home_is_used_with_one_line_of_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = _odoo(tmp_path / "odoo", "(19, 0, 0, FINAL, 0, '')")
    monkeypatch.setenv("ODOO_HOME", str(home))
    source = odoo_source.locate(tmp_path / "cache")
    assert source.python_path == home
    assert source.addons == (home / "addons", home / "odoo" / "addons")
    warning = capsys.readouterr().err
    assert warning.startswith("warning: using Odoo 19.0")
    assert odoo_source.TESTED_VERSION in warning
    assert warning.count("\n") == 1


def test_odoo_home_with_another_major_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODOO_HOME", str(_odoo(tmp_path, "(18, 0, 0, FINAL, 0, '')")))
    with pytest.raises(ConfigError, match="needs Odoo 19"):
        odoo_source.locate(tmp_path / "cache")


def test_odoo_home_without_odoo_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODOO_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match="contains no Odoo"):
        odoo_source.locate(tmp_path / "cache")
