"""Ids of one exchange (a request, a trace, a session), where the name leaves no doubt that they are.

Then any two of one shape that have little in common are noise, however short or odd their alphabet is.
"""

from __future__ import annotations

import re

from traffic_mirror.compare import names
from traffic_mirror.compare.ids import UUID, Mark, Name, looks_random, unlike_kinds
from traffic_mirror.compare.moments import read_unix

_CHUNKS = re.compile(r"([^0-9A-Za-z]+)")
_LONGEST = 512
_LEAST = 6
_LEAST_BESIDE_A_TIME = 4
_LONG = 16
_FLAG = 2
_FEW = 3
_ALIKE = 0.5
_LOOSE = 0.3


def explain_exchange(a: str, b: str, name: Name) -> Mark | None:
    """Two ids of exchanges: cut at what is no letter or digit, each part is the same, a time, or fresh."""
    if not names.is_exchange(name.words) or max(len(a), len(b)) > _LONGEST or any(map(str.isspace, a + b)):
        return None
    if UUID.fullmatch(a) or UUID.fullmatch(b) or unlike_kinds(a, b):
        return None
    first, second = _CHUNKS.split(a), _CHUNKS.split(b)
    if len(first) != len(second):
        random = len(a) == len(b) >= _LONG and all(looks_random(text.replace("@", "-")) for text in (a, b))
        return Mark("id", a, b) if random and _are_fresh(a, b) else None
    unlike = [(x, y) for x, y in zip(first, second, strict=True) if x != y]
    own = [(x, y) for x, y in unlike if not (read_unix(x) and read_unix(y))]
    if not all(min(len(x), len(y)) > _FLAG and _near_length(x, y) for x, y in own):
        return None
    least = _LEAST if len(own) == len(unlike) else _LEAST_BESIDE_A_TIME
    x, y = "".join(x for x, _ in own), "".join(y for _, y in own)
    return Mark("id", a, b) if min(len(x), len(y)) >= least and _are_fresh(x, y) else None


def _near_length(x: str, y: str) -> bool:
    return abs(len(x) - len(y)) <= _LOOSE * max(len(x), len(y))


def _are_fresh(x: str, y: str) -> bool:
    """Whether two texts have little in common and neither is a word or a number beside a word."""
    alike = sum(map(str.__eq__, x, y)) / max(len(x), len(y))
    return alike <= _ALIKE and x.isdigit() == y.isdigit() and not (_is_plain(x) or _is_plain(y))


def _is_plain(text: str) -> bool:
    """A word, or a few characters over and over."""
    return len(set(text)) < _FEW or (text.isalpha() and (text[1:].islower() or text.isupper()))
