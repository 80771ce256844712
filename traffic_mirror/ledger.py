"""The ledger: every selected copy, and the one outcome it ended in.

Kept at the edge, which outlives the worker, and in the worker for its metrics. Pure: no clock, no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

OUTCOMES = ("delivered", "failed", "dropped", "skipped", "sampled_out")
VERDICTS = ("match", "differ", "incomparable")


class RowKey(NamedTuple):
    """What a row counts: the names of an API, its rule and a destination."""

    api: str
    rule: str
    destination: str


class Count(NamedTuple):
    """One figure of the ledger, as it travels between edge and worker."""

    api: str
    rule: str
    destination: str
    outcome: str
    reason: str
    count: int  # type: ignore[assignment]  # shadows tuple.count, which nobody calls on it


GONE = RowKey("(gone)", "(gone)", "(gone)")  # where rows go that are too many to be told apart
MAX_ROWS = 20_000


class Row:
    """The counts of one rule and destination."""

    __slots__ = ("ended", "key", "selected", "verdicts")

    def __init__(self, key: RowKey) -> None:
        self.key = key
        self.selected = 0
        self.ended: dict[tuple[str, str], int] = {}
        self.verdicts: dict[str, int] = {}

    def end(self, outcome: str, reason: str, count: int = 1) -> None:
        """Counts copies that ended in `outcome` for `reason`."""
        key = (outcome, reason)
        self.ended[key] = self.ended.get(key, 0) + count

    def judge(self, verdict: str, count: int = 1) -> None:
        """Counts verdicts: `match`, `differ` or `incomparable`."""
        self.verdicts[verdict] = self.verdicts.get(verdict, 0) + count

    def take(self, other: Row) -> None:
        """Adds what another row counted."""
        self.selected += other.selected
        for (outcome, reason), count in other.ended.items():
            self.end(outcome, reason, count)
        for verdict, count in other.verdicts.items():
            self.judge(verdict, count)

    @property
    def in_flight(self) -> int:
        """Copies selected and not ended yet."""
        return self.selected - sum(self.ended.values())


class Ledger:
    """All rows, by key; a row stays when a reload takes its rule away, until there are too many."""

    def __init__(self) -> None:
        self._rows: dict[RowKey, Row] = {}

    def row(self, api: str, rule: str, destination: str) -> Row:
        """The row of these names, made when it is new."""
        key = RowKey(api, rule, destination)
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = Row(key)
        return row

    def find(self, api: str, rule: str, destination: str) -> Row | None:
        """The row of these names, if there is one."""
        return self._rows.get(RowKey(api, rule, destination))

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def trim(self, in_force: Callable[[], Collection[tuple[str, str, str]]], most: int = MAX_ROWS) -> None:
        """With more than `most` rows, those of rules that are gone become one, but for copies under way.

        The sum stays what it was.
        """
        if len(self._rows) <= most:
            return
        stay = {*in_force(), GONE}
        gone = [key for key, row in self._rows.items() if key not in stay and row.in_flight <= 0]
        for key in gone:
            row = self._rows.pop(key)
            if row.selected or row.ended:
                self.row(*GONE).take(row)

    def counts(self) -> tuple[Count, ...]:
        """Every ended copy's figure, for the wire."""
        return tuple(
            Count(*row.key, outcome, reason, n) for row in self for (outcome, reason), n in row.ended.items()
        )

    def add(self, counts: Iterable[Count]) -> None:
        """Adds ended copies, which also count as selected."""
        for api, rule, destination, outcome, reason, n in counts:
            row = self.row(api, rule, destination)
            row.selected += n
            row.end(outcome, reason, n)

    @property
    def selected(self) -> int:
        """Copies selected in all."""
        return sum(row.selected for row in self)

    @property
    def in_flight(self) -> int:
        """Copies selected and not ended."""
        return sum(row.in_flight for row in self)

    def outcomes(self) -> dict[str, int]:
        """Copies by outcome, every outcome present."""
        totals = dict.fromkeys(OUTCOMES, 0)
        for row in self:
            for (outcome, _), n in row.ended.items():
                totals[outcome] += n
        return totals

    def verdicts(self) -> dict[str, int]:
        """Verdicts by kind, every kind present."""
        totals = dict.fromkeys(VERDICTS, 0)
        for row in self:
            for verdict, n in row.verdicts.items():
                totals[verdict] += n
        return totals
