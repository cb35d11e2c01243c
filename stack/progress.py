"""Reports progress, so that nothing longer than two seconds is silent."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_TICK_SECONDS = 10.0


@contextmanager
def step(text: str) -> Iterator[None]:
    """Shows `text` while the block runs and its duration afterwards, on stderr.

    On a terminal a spinner turns; elsewhere a plain line comes at the start, every ten seconds, and at the end.
    """
    began = time.monotonic()
    with _spinner(text) if sys.stderr.isatty() else _plain_lines(text):
        yield
    if (spent := time.monotonic() - began) >= 1:
        _say(f"   {text}: done in {spent:.0f} s")


def note(text: str) -> None:
    """Prints one message on stderr."""
    _say(text)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextmanager
def _spinner(text: str) -> Iterator[None]:
    # rich is not there yet while the virtual environment is being made
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield


@contextmanager
def _plain_lines(text: str) -> Iterator[None]:
    _say(f"-> {text}")
    over = threading.Event()
    ticker = threading.Thread(target=_tick, args=(text, over), daemon=True)
    ticker.start()
    try:
        yield
    finally:
        over.set()
        ticker.join()


def _tick(text: str, over: threading.Event) -> None:
    spent = 0.0
    while not over.wait(_TICK_SECONDS):
        spent += _TICK_SECONDS
        _say(f"   {text}: {spent:.0f} s so far")
