"""The file of overrides, and the place of each rule, for messages that name file and line."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from pydantic import ValidationError

from sync_daemon.domain import contracts
from sync_daemon.domain.codec import printable
from sync_daemon.domain.overrides import Objection, Overrides, objections
from sync_daemon.errors import ConfigError

_TABLE = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(?:#.*)?$")
_KEY = re.compile(r"\s*([\w\"'.\- ]+?)\s*=")
_PART = re.compile(r"\"([^\"]*)\"|'([^']*)'|([\w-]+)")


@dataclass(frozen=True)
class ContractFile:
    """A valid file of overrides."""

    path: Path
    text: str
    overrides: Overrides

    def for_tenants(self, known: Mapping[str, UUID]) -> Overrides:
        """The overrides with tenants by uuid. Raises ConfigError naming every unknown tenant."""
        unknown = [
            Objection(("tenants", name), f"no attached tenant {name}; see: c360 tenant list")
            for name in self.overrides.tenants
            if name not in known
        ] + [
            Objection(("brake", "tenants", name), f"no attached tenant {name}; see: c360 tenant list")
            for name in self.overrides.brake.tenants
            if name not in known
        ]
        if unknown:
            raise ConfigError(_refusal(self.path, self.text, unknown))
        by_uuid = {str(known[name]): rules for name, rules in self.overrides.tenants.items()}
        limits = {str(known[name]): own for name, own in self.overrides.brake.tenants.items()}
        brake = self.overrides.brake.model_copy(update={"tenants": limits})
        return self.overrides.model_copy(update={"tenants": by_uuid, "brake": brake})


def load_contract_file(name: str) -> ContractFile:
    """Read a file of overrides. Raises ConfigError naming every error with its line."""
    if not name:
        raise ConfigError("C360_CONTRACT_FILE is not set; docs/overrides.md explains the file")
    path = Path(name)
    try:
        text = path.read_text(encoding="utf-8")
        overrides = Overrides.model_validate(tomllib.loads(text))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"C360_CONTRACT_FILE: cannot read {path}: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    except ValidationError as error:
        raise ConfigError(_refusal(path, text, _forms(error))) from None
    if found := objections(overrides):
        raise ConfigError(_refusal(path, text, found))
    return ContractFile(path, text, overrides)


def line_of(text: str, path: tuple[str, ...]) -> int:
    """The line of a TOML text that matches most of a key's path; the first line if none matches."""
    best, line = 0, 1
    table: tuple[str, ...] = ()
    for number, content in enumerate(text.splitlines(), start=1):
        if found := _TABLE.match(content):
            here = table = _parts(found[1])
        elif found := _KEY.match(content):
            here = (*table, *_parts(found[1]))
        else:
            continue
        length = min(len(here), len(path))
        if here[:length] == path[:length] and length > best:
            best, line = length, number
    return line


def rule_line(rule: tuple[str, ...], subdomain: str, file: ContractFile | None, version: int) -> str:
    """The place of a rule: in the file of overrides, or else in its module.

    Shapes: `rule` is the path below an entity, without `fields`; `subdomain` is empty for all tenants.
    """
    entity, *rest = rule
    if is_extra := rest[:1] == ["extra"]:
        where = f"overrides, version {version}"
    else:
        where = _module_line(entity, rest[0] if rest else "")
    if file is None or not rest:
        return where
    below = (entity, *rest) if is_extra else (entity, "fields", *rest)
    for path in (("tenants", subdomain, *below), ("all", *below)):
        if _is_there(file.overrides.model_dump(mode="json"), path):
            return f"{file.path}:{line_of(file.text, path)}"
    return where


def _module_line(entity: str, name: str) -> str:
    folder = Path(contracts.__file__).parent
    source = (folder / f"{entity}.py").read_text(encoding="utf-8")
    lines = [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and node.args
        if isinstance(node.args[0], ast.Constant) and node.args[0].value == name
    ]
    return f"sync_daemon/domain/contracts/{entity}.py:{min(lines, default=1)}"


def _is_there(rules: object, path: Iterable[str]) -> bool:
    for part in path:
        if not isinstance(rules, dict) or part not in rules:
            return False
        rules = rules[part]
    return True


def _forms(error: ValidationError) -> Iterator[Objection]:
    for item in error.errors():
        path = tuple(str(part) for part in item["loc"] if part != "[key]")
        given = item["input"]
        shown = f": {printable(given)}" if isinstance(given, str | int | float) else ""
        yield Objection(path, f"{item['msg']}{shown}")


def _refusal(path: Path, text: str, found: Iterable[Objection]) -> str:
    lines = [f"{path}:{line_of(text, item.path)}: {_named(item.path)}{item.message}" for item in found]
    return "these overrides cannot be used:\n  " + "\n  ".join(dict.fromkeys(lines))


def _named(path: tuple[str, ...]) -> str:
    if path[:1] == ("tenants",) and len(path) > 1:
        return f"tenant {path[1]}, {'.'.join(path[2:]) or 'as a whole'}: "
    return f"{'.'.join(path) or 'the file'}: "


def _parts(text: str) -> tuple[str, ...]:
    return tuple("".join(found) for found in _PART.findall(text))
