"""Every text of the addon is there in French and Afrikaans, with the same places for values."""

from __future__ import annotations

import re
from typing import Any

import polib
import pytest

from tests.contract.laws import ROOT

FOLDER = ROOT / "addons" / "comply360_bridge" / "i18n"
LANGUAGES = ("af", "fr")
# what a text may leave to the code: named values, plain values, tags
_PLACES = re.compile(r"%\(\w+\)s|%s|<[^>]*>")
_TITLES = re.compile(r'title="[^"]*"')


def _texts(name: str) -> dict[str, Any]:
    return {entry.msgid: entry for entry in polib.pofile(str(FOLDER / name))}


def _places(text: str) -> list[str]:
    return sorted(_PLACES.findall(_TITLES.sub("", text)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_missing(language: str) -> None:
    template, translated = _texts("comply360_bridge.pot"), _texts(f"{language}.po")
    assert template.keys() == translated.keys()
    assert [text for text, entry in translated.items() if not entry.msgstr or "fuzzy" in entry.flags] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_values_and_tags_have_the_same_places(language: str) -> None:
    entries = _texts(f"{language}.po").values()
    assert [entry.msgid for entry in entries if _places(entry.msgid) != _places(entry.msgstr)] == []
    spaced = [entry.msgid for entry in entries if _ends(entry.msgid) != _ends(entry.msgstr)]
    assert spaced == []


def _ends(text: str) -> tuple[bool, bool]:
    return text[:1].isspace(), text[-1:].isspace()
