"""Single values: whether two unlike ones differ by noise only, and how a value is shown in a difference."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal

from traffic_mirror.compare.amounts import explain_amount, explain_measured_text
from traffic_mirror.compare.hosts import explain_port
from traffic_mirror.compare.ids import Mark, Name
from traffic_mirror.compare.scene import Scene
from traffic_mirror.compare.tokens import explain_number
from traffic_mirror.compare.wording import common_length, explain_text

MAX_TEXT = 200
_MAX_SHOWN = 1000
_BEFORE = 40
_MAX_WIRE_INT = 1 << 63


def explain(a: object, b: object, name: Name, scene: Scene) -> list[Mark] | None:
    """Why two unlike values of one type are the same but for noise: their marks; None where they differ."""
    if isinstance(a, str) and isinstance(b, str):
        measured = explain_measured_text(a, b, name, scene)
        return [measured] if measured else explain_text(a, b, name, scene)
    if _is_number(a) and _is_number(b):
        return _explain_numbers(a, b, name, scene)
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _explain_numbers(a: object, b: object, name: Name, scene: Scene) -> list[Mark] | None:
    first, second = _digits(a), _digits(b)
    if first is None or second is None:
        return None
    mark = (
        explain_number(first, second, name, scene)
        or explain_amount(float(first), float(second), name, scene)
        or (explain_port(first, second, scene) if name.words[-1:] == ("port",) else None)
    )
    return None if mark is None else [mark]


def _digits(value: object) -> str | None:
    """A number without exponent; None where it has too many digits to be a time or a measurement."""
    if isinstance(value, int):
        return str(value) if abs(value) < _MAX_WIRE_INT else None
    assert isinstance(value, Decimal)
    if not value.is_finite() or not -30 < value.adjusted() < 30:
        return None
    return format(value, "f")


def show_pair(a: object, b: object) -> tuple[object, object]:
    """Two values as they are reported; long texts are cut around the first place where they differ."""
    if not (isinstance(a, str) and isinstance(b, str)) or max(len(a), len(b)) <= MAX_TEXT:
        return show(a), show(b)
    start = max(0, common_length(a, b) - _BEFORE)
    return _window(a, start), _window(b, start)


def _window(text: str, start: int) -> str:
    end = start + MAX_TEXT
    return ("…" if start else "") + without_surrogates(text[start:end]) + ("…" if end < len(text) else "")


def show(value: object) -> object:
    """A value as it is reported: plain data, bounded; what is too large is its beginning as text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _window(value, 0)
    if isinstance(value, int):
        return value if -_MAX_WIRE_INT <= value < _MAX_WIRE_INT else str(Decimal(value))[:MAX_TEXT]
    if isinstance(value, Decimal):
        return _show_decimal(value)
    plain = _plain(value, 6)
    text = json.dumps(plain, ensure_ascii=False, separators=(", ", ": "))
    return plain if len(text) <= _MAX_SHOWN else text[:MAX_TEXT] + "…"


def _show_decimal(value: Decimal) -> object:
    near = float(value)
    return near if Decimal(repr(near)) == value and value.is_finite() else str(value)[:MAX_TEXT]


def _plain(value: object, depth: int) -> object:
    if isinstance(value, Mapping):
        if depth == 0:
            return "{…}"
        return {without_surrogates(str(k)): _plain(v, depth - 1) for k, v in list(value.items())[:50]}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(v, depth - 1) for v in value[:50]] if depth else "[…]"
    return (
        show(value)
        if value is None or isinstance(value, str | int | Decimal)
        else without_surrogates(str(value)[:_MAX_SHOWN])
    )


def without_surrogates(text: str) -> str:
    """The text with halves of surrogate pairs, which no file, frame or expression can hold, written out."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
