"""`make bench`: measures on a stack of its own, prints a table, and writes build/bench.json."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from tests.stack_use import end_on_sigterm

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    "C360_STACK_DIR": str(ROOT / "build" / "bench-stack"),
    "C360_STACK_PORT_BASE": os.environ.get("C360_STACK_PORT_BASE", "25500"),
    "C360_ENV_FILE": "/dev/null",
}
# the module that measures it
MEASUREMENTS = {
    "triggers": "measurements",
    "throughput": "measurements",
    "latency": "measurements",
    "held_transactions": "measurements",
    "reconcile": "comparison",
    "isolation": "crowd",
    "many_tenants": "crowd",
    "worst_tenant": "worst_tenant",
    "three_million": "worst_tenant",
    "careless_statement": "careless_statement",
    "memory": "endurance",
    "held_snapshot": "endurance",
}


def main() -> int:
    """Gives 0 when everything could be measured; an aim that is missed is said, and is no failure."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, help="measure only this; repeatable")
    chosen = parser.parse_args().only or MEASUREMENTS
    os.environ.update(ENVIRONMENT)
    end_on_sigterm()
    from stack import layout, local
    from sync_daemon.cli.stack import steps
    from sync_daemon.errors import BridgeError
    from tests.bench import figures, measurements

    here = layout.from_environment()
    found: list[figures.Figure] = []
    try:
        settings = local.up(here, steps(), without=("daemon",))
        with tempfile.TemporaryDirectory() as folder:
            bench = measurements.Bench(here, settings, Path(folder) / "daemon.log")
            for name in chosen:
                print(f"measuring {name.replace('_', ' ')}", file=sys.stderr, flush=True)
                bench.close()
                measure = getattr(import_module(f"tests.bench.{MEASUREMENTS[name]}"), name)
                found += measure(bench)
            bench.close()
    except BridgeError as error:
        print(f"c360: {error}", file=sys.stderr)
        return layout.exit_code(error)
    finally:
        local.down(here)
    figures.write(found, ROOT / "build" / "bench.json")
    figures.show(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
