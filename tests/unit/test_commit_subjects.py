"""The subjects of commits, checked in a whole, a shallow and no clone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import commit_subjects
from tests.commit_subjects import LONGEST, problem, subjects

START = "[FIX] tests: "


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Gives a repository with one commit before the rule and two after it."""
    folder = tmp_path / "whole"
    folder.mkdir()
    git(folder, "init", "-q")
    for subject in ("before", "[ADD] one: a thing", "no form"):
        words = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        git(folder, *words, "commit", "-q", "--allow-empty", "-m", subject)
    monkeypatch.setattr(commit_subjects, "BEFORE", git(folder, "rev-parse", "HEAD~2"))
    return folder


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def test_commits_after_the_rule_are_looked_at(repository: Path) -> None:
    assert sorted(subjects(repository).values()) == ["[ADD] one: a thing", "no form"]


@pytest.mark.parametrize(("depth", "seen"), [(1, 1), (2, 2), (3, 2)])
def test_a_shallow_clone_is_looked_at_as_far_as_it_goes(repository: Path, depth: int, seen: int) -> None:
    clone = repository.parent / "shallow"
    git(repository.parent, "clone", "-q", f"--depth={depth}", f"file://{repository}", str(clone))
    assert len(subjects(clone)) == seen


def test_a_history_that_was_begun_anew_and_a_folder_without_one_are_let_alone(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert subjects(repository.parent) == {}
    monkeypatch.setattr(commit_subjects, "BEFORE", "0" * 40)
    assert subjects(repository) == {}


@pytest.mark.parametrize(
    "subject",
    [
        START + "compare rows whose JSON numbers are decimals",
        "[REF] merge, addon: decide a base in one place",
        START + "x" * (LONGEST - len(START)),
    ],
)
def test_a_good_subject(subject: str) -> None:
    assert problem(subject) == ""


@pytest.mark.parametrize(
    "subject",
    ["", "x", "[WIP] room: a thing", "[FIX] a thing", "[FIX] room:", "[FIX] room: ends with a dot.", "fix: a thing"],
)
def test_a_subject_of_another_form(subject: str) -> None:
    assert "look like" in problem(subject)


def test_a_subject_that_is_too_long() -> None:
    assert "73 characters" in problem(START + "x" * (LONGEST + 1 - len(START)))


def test_the_message_of_a_commit_that_is_being_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = tmp_path / "COMMIT_EDITMSG"
    monkeypatch.setattr("sys.argv", ["commit_subjects", "--message", str(message)])
    message.write_text("# a comment\n[FIX] room: a thing\n\nWhy.\n")
    assert commit_subjects.main() == 0
    message.write_text("a thing\n")
    assert commit_subjects.main() == 1
