"""JSON read so that nothing gets lost: repeated keys, every digit, and what is no JSON at all."""

from __future__ import annotations

import json
from decimal import Decimal


class Repeated(list[object]):
    """The values of a key that an object has more than once, in order."""


class Constant(str):
    """`NaN`, `Infinity` or `-Infinity`, which many write and JSON does not know."""

    __slots__ = ()


def read_json(text: str) -> object:
    """The value of a JSON text: whole numbers exact, others as `Decimal`. `ValueError` where it is none."""
    try:
        return _read(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    except ArithmeticError as error:
        raise ValueError("a number with an exponent beyond all bounds") from error


def _read(text: str) -> object:
    try:
        return _DECODER.decode(text)
    except ValueError:
        if len(text) < _MAX_DIGITS:
            raise
        return _MANY_DIGITS.decode(text)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    seen: dict[str, list[object]] = {}
    for key, value in pairs:
        seen.setdefault(key, []).append(value)
    return {key: values[0] if len(values) == 1 else Repeated(values) for key, values in seen.items()}


_MAX_DIGITS = 4300
"""More digits than this Python does not turn into an int; a Decimal takes them."""

_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=Decimal, parse_constant=Constant)
_MANY_DIGITS = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=Decimal, parse_constant=Constant, parse_int=Decimal
)
