"""`make odoo-suite`: Odoo's own tests with and without the addon; exit code 1 if a result differs."""

from __future__ import annotations

import argparse
import ast
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from stack import layout, local
from sync_daemon.errors import BridgeError
from tests.acceptance.web import CHROMIUM
from tests.odoo_suite import page, results, suite
from tests.odoo_suite.page import Module
from tests.odoo_suite.results import Difference
from tests.odoo_suite.suite import Suite
from tests.stack_use import end_on_sigterm

MANIFEST = suite.ROOT / "addons" / "comply360_bridge" / "__manifest__.py"


def main() -> int:
    """Gives 0 if every test gives the same with the addon as without it."""
    parser = argparse.ArgumentParser(prog="python -m tests.odoo_suite")
    parser.add_argument("--only", action="append", choices=suite.MODULES, help="only this module's tests; repeatable")
    parser.add_argument("--test", help="only what Odoo's --test-tags means by this, in both databases; no page")
    parser.add_argument("--baseline", action="store_true", help="only the runs without the addon, which are kept")
    parser.add_argument("--again", action="store_true", help="repeat the runs that are kept")
    options = parser.parse_args()
    end_on_sigterm()
    modules = options.only or suite.MODULES
    here = None
    try:
        run = suite.start()
        here = run.here
        if options.test:
            return _compare_one(run, options.test)
        for module in modules:
            _kept(run, module, False, options.again)
        if options.baseline:
            return 0
        return _compare(run, modules, options.again)
    except BridgeError as error:
        print(f"c360: {error}", file=sys.stderr)
        return layout.exit_code(error)
    finally:
        if here is not None:
            local.down(here)


def _compare(run: Suite, modules: Sequence[str], again: bool) -> int:
    found = [_module(run, module, again) for module in modules]
    if tuple(modules) == suite.MODULES:
        page.PAGE.write_text(page.page(found, _versions(run)), encoding="utf-8")
        print(f"written: {page.PAGE.relative_to(suite.ROOT)}")
    different = [one for module in found for one in results.differences(module.without, module.with_addon)]
    _show(different)
    for module in found:
        print(f"{module.name}: {dict(results.counts(module.with_addon))}")
    return 1 if different else 0


def _module(run: Suite, module: str, again: bool) -> Module:
    """Both runs; where they differ, the classes run once more in both, and what still differs counts."""
    without, with_addon = (_kept(run, module, is_with, again) for is_with in (False, True))
    first = results.differences(without, with_addon)
    if not first:
        return Module(module, without, with_addon)
    tags, folder = results.tags(first), suite.FOLDER / "repeated"
    repeated = [run.run(tags, is_with, folder / f"{module}-{is_with}.jsonl") for is_with in (False, True)]
    keys = {(one.test, one.phase) for one in first}
    same = keys - {(one.test, one.phase) for one in results.differences(*repeated)}
    one, other = (
        {**kept, **{key: new[key] for key in same & new.keys()}}
        for kept, new in zip((without, with_addon), repeated, strict=True)
    )
    return Module(
        module, one, other, [difference for difference in first if (difference.test, difference.phase) in same]
    )


def _kept(run: Suite, module: str, with_addon: bool, again: bool) -> results.Results:
    path = run.stored(module, with_addon)
    if path.exists() and not again:
        return results.read(path.read_text(encoding="utf-8").splitlines())
    print(f"running Odoo's tests of {module} {'with' if with_addon else 'without'} the addon", file=sys.stderr)
    return run.run(f"/{module}", with_addon, path)


def _compare_one(run: Suite, tags: str) -> int:
    folder = suite.FOLDER / "one"
    without, with_addon = (run.run(tags, is_with, folder / f"{is_with}.jsonl") for is_with in (False, True))
    for key in sorted(with_addon):
        print(f"{key[0]} ({key[1]}): {with_addon[key].shown}")
    found = results.differences(without, with_addon)
    _show(found)
    return 1 if found else 0


def _show(found: Sequence[Difference]) -> None:
    for one in found:
        print(f"{one.test} ({one.phase}): without {one.without}; with {one.with_addon}; {one.reason}")
    print(f"{len(found)} results differ")


def _versions(run: Suite) -> dict[str, str]:
    manifest = ast.literal_eval(MANIFEST.read_text(encoding="utf-8"))
    return {
        "Odoo": run.odoo,
        "the addon": f"{manifest['version']} (files {run.addon})",
        "Python": platform.python_version(),
        "browser of the tours": _browser(),
    }


def _browser() -> str:
    if not shutil.which(CHROMIUM):
        return "none, so the tours are skipped in both databases"
    done = subprocess.run([CHROMIUM, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or Path(CHROMIUM).name


if __name__ == "__main__":
    raise SystemExit(main())
