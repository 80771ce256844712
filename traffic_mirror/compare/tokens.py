"""Tokens: numbers, times and ids of several parts, and whether each part of two of them is noise."""

from __future__ import annotations

import re
from collections.abc import Sequence

from traffic_mirror.compare import moments, names
from traffic_mirror.compare.ids import Mark, Name, explain_digits, explain_token, likeness
from traffic_mirror.compare.moments import Moment, read_unix
from traffic_mirror.compare.scene import Scene

_POD = re.compile(r"[bcdfghjklmnpqrstvwxz2456789]{5}|[a-f0-9]{8,10}")
"""The random ends of names that an orchestrator gives its machines."""

_REPLICA = re.compile(r"([a-z][a-z0-9-]*-)[4-9bcdf]{7,10}-[bcdfghjklmnpqrstvwxz2456789]{5}")
"""Kubernetes' names of a deployment's pods: both ends are of alphabets that make no words."""

_LEAST_CHUNKS = 3
_MOST_CHUNKS = 33
_ALIKE = 0.45
_SUFFIX = re.compile(r"(?=\d*[A-Za-z])(?=[A-Za-z]*\d)[0-9A-Za-z]{6,}")
"""What follows a time of now in an id that was made with it."""


def explain_chunks(a: str, b: str, name: Name, scene: Scene) -> Mark | None:
    """Two tokens of several parts (`web-7d9f-1763892000`), where each part is the same or fresh itself."""
    if (pod := _REPLICA.fullmatch(a)) and (other := _REPLICA.fullmatch(b)) and pod[1] == other[1]:
        return Mark("host")
    chunks = [re.split(r"([-_])", text) for text in (a, b)]
    if len(chunks[0]) != len(chunks[1]) or not _LEAST_CHUNKS <= len(chunks[0]) <= _MOST_CHUNKS:
        return None
    pairs = list(zip(*chunks, strict=True))
    stamped = any(_is_now(x, y, scene) for x, y in pairs)
    mark = None
    for x, y in pairs:
        if x == y:
            continue
        mark = _explain_chunk(x, y, name, scene)
        if mark is None and stamped and _SUFFIX.fullmatch(x) and _SUFFIX.fullmatch(y) and len(x) == len(y):
            mark = Mark("id", a, b) if likeness(x, y) <= _ALIKE else None
        if mark is None:
            return None
    return mark


def explain_time(a: str, b: str, name: Name, scene: Scene) -> Mark | None:
    """Two written times of one shape, where each followed the moment it was answered at."""
    if not moments.same_shape(a, b):
        return None
    return _explain_moments(moments.read(a), moments.read(b), name, scene)


def _explain_moments(
    first: Sequence[Moment], second: Sequence[Moment], name: Name, scene: Scene
) -> Mark | None:
    past = not names.BEGINS.isdisjoint(name.words)
    if pair := moments.followed(first, second, scene.nows, past=past):
        return Mark("timestamp", at=(pair[0].at, pair[1].at, pair[0].step))
    if pair := moments.followed(first, second, scene.nows, past=True):
        return Mark("timestamp", at=(pair[0].at, pair[1].at, pair[0].step), window=True)
    return None


def explain_number(a: str, b: str, name: Name, scene: Scene) -> Mark | None:
    """Two decimal numbers as times or as ids that carry theirs."""
    first, second = read_unix(a), read_unix(b)
    mark = _explain_moments(first, second, name, scene) if moments.same_digits(a, b) else None
    if mark is not None and not mark.window:
        return mark
    return (explain_digits(a, b, name, scene) if a.isdigit() and b.isdigit() else None) or mark


def _is_now(x: str, y: str, scene: Scene) -> bool:
    marks = _explain_chunk(x, y, Name(), scene) if x[:1].isdigit() and y[:1].isdigit() else None
    return marks is not None and marks.why == "timestamp" and not marks.window


def _explain_chunk(x: str, y: str, name: Name, scene: Scene) -> Mark | None:
    digits = x.isdigit() and y.isdigit()
    mark = explain_number(x, y, name, scene) if digits else explain_token(x, y, name, scene)
    if mark is None and names.is_machine(name.words) and _POD.fullmatch(x) and _POD.fullmatch(y):
        mark = Mark("host")
    return mark or (explain_time(x, y, name, scene) if moments.read(x) and moments.read(y) else None)
