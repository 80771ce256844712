"""What was mirrored so far, in lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Summary = Mapping[str, Any]


def progress(seconds: float, sent: int, failed: int, summary: Summary) -> str:
    """One line: what clients sent, and how their copies ended."""
    ended = ", ".join(f"{count} {name}" for name, count in _nonzero(summary["outcomes"]))
    verdicts = ", ".join(f"{count} {name}" for name, count in _nonzero(summary["verdicts"]))
    requests = f"{sent} requests ({failed} failed)"
    line = f"{seconds:4.0f} s  {requests} → {summary['selected']} copies: {ended or 'none yet'}"
    return line + (f"; {verdicts}" if verdicts else "")


def table(summary: Summary) -> Iterator[str]:
    """One line for each rule and destination, below a heading."""
    rows = [("rule", "destination", "copies", "how they ended", "verdicts")]
    rows += [_row(copies) for copies in summary["copies"]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def differences(groups: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One line for each place where the destination's answers differ from the primary's."""
    for group in groups:
        yield f"{group['route']}  {group['place']} ({group['kind']}), {group['count']} of {group['of']}"


def _row(copies: Summary) -> tuple[str, str, str, str, str]:
    ended = [
        f"{count} {outcome} ({reason})"
        for outcome, reasons in copies["outcomes"].items()
        for reason, count in _nonzero(reasons)
    ]
    verdicts = [f"{count} {verdict}" for verdict, count in _nonzero(copies["verdicts"])]
    name = f"{copies['api']} / {copies['rule']}"
    return name, copies["destination"], str(copies["selected"]), ", ".join(ended), ", ".join(verdicts)


def _nonzero(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return [(name, count) for name, count in counts.items() if count]
