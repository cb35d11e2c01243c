"""`c360`, run as a user runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stack import processes

ROOT = Path(__file__).resolve().parents[2]
C360 = Path(sys.executable).parent / "c360"
DEADLINE = 30.0


def _installed(
    words: Sequence[str], environment: Mapping[str, str], folder: Path, timeout: float
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(C360), *words],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        timeout=timeout,
        check=False,
    )


# tests fork, measurements start the installed script
started_by = _installed


def c360(*arguments: str, expect: int | None = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Gives what a command printed; `expect` is its exit code, None for any."""
    done = started_by(arguments, {**os.environ, **environment}, ROOT, 600)
    said = f"c360 {' '.join(arguments)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert expect is None or done.returncode == expect, said
    return done


def printed(*arguments: str, expect: int | None = None, **environment: str) -> Any:
    """Gives the JSON that a reading command prints."""
    return json.loads(c360(*arguments, "--json", expect=expect, **environment).stdout)


@contextmanager
def daemon(log: Path, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """`c360 run` while the block lasts, then SIGTERM; gives the process. Its log is shown if the block fails."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(C360), "run", *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **environment},
        )
    try:
        yield process
    except BaseException:
        sys.stderr.write(f"the daemon's log ended with:\n{tail(log)}\n")
        raise
    finally:
        end(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL: no handler, no farewell."""
    process.send_signal(signal.SIGKILL)
    process.wait(DEADLINE)


def end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, as a service manager does; SIGKILL after the deadline."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            kill(process)


def tail(log: Path, lines: int = 15) -> str:
    """Gives the end of a log."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def eventually(condition: Callable[[], object], what: str, seconds: float = DEADLINE) -> None:
    """Waits until the condition holds; fails saying what was waited for."""
    assert processes.wait(lambda: bool(condition()), seconds), f"not within {seconds:.0f} s: {what}"


def environment_of(transport: str) -> Mapping[str, str]:
    """Gives the environment that chooses a transport."""
    return {"ODOO_TRANSPORT": transport}
