"""The view: the worker's figures as page, metrics and summary show them, read when asked for. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from traffic_mirror.compare.groups import moment
from traffic_mirror.ledger import Ledger, Row
from traffic_mirror.masking import Masker
from traffic_mirror.wire.frames import SpecState
from traffic_mirror.worker.accounts import Accounts
from traffic_mirror.worker.lane import Lane

_WORST = ("closed", "half_open", "open")


class Load(msgspec.Struct):
    """What a destination has in hand, over all its lanes (an old one may still have copies to end)."""

    destination: str
    in_flight: int = 0
    queue_copies: int = 0
    queue_bytes: int = 0
    breaker: str = "closed"


class View:
    """Answers what is asked from the outside. `state` is of the last spec that was tried.

    `masker` hides secrets in what is kept as it was found, since it is compared with what comes.
    """

    def __init__(self, accounts: Accounts, lanes: Iterable[Lane]) -> None:
        self.accounts = accounts
        self.state = SpecState(file="", loaded_at=0.0, ok=True)
        self.masker = Masker()
        self.restarts = 0
        self.started = 0.0
        self._lanes = lanes

    def ledger(self) -> Ledger:
        """All counts, of every worker and the edge."""
        return self.accounts.whole()

    def loads(self) -> list[Load]:
        """Every destination's load, in the spec's order."""
        loads: dict[str, Load] = {}
        for lane in self._lanes:
            name = lane.destination.name
            load = loads.setdefault(name, Load(name))
            load.in_flight += lane.in_flight
            load.queue_copies += lane.queue_copies
            load.queue_bytes += lane.queue_bytes
            load.breaker = max(load.breaker, lane.breaker.state, key=_WORST.index)
        return list(loads.values())

    def under_way(self) -> tuple[int, int]:
        """How many copies are being sent, and how many wait, in all."""
        lanes = list(self._lanes)
        return sum(lane.in_flight for lane in lanes), sum(lane.queue_copies for lane in lanes)

    def summary(self) -> dict[str, Any]:
        """`GET /api/summary`."""
        whole = self.ledger()
        state = self.state
        return {
            "selected": whole.selected,
            "in_flight": whole.in_flight,
            "outcomes": whole.outcomes(),
            "verdicts": whole.verdicts(),
            "copies": [_row(row) for row in whole],
            "destinations": [msgspec.to_builtins(load) for load in self.loads()],
            "spec": {
                "file": state.file,
                "loaded_at": moment(state.loaded_at),
                "ok": state.ok,
                "problems": list(state.problems),
            },
            "paused": self.accounts.paused,
            "worker_restarts": self.restarts,
            "started": moment(self.started),
        }

    def differences(self) -> list[dict[str, object]]:
        """`GET /api/differences`."""
        return self.accounts.groups.listing()

    def latencies(self) -> list[dict[str, object]]:
        """`GET /api/latencies`."""
        return self.accounts.latencies.listing()

    def noise(self) -> dict[str, object]:
        """`GET /api/noise`: places that a policy should likely name, and what in it names nothing."""
        return {
            "candidates": [
                self.masker.value(msgspec.to_builtins(found))
                for found in self.accounts.baselines.candidates()
            ],
            "unused": [
                {"api": api, "rule": rule, "expression": text} for api, rule, text in self.accounts.unused
            ],
        }

    def failures(self) -> list[dict[str, object]]:
        """`GET /api/failures`: the last copies that did not arrive, the newest first."""
        return [
            {**msgspec.structs.asdict(failure), "time": moment(failure.time)}
            for failure in reversed(self.accounts.failures)
        ]


def _row(row: Row) -> dict[str, object]:
    outcomes: dict[str, dict[str, int]] = {}
    for (outcome, reason), count in row.ended.items():
        outcomes.setdefault(outcome, {})[reason] = count
    return {
        **row.key._asdict(),
        "selected": row.selected,
        "outcomes": outcomes,
        "verdicts": dict(row.verdicts),
    }
