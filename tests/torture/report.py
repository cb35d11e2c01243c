"""The figures of a run: a table for people, the last line for machines, and JSON for both."""

from __future__ import annotations

import json
import platform
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg2

from tests.bench.figures import percentile
from tests.torture import reader
from tests.torture.breach import KINDS, Breach
from tests.torture.history import History
from tests.torture.reader import Findings
from tests.torture.schedule import Strike
from tests.torture.stage import Daemon, Stage

SAMPLE_SECONDS = 1.0
SHOWN = 12
PHASES = ("before", "during", "after")


@dataclass(frozen=True)
class Sample:
    """One look at what goes on. Units: `at` is the monotonic clock's, memory is in bytes."""

    at: float
    written: int
    owed: int
    memory: int
    files: int
    threads: int


@dataclass
class Sampler:
    """Looks every second until it is stopped; while the database is away there is nothing to see."""

    stage: Stage
    samples: list[Sample] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Look until `stop()`."""
        while not self._over.wait(SAMPLE_SECONDS):
            with suppress(psycopg2.Error):
                written, owed = reader.progress(self.stage.settings)
                used = zip(*map(_used, self.stage.daemons), strict=True)
                self.samples.append(Sample(time.monotonic(), written, owed, *map(max, used)))

    def stop(self) -> None:
        """Look no more."""
        self._over.set()


def peak(samples: Iterable[Sample]) -> tuple[int, int, int]:
    """The most memory, open files and threads that one daemon had. Units: memory in bytes."""
    memory, files, threads = zip((0, 0, 0), *((look.memory, look.files, look.threads) for look in samples), strict=True)
    return max(memory), max(files), max(threads)


def _used(daemon: Daemon) -> tuple[int, int, int]:
    process = Path(f"/proc/{daemon.pid}")
    try:
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        files = sum(1 for _ in (process / "fd").iterdir())
        return int(status["VmRSS"].split()[0]) * 1024, files, int(status["Threads"])
    except (OSError, KeyError):
        return 0, 0, 0


@dataclass
class Run:
    """Everything one run came to. Units: `phases` are the ends of warm-up and of the faults, as instants."""

    seed: int
    duration: float
    history: History
    found: Findings
    breaches: Sequence[Breach]
    strikes: Sequence[Strike]
    samples: Sequence[Sample]
    daemons: Sequence[Daemon]
    calls: int
    hints: int
    phases: tuple[datetime, datetime]
    converged_in: float | None
    clocks: str

    @property
    def last_line(self) -> str:
        """The verdict."""
        counts = Counter(breach.kind for breach in self.breaches)
        converged = "never" if self.converged_in is None else f"{self.converged_in:.1f}s"
        return " ".join(f"{kind}={counts[kind]}" for kind in KINDS) + f" converged_in={converged}"

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.breaches and self.converged_in is not None

    def figures(self) -> dict[str, Any]:
        """All figures."""
        counts = self.history.counts()
        memory, files, threads = peak(self.samples)
        return {
            "seed": self.seed,
            "duration_s": self.duration,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "python": platform.python_version(),
            "verdict": self.last_line,
            "intents": {**counts, "recovered": self._recovered()},
            "records": {
                "registrations": len(self.found.registrations),
                "leads": len(self.found.leads),
                "commissions": len(self.found.commissions),
                "x_commissions": len(self.found.records),
                "partners": len(self.found.partners),
                "documents": len(self.found.documents),
                "attachments": len(self.found.attachments),
                "invoices": len(self.found.invoices),
                "moves": len(self.found.moves),
                "parked": len(self.found.letters),
                "conflicts": len(self.found.conflicts),
            },
            "faults": dict(sorted(Counter(strike.name for strike in self.strikes).items())),
            "timeline": self._timeline(),
            "clocks": self.clocks or "moved",
            "first_progress_after_a_fault_s": _spread(
                spent for strike in self.strikes if (spent := self._first_progress(strike)) is not None
            ),
            "longest_stall_s": round(self._longest_stall(), 1),
            "converged_in_s": None if self.converged_in is None else round(self.converged_in, 1),
            "latency_s": self._latencies(),
            "latency_by_tenant_p95_s": self._by_tenant(),
            "app_transactions_refused": dict(self.history.refusals),
            "mass_losses_before_a_person_decided": [
                f"{loss.what}: {loss.arrived} of {loss.records}" for loss in self.history.witnessed.losses
            ],
            "daemons_on_copies_ended_with": self.history.witnessed.copies,
            "calls_to_odoo": self.calls,
            "hints_replayed_at_the_end": self.hints,
            "daemons": {
                daemon.name: {"starts": len(daemon.exits), "exits": dict(Counter(map(str, daemon.exits)))}
                for daemon in self.daemons
            },
            "peak": {"memory_mb": round(memory / 1e6), "files": files, "threads": threads},
            "wrong": [f"{breach.kind}: {breach.sentence}" for breach in self.breaches],
        }

    def _recovered(self) -> int:
        """Insertions whose outcome nobody knew and which are there."""
        there = {row["id"] for row in (*self.found.registrations, *self.found.commissions)}
        return sum(
            intent.id in there and intent.outcome == "unknown" and intent.action == "insert"
            for intent in self.history.intents
        )

    def _first_progress(self, strike: Strike) -> float | None:
        """Seconds from the end of a fault until something was written down; None if nothing was owed any more."""
        after = [sample for sample in self.samples if sample.at >= strike.ended]
        later = next((sample.at for sample in after if sample.written > after[0].written), None)
        return None if later is None else later - strike.ended

    def _timeline(self) -> list[str]:
        start = self.samples[0].at if self.samples else 0.0
        return [
            f"{strike.began - start:6.1f} to {strike.ended - start:6.1f} s: {strike.name} ({strike.what}); "
            f"progress after {'nothing more' if (spent := self._first_progress(strike)) is None else f'{spent:.1f} s'}"
            for strike in self.strikes
        ]

    def _longest_stall(self) -> float:
        longest = since = 0.0
        for before, sample in zip(self.samples, self.samples[1:], strict=False):
            stalled = sample.owed > 0 and before.owed > 0 and sample.written == before.written
            since = since + sample.at - before.at if stalled else 0.0
            longest = max(longest, since)
        return longest

    def _latencies(self) -> dict[str, Any]:
        parts: defaultdict[str, list[float]] = defaultdict(list)
        for row in self.found.latencies:
            phase = PHASES[sum(row["began"] >= end for end in self.phases)]
            parts[phase].append((row["ended"] - row["began"]).total_seconds())
        return {phase: _spread(parts[phase]) for phase in PHASES if parts[phase]}

    def _by_tenant(self) -> dict[str, float]:
        parts: defaultdict[str, list[float]] = defaultdict(list)
        for row in self.found.latencies:
            parts[str(row["tenant"])].append((row["ended"] - row["began"]).total_seconds())
        return {tenant: _spread(values)["p95"] for tenant, values in sorted(parts.items())}


def _spread(values: Iterable[float]) -> dict[str, float]:
    found = sorted(values)
    if not found:
        return {}
    if len(found) == 1:
        found *= 2
    shares = {f"p{share}": round(percentile(found, share), 2) for share in (50, 95, 99)}
    return {**shares, "max": round(found[-1], 2), "n": len(found)}


def write(run: Run, path: Path) -> None:
    """Write the figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(run.figures(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def show(run: Run, kept: Path) -> None:
    """Print the figures, what is wrong, how to have it again, and the last line."""
    figures = run.figures()
    for name, value in figures.items():
        if name not in ("wrong", "verdict", "timeline"):
            print(f"{name.replace('_', ' '):<34} {_shown(value)}")
    for kind in KINDS:
        sentences = [breach.sentence for breach in run.breaches if breach.kind == kind]
        for sentence in sentences[:SHOWN]:
            print(f"{kind}: {sentence}")
        if len(sentences) > SHOWN:
            print(f"{kind}: and {len(sentences) - SHOWN} more")
    if not run.passed:
        print(f"again with: make torture SEED={run.seed} DURATION={run.duration:.0f}; the daemons' logs: {kept}")
    print(run.last_line, flush=True)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(item)}" for name, item in value.items()) or "-"
    return str(value)
