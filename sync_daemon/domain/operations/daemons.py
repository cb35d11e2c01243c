"""The running daemons as they describe themselves, and how they contradict each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sync_daemon.domain.operations.diagnosis import Diagnosis

FORGOTTEN_AFTER = timedelta(seconds=30)
"""A daemon that was not seen for so long no longer runs."""

GOES_ON = "mend what the problem names: the service goes on by itself; the daemon's log says more"
SAME_FILE = "give every `c360 run` the same C360_CONTRACT_FILE, then: c360 contract apply"
SAME_RELEASE = "run the same release everywhere"


@dataclass(frozen=True)
class RunningDaemon:
    """One `c360 run`. Shapes: `contract_file` is a digest, empty without a file."""

    host: str
    pid: int
    version: str
    contract_file: str
    problems: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Where it runs."""
        return f"daemon {self.pid} on {self.host}"


def diagnose(daemons: Sequence[RunningDaemon]) -> Iterable[Diagnosis]:
    """What the daemons say is wrong with them, and where they differ."""
    for daemon in daemons:
        for problem in daemon.problems:
            yield Diagnosis(daemon.place, problem, GOES_ON)
    for name, fix in (("contract_file", SAME_FILE), ("version", SAME_RELEASE)):
        if len({getattr(daemon, name) for daemon in daemons}) > 1:
            words = {"contract_file": "contract files", "version": "versions"}[name]
            places = " and ".join(daemon.place for daemon in daemons)
            yield Diagnosis("daemons", f"{places} have different {words}", fix)
