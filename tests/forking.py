"""`c360` forked from a process that has imported it: the import costs several times what most commands work.

`python -m tests.forking FD` is that process. Each command runs the whole of `c360` with its own words, environment,
folder and files in a process of its own, which can be killed like any other. How the installed script itself starts is
seen by every daemon and every self-test, which are started as users do.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

C360 = Path(sys.executable).parent / "c360"
_LARGEST_REQUEST = 1 << 20
# read by Python itself as it starts
_OF_PYTHON = ("PYTHON", "LC_", "LANG")


def run(
    words: Sequence[str], environment: Mapping[str, str], folder: Path, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Gives what `c360` printed and its exit code, that of `subprocess.run` if a signal ended it.

    Raises: subprocess.TimeoutExpired after it was killed.
    """
    if _of_python(environment) != _of_python(os.environ):
        raise ValueError("Python reads one of these as it starts: run the installed command")
    reader, writer = os.pipe()
    with (
        os.fdopen(reader, "rb", buffering=0) as status,
        tempfile.TemporaryFile() as stdout,
        tempfile.TemporaryFile() as stderr,
        Path(os.devnull).open("rb") as stdin,
    ):
        request = json.dumps({"words": list(words), "environment": dict(environment), "folder": str(folder)}).encode()
        try:
            files = [stdin.fileno(), stdout.fileno(), stderr.fileno(), writer]
            socket.send_fds(_origin(os.getpid()), [request], files)
        finally:
            os.close(writer)
        code = _ended(status.fileno(), words, timeout)
        stdout.seek(0)
        stderr.seek(0)
        return subprocess.CompletedProcess([str(C360), *words], code, stdout.read().decode(), stderr.read().decode())


def _ended(status: int, words: Sequence[str], timeout: float) -> int:
    """Gives the exit code; the first line that comes is the process's number, the second that."""
    deadline, said = time.monotonic() + timeout, b""
    with selectors.DefaultSelector() as waiting:
        waiting.register(status, selectors.EVENT_READ)
        while said.count(b"\n") < 2:
            if not waiting.select(max(0.0, deadline - time.monotonic())):
                os.kill(int(said.split(b"\n")[0]), signal.SIGKILL)
                raise subprocess.TimeoutExpired([str(C360), *words], timeout)
            if not (part := os.read(status, 100)):
                raise RuntimeError("the process that c360 is forked from has ended")
            said += part
    return int(said.split(b"\n")[1])


def _of_python(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_OF_PYTHON)}


@cache
def _origin(_for: int) -> socket.socket:
    """The connection to the process that is forked, which ends with ours."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LARGEST_REQUEST)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.forking", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            cwd=Path(__file__).resolve().parent.parent,
            stdin=subprocess.DEVNULL,
        )
    atexit.register(_end, ours, process)
    return ours


def _end(ours: socket.socket, process: subprocess.Popen[bytes]) -> None:
    ours.close()
    process.wait(30)


def serve(requests: socket.socket) -> None:
    """Forks a process for every request until nobody can ask any more."""
    import click

    from sync_daemon.cli.main import COMMANDS, main

    for name in COMMANDS:
        main.get_command(click.Context(main), name)
    gc.collect()
    gc.freeze()
    with selectors.DefaultSelector() as waiting:
        waiting.register(requests, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.fileobj is not requests:
                    _tell_end(waiting, key)
                elif not _start(waiting, requests):
                    return


def _start(waiting: selectors.BaseSelector, requests: socket.socket) -> bool:
    message, files, _, _ = socket.recv_fds(requests, _LARGEST_REQUEST, 4)
    if not message:
        return False
    if not (pid := os.fork()):
        _become(json.loads(message), files, [key.fd for key in waiting.get_map().values()])
    *standard, status = files
    for file in standard:
        os.close(file)
    _tell(status, pid)
    waiting.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, status))
    return True


def _tell_end(waiting: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    pid, status = key.data
    waiting.unregister(key.fileobj)
    os.close(key.fd)
    _tell(status, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    os.close(status)


def _tell(status: int, number: int) -> None:
    # nobody may listen any more
    with contextlib.suppress(BrokenPipeError):
        os.write(status, f"{number}\n".encode())


def _become(request: Any, files: Sequence[int], foreign: Sequence[int]) -> None:
    """Is `c360` from here on, and ends."""
    code = 1
    try:
        for place, file in enumerate(files[:3]):
            os.dup2(file, place)
        for file in {*files, *foreign} - {0, 1, 2}:
            os.close(file)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
        os.environ.clear()
        os.environ.update(request["environment"])
        time.tzset()
        os.chdir(request["folder"])
        sys.argv = [str(C360), *request["words"]]
        code = _code()
        threading._shutdown()  # type: ignore[attr-defined] # as the end of a program does, and the next one
        atexit._run_exitfuncs()
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _code() -> int:
    from sync_daemon.cli.main import main

    try:
        main(prog_name="c360")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as asked:
        serve(asked)
