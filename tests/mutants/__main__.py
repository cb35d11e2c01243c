"""Proves every guard: `python -m tests.mutants [--only NAME]`; `make mutants` calls it."""

from __future__ import annotations

import argparse
import time

from stack import layout as layouts
from tests.lanes import TEST_ENVIRONMENT, prepare
from tests.mutants.mutant import Mutant, MutantError, check_green, mutants, prove
from tests.stack_use import using


def main() -> int:
    """Gives 0 only if each mutant turned its test red, and each test is green without it."""
    known = mutants()
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument(
        "--only",
        action="append",
        choices=[mutant.name for mutant in known],
        metavar="NAME",
        help="prove only this guard; repeatable",
    )
    names = parser.parse_args().only
    chosen = [mutant for mutant in known if not names or mutant.name in names]
    with using(layouts.from_environment(TEST_ENVIRONMENT)):
        if code := prepare():
            return code
        failed = sum(not _is_proven(mutant) for mutant in chosen)
        print("the same tests without a patch:", flush=True)
        try:
            check_green(chosen)
            print("all green")
        except MutantError as error:
            failed += 1
            print(error)
    print(f"{len(chosen)} mutants, {failed} failures")
    return 1 if failed else 0


def _is_proven(mutant: Mutant) -> bool:
    began = time.monotonic()
    try:
        prove(mutant)
    except MutantError as error:
        print(f"{mutant.name:<28} NOT PROVEN\n{error}", flush=True)
        return False
    print(f"{mutant.name:<28} red, as it must be ({time.monotonic() - began:.0f} s): {mutant.guard}", flush=True)
    return True


if __name__ == "__main__":
    raise SystemExit(main())
