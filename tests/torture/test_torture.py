"""The short torture: the same test that `make torture` plays, on the test stack and for less than a minute."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from sync_daemon.config import Settings
from tests.acceptance.command import ROOT

SEED = 4
SECONDS = 40


@pytest.mark.reliability("F22", "F35", "F40", "F65", "F74", "F76", "F79", "F84")
def test_while_everything_fails_nothing_is_lost_doubled_unexpected_or_differing(stack_settings: Settings) -> None:
    command = [sys.executable, "-m", "tests.torture", "--stack-that-runs"]
    done = subprocess.run(
        [*command, "--seed", str(SEED), "--duration", str(SECONDS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    said = f"{done.stdout}\n{done.stderr}"
    assert done.returncode == 0, said
    verdict = done.stdout.splitlines()[-1]
    assert re.fullmatch(r"lost=0 doubled=0 unexpected=0 differing=0 converged_in=\d+\.\d+s", verdict), said
