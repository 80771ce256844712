"""Pieces: a text cut into what is said, and what stands in it that may be noise."""

from __future__ import annotations

import re
from typing import NamedTuple

from traffic_mirror.compare import moments
from traffic_mirror.compare.jwt import JWT
from traffic_mirror.compare.moments import Moment, read_unix
from traffic_mirror.compare.phrases import AGO, TOOK, UP
from traffic_mirror.compare.scene import Scene

_CLOCK = r"\d{1,2}(?:[:h]| h )\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?: ?[AaPp]\.?[Mm]\b\.?)?"
_ZONE = r"(?: ?(?:Z\b|UTC|GMT|[+-]\d{2}:?\d{2}(?!\d)|[+-]\d{2}(?![\d:-])))?"
_AT = rf"(?:[ ,:]{{1,2}}(?:um |à |at |a las |alle |om )?{_CLOCK}{_ZONE})?"
_EAST_ASIAN = (
    r"\d{4}[年년] ?\d{1,2}[月월] ?\d{1,2}[日일]"
    r"(?: ?\d{1,2}(?:[時时시点] ?\d{1,2}[分분](?: ?\d{1,2}[秒초])?|:\d\d(?::\d\d)?))?"
)
_TIMES = (
    r"\d{4}-\d\d-\d\d[T_-]\d\d-\d\d-\d\dZ?(?![0-9])",
    _EAST_ASIAN,
    rf"\d{{4}}[-/.]\d\d[-/.]\d\d(?:[Tt _]{_CLOCK}{_ZONE}(?:\[[\w/]{{1,40}}\])?)?(?![0-9])",
    rf"\d{{4}}-(?:\d{{3}}|W\d\d-[1-7])T{_CLOCK}{_ZONE}(?![0-9])",
    r"20\d{6}(?:[T_-]?\d{6}(?:\.?\d{1,9})?(?:Z|[+-]\d{4})?)?(?![0-9A-Za-z])",
    r"(?:[^\W\d]{2,12}[.,]{0,2} )?\d{1,2}\.?[ /-](?:de |d')?[^\W\d]{3,12}\.?,?[ /-](?:de )?\d{4}(?![\w-])"
    + _AT,
    r"(?:[^\W\d]{3,9},? )?[^\W\d]{3,10}\.? \d{1,2}(?:st|nd|rd|th)?,? \d{4}(?![\w-])" + _AT,
    r"(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?: [A-Z]{3,4})? \d{4}",
    rf"\d{{1,2}}[./-]\d{{1,2}}[./-]\d{{4}}{_AT}(?![0-9])",
    rf"\d{{1,2}}:\d\d:\d\d(?:[.,]\d{{1,9}})?(?: ?[AaPp]\.?[Mm]\b\.?)?{_ZONE}(?![:\d])",
)
_STRONG = re.compile(
    rf"(?P<jwt>{JWT.pattern})"
    r"|(?<![0-9a-fA-F])(?P<uuid>[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})(?![0-9a-fA-F])"
    rf"|(?<![0-9A-Za-z.])(?P<time>{'|'.join(_TIMES)})"
    rf"|(?P<amount>(?<=[=:]) ?\d{{1,9}}(?:\.\d{{1,9}})?(?:ms|µs|us|ns|s)?(?![\w.:/-]))"
    rf"|(?P<ago>{AGO})"
    rf"|(?P<took>{TOOK})"
    rf"|(?P<up>{UP})"
    r"|(?<![0-9A-Za-z.])(?P<num>\d{10}(?:\.\d{1,9})?|\d{13}|\d{16,19})(?![0-9A-Za-z])",
)
_TOKENS = re.compile(r"[A-Za-z0-9_-]{6,}")


class Piece(NamedTuple):
    """A piece of a text that may be noise; `lead` is what is said before it."""

    kind: str
    text: str
    lead: str


def stamps(text: str) -> tuple[Moment, ...]:
    """Every moment that is written in a text (its first kilobytes)."""
    found = (match for match in _STRONG.finditer(text[:4096]) if match.lastgroup in ("time", "num"))
    return tuple(m for f in found for m in (moments.read(f[0]) if f.lastgroup == "time" else read_unix(f[0])))


def cut_text(text: str, scene: Scene) -> tuple[list[Piece], str]:
    """The pieces of a text, and what is said after the last."""
    spans: list[tuple[int, int, str]] = []
    at = 0
    if scene.links is not None:
        for found in scene.links.finditer(text):
            _find(text, at, found.start(), spans)
            spans.append((found.start(), found.end(), "host"))
            at = found.end()
    _find(text, at, len(text), spans)
    pieces = []
    at = 0
    for start, end, kind in spans:
        pieces.append(Piece(kind, text[start:end], text[at:start]))
        at = end
    return pieces, text[at:]


def is_token(text: str) -> bool:
    """Whether a text is nothing but what may be an id."""
    return _TOKENS.fullmatch(text) is not None


def _find(text: str, start: int, end: int, spans: list[tuple[int, int, str]]) -> None:
    at = start
    for found in _STRONG.finditer(text, start, end):
        _find_tokens(text, at, found.start(), spans)
        spans.append((found.start(), found.end(), found.lastgroup or ""))
        at = found.end()
    _find_tokens(text, at, end, spans)


def _find_tokens(text: str, start: int, end: int, spans: list[tuple[int, int, str]]) -> None:
    if end - start >= 6:
        spans.extend((found.start(), found.end(), "token") for found in _TOKENS.finditer(text, start, end))
