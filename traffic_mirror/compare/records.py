"""Moments that JSON writes as several numbers: `[2026, 11, 23, 10, 0, 3]`, `{"seconds": …, "nanos": …}`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from traffic_mirror.compare.moments import Moment

_COUNTS = (("seconds", "nanos"), ("_seconds", "_nanoseconds"), ("seconds", "nanoseconds"))
_CALENDAR = (
    ("year",),
    ("monthValue", "month"),
    ("dayOfMonth", "day"),
    ("hour",),
    ("minute",),
    ("second",),
    ("nano", "nanos", "nanosecond"),
)
_SHORTEST = 5
_LONGEST = 7


def read_record(value: object) -> Moment | None:
    """The moment that a list of calendar numbers (with the time of day) or an object of numbers is."""
    if isinstance(value, list):
        return _read_calendar(value) if _SHORTEST <= len(value) <= _LONGEST else None
    if not isinstance(value, dict) or len(value) > 20:
        return None
    for whole, rest in _COUNTS:
        if value.keys() == {whole, rest}:
            return _read_counts(value[whole], value[rest])
    fields = [next((value[name] for name in names if name in value), None) for names in _CALENDAR]
    while fields and fields[-1] is None:
        fields.pop()
    return _read_calendar(fields) if len(fields) >= _SHORTEST else None


def _read_counts(seconds: object, nanos: object) -> Moment | None:
    digits = str(seconds)
    if len(digits) != 10 or not digits.isdigit() or type(nanos) is not int or not 0 <= nanos < 10**9:
        return None
    return Moment(int(digits) + nanos / 1e9, 1e-9, True)


def _read_calendar(numbers: Sequence[object]) -> Moment | None:
    fields = [number for number in numbers if type(number) is int]
    if len(fields) != len(numbers) or not 1970 <= fields[0] < 2200:
        return None
    year, month, day, hour, minute, second, nano = (*fields, 0, 0)[:_LONGEST]
    try:
        at = datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        return None
    return Moment(at + nano / 1e9, 1.0 if len(fields) < _LONGEST else 1e-9, False)
