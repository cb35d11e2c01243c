"""Subjects of commits: `[TAG] room: sentence`, at most 72 characters; `python -m tests.commit_subjects` checks them.

With `--message FILE` it checks the message of a commit that is being made.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# the commits up to this one were made before there was a rule
BEFORE = "276d08abd1d09be48545637a76d7d19fd9c29268"
LONGEST = 72
_FORM = re.compile(r"\[(ADD|IMP|FIX|REF|REM|PERF)\] [a-z0-9_][\w ,./-]*: \S.*[^.\s]")


def problem(subject: str) -> str:
    """What is wrong with a subject; empty if nothing is."""
    if len(subject) > LONGEST:
        return f"{len(subject)} characters, at most {LONGEST} are read"
    return "" if _FORM.fullmatch(subject) else "should look like `[FIX] room: say what it does`"


def subjects(folder: Path) -> dict[str, str]:
    """The subjects of all commits after the rule, by hash; none where there is no history to look at."""
    since = f"{BEFORE}..HEAD" if _git(folder, "cat-file", "-e", f"{BEFORE}^{{commit}}") is not None else "HEAD"
    # a shallow clone that ends before the rule has commits after it only
    is_known = since != "HEAD" or (_git(folder, "rev-parse", "--is-shallow-repository") or "").strip() == "true"
    listed = _git(folder, "log", "--no-merges", "--format=%H %s", since) if is_known else None
    return dict(line.split(" ", 1) for line in (listed or "").splitlines())


def main() -> int:
    """Gives 0 if every subject is as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.commit_subjects")
    parser.add_argument("--message", type=Path, help="check this file, a commit's message, instead of the history")
    message = parser.parse_args().message
    found = {"this commit": _first_line(message)} if message else subjects(ROOT)
    wrong = [f"{name[:11]}: {subject}\n    {said}" for name, subject in found.items() if (said := problem(subject))]
    print("\n".join([*wrong, f"{len(found)} subjects of commits, {len(wrong)} wrong"]))
    return 1 if wrong else 0


def _first_line(message: Path) -> str:
    lines: Iterable[str] = message.read_text(encoding="utf-8").splitlines()
    return next((line for line in lines if line and not line.startswith("#")), "")


def _git(folder: Path, *words: str) -> str | None:
    """What git says; None where it refuses, or is not there."""
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main())
