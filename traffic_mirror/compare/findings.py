"""What a comparison finds, place by place, and what of it holds in the light of the whole answer.

A fresh id is noise only as long as it always stands for the same one, is on no other side, and was not asked
for. That is known when everything has been seen, so unlike values wait here until then.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol

from traffic_mirror.compare.budget import Budget
from traffic_mirror.compare.ids import Mark, Stamps
from traffic_mirror.compare.model import Difference, DifferenceKind, SetAside
from traffic_mirror.compare.moments import is_round
from traffic_mirror.compare.places import Path, generalise
from traffic_mirror.compare.scene import Scene
from traffic_mirror.compare.signs import is_envelope, was_made_now
from traffic_mirror.compare.values import show, show_pair

MAX_LISTED = 100
"""Differences and places set aside that a verdict lists, of each; the rest is counted."""

_MAX_FOUND = 10_000
_MAX_ANCHORS = 20
_ENOUGH = 5_000
_NOWHERE: Path = ("",)
_RUN = re.compile(r"[A-Za-z0-9]+")
_PRESENCE = ("added", "removed")


class EnoughError(Exception):
    """More differences are sure than anyone reads."""


class Learned(Protocol):
    """What is known of a route from its baseline."""

    def covers(self, place: str, kind: str) -> bool:
        """Whether the primary differs from itself at this (general) place in this way."""


class Finding(NamedTuple):
    """Unlike values at a place. `marks` say why they may be the same, None where nothing does; `element` is
    the path of the list element that they are in, empty where they are in none; `holder` that of the
    object."""

    difference: Difference
    marks: tuple[Mark, ...] | None = None
    element: Path = _NOWHERE
    holder: Path = _NOWHERE


class Findings:
    """All findings of one comparison, in the order of the document."""

    def __init__(self, scene: Scene, learned: Learned | None) -> None:
        self._scene = scene
        self._learned = learned
        self._found: list[Finding] = []
        self._aside: list[SetAside] = []
        self._made_now: dict[Path, bool] = {_NOWHERE: False}
        self._anchors: dict[str | Path, list[Stamps]] = {}
        self._sure = 0
        self.dropped = 0
        self.excused: list[Difference] = []

    def differ(self, place: str, kind: DifferenceKind, a: object, b: object) -> None:
        """Two places are unlike, and nothing excuses it."""
        self._sure += 1
        self._keep(place, kind, a, b, None)

    def excuse(
        self,
        place: str,
        a: object,
        b: object,
        marks: list[Mark],
        element: Path = _NOWHERE,
        holder: Path = _NOWHERE,
    ) -> None:
        """Two values are unlike, but may be the same for these reasons."""
        anchors = [mark.at for mark in marks if mark.why == "timestamp" and not mark.window]
        for key in _neighbourhoods(place, holder) if anchors else ():
            self._anchors.setdefault(key, []).extend(anchors)
        if anchors:
            self._made_now |= {path: path is not _NOWHERE for path in (element or holder, holder)}
        self._keep(place, "value", a, b, tuple(marks), element, holder)

    def stop_when_enough(self) -> None:
        """Ends the search where nobody would read what more it finds."""
        if self._sure >= _ENOUGH:
            raise EnoughError

    def __len__(self) -> int:
        return len(self._found) + len(self._aside) + self.dropped

    def set_aside(self, place: str, why: str) -> None:
        """A place is left out of the verdict."""
        if len(self._aside) < _MAX_FOUND:
            self._aside.append(SetAside(place, why))

    def _keep(
        self,
        place: str,
        kind: DifferenceKind,
        a: object,
        b: object,
        marks: tuple[Mark, ...] | None,
        element: Path = _NOWHERE,
        holder: Path = _NOWHERE,
    ) -> None:
        if len(self._found) >= _MAX_FOUND:
            self.dropped += 1
            return
        shown = show_pair(a, b) if kind == "value" else (show(a), show(b))
        self._found.append(Finding(Difference(place, kind, *shown), marks, element, holder))

    def settle(
        self, texts: tuple[str, str], root: object, budget: Budget
    ) -> tuple[list[Difference], list[SetAside]]:
        """The differences that remain and the places set aside. `texts` are both answers' texts, `root` the
        primary's body as a value."""
        bonds = _Bonds(self._scene, texts, root, budget)
        differences = []
        replaced = self._replaced()
        for finding in self._found:
            marks = finding.marks
            if marks is not None and all(self._holds(mark, finding, bonds) for mark in marks):
                self._aside.extend(
                    SetAside(finding.difference.place, why)
                    for why in dict.fromkeys(mark.why for mark in marks)
                )
            elif self._is_learned(finding.difference, replaced):
                self._aside.append(SetAside(finding.difference.place, "baseline"))
                self.excused.append(finding.difference)
            else:
                differences.append(finding.difference)
        return differences, self._aside

    def _holds(self, mark: Mark, finding: Finding, bonds: _Bonds) -> bool:
        if mark.stored and not self._is_of_its_answer(mark, finding, bonds):
            return False
        if mark.window and not self._begins_a_window(mark.at, finding):
            return False
        return not mark.first or bonds.tie(mark.first, mark.second)

    def _begins_a_window(self, at: Stamps, finding: Finding) -> bool:
        """Whether a stamp before now lies at the same round distance, on both sides, from one of now that is
        in the same value, object or column."""
        for key in _neighbourhoods(finding.difference.place, finding.holder):
            for first, second, step in self._anchors.get(key, ())[:_MAX_ANCHORS]:
                span, other, slack = first - at[0], second - at[1], max(step, at[2])
                if abs(span - other) < slack and is_round(span, slack / 2):
                    return True
        return False

    def _is_of_its_answer(self, mark: Mark, finding: Finding, bonds: _Bonds) -> bool:
        """Whether what holds a value was made for this answer: the list element that it is in or, in none,
        its object, or what that is merely the envelope (`meta`) of."""
        if finding.element and mark.why != "etag":
            return self._was_made_now(finding.element, bonds)
        path = finding.holder
        while path and not self._was_made_now(path, bonds) and is_envelope(path[-1]):
            path = path[:-1]
        return self._was_made_now(path, bonds)

    def _was_made_now(self, path: Path, bonds: _Bonds) -> bool:
        known = self._made_now.get(path)
        if known is None:
            known = self._made_now[path] = was_made_now(bonds.root, path, self._scene, bonds.budget)
        return known

    def _replaced(self) -> set[str]:
        """The (general) places of lists that lost as many elements as they won."""
        if self._learned is None:
            return set()
        balance: dict[str, int] = {}
        for difference, *_ in self._found:
            if difference.kind in _PRESENCE and (place := generalise(difference.place)).endswith("[*]"):
                balance[place] = balance.get(place, 0) + (1 if difference.kind == "added" else -1)
        return {place for place, left in balance.items() if not left}

    def _is_learned(self, difference: Difference, replaced: set[str]) -> bool:
        if self._learned is None:
            return False
        place = generalise(difference.place)
        return self._learned.covers(place, difference.kind) or (
            difference.kind in _PRESENCE and place in replaced and self._learned.covers(place, "value")
        )


