"""The source of Odoo's code: `ODOO_HOME`, or Debian's package unpacked in the checkout."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from stack import packages
from stack.progress import note, step
from sync_daemon.errors import ConfigError

TESTED_VERSION = "19.0.0+dfsg-1"
_LIBRARIES = "usr/lib/python3/dist-packages"
_UNSTABLE = (
    "odoo-19",
    "libjs-jquery",
    "libjs-jquery-form",
    "libjs-underscore",
    "fonts-roboto-unhinted",
    "fonts-montserrat",
    "fonts-ocr-b",
    "fonts-glyphicons-halflings",
)
# unstable's fonts-font-awesome has other file names than the links in Odoo's package
_OWN_RELEASE = ("fonts-font-awesome", "fonts-inconsolata")
# taken out of Debian's package for its licence; without it the asset bundle logs an error and every tour fails
_SELFIE = "odoo/addons/mail/static/lib/selfie_segmentation/selfie_segmentation.js"


@dataclass(frozen=True)
class OdooSource:
    """An Odoo that can be run with `python -m odoo`."""

    python_path: Path
    addons: tuple[Path, ...]
    version: str


def locate(cache: Path) -> OdooSource:
    """Gives the Odoo to run, fetching it into `cache` the first time.

    Raises: ConfigError if ODOO_HOME holds no Odoo 19; UnavailableError if Odoo cannot be fetched.
    """
    home = os.environ.get("ODOO_HOME")
    source = _given(Path(home).expanduser().absolute()) if home else _fetched(cache)
    if source.version != TESTED_VERSION:
        note(f"warning: using Odoo {source.version}; this version of the bridge was tested with {TESTED_VERSION}")
    return source


def _fetched(cache: Path) -> OdooSource:
    target = cache / "odoo-19"
    record = target / ".complete"
    if not record.exists():
        with step("fetching Odoo 19 (about 130 MB)"):
            shutil.rmtree(target, ignore_errors=True)
            archive = packages.own_archive()
            versions = packages.unpack(target, {"unstable": _UNSTABLE, archive.codename: _OWN_RELEASE}, archive)
            selfie = target / _LIBRARIES / _SELFIE
            selfie.parent.mkdir(parents=True, exist_ok=True)
            selfie.touch()
            record.write_text(versions["odoo-19"])
    libraries = target / _LIBRARIES
    return OdooSource(libraries, _addons(libraries), record.read_text().strip())


def _given(home: Path) -> OdooSource:
    release = home / "odoo" / "release.py"
    if not release.is_file():
        raise ConfigError(f"ODOO_HOME: {home} contains no Odoo; name the folder that contains the package `odoo`")
    found = re.search(r"^version_info = \((\d+), (\d+)", release.read_text(encoding="utf-8"), re.MULTILINE)
    if not found or found[1] != "19":
        raise ConfigError(f"ODOO_HOME: {home} is not Odoo 19; this bridge needs Odoo 19")
    return OdooSource(home, _addons(home), f"{found[1]}.{found[2]} from ODOO_HOME")


def _addons(home: Path) -> tuple[Path, ...]:
    return tuple(folder for folder in (home / "addons", home / "odoo" / "addons") if folder.is_dir())
