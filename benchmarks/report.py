"""The report: what a run measured, as plain values that `results.json` keeps and the table and plots show."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

Unit = Literal["ratio", "µs", "ms", "s", "MiB", "/s", "%"]


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run was made. `pinning` says in words which part had which core."""

    cpu: str
    cores: int
    memory_gib: float
    system: str
    python: str
    versions: tuple[tuple[str, str], ...]
    pinning: str
    load_before: float


class Target(msgspec.Struct, frozen=True):
    """What a figure should reach: at least, or at most, `limit`."""

    kind: Literal["≥", "≤"]
    limit: float

    def missed_by(self, value: float) -> float:
        """How far `value` is on the wrong side; 0 when it is not."""
        return max(0.0, self.limit - value if self.kind == "≥" else value - self.limit)


class Spread(msgspec.Struct, frozen=True):
    """The median of some samples and the lowest and highest of them."""

    median: float
    low: float
    high: float
    count: int


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table. `key` is for other parts of a run; `how` says how it was measured."""

    key: str
    group: str
    name: str
    unit: Unit
    spread: Spread
    target: Target | None = None
    how: str = ""


class Line(msgspec.Struct, frozen=True):
    """One line of a plot: its name and its points."""

    name: str
    points: tuple[tuple[float, float], ...]


class Plot(msgspec.Struct, frozen=True, kw_only=True):
    """One plot, made into `benchmarks/plots/<key>.svg`."""

    key: str
    title: str
    x: str
    y: str
    lines: tuple[Line, ...]
    log_x: bool = False
    log_y: bool = False


class Absent(msgspec.Struct, frozen=True):
    """Something that was not measured, and why not. `broken`: it should have been."""

    name: str
    why: str
    broken: bool = False


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of one run. `seconds` is how long it took."""

    machine: Machine
    command: str
    taken: str
    seconds: float
    figures: tuple[Figure, ...]
    plots: tuple[Plot, ...] = ()
    absent: tuple[Absent, ...] = ()

    def get(self, key: str) -> Figure | None:
        """The figure of that key, None where it was not measured."""
        return next((figure for figure in self.figures if figure.key == key), None)


class Part(msgspec.Struct, frozen=True):
    """What one part of a run found."""

    figures: tuple[Figure, ...] = ()
    plots: tuple[Plot, ...] = ()
    absent: tuple[Absent, ...] = ()


def save_report(report: Report, file: Path) -> None:
    """Writes a report as JSON that people can read too."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")


def load_report(file: Path) -> Report:
    """Reads a report back. Raises OSError and msgspec.DecodeError."""
    return msgspec.json.decode(file.read_bytes(), type=Report)
