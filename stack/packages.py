"""Debian packages: system packages installed without starting anything, Odoo's unpacked in the checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from stack.progress import step
from sync_daemon.errors import ConfigError, UnavailableError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
POLICY = Path("/usr/sbin/policy-rc.d")
CLUSTER_DEFAULTS = Path("/etc/postgresql-common/createcluster.conf")
_DENY = "#!/bin/sh\n# nothing may start while comply360-bridge installs packages; removed again afterwards\nexit 101\n"


@dataclass(frozen=True)
class Archive:
    """The machine's own Debian mirror and release."""

    uri: str
    codename: str


def missing(packages: Sequence[str]) -> list[str]:
    """Gives the packages of the list that are not installed."""
    return [name for name in packages if not _installed(name)]


def install(packages: Sequence[str]) -> None:
    """Installs what is missing from the machine's own package sources, without starting any service.

    Raises: ConfigError without the right to install; UnavailableError for no network or a full disk.
    """
    names = missing(packages)
    if not names:
        return
    shown = ", ".join(names)
    prefix = _root_prefix(f"system packages are missing; install them as root: apt-get install {' '.join(names)}")
    with step(f"installing {shown}"), _nothing_starts(prefix):
        if not _apt([*prefix, "apt-get", "-q", "update"], check=False):
            raise UnavailableError("apt-get update failed: check the network and the package sources, then try again")
        _apt([*prefix, "apt-get", "-q", "-y", "--no-install-recommends", "install", *names])


def own_archive() -> Archive:
    """Gives the Debian mirror that this machine uses already.

    Raises: ConfigError where the machine has none.
    """
    fields = "$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(CREATED_BY)|$(REPO_URI)|$(CODENAME)|$(SUITE)"
    command = ["apt-get", "indextargets", "--format", fields]
    targets = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in targets.stdout.splitlines():
        origin, label, component, kind, uri, codename, suite = line.split("|")
        if (origin, label, component, kind) == ("Debian", "Debian", "main", "Packages") and "-" not in suite + codename:
            return Archive(uri, codename)
    raise ConfigError("no Debian package source is set up here; get Odoo 19 yourself and name its folder in ODOO_HOME")


def unpack(target: Path, wanted: Mapping[str, Sequence[str]], archive: Archive) -> dict[str, str]:
    """Downloads packages and unpacks them below `target`, giving their versions; the system stays as it is.

    Shapes: wanted is suite -> package names; the result is package name -> version.
    Raises: UnavailableError if the mirror cannot be reached or the disk is full.
    """
    target.mkdir(parents=True, exist_ok=True)
    versions: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="apt-", dir=target.parent) as folder:
        for suite, names in wanted.items():
            for package in _download(Path(folder) / suite, suite, names, archive):
                _run(["dpkg", "-x", str(package), str(target)])
                # an epoch's colon is written %3a in a file name
                name, version, _architecture = unquote(package.name).split("_", 2)
                versions[name] = version
    return versions


def _download(folder: Path, suite: str, names: Sequence[str], archive: Archive) -> list[Path]:
    for name in ("lists/partial", "cache/archives/partial", "parts", "debs"):
        (folder / name).mkdir(parents=True)
    source = folder / "private.sources"
    source.write_text(f"Types: deb\nURIs: {archive.uri}\nSuites: {suite}\nComponents: main\nSigned-By: {KEYRING}\n")
    private = _private_options(folder, source)
    _apt(["apt-get", "-q", *private, "update"])
    _apt(["apt-get", "-q", *private, "download", *names], cwd=folder / "debs")
    return sorted((folder / "debs").glob("*.deb"))


def _private_options(folder: Path, source: Path) -> list[str]:
    options = {
        "Dir::Etc::sourcelist": str(source),
        "Dir::Etc::sourceparts": str(folder / "parts"),
        "Dir::State::lists": str(folder / "lists"),
        "Dir::Cache": str(folder / "cache"),
        "Acquire::Languages": "none",
        # apt's own unprivileged user cannot enter a checkout that only root may enter
        "APT::Sandbox::User": "root",
        "APT::Update::Error-Mode": "any",
    }
    return [word for name, value in options.items() for word in ("-o", f"{name}={value}")]


def _installed(name: str) -> bool:
    query = ["dpkg-query", "-W", "-f", "${db:Status-Abbrev}", name]
    found = subprocess.run(query, capture_output=True, text=True, check=False)
    return found.returncode == 0 and found.stdout.startswith("ii")


def _root_prefix(sentence: str) -> list[str]:
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo"):
        # without a terminal sudo cannot ask for a password; with one it may
        asks = ["sudo", "-v"] if sys.stdin.isatty() else ["sudo", "-n", "true"]
        if subprocess.run(asks, check=False).returncode == 0:
            return ["sudo"]
    raise ConfigError(sentence)


@contextmanager
def _nothing_starts(prefix: Sequence[str]) -> Iterator[None]:
    """Denies service starts and the creation of PostgreSQL's main cluster while the block runs."""
    with (
        _file_in_place(prefix, POLICY, _DENY, "755"),
        _file_in_place(prefix, CLUSTER_DEFAULTS, "create_main_cluster = false\n", "644"),
    ):
        yield


@contextmanager
def _file_in_place(prefix: Sequence[str], path: Path, content: str, mode: str) -> Iterator[None]:
    saved = path.read_text() if path.exists() else None
    if saved is not None and path == POLICY:
        yield
        return
    _write_as_root(prefix, path, content, mode)
    try:
        yield
    finally:
        if saved is None:
            _run([*prefix, "rm", "-f", str(path)])
        else:
            _write_as_root(prefix, path, saved, mode)


def _write_as_root(prefix: Sequence[str], path: Path, content: str, mode: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".c360") as draft:
        draft.write(content)
        draft.flush()
        _run([*prefix, "install", "-D", "-m", mode, draft.name, str(path)])


def _apt(command: Sequence[str], *, cwd: Path | None = None, check: bool = True) -> bool:
    # DPkg::Lock::Timeout: another apt may be at work on a fresh machine
    at = next(i for i, word in enumerate(command) if word == "apt-get") + 1
    words = [*command[:at], "-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=2", *command[at:]]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    done = subprocess.run(words, capture_output=True, text=True, cwd=cwd, env=environment, check=False)
    if done.returncode and check:
        raise _apt_failure(done.stdout + done.stderr)
    return done.returncode == 0


def _apt_failure(output: str) -> UnavailableError:
    if re.search(r"No space left on device|don't have enough free space", output):
        return UnavailableError("the disk is full: free about 2 GB and try again")
    if re.search(r"Could not (resolve|connect)|Temporary failure|Failed to fetch|Connection (timed|refused)", output):
        return UnavailableError("the Debian package archive cannot be reached: check the network and try again")
    errors = [line.removeprefix("E: ") for line in output.splitlines() if line.startswith("E: ")]
    return UnavailableError(f"apt-get failed: {(errors or ['no reason given'])[0]}; try again, or install by hand")


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        if "No space left" in done.stderr:
            raise UnavailableError("the disk is full: free about 2 GB and try again")
        raise UnavailableError(f"{command[0]} failed: {reason}")
