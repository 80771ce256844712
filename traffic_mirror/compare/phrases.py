"""Spans of time as texts word them: how long ago something was, and how long an answer took to make."""

from __future__ import annotations

import re

from traffic_mirror.compare.ids import Mark
from traffic_mirror.compare.moments import SKEW
from traffic_mirror.compare.scene import Scene

AGO = (
    r"\b(?:(?:\d{1,4}|an?|one|a few) (?:second|sec|minute|min|hour|hr|day|week|month|year)s? ago"
    r"|just now|(?:vor|il y a|hace|há) \d{1,4} [^\W\d]{3,9})\b|\d{1,4} ?(?:秒|分|分钟|時間|小时|日|天)前"
)
TOOK = (
    r"(?:\b(?:[Tt]ook|[Ii]n|[Ww]ithin|[Aa]fter|[Ee]lapsed|[Tt]ime(?: usage| taken)?|[Dd]uration)[:= ]{1,2}"
    r"|\()\d{1,7}(?:\.\d{1,9})? ?"
    r"(?:ms|µs|us|ns|s|secs?|seconds?|milliseconds?|msec)\b"
)
SPAN = (
    r"(?:P(?:\d{1,6}[YMWD]){0,4}(?:T(?:\d{1,6}(?:\.\d{1,9})?[HMS]){1,3})?"
    r"|(?:\d{1,9}(?:\.\d{1,9})? ?(?:(?:year|month|week|day|hour|hr|minute|min|second|sec)s?|ms|[ywdhms])"
    r",? ?(?:and )?){0,6}(?:\d{1,9}:\d\d(?::\d\d(?:\.\d{1,9})?)?)?)"
)
UP = rf"\b[Uu]p ?time[:= ]{{1,2}}(?=[P\d]){SPAN}(?![\w:%])"

_UNITS = {
    "s": 1.0, "sec": 1.0, "sek": 1.0, "min": 60.0, "hou": 3600.0, "hr": 3600.0, "stu": 3600.0, "heu": 3600.0,
    "hor": 3600.0, "day": 86400.0, "tag": 86400.0, "jou": 86400.0, "día": 86400.0, "dia": 86400.0,
    "seg": 1.0, "wee": 604800.0, "mon": 2592000.0, "yea": 31536000.0,
    "秒": 1.0, "分": 60.0, "分钟": 60.0, "時間": 3600.0, "小时": 3600.0, "日": 86400.0, "天": 86400.0,
}  # fmt: skip
_AMOUNT = re.compile(
    r"(?:(?:vor|il y a|hace|há) )?(?P<n>\d+|an?|one|a few) ?(?P<unit>[^\W\d]+?)前?(?: |$)|just now"
)
_LEAD = re.compile(r"[^P\d]*")
_MEASURED = re.compile(r"(?P<lead>\D+)(?P<n>[\d.]+) ?(?P<unit>\D+)$")
_PER_SECOND = {"ms": 1e3, "mi": 1e3, "µs": 1e6, "us": 1e6, "ns": 1e9, "s": 1.0, "se": 1.0}
_MAKING = re.compile(
    r"\b(?:generated|rendered|processed|executed|completed|computed|served|built|loaded|fetched|finished|found|"
    r"page|query|results?|rows?|request)\b[^.;\n]{0,40}$",
    re.IGNORECASE,
)

_SETTING = re.compile(
    r"\b(?:time-?out|limit|max(?:imum)?|min(?:imum)?|delay|interval|budget|expected|every|allowed)\b[^.;\n]{0,20}$",
    re.IGNORECASE,
)


def explain_ago(a: str, b: str, scene: Scene) -> Mark | None:
    """Two distances from now, which may differ by as much as now moved and one step of rounding."""
    first, second = _ago(a), _ago(b)
    if first is None or second is None:
        return None
    step = max(first[1], second[1])
    rounding = SKEW if step == 1 else step if step <= 60 else 0.0
    return Mark("timestamp") if abs(first[0] - second[0]) <= scene.lag + rounding + sum(scene.took) else None


def _ago(text: str) -> tuple[float, float] | None:
    found = _AMOUNT.match(text.lower())
    if found is None:
        return None
    if found["n"] is None:
        return 0.0, 1.0
    unit = _UNITS.get(found["unit"][:3])
    amount = float(found["n"]) if found["n"].isdigit() else 3.0 if "few" in found["n"] else 1.0
    return None if unit is None else (amount * unit, unit)


def explain_took(a: str, b: str, scene: Scene, said: str) -> Mark | None:
    """Two times that an answer may have measured of itself, or that still last; `said` is the text before."""
    first, second = _MEASURED.match(a), _MEASURED.match(b)
    if first is None or second is None or first["lead"] != second["lead"]:
        return None
    seconds = [float(found["n"]) / _PER_SECOND[found["unit"][:2]] for found in (first, second)]
    making = _MAKING.search(said)
    if _SETTING.search(said) or (first["lead"] == "(" and not making):
        return None
    sure = first["lead"].lower().startswith(("took", "time ")) or making
    if all(is_own_time(s, 0.0 if sure else took) for s, took in zip(seconds, scene.took, strict=True)):
        return Mark("duration")
    whole = any(not second % 30 for second in seconds)
    near = abs(seconds[0] - seconds[1]) <= 1 + scene.lag + sum(scene.took)
    return Mark("countdown") if near and not whole and min(seconds) > 10 else None


def explain_up(a: str, b: str) -> Mark | None:
    """Two times for which the machines that answered have been up."""
    return Mark("uptime") if _LEAD.findall(a)[0] == _LEAD.findall(b)[0] else None


def is_own_time(seconds: float, took: float) -> bool:
    """Whether an answer that took that long may have measured this of itself; 0 where that is not known."""
    return 0 <= seconds <= (took * 1.5 + 0.05 if took else 30.0)
