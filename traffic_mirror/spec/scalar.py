"""What a plain YAML scalar means: YAML 1.2's JSON schema, so that `no`, `on`, `12:30` and `0o17` are text."""

from __future__ import annotations

import re

_WORDS: dict[str, bool | None] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_FIRST = frozenset("0123456789+-.~nNtTfF")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]*|(?=\.[0-9]))(\.[0-9]*)?([eE][-+]?[0-9]{1,3})?\Z")
_LONGEST_NUMBER = 40


def resolve_scalar(text: str) -> str | int | float | bool | None:
    """The value of a plain scalar. Numbers with leading zeros or more than 40 characters stay text."""
    if text and text[0] not in _FIRST:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INTEGER.match(text):
        return int(text)
    return float(text) if _FLOAT.match(text) else text
