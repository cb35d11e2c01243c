"""SQL stands beside its module: no room opens another one's."""

from __future__ import annotations

import re
from pathlib import Path

from sync_daemon import postgres

FOLDER = Path(postgres.__file__).parent
OPENED = re.compile(r'statements\("([\w/]+)"\)')


def test_a_module_opens_its_own_sql_or_that_of_its_room() -> None:
    for path in FOLDER.rglob("*.py"):
        own = path.relative_to(FOLDER).with_suffix("").as_posix()
        room = own.rpartition("/")[0]
        opened = OPENED.findall(path.read_text(encoding="utf-8"))
        assert [file for file in opened if file != own and not (room and file.startswith(f"{room}/"))] == [], own


def test_every_sql_file_has_a_module_of_its_name_that_opens_it() -> None:
    for path in FOLDER.rglob("*.sql"):
        name = path.relative_to(FOLDER).with_suffix("").as_posix()
        assert name in OPENED.findall(path.with_suffix(".py").read_text(encoding="utf-8")), name
