"""The worker's accounts: its own ledger, what was counted elsewhere, and how long copies took."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import Any

import msgspec

from traffic_mirror.compare import Baselines, Groups, Latencies, Pair
from traffic_mirror.ledger import Count, Ledger
from traffic_mirror.spec.model import Spec, row_names
from traffic_mirror.wire.frames import VerdictCount
from traffic_mirror.worker.histogram import Histogram
from traffic_mirror.worker.history import History
from traffic_mirror.worker.samples import Samples

_FAILURES = 50
_DESTINATIONS = 1_000


class _Kept(msgspec.Struct, array_like=True):
    """A destination's histogram as it is kept over a restart."""

    destination: str
    counts: list[int]
    sum: float


class Failure(msgspec.Struct):
    """A copy that did not arrive, as the page shows it: `time` in unix seconds, `message` masked."""

    time: float
    id: str
    rule: str
    destination: str
    outcome: str
    reason: str
    message: str
    api: str = ""
    method: str = ""
    url: str = ""
    seconds: float = 0.0


class Accounts:
    """Everything that metrics, page and summary count.

    `own` is this worker's; `set_base` takes what earlier workers counted and `set_tally` what ended at
    the edge since this one began. `seconds` are the delivered copies' durations by destination,
    `failures` the last copies that did not arrive, `incomparable` why answers could not be compared,
    `unused` the APIs, rules and expressions of their `compare:` that matched nothing.
    """

    def __init__(self) -> None:
        self.own = Ledger()
        self.seconds: dict[str, Histogram] = {}
        self.latencies = Latencies()
        self.groups = Groups()
        self.baselines = Baselines()
        self.failures: deque[Failure] = deque(maxlen=_FAILURES)
        self.history = History()
        self.samples = Samples()
        self.incomparable: dict[str, int] = {}
        self.unused: list[tuple[str, str, str]] = []
        self.paused = False
        self._base: tuple[Count, ...] = ()
        self._verdicts: tuple[VerdictCount, ...] = ()
        self._tally: tuple[Count, ...] = ()

    def set_base(self, base: tuple[Count, ...], verdicts: tuple[VerdictCount, ...]) -> None:
        """What all copies that ended before this worker came to."""
        self._base = base
        self._verdicts = verdicts

    def trim(self, spec: Spec) -> None:
        """Keeps rows and destinations bounded, however often a reload brings other ones."""
        self.own.trim(lambda: row_names(spec))
        if len(self.seconds) > _DESTINATIONS:
            here = {destination.name for destination in spec.destinations}
            for kept in (self.seconds, self.history.recent):
                for name in [name for name in kept if name not in here]:
                    del kept[name]

    def set_tally(self, counts: tuple[Count, ...], *, paused: bool) -> None:
        """What ended at the edge since this worker began; every call replaces the last."""
        self._tally = counts
        self.paused = paused

    def whole(self) -> Ledger:
        """All of it as one ledger, made anew: selected is what ended plus what this worker has in hand."""
        whole = Ledger()
        whole.add(self._base)
        whole.add(self._tally)
        for api, rule, destination, verdict, count in self._verdicts:
            whole.row(api, rule, destination).judge(verdict, count)
        for mine in self.own:
            row = whole.row(*mine.key)
            row.selected += mine.selected
            for (outcome, reason), count in mine.ended.items():
                row.end(outcome, reason, count)
            for verdict, count in mine.verdicts.items():
                row.judge(verdict, count)
        return whole

    def elsewhere(self) -> dict[str, int]:
        """What ended at the edge since this worker began, by outcome."""
        outcomes: dict[str, int] = {}
        for *_, outcome, _, count in self._tally:
            outcomes[outcome] = outcomes.get(outcome, 0) + count
        return outcomes

    def histogram(self, destination: str) -> Histogram:
        """The durations of a destination's delivered copies."""
        histogram = self.seconds.get(destination)
        if histogram is None:
            histogram = self.seconds[destination] = Histogram()
        return histogram

    def keep(self) -> bytes:
        """What should outlive this worker, for another's `restore`."""
        seconds = [[name, kept.counts, kept.sum] for name, kept in self.seconds.items()]
        return msgspec.msgpack.encode(
            {
                "seconds": seconds,
                "latencies": self.latencies.dump(),
                "pairs": {name: recent.latency for name, recent in self.history.recent.items()},
                "groups": self.groups.dump(),
                "baselines": self.baselines.dump(),
                "incomparable": self.incomparable,
                "unused": self.unused,
            }
        )

    def restore(self, kept: bytes) -> None:
        """Takes up what an earlier worker kept; anything else is left out."""
        try:
            parts = msgspec.msgpack.decode(kept, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return
        self.latencies = Latencies.load(parts.get("latencies"))
        self.groups = Groups.load(parts.get("groups"))
        self.baselines = Baselines.load(parts.get("baselines"))
        with contextlib.suppress(msgspec.ValidationError):
            self.incomparable = msgspec.convert(parts.get("incomparable"), dict[str, int])
        try:
            pairs = msgspec.convert(parts.get("pairs"), dict[str, Pair])
            rows = msgspec.convert(parts.get("seconds"), list[_Kept])
        except msgspec.ValidationError:
            return
        self.history.restore(pairs)
        for row in rows:
            self.histogram(row.destination).restore(row.counts, row.sum)
