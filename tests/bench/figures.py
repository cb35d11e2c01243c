"""What a measurement comes to, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Figure:
    """One measured value. Shapes: `aim` is a comparison such as `>= 0.5`, of the ratio where there is one."""

    name: str
    value: float
    unit: str
    compared_with: str = ""
    ratio: float | None = None
    aim: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the aim is met; None where there is none."""
        if not self.aim:
            return None
        sign, limit = self.aim.split()
        measured = self.value if self.ratio is None else self.ratio
        return measured >= float(limit) if sign == ">=" else measured <= float(limit)


def percentile(values: Sequence[float], share: int) -> float:
    """The value that `share` per cent of the values do not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]


def write(figures: Sequence[Figure], path: Path) -> None:
    """Write the figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n", encoding="utf-8")


def show(figures: Sequence[Figure]) -> None:
    """Print the figures as a table."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=118)
    table = Table(title="Measured on this machine", title_justify="left", title_style="bold")
    for name, justify in (
        ("what", "left"),
        ("value", "right"),
        ("unit", "left"),
        ("compared with", "left"),
        ("ratio", "right"),
        ("aim", "right"),
        ("", "left"),
    ):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for figure in figures:
        table.add_row(*_cells(figure))
    console.print(table)


def _cells(figure: Figure) -> list[Text]:
    ratio = "" if figure.ratio is None else f"{figure.ratio:,.2f}"
    words = {None: Text(""), True: Text("met", style="green"), False: Text("missed", style="bold red")}
    number = f"{figure.value:,.0f}" if figure.value >= 100 else f"{figure.value:,.2f}"
    return [
        Text(figure.name),
        Text(number),
        Text(figure.unit),
        Text(figure.compared_with),
        Text(ratio),
        Text(figure.aim),
        words[figure.is_met],
    ]
