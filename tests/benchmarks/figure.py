"""Figures: what was measured, what was wanted, and the table of them."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

WIDTH = 120  # of the table, where there is no terminal
MARKS = {True: "[green]yes[/green]", False: "[red]no[/red]", None: ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table; without a bound it is for information."""

    what: str
    value: float
    unit: str = ""
    at_least: float | None = None
    below: float | None = None
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.at_least is not None:
            return self.value >= self.at_least
        return None if self.below is None else self.value < self.below

    @property
    def target(self) -> str:
        """The target as text."""
        if self.at_least is not None:
            return f"≥ {_shown(self.at_least, self.unit)}"
        return "" if self.below is None else f"< {_shown(self.below, self.unit)}"

    @property
    def measured(self) -> str:
        """The value as text."""
        return _shown(self.value, self.unit)


def print_table(figures: Iterable[Figure], title: str) -> None:
    """Print the figures to standard output."""
    shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    shown.add_column("what")
    shown.add_column("measured", justify="right", no_wrap=True)
    shown.add_column("target", justify="right", no_wrap=True)
    shown.add_column("met?")
    for figure in figures:
        what = f"{figure.what}\n  [dim]{figure.note}[/dim]" if figure.note else figure.what
        shown.add_row(what, figure.measured, figure.target, MARKS[figure.is_met])
    terminal = Console(highlight=False)
    output = terminal if terminal.is_terminal else Console(highlight=False, width=WIDTH)
    output.print(shown)


def write_json(figures: Iterable[Figure], path: Path) -> None:
    """Write the figures to a file."""
    rows = [asdict(figure) | {"is_met": figure.is_met} for figure in figures]
    path.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _shown(value: float, unit: str) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f} {unit}".rstrip()