def _neighbourhoods(place: str, holder: Path) -> tuple[str | Path, ...]:
    """Where a stamp is: its place in general, and the object that holds it."""
    general = generalise(place)
    return (general,) if holder is _NOWHERE or place.startswith("body:line") else (general, holder)


class _Bonds:
    """Which fresh id of the one side stands for which of the other: one for one."""

    def __init__(self, scene: Scene, texts: tuple[str, str], root: object, budget: Budget) -> None:
        self.root = root
        self.budget = budget
        self._asked = _Haystack(scene.asked)
        self._texts = _Haystack(texts[0]), _Haystack(texts[1])
        self._forth: dict[str, str] = {}
        self._back: dict[str, str] = {}

    def tie(self, first: str, second: str) -> bool:
        """Whether the two can stand for one another; then they do from now on."""
        if first in self._forth or second in self._back:
            return self._forth.get(first) == second and self._back.get(second) == first
        elsewhere = (
            (first, self._asked),
            (second, self._asked),
            (first, self._texts[1]),
            (second, self._texts[0]),
        )
        if any(text.holds(sought, self.budget) for sought, text in elsewhere):
            return False
        self._forth[first], self._back[second] = second, first
        return True


class _Haystack:
    """A text in which many ids are sought: by their longest run of letters and digits first."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._runs: frozenset[str] | None = None

    def holds(self, sought: str, budget: Budget) -> bool:
        """Whether the text holds the id, not merely within a longer run."""
        if self._runs is None:
            budget.spend(len(self._text) // 32)
            self._runs = frozenset(_RUN.findall(self._text))
        longest = max(_RUN.findall(sought), key=len, default="")
        if longest and longest not in self._runs:
            return False
        budget.spend(1 + len(self._text) // 2000)
        return sought in self._text
