"""Samples: for each group of differences a few answers' values side by side, for the page."""

from __future__ import annotations

from collections import deque

import msgspec

from traffic_mirror.compare import Difference, Verdict, Way
from traffic_mirror.compare.places import generalise
from traffic_mirror.masking import Masker

MAX_GROUPS = 1000
EACH = 3
PLACES = 20  # of one verdict
PER_SECOND = 50  # verdicts; more are not looked at

Key = tuple[Way, str, str]


class Sample(msgspec.Struct):
    """One flow's values at one place, masked; `time` is unix seconds."""

    id: str
    time: float
    method: str
    url: str
    destination: str
    primary_status: int
    copy_status: int
    trace_id: str | None = None
    place: str = ""
    primary: object = None
    copy: object = None


class Samples:
    """The newest samples of each group, by the group's way, place and kind."""

    def __init__(self) -> None:
        self._groups: dict[Key, deque[Sample]] = {}
        self._left = PER_SECOND

    def tick(self) -> None:
        """A second has passed."""
        self._left = PER_SECOND

    def add(self, way: Way, verdict: Verdict, flow: Sample, masker: Masker) -> None:
        """Takes a verdict's differences; `flow` is filled but for the place and its values."""
        if not verdict.differences or self._left <= 0:
            return
        self._left -= 1
        flow.url = masker.text(flow.url)
        for difference in verdict.differences[:PLACES]:
            self._add((way, generalise(difference.place), difference.kind), difference, flow, masker)

    def of(self, key: Key) -> list[Sample]:
        """A group's samples, the newest first."""
        return list(reversed(self._groups.get(key, ())))

    def _add(self, key: Key, difference: Difference, flow: Sample, masker: Masker) -> None:
        kept = self._groups.get(key)
        if kept is None:
            if len(self._groups) >= MAX_GROUPS:
                del self._groups[next(iter(self._groups))]
            kept = self._groups[key] = deque(maxlen=EACH)
        if kept and kept[-1].id == flow.id:
            return
        place = difference.place
        kept.append(
            msgspec.structs.replace(
                flow,
                place=place,
                primary=masker.at(place, difference.primary),
                copy=masker.at(place, difference.copy),
            )
        )
