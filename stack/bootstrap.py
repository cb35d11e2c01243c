"""What must work without the virtual environment: `make venv`, `make stop`, `make clean`.

Only the standard library is imported here, directly and indirectly.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from stack import layout, packages, teardown  # noqa: E402 - the checkout must be on the path first
from stack.progress import step  # noqa: E402
from sync_daemon.errors import BridgeError, ConfigError, UnavailableError  # noqa: E402

# the pins of both files, each with the SHA-256 of every file that its index has of it
_LOCK = "requirements.lock"
# pip says "from versions: none" after it has given up on the index
_NO_INDEX = ("Failed to establish a new connection", "Temporary failure in name resolution", "from versions: none")
_MADE = (".cache", "build", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".import_linter_cache")


def make_environment(folder: Path) -> None:
    """Creates the virtual environment with the pinned packages and the `c360` command.

    Raises: ConfigError for an old Python; UnavailableError if the package index cannot be reached or the disk is full.
    """
    if sys.version_info < (3, 11):  # noqa: UP036 - an older Python gets a sentence
        raise ConfigError(
            f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}; try: make PYTHON=python3.11"
        )
    if not (folder / "bin" / "python").exists():
        if importlib.util.find_spec("ensurepip") is None:
            packages.install(["python3-venv"])
        with step("creating the virtual environment"):
            _call([sys.executable, "-m", "venv", str(folder)])
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    with step("installing the pinned Python packages"):
        _call([*pip, "--require-hashes", "--no-deps", "-r", str(ROOT / _LOCK)])
        _call([*pip, "--no-build-isolation", "--no-deps", "-e", str(ROOT)])
    (folder / ".installed").touch()


def clean(folder: Path) -> None:
    """Stops everything the checkout started and removes every file it made."""
    teardown.stop_all(ROOT)
    teardown.remove_server_files(ROOT)
    for name in (*_MADE, folder.name):
        shutil.rmtree(ROOT / name, ignore_errors=True)
    for pattern in ("*.egg-info", "**/__pycache__"):
        for path in ROOT.glob(pattern):
            shutil.rmtree(path, ignore_errors=True)


def main() -> int:
    """Runs one of the three; an expected failure is one sentence and an exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--stop", action="store_true")
    parser.add_argument("--clean", action="store_true")
    options = parser.parse_args()
    folder = ROOT / options.folder
    try:
        if options.stop:
            teardown.stop_all(ROOT)
        elif options.clean:
            clean(folder)
        else:
            make_environment(folder)
    except BridgeError as error:
        print(f"c360: {error}", file=sys.stderr)
        return layout.exit_code(error)
    return 0


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "LC_ALL": "C.UTF-8"})
    if done.returncode == 0:
        return
    output = done.stdout + done.stderr
    if "No space left" in output:
        raise UnavailableError("the disk is full: free about 2 GB and try again")
    if any(sign in output for sign in _NO_INDEX):
        raise UnavailableError("the Python package index cannot be reached: check the network and try again")
    reasons = [line for line in output.splitlines() if line.startswith("ERROR: ")] or output.strip().splitlines()[-1:]
    reason = (reasons or ["no reason given"])[0].removeprefix("ERROR: ")
    raise UnavailableError(f"{' '.join(command[:4])} ... failed: {reason}")


if __name__ == "__main__":
    raise SystemExit(main())
