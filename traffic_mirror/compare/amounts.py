"""Amounts that change from answer to answer: how long one took, how long something lasts or has been up."""

from __future__ import annotations

import re
from collections.abc import Sequence

from traffic_mirror.compare import names
from traffic_mirror.compare.ids import Mark, Name
from traffic_mirror.compare.phrases import SPAN, is_own_time
from traffic_mirror.compare.scene import Scene

_WHOLE = 60
_MEASURED = re.compile(r"(?:PT)?(\d{1,9}(?:\.\d{1,9})?) ?(ms|µs|us|ns|s|S|sec|seconds|milliseconds)?")
_SPAN = re.compile(SPAN)
_PER_SECOND = {"ms": 1e3, "milliseconds": 1e3, "µs": 1e6, "us": 1e6, "ns": 1e9}
_CLOCK = re.compile(r"(\d\d):(\d\d):(\d\d(?:\.\d{1,9})?)")


def explain_amount(a: float, b: float, name: Name, scene: Scene) -> Mark | None:
    """Two numbers that their name calls a measurement, an uptime or a countdown."""
    if names.is_measurement(name.words):
        seconds = [x / names.unit(name.words) for x in (a, b)]
        if _are_own_times(seconds, scene, sure=names.is_own_measurement(name.words)):
            return Mark("duration")
    if names.is_uptime(name.words) and a > 0 and b > 0:
        return Mark("uptime")
    if names.is_countdown(name.words) and _counts_down(a, b, name, scene):
        return Mark("countdown")
    if names.is_age(name.words) and _followed(a, b, name, scene):
        return Mark("timestamp")
    return None


def explain_measured_text(a: str, b: str, name: Name, scene: Scene) -> Mark | None:
    """Two texts that are a measurement each, with or without its unit (`66.63ms`, `00:00:03.2`), or an
    uptime (`3 days, 4:05:06`)."""
    if names.is_uptime(name.words) and a and b and _SPAN.fullmatch(a) and _SPAN.fullmatch(b):
        return Mark("uptime")
    if not names.is_measurement(name.words):
        return None
    seconds = [_measured(text, name) for text in (a, b)]
    known = [s for s in seconds if s is not None]
    sure = names.is_own_measurement(name.words) or (a[-1:].isalpha() and b[-1:].isalpha())
    return Mark("duration") if len(known) == 2 and _are_own_times(known, scene, sure=sure) else None


def _counts_down(a: float, b: float, name: Name, scene: Scene) -> bool:
    """Two amounts in mid-count; a round one is a whole lifetime, and another lifetime is a difference."""
    scale = _scale(name)
    whole = not a % (_WHOLE * scale) or not b % (_WHOLE * scale)
    return not whole and min(a, b) > 0 and _followed(a, b, name, scene)


def _followed(a: float, b: float, name: Name, scene: Scene) -> bool:
    """Whether two distances from now are no farther apart than the answers."""
    return min(a, b) >= 0 and abs(a - b) / _scale(name) <= 1 + scene.lag + sum(scene.took)


def _scale(name: Name) -> float:
    return 1e3 if not {"ms", "millis", "milliseconds"}.isdisjoint(name.words) else 1.0


def _are_own_times(seconds: Sequence[float], scene: Scene, *, sure: bool) -> bool:
    """Whether both sides may have measured this of their own answers; where the name or a unit leaves no
    doubt, the time need not fit the one seen from here."""
    return all(is_own_time(s, 0.0 if sure else took) for s, took in zip(seconds, scene.took, strict=True))


def _measured(text: str, name: Name) -> float | None:
    if found := _CLOCK.fullmatch(text):
        return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])
    found = _MEASURED.fullmatch(text)
    if found is None:
        return None
    per_second = _PER_SECOND.get(found[2], 1.0) if found[2] else names.unit(name.words)
    return float(found[1]) / per_second
