"""Moments written in a response, and whether two of them only followed the moment of their answers.

A stamp is noise where it lies near its own side's now on both sides, or where it lies at the same round
distance from it (an expiry an hour ahead). A stored time that differs is near no now, and a due date a day
off is at another distance: both are differences.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from traffic_mirror.compare.months import MONTHS

SKEW = 5.0
"""Seconds that two machines' clocks may differ, and that a stamp near now may lie before or after its
answer."""

DRIFT = 2.0
"""Seconds by which two distances from now may differ, beside how long the answers took."""

_DAY = 86400.0
_MINUTE = 60.0
_YEARS = 40 * 365 * _DAY
_FRACTION_TRIMMED = 2
_ZONES = tuple(
    quarter * 900.0
    for quarter in sorted(
        {hour * 4 for hour in range(-12, 15)} | {-38, -14, 14, 18, 22, 23, 26, 35, 38, 42, 51}, key=abs
    )
)


class Moment(NamedTuple):
    """A point in time. `at` is unix seconds (as if in UTC where no zone is written), `step` the seconds that
    its last written digit is worth; `zoned` says that the zone is known. `daily`: a time of day only;
    `turned`: read with the month before the day."""

    at: float
    step: float
    zoned: bool
    daily: bool = False
    turned: bool = False


class Now(NamedTuple):
    """When one side's answer was made: from `began` to `ended`, unix seconds, by one clock."""

    began: float
    ended: float


def moved(
    first: Sequence[Moment], second: Sequence[Moment], nows: Sequence[tuple[Now, Now]], *, past: bool = False
) -> bool:
    """Whether any reading of two stamps followed the moment; see `followed`."""
    return followed(first, second, nows, past=past) is not None


def followed(
    first: Sequence[Moment], second: Sequence[Moment], nows: Sequence[tuple[Now, Now]], *, past: bool = False
) -> tuple[Moment, Moment] | None:
    """The reading of two stamps by which they followed the moment. `nows` are both sides' by each clock
    known; `past` allows a round distance before now too (the begin of a window)."""
    for a, b, (now_a, now_b) in product(first, second, nows):
        if (a.step >= _MINUTE) != (b.step >= _MINUTE) or a[2:] != b[2:]:
            continue
        if a.step >= _DAY:
            if _day_moved(a, b, now_a, now_b):
                return a, b
        elif any(_moved(a, b, now_a, now_b, zone, past) for zone in _zones(a)):
            return a, b
    return None


def is_round(seconds: float, slack: float) -> bool:
    """Whether a span of time is one that people choose: whole minutes, hours."""
    return _has_round(seconds - slack, seconds + slack)


def near(moment: Moment, now: Now) -> bool:
    """Whether a stamp lies at its answer's time; without a zone, in any that there is."""
    return (
        moment.step < _DAY
        and not moment.daily
        and any(
            now.began - SKEW - moment.step <= moment.at - zone <= now.ended + SKEW for zone in _zones(moment)
        )
    )


def _zones(moment: Moment) -> tuple[float, ...]:
    return (0.0,) if moment.zoned else _ZONES


def _moved(a: Moment, b: Moment, now_a: Now, now_b: Now, zone: float, past: bool) -> bool:
    """Whether some distance from now, zero or round, makes one stamp on the one side and the other on the
    other."""
    off_a, off_b = _distance(a, now_a, zone), _distance(b, now_b, zone)
    took = (now_a.ended - now_a.began) + (now_b.ended - now_b.began)
    low, high = max(off_a, off_b) - took, min(off_a, off_b) + a.step
    slack = DRIFT if zone else SKEW
    if low - slack <= 0 <= high + slack:
        return True
    if (a.daily and not a.zoned) or low - high > DRIFT or (low < 0 and not past):
        return False
    return _has_round(low - DRIFT, high + DRIFT)


def _distance(moment: Moment, now: Now, zone: float) -> float:
    away = moment.at - zone - now.began
    return (away + _DAY / 2) % _DAY - _DAY / 2 if moment.daily else away


def _day_moved(a: Moment, b: Moment, now_a: Now, now_b: Now) -> bool:
    """A date moves only where a midnight (UTC) lies between the two answers, and then by as many days."""
    return any(
        (a.at - at_a) == (b.at - at_b) and (a.at - at_a) >= -_DAY
        for at_a, at_b in product(_midnights(now_a), _midnights(now_b))
    )


