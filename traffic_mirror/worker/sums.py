"""Sums: the outcomes and verdicts of several ledger rows together."""

from __future__ import annotations

from traffic_mirror.ledger import OUTCOMES, Row

VERDICTS = ("match", "differ", "incomparable")


class Sums:
    """Copies selected, and what they came to; every outcome and verdict is present."""

    __slots__ = ("outcomes", "selected", "verdicts")

    def __init__(self) -> None:
        self.selected = 0
        self.outcomes = dict.fromkeys(OUTCOMES, 0)
        self.verdicts = dict.fromkeys(VERDICTS, 0)

    def add(self, row: Row) -> None:
        """Adds a row."""
        self.selected += row.selected
        for (outcome, _), count in row.ended.items():
            self.outcomes[outcome] += count
        for verdict, count in row.verdicts.items():
            self.verdicts[verdict] += count
