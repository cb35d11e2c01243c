"""A second, newer Python for the tests that need no server: Debian 13's, unpacked into the cache; the system stays."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from stack import packages
from stack.layout import ROOT
from stack.progress import step
from sync_daemon.errors import UnavailableError

SUITE, VERSION = "trixie", "3.13"
_PACKAGES = (
    "python3.13-minimal",
    "libpython3.13-minimal",
    "libpython3.13-stdlib",
    "libc6",
    "libbz2-1.0",
    "libexpat1",
    "libffi8",
    "liblzma5",
    "libsqlite3-0",
    "libssl3t64",
    "libuuid1",
    "libzstd1",
    "zlib1g",
)
_FOR_TESTS = ("pytest", "hypothesis", "jsonschema", "cryptography")
_PINS = ("requirements.txt", "requirements-odoo.txt")
# the machine's own C library may be older than the one that this Python needs
_STARTER = """#!/bin/sh
exec '{loader}' --argv0 '{starter}' --library-path '{libraries}' '{python}' "$@"
"""


@dataclass(frozen=True)
class NewerPython:
    """A Python that can be started, and the folder of its packages."""

    executable: Path
    site_packages: Path

    @property
    def environment(self) -> dict[str, str]:
        """What it is started with to find this tree and its packages."""
        return {"PYTHONPATH": f"{ROOT}:{self.site_packages}", "PYTHONDONTWRITEBYTECODE": "1"}


def locate(cache: Path) -> NewerPython:
    """Gives the newer Python with the pinned packages, fetching what `cache` lacks.

    Raises: ConfigError without a Debian package source; UnavailableError if something cannot be fetched.
    """
    folder = cache / f"python-{VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        return NewerPython(_interpreter(folder / "root"), _site_packages(folder / "site-packages"))


def _interpreter(root: Path) -> Path:
    # beside the real one: from there Python finds its standard library
    starter = root / "usr" / "bin" / "python"
    if not starter.exists():
        with step(f"fetching Python {VERSION} (about 10 MB)"):
            shutil.rmtree(root, ignore_errors=True)
            packages.unpack(root, {SUITE: _PACKAGES}, packages.own_archive())
        loader = next(root.glob("usr/lib*/ld-linux-*"))
        libraries = next(root.glob("usr/lib/*-linux-gnu*/libc.so.6")).parent
        python = starter.with_name(f"python{VERSION}")
        starter.write_text(_STARTER.format(loader=loader, starter=starter, libraries=libraries, python=python))
        starter.chmod(0o755)
    return starter


def _site_packages(folder: Path) -> Path:
    wanted = [*tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"], *_FOR_TESTS]
    pins = b"".join((ROOT / name).read_bytes() for name in _PINS)
    digest = hashlib.sha256(" ".join(wanted).encode() + pins).hexdigest()
    record = folder / ".complete"
    if not record.exists() or record.read_text() != digest:
        shutil.rmtree(folder, ignore_errors=True)
        with step(f"installing the pinned packages for Python {VERSION}"):
            _pip(folder, wanted)
        record.write_text(digest)
    return folder


def _pip(folder: Path, wanted: list[str]) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--target", str(folder)]
    command += ["--python-version", VERSION, "--only-binary=:all:"]
    command += [word for name in _PINS for word in ("-c", str(ROOT / name))]
    done = subprocess.run([*command, *wanted], capture_output=True, text=True, check=False)
    if done.returncode:
        reasons = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")] or ["no reason given"]
        raise UnavailableError(f"the packages for Python {VERSION} cannot be installed: {reasons[0]}")