def _midnights(now: Now) -> set[float]:
    return {(now.began - 1) // _DAY * _DAY, (now.ended + 1) // _DAY * _DAY}


def _has_round(low: float, high: float) -> bool:
    away = abs(low + high) / 2
    unit = 30.0 if away < 600 else 60.0 if away < 7210 else 300.0 if away < 2 * _DAY else 3600.0
    return high // unit * unit >= low


_CLOCK = (
    r"(?P<H>\d{1,2})(?:[:h]| h )(?P<M>\d\d)(?::(?P<S>\d\d)(?:[.,](?P<f>\d{1,9}))?)?(?: ?(?P<p>[AP])\.?M\.?)?"
)
_ZONE = r"(?: ?(?P<z>Z|UTC|GMT|[+-]\d{2}:?(?:\d{2})?))?"
_AT = r"(?:[ ,:]{1,2}(?:um |à |at |a las |alle |om )?" + _CLOCK + _ZONE + ")?"
_DAY_FIRST = r"(?P<d>\d{1,2})\.?[ /-](?:de |d')?(?P<b>[^\W\d]{3,12})\.?,?[ /-](?:de )?(?P<Y>\d{4})"
_MONTH_FIRST = r"(?P<b>[^\W\d]{3,10})\.? (?P<d> ?\d{1,2})(?:st|nd|rd|th)?,? (?P<Y>\d{4})"
_RUN_ON = (
    r"(?P<Y>20\d\d)(?P<m>\d\d)(?P<d>\d\d)"
    r"(?:[T_-]?(?P<H>\d\d)(?P<M>\d\d)(?P<S>\d\d)(?:\.?(?P<f>\d{1,9}))?(?P<z>Z|[+-]\d{4})?)?"
)
_C_STYLE = (
    r"(?:[^\W\d]{3} )?(?P<b>[^\W\d]{3}) (?P<d>[ \d]\d) (?P<H>\d\d):(?P<M>\d\d):(?P<S>\d\d)"
    r"(?: (?P<z>[A-Z]{3,4}))? (?P<Y>\d{4})"
)

_EAST_ASIAN = (
    r"(?P<Y>\d{4})[年년] ?(?P<m>\d{1,2})[月월] ?(?P<d>\d{1,2})[日일]"
    r"(?: ?(?P<H>\d{1,2})[時时시点:] ?(?P<M>\d{1,2})[分분:]? ?(?:(?P<S>\d{1,2})[秒초]?)?)?"
)

_SHAPES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?P<Y>\d{4})[-/.](?P<m>\d\d)[-/.](?P<d>\d\d)(?:[T _]" + _CLOCK + _ZONE + r"(?:\[[\w/]{1,40}\])?)?",
        _RUN_ON,
        r"(?P<Y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)[T_-](?P<H>\d\d)-(?P<M>\d\d)-(?P<S>\d\d)(?P<z>Z)?",
        r"(?:[^\W\d]{2,12}\.?,? )?" + _DAY_FIRST + _AT,
        r"(?:[^\W\d]{3,9},? )?" + _MONTH_FIRST + _AT,
        _C_STYLE,
        _EAST_ASIAN,
        r"(?P<Y>\d{4})-(?:(?P<j>\d{3})|W(?P<W>\d\d)-(?P<u>[1-7]))T" + _CLOCK + _ZONE,
        r"(?=\d{1,2}:\d\d:)" + _CLOCK + _ZONE,
    )
)
_NUMERIC = re.compile(r"(?P<x>\d{1,2})[./-](?P<y>\d{1,2})[./-](?P<Y>\d{4})" + _AT, re.IGNORECASE)


@lru_cache(maxsize=4096)
def read(text: str) -> tuple[Moment, ...]:
    """Every way to read a text that is a date, a time or both, whole; empty where it is none."""
    for pattern in _SHAPES:
        if found := pattern.fullmatch(text):
            moment = _moment(found.groupdict())
            return (moment,) if moment is not None and _is_its_day(text, moment) else ()
    if found := _NUMERIC.fullmatch(text):
        parts = found.groupdict()
        x, y = parts.pop("x"), parts.pop("y")
        usual, turned = _moment({**parts, "d": x, "m": y}), _moment({**parts, "d": y, "m": x})
        return tuple(m for m in (usual, turned and turned._replace(turned=True)) if m is not None)
    return ()


def _moment(parts: dict[str, str | None]) -> Moment | None:
    fraction = parts.get("f") or ""
    try:
        clock = time(_hour(parts), int(parts.get("M") or 0), min(int(parts.get("S") or 0), 59))
        when = datetime.combine(_day(parts), clock, _zone(parts.get("z")))
    except (ValueError, KeyError, OverflowError):
        return None
    at = when.timestamp() + (float("0." + fraction) if fraction else 0.0)
    return Moment(at, _step(parts, fraction), bool(parts.get("z")), not parts.get("Y"))


