"""What a route's baseline teaches: the places where the primary differs from itself, and how often.

A place that differs between two runs of the same code is noise there, as Diffy has it, but only as long as
the copies do not differ there clearly more often. Places that always differ with ever-new values, and that
no baseline excuses, are candidates: reported, not hidden.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from zlib import crc32

import msgspec

from traffic_mirror.compare.model import Difference, Verdict
from traffic_mirror.compare.places import generalise

MAX_ROUTES = 1000
MAX_PLACES = 300
MAX_KEPT = 20_000
"""Places of all routes together: what is kept over a restart stays a few megabytes."""

MAX_VALUES = 16
LEAST_COMPARED = 10
_CLEARLY = 3.0
_MARGIN = 0.1
_ALWAYS = 0.95
_LEAST_VARIANCE = 0.01
_SAME = 4
_SURELY_SAME = 8
"""How often copies must differ in one and the same way where the baseline seldom differs, and anywhere."""

_SELDOM = 3


class Place(msgspec.Struct):
    """The counts of one place and way of differing: in how many comparisons with the baseline (`noise`) and
    with copies (`raw`), and checksums of the values seen there in copies' comparisons and, of both runs, in
    the baseline's (`own`)."""

    noise: int = 0
    raw: int = 0
    primary: list[int] = []
    copy: list[int] = []
    own: list[int] = []


class Candidate(msgspec.Struct, frozen=True):
    """A place that always differs with ever-new values: likely noise that a policy should name."""

    rule: str
    route: str
    place: str
    count: int
    of: int
    api: str = ""


class Lesson(msgspec.Struct):
    """What is known of one route; `Findings` asks it for each difference."""

    baseline: int = 0
    compared: int = 0
    places: dict[str, Place] = {}

    def covers(self, place: str, kind: str) -> bool:
        """Whether the primary differs from itself at this (general) place in this way, about as often as
        copies do."""
        known = self.places.get(_key(place, kind))
        if known is not None and known.noise > 0:
            return not (self._is_clearly_more(known) or self._is_constant(known))
        # Where the elements of a list change, they may happen to be the same ones in another order.
        return kind == "order" and self.covers(f"{place}[*]", "value")

    def _is_clearly_more(self, place: Place) -> bool:
        if min(self.baseline, self.compared) < LEAST_COMPARED:
            return False
        noise, raw = place.noise / self.baseline, place.raw / self.compared
        variance = max(noise * (1 - noise), _LEAST_VARIANCE)
        spread = math.sqrt(variance / self.baseline + variance / self.compared)
        return raw > noise + _MARGIN + _CLEARLY * spread

    def _is_constant(self, place: Place) -> bool:
        """Whether copies always say one thing, which the primary never said, where it says one other: that is
        no noise, however the primary came to differ from itself once (what it serves was changed)."""
        if len(place.primary) != 1 or len(place.copy) != 1 or place.copy[0] in place.own:
            return False
        return place.raw >= (_SAME if place.noise * _SELDOM <= self.baseline else _SURELY_SAME)


class Baselines:
    """The lessons of all routes, bounded in routes, in places a route, and in places."""

    def __init__(self) -> None:
        self._lessons: dict[tuple[str, str, str], Lesson] = {}
        self._kept = 0

    def lesson(self, rule: str, route: str, api: str = "") -> Lesson:
        """What is known of a route, made when it is new; the one compared least makes room."""
        lesson = self._lessons.get((api, rule, route))
        if lesson is None:
            if len(self._lessons) >= MAX_ROUTES:
                least = min(self._lessons, key=lambda key: self._lessons[key].compared)
                self._kept -= len(self._lessons.pop(least).places)
            lesson = self._lessons[api, rule, route] = Lesson()
        return lesson

    def learn(self, rule: str, route: str, verdict: Verdict, api: str = "") -> None:
        """Takes the verdict of the primary against its own baseline, given without a lesson."""
        if verdict.verdict == "incomparable":
            return
        lesson = self.lesson(rule, route, api)
        lesson.baseline += 1
        for place, differences in self._sorted(lesson, verdict.differences):
            place.noise += 1
            for difference in differences:
                _note(place.own, difference.primary)
                _note(place.own, difference.copy)

    def observe(self, rule: str, route: str, verdict: Verdict, api: str = "") -> None:
        """Takes the verdict of the primary against a copy, given with this route's lesson."""
        if verdict.verdict == "incomparable":
            return
        lesson = self.lesson(rule, route, api)
        lesson.compared += 1
        for place, differences in self._sorted(lesson, (*verdict.differences, *verdict.excused)):
            place.raw += 1
            for difference in differences:
                _note(place.primary, difference.primary)
                _note(place.copy, difference.copy)

    def _sorted(
        self, lesson: Lesson, differences: Sequence[Difference]
    ) -> list[tuple[Place, list[Difference]]]:
        """The differences by place and way, of which there is room for."""
        found: dict[str, list[Difference]] = {}
        for difference in differences:
            found.setdefault(_key(generalise(difference.place), difference.kind), []).append(difference)
        places = ((self._place(lesson, key), some) for key, some in found.items())
        return [(place, some) for place, some in places if place is not None]

    def _place(self, lesson: Lesson, key: str) -> Place | None:
        """A place's counts, made when it is new; None where there is no room for it."""
        place = lesson.places.get(key)
        if place is None and len(lesson.places) < MAX_PLACES and self._kept < MAX_KEPT:
            self._kept += 1
            place = lesson.places[key] = Place()
        return place

    def candidates(self) -> list[Candidate]:
        """Places that differ in (almost) every comparison, each time with values not seen before."""
        return [
            Candidate(rule, route, key.rpartition(" ")[0], place.raw, lesson.compared, api)
            for (api, rule, route), lesson in self._lessons.items()
            for key, place in lesson.places.items()
            if _is_candidate(key, place, lesson)
        ]

    def dump(self) -> list[object]:
        """All of it as plain data, for `Baselines.load`."""
        return [[*key, msgspec.to_builtins(lesson)] for key, lesson in self._lessons.items()]

    @classmethod
    def load(cls, data: object) -> Baselines:
        """The lessons that `dump` gave; data of another shape gives none."""
        baselines = cls()
        try:
            rows = msgspec.convert(data, list[tuple[str, str, str, Lesson]])
        except msgspec.ValidationError:
            return baselines
        baselines._lessons = {(api, rule, route): lesson for api, rule, route, lesson in rows[:MAX_ROUTES]}
        baselines._kept = sum(len(lesson.places) for lesson in baselines._lessons.values())
        return baselines


def _key(place: str, kind: str) -> str:
    """A place with its way of differing; what is added in one run is removed in another."""
    return f"{place} {'presence' if kind in ('added', 'removed') else kind}"


def _note(values: list[int], value: object) -> None:
    checksum = crc32(repr(value).encode("utf-8", "replace"))
    if len(values) < MAX_VALUES and checksum not in values:
        values.append(checksum)


def _is_candidate(key: str, place: Place, lesson: Lesson) -> bool:
    if place.noise or not key.endswith(" value") or lesson.compared < LEAST_COMPARED:
        return False
    new = min(len(place.primary), len(place.copy)) >= min(place.raw, MAX_VALUES) * _ALWAYS
    return new and place.raw >= lesson.compared * _ALWAYS
