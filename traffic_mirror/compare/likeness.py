"""How like two values are, and keys by which equal ones are found, with and without what may be noise."""

from __future__ import annotations

import re
from decimal import Decimal

from traffic_mirror.compare.budget import Budget
from traffic_mirror.compare.trees import Element

_MASK = re.compile(
    r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
    r"|\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d[\d:.,]*(?:Z|[+-]\d\d:?\d\d)?)?|(?:\b\d{1,2}:\d\d:\d\d[\d.]*)"
    r"|//[^\s/?#\"'<>]+|[A-Za-z0-9_-]{16,}|\d{10,}"
)
_IDENTITIES = (
    "id",
    "_id",
    "uuid",
    "key",
    "sku",
    "code",
    "name",
    "slug",
    "email",
    "number",
    "@id",
    "@name",
    "@key",
)
_MAX_MASKED = 4096
_LEAST_STAMP = 1_000_000_000
_MISSING = object()
LEAST = 0.3
"""How like two values of two types are: enough to be one element that changed its type."""

SCALAR = 0.35
"""How like two unlike single values of one type are: enough to stand for one another where nothing does
better."""


def same(a: object, b: object, budget: Budget) -> bool:
    """Whether two values are equal, with `1`, `true` and `"1"` told apart."""
    if a is b:
        return True
    if type(a) is not type(b):
        return kind(a) == kind(b) == "number" and a == b
    if isinstance(a, dict):
        assert isinstance(b, dict)
        budget.spend(len(a))
        return len(a) == len(b) and _same_fields(a, b, budget)
    if isinstance(a, list):
        assert isinstance(b, list)
        budget.spend(len(a))
        return len(a) == len(b) and all(same(x, y, budget) for x, y in zip(a, b, strict=True))
    if isinstance(a, Element):
        assert isinstance(b, Element)
        return a.tag == b.tag and a.attributes == b.attributes and same(a.children, b.children, budget)
    return a == b


def _same_fields(a: dict[str, object], b: dict[str, object], budget: Budget) -> bool:
    for name, x in a.items():
        y = b.get(name, _MISSING)
        if x is y or (type(x) is str and type(y) is str and x == y):
            continue
        if y is _MISSING or not same(x, y, budget):
            return False
    return True


def kind(value: object) -> str:
    """The type of a value as JSON has it."""
    return _KINDS.get(type(value), "object")


_KINDS: dict[type, str] = {
    bool: "boolean",
    int: "number",
    Decimal: "number",
    str: "string",
    list: "list",
    type(None): "null",
    bytes: "bytes",
}


def key(value: object, budget: Budget, *, masked: bool) -> int:
    """A key that equal values share; `masked`: also values that differ only where noise may be."""
    if isinstance(value, str):
        budget.spend(len(value) // 32)
        return hash(_MASK.sub(_mask, value) if masked and 8 <= len(value) <= _MAX_MASKED else value)
    if isinstance(value, dict):
        budget.spend(len(value))
        return hash(frozenset((name, key(inner, budget, masked=masked)) for name, inner in value.items()))
    if isinstance(value, list):
        budget.spend(len(value))
        return hash(tuple(key(inner, budget, masked=masked) for inner in value))
    if isinstance(value, Element):
        inner = (*value.attributes.items(), *enumerate(value.children))
        budget.spend(len(inner))
        return hash((value.tag, *((name, key(v, budget, masked=masked)) for name, v in inner)))
    if masked and isinstance(value, int) and value >= _LEAST_STAMP:
        return hash("#")
    return hash((kind(value), value))


def _mask(found: re.Match[str]) -> str:
    return found[0] if found[0].isalpha() else "#"


def likeness(a: object, b: object, budget: Budget) -> float:
    """0 for values that have nothing to do with one another, 1 for the same but for noise."""
    if isinstance(a, dict) and isinstance(b, dict):
        return _likeness_of_fields(a, b, budget)
    if isinstance(a, Element) and isinstance(b, Element):
        return _likeness_of_elements(a, b, budget) if a.tag == b.tag else 0.0
    if isinstance(a, Element) or isinstance(b, Element):
        return 0.0
    if kind(a) != kind(b):
        return LEAST
    if isinstance(a, list) or _alike(a, b, budget):
        return 0.5 if isinstance(a, list) else 1.0
    return SCALAR + 0.5 * _shared(a, b) if isinstance(a, str) and isinstance(b, str) else SCALAR


def _likeness_of_fields(a: dict[str, object], b: dict[str, object], budget: Budget) -> float:
    names = a.keys() | b.keys()
    common = a.keys() & b.keys()
    budget.spend(len(names))
    if not names:
        return 1.0
    equal = sum(_alike(a[name], b[name], budget) for name in common)
    score = (0.35 * len(common) + 0.65 * equal) / len(names)
    for name in _IDENTITIES:
        if name in common and not any(isinstance(side[name], dict | list) for side in (a, b)):
            if not _alike(a[name], b[name], budget):
                return score * 0.6 if len(names) > 1 else score
            return max(score, 0.9) if same(a[name], b[name], budget) else score
    return score


def _likeness_of_elements(a: Element, b: Element, budget: Budget) -> float:
    budget.spend(30)
    fields = [
        {**side.attributes, **{f"{child.name} {i}" if isinstance(child, Element) else f" {i}": child
                               for i, child in enumerate(side.children)}}
        for side in (a, b)
    ]  # fmt: skip
    return 0.3 + 0.7 * _likeness_of_fields(fields[0], fields[1], budget)


def _alike(a: object, b: object, budget: Budget) -> bool:
    return kind(a) == kind(b) and (a == b or key(a, budget, masked=True) == key(b, budget, masked=True))


def _shared(a: str, b: str) -> float:
    shorter = min(len(a), len(b), 200)
    start = end = 0
    while start < shorter and a[start] == b[start]:
        start += 1
    while end < shorter - start and a[-1 - end] == b[-1 - end]:
        end += 1
    return (start + end) / max(len(a), len(b), 1)
