"""The pairing: holds ended copies back until their primary's answer and their baseline are there, bounded."""

from __future__ import annotations

from collections.abc import Callable

from traffic_mirror.wire.frames import Primary
from traffic_mirror.worker.case import Case
from traffic_mirror.worker.errand import Errand

MAX_CASES = 10_000
MAX_BYTES = 64 * 1024 * 1024
PATIENCE = 120.0  # seconds

Settle = Callable[[Errand], None]


class Pairing:
    """Cases by their flow's id, the oldest first; `settle` is called once for each copy of each case.

    A case that can't be completed within the bounds is settled as it is: its `unpaired` says why.
    """

    def __init__(self, clock: Callable[[], float], settle: Settle) -> None:
        self._clock = clock
        self._settle = settle
        self._cases: dict[str, tuple[Case, float]] = {}
        self._bytes = 0
        self._closed = False

    def __len__(self) -> int:
        return len(self._cases)

    def open(self, case: Case) -> None:
        """Expects the copies of `case` and its primary's answer."""
        if self._closed:
            case.unpaired = "shutdown"
        before = self._cases.get(case.request.id)
        if before is not None:
            self._give_up(before[0], "superseded")
        self._cases[case.request.id] = (case, self._clock())
        self._hold(case, len(case.body))
        if len(self._cases) > MAX_CASES:
            self._give_up_oldest()

    def answered(self, primary: Primary, body: bytes) -> None:
        """Takes the primary's answer."""
        found = self._cases.get(primary.id)
        if found is None or found[0].primary is not None:
            return
        case = found[0]
        case.primary = primary
        case.primary_body = body
        self._hold(case, len(body))
        self._settle_ready(case)

    def ended(self, errand: Errand) -> None:
        """Takes a copy that ended."""
        case = errand.case
        if errand.number == case.frame.baseline:
            case.baseline = errand
        case.waiting.append(errand)
        if errand.sent is not None and errand.sent.body:
            self._hold(case, len(errand.sent.body))
        self._settle_ready(case)

    def sweep(self) -> None:
        """Gives up on the cases that have waited too long."""
        oldest = self._clock() - PATIENCE
        while self._cases:
            case, since = next(iter(self._cases.values()))
            if since > oldest:
                return
            self._give_up(case, "primary_late")

    def close(self) -> None:
        """No primary's answer will come any more."""
        self._closed = True
        for case, _ in list(self._cases.values()):
            if case.primary is None:
                case.unpaired = case.unpaired or "shutdown"
            self._settle_ready(case)

    def _settle_ready(self, case: Case) -> None:
        if not case.ready:
            return
        waiting, case.waiting = case.waiting, []
        waiting.sort(key=lambda errand: errand is not case.baseline)  # what it teaches is wanted by the rest
        for errand in waiting:
            case.open -= 1
            self._settle(errand)
        if not case.open:
            self._forget(case)

    def _hold(self, case: Case, size: int) -> None:
        if case.request.id not in self._cases or self._cases[case.request.id][0] is not case:
            return
        case.held += size
        self._bytes += size
        while self._bytes > MAX_BYTES and len(self._cases) > 1:
            self._give_up_oldest()

    def _give_up_oldest(self) -> None:
        self._give_up(next(iter(self._cases.values()))[0], "overload")

    def _give_up(self, case: Case, why: str) -> None:
        """The case goes on by itself: its copies are settled without what is missing."""
        self._forget(case)
        if case.primary is None:
            case.unpaired = why
        self._settle_ready(case)

    def _forget(self, case: Case) -> None:
        found = self._cases.get(case.request.id)
        if found is not None and found[0] is case:
            del self._cases[case.request.id]
            self._bytes -= case.held
            case.held = 0
