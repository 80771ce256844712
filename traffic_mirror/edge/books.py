"""The books: the edge's ledger, the copies under way in it, and whoever waits for their end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from traffic_mirror.edge.endings import KnownEndings
from traffic_mirror.edge.failed import FailedCopies
from traffic_mirror.edge.program import Lot
from traffic_mirror.edge.taken import Taken, unsent_line
from traffic_mirror.ledger import VERDICTS, Ledger, Row
from traffic_mirror.spec.model import Spec, row_names
from traffic_mirror.wire.codec import WireError
from traffic_mirror.wire.frames import Ended, Judged, Tally, Unsent, VerdictCount

_MANY = 1 << 40  # verdicts; no worker gives so many at once


class Books:
    """Every selected copy is opened here and ends here once, whatever becomes of the worker.

    `tally` counts what ended at the edge since the worker began. `failed` keeps what did not arrive.
    `tell`, where results are kept, takes the lines of copies that never left the proxy.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.tally = Ledger()
        self.failed: FailedCopies | None = None
        self.tell: Callable[[Unsent], object] | None = None
        self.some_ended = asyncio.Event()
        self._under_way: dict[int, Row] = {}
        self._lines: dict[int, tuple[Taken, Lot]] = {}
        self._lost_lines: list[Unsent] = []
        self._waiters: dict[int, _Waiter] = {}
        self._endings = KnownEndings()
        self._changed = True
        self._paused = False

    @property
    def under_way(self) -> int:
        """Copies that the worker has and has not told the end of."""
        return len(self._under_way)

    def is_under_way(self, number: int) -> bool:
        """Whether the copy of that number is one of them."""
        return number in self._under_way

    def lot(self, api: str, rule: str, destination: str, index: int) -> Lot:
        """The rows of one rule and destination; `index` is the destination's in its spec."""
        names = (api, rule, destination)
        return Lot(index, self.ledger.row(*names), self.tally.row(*names))

    def trim(self, spec: Spec) -> None:
        """Keeps the number of rows bounded, however often rules come and go."""
        for ledger in (self.ledger, self.tally):
            ledger.trim(lambda: row_names(spec))

    def open(self, taken: Taken, numbers: Sequence[int], lots: Sequence[Lot]) -> None:
        """Copies have gone to the worker."""
        for number, lot in zip(numbers, lots, strict=True):
            lot.row.selected += 1
            self._under_way[number] = lot.row
            if self.tell is not None:
                self._lines[number] = (taken, lot)

    def end_here(self, taken: Taken, lots: Sequence[Lot], outcome: str, reason: str) -> None:
        """Copies ended that never reached the worker."""
        self._changed = True
        for lot in lots:
            lot.end_here(outcome, reason)
            if self.tell is not None:
                self.tell(unsent_line(taken, lot, outcome, reason))

    def end(self, frame: Ended) -> None:
        """Copies ended, says the worker. Raises WireError for an ending that none of ours tells."""
        self.some_ended.set()
        for ending in frame.endings:
            row = self._under_way.get(ending.number)
            if row is None:
                continue
            row.end(*self._endings.check(ending.outcome, ending.reason))
            del self._under_way[ending.number]
            if self.failed is not None:
                self.failed.settle(ending.number, ending.outcome)
            if self.tell is not None:
                self._lines.pop(ending.number, None)
            waiter = self._waiters.pop(ending.number, None)
            if waiter is not None:
                waiter.one_ended()

    def end_all(self, reason: str) -> None:
        """Nothing more will be heard of the copies under way: they are dropped for `reason`."""
        self.some_ended.set()
        lost, self._under_way = self._under_way, {}
        for row in lost.values():
            row.end("dropped", reason)
        if self.failed is not None:
            self.failed.settle_all()
        self._lost_lines += [unsent_line(*line, "dropped", reason) for line in self._lines.values()]
        self._lines.clear()
        waiters, self._waiters = self._waiters, {}
        for waiter in waiters.values():
            waiter.one_ended()

    def judge(self, frame: Judged) -> None:
        """Verdicts came. Raises WireError for one that no worker of ours gives."""
        for api, rule, destination, verdict, count in frame.verdicts:
            if verdict not in VERDICTS or not 0 < count < _MANY:
                raise WireError("found a verdict that none of ours gives")
            row = self.ledger.find(api, rule, destination)
            if row is not None:  # its rule may be long gone
                row.judge(verdict, count)

    async def wait_for(self, numbers: Sequence[int], seconds: float) -> None:
        """Until all these copies have ended, for at most `seconds`."""
        waiter = _Waiter(len(numbers))
        self._waiters.update((number, waiter) for number in numbers)
        await asyncio.wait((waiter.done,), timeout=seconds)

    def set_paused(self, paused: bool) -> None:
        """Goes to the worker's page with the next tally."""
        self._paused = paused
        self._changed = True

    def begin_tally(self) -> None:
        """A new worker begins: what ended until now is its base, what was lost has its line from it."""
        for row in self.tally:
            row.ended.clear()
        lost, self._lost_lines = self._lost_lines, []
        if self.tell is not None:
            for line in lost:
                self.tell(line)
        self._changed = True

    def take_tally(self) -> Tally | None:
        """What ended at the edge, if that changed since it was last asked."""
        if not self._changed:
            return None
        self._changed = False
        return Tally(self.tally.counts(), self._paused)

    def verdict_counts(self) -> tuple[VerdictCount, ...]:
        """All verdicts so far, for a worker's start."""
        return tuple(
            VerdictCount(*row.key, verdict, count)
            for row in self.ledger
            for verdict, count in row.verdicts.items()
        )


class _Waiter:
    """A client's request that waits for its copies."""

    __slots__ = ("_open", "done")

    def __init__(self, copies: int) -> None:
        self._open = copies
        self.done = asyncio.get_running_loop().create_future()

    def one_ended(self) -> None:
        self._open -= 1
        if self._open == 0 and not self.done.done():
            self.done.set_result(None)
