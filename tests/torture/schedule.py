"""When which fault strikes: one every few seconds, each kind before any kind again, several at once where they may."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from tests.torture.acts import ACTS
from tests.torture.faults import FAULTS, Fault
from tests.torture.history import History
from tests.torture.stage import Stage

BETWEEN_SECONDS = (3.0, 8.0)
LONGEST_FAULT = 240.0
KINDS = (*FAULTS, *ACTS)
"""What fails, and what people do."""


@dataclass
class Strike:
    """A fault that struck. Units: instants are seconds of the monotonic clock."""

    name: str
    began: float
    ended: float = 0.0
    what: str = ""


@dataclass
class Schedule:
    """The faults of one run; `only` names its kinds, if not all may strike."""

    stage: Stage
    history: History
    random: random.Random
    only: Collection[str] = ()
    strikes: list[Strike] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _busy: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, seconds: float) -> None:
        """Let faults strike for so long, and wait until the last one is mended."""
        end = time.monotonic() + seconds
        threads = []
        waiting: list[Fault] = []
        kinds = self._kinds()
        while time.monotonic() < end:
            waiting.append(next(kinds))
            if fault := self._free(waiting):
                thread = threading.Thread(target=self._strike, args=(fault, self.random.random()), daemon=True)
                threads.append(thread)
                thread.start()
            time.sleep(max(0.0, min(self.random.uniform(*BETWEEN_SECONDS), end - time.monotonic())))
        for thread in threads:
            thread.join(LONGEST_FAULT)

    def _kinds(self) -> Iterator[Fault]:
        while True:
            kinds = [kind for kind in KINDS if kind.name != "clock_jumped" or self.stage.has_clocks]
            kinds = [kind for kind in kinds if kind.name in self.only or not self.only]
            self.random.shuffle(kinds)
            yield from kinds

    def _free(self, waiting: list[Fault]) -> Fault | None:
        """The first that touches nothing which another one has in hand; it is taken from the list."""
        with self._lock:
            for fault in waiting:
                if not fault.touches & self._busy:
                    self._busy |= fault.touches
                    waiting.remove(fault)
                    return fault
        return None

    def _strike(self, fault: Fault, seed: float) -> None:
        strike = Strike(fault.name, time.monotonic())
        with self._lock:
            self.strikes.append(strike)
        try:
            strike.what = fault.strike(self.stage, random.Random(seed), self.history)
        except Exception as error:
            self.errors.append(f"{fault.name} could not be carried out: {type(error).__name__}: {error}")
        finally:
            strike.ended = time.monotonic()
            with self._lock:
                self._busy -= fault.touches
            print(f"   {fault.name.replace('_', ' ')}: {strike.what}", file=sys.stderr, flush=True)
