"""A daemon's life: nothing that it does after its death reaches anybody."""

from __future__ import annotations

from collections.abc import Callable


class Died(BaseException):
    """The process was killed at this instant; no handler of an ordinary error catches it."""


class Process:
    """One daemon, as its neighbours see it."""

    def __init__(self, name: str = "daemon") -> None:
        self.name = name
        self.is_alive = True
        self._at_death: list[Callable[[], None]] = []

    def check(self) -> None:
        """Raises Died once the process is dead."""
        if not self.is_alive:
            raise Died(self.name)

    def at_death(self, act: Callable[[], None]) -> None:
        """Have a neighbour notice the death, as a broker notices a closed connection."""
        self._at_death.append(act)

    def die(self) -> None:
        """End as by `kill -9`."""
        if self.is_alive:
            self.is_alive = False
            for act in self._at_death:
                act()