def _day(parts: dict[str, str | None]) -> date:
    """The day by month, by its number in the year or by week (ISO 8601); `KeyError` for an unknown month."""
    year = int(parts.get("Y") or 1970)
    if number := parts.get("j"):
        day = date(year, 1, 1) + timedelta(days=int(number) - 1)
        if day.year != year:
            raise ValueError(number)
        return day
    if week := parts.get("W"):
        return date.fromisocalendar(year, int(week), int(parts.get("u") or 1))
    name = parts.get("b")
    month = MONTHS[name.lower()] if name else int(parts.get("m") or 1)
    return date(year, month, int(parts.get("d") or 1))


def _is_its_day(text: str, moment: Moment) -> bool:
    """Whether a time is not of another day of the week than is written (in its own zone, within a day)."""
    word = _LETTERS.match(text)
    day = _WEEK.get(word[0].lower()) if word else None
    if day is None or moment.daily:
        return True
    away = (day - int(moment.at // _DAY) - _THURSDAY) % 7
    return away == 0 or (moment.zoned and away in (1, 6))


def _hour(parts: dict[str, str | None]) -> int:
    hour = int(parts.get("H") or 0)
    half = parts.get("p")
    return hour if not half else hour % 12 + (12 if half in "pP" else 0)


def _zone(text: str | None) -> timezone:
    if not text or text[0] not in "+-":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    away = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-away if text[0] == "-" else away)


def _step(parts: dict[str, str | None], fraction: str) -> float:
    if not parts.get("H"):
        return _DAY
    if not parts.get("S"):
        return _MINUTE
    return 10.0 ** -len(fraction)


_TICK_DIGITS = 18
_TICK_EPOCHS = (11_644_473_600.0, 62_135_596_800.0)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEK = {name: n for n, day in enumerate(_DAYS) for name in (day, day[:3], day[:4], day[:5])}
_THURSDAY = 3
"""What day the first of 1970 was."""

_DIGIT_COUNTS = {10: 1.0, 13: 1e3, 16: 1e6, 19: 1e9}


def read_unix(text: str) -> tuple[Moment, ...]:
    """The moment of decimal digits that count seconds, milli-, micro- or nanoseconds since 1970, or Windows'
    ticks since 1601 or the year 1."""
    whole, dot, fraction = text.partition(".")
    if not (whole.isascii() and whole.isdigit() and (not dot or fraction.isdigit())):
        return ()
    if len(whole) == _TICK_DIGITS and not dot:
        return tuple(Moment(int(whole) / 1e7 - epoch, 1e-7, True) for epoch in _TICK_EPOCHS)
    scale = _DIGIT_COUNTS.get(len(whole))
    if scale is None:
        return ()
    at = float(text) / scale
    return (Moment(at, 10.0 ** -len(fraction) / scale, True),) if 0 < at < _YEARS * 3 else ()


_LETTERS = re.compile(r"[^\W\d]{2,}")
_OFFSET = re.compile(r"\d ?([+-]\d\d:?\d\d)$")
_FRACTION = re.compile(r"(?<=:\d\d)[.,](\d{1,9})")


def same_shape(first: str, second: str) -> bool:
    """Whether two stamps are written alike; a fraction may have lost trailing zeros."""
    digits = [len(found[1]) if (found := _FRACTION.search(text)) else 0 for text in (first, second)]
    if (not digits[0]) != (not digits[1]) or abs(digits[0] - digits[1]) > _FRACTION_TRIMMED:
        return False
    return _shape(first) == _shape(second) and _OFFSET.findall(first) == _OFFSET.findall(second)


def same_digits(first: str, second: str) -> bool:
    """Whether two counts since 1970 are in one unit, and both whole or both with a fraction; one that has
    few digits may have lost them all, as trailing zeros."""
    wholes, fractions = zip(*(text.partition(".")[::2] for text in (first, second)), strict=True)
    lost = not all(fractions) and max(map(len, fractions)) > _FRACTION_TRIMMED
    return len(wholes[0]) == len(wholes[1]) and not lost


def _shape(text: str) -> str:
    return re.sub(r"\d+", "0", _LETTERS.sub(_letters, text)).replace("  ", " ")


def _letters(found: re.Match[str]) -> str:
    word = found[0]
    if word.upper() in ("AM", "PM"):
        return "xm"
    if word.lower() in _WEEK:
        return "day"
    return word if word.upper() in ("UTC", "GMT", "AT", "UM", "DE") else "w"
