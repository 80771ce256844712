"""What a comparison looks at: read at each level of a spec, and merged from spec to API to rule."""

from __future__ import annotations

from typing import cast

import msgspec

from traffic_mirror.spec import reading as read
from traffic_mirror.spec.destination import Destinations
from traffic_mirror.spec.model import Baseline, Compare, Pairs
from traffic_mirror.spec.node import Node
from traffic_mirror.spec.reading import Field, Reading, children, collect, items

_ADDED = ("ignore", "only", "equivalent")
_MERGED = ("tolerance", "unordered")
_NUMBERS = ("header", "body")
_LISTS = ("body",)


def inherit(above: Compare, node: Node, destinations: Destinations, reading: Reading) -> Compare:
    """What holds at a level: `above` with what `node` says, a mapping or a boolean.

    Lists add up, mappings merge with the nearest level's entries last, anything else is overridden; a mapping
    or true switches on, false off.
    """
    if node.bad:
        return above
    if isinstance(node.value, bool):
        return msgspec.structs.replace(above, enabled=node.value)
    values = collect(node, _FIELDS, reading)
    for name in _ADDED:
        if name in values:
            values[name] = tuple(dict.fromkeys((*getattr(above, name), *values[name])))
    for name in _MERGED:
        if name in values:
            inherited = (entry for entry in getattr(above, name) if entry[0] not in dict(values[name]))
            values[name] = (*inherited, *values[name])
    baseline = _baseline(node, destinations)
    if baseline is not None:
        values["baseline"] = baseline
    return msgspec.structs.replace(above, enabled=True, **values)


def _baseline(node: Node, destinations: Destinations) -> Baseline | None:
    """The baseline's destination; the share of requests it gets is that destination's sample rate."""
    entry = children(node).get("baseline")
    index = None if entry is None or entry.bad else destinations.resolve(entry)
    return None if index is None else Baseline(destination=index, sample_rate=destinations[index].sample_rate)


def _tolerance(node: Node, reading: Reading) -> tuple[tuple[str, float], ...]:
    return tuple(
        (place, read.number(child, reading))
        for place, child in read.places_of(node, reading, _NUMBERS).items()
    )


def _unordered(node: Node, reading: Reading) -> tuple[tuple[str, str | bool], ...]:
    entries = read.places_of(node, reading, _LISTS)
    return tuple((place, cast("str | bool", child.value)) for place, child in entries.items())


def _equivalent(node: Node, reading: Reading) -> Pairs:
    pairs = [[read.expression(side, reading) for side in items(pair)] for pair in items(node)]
    return tuple((pair[0], pair[1]) for pair in pairs if len(pair) == 2)


_FIELDS: dict[str, Field] = {
    "ignore": ("ignore", read.places),
    "only": ("only", read.places),
    "tolerance": ("tolerance", _tolerance),
    "unordered": ("unordered", _unordered),
    "equivalent": ("equivalent", _equivalent),
    "status": ("status", read.text),
    "max_bytes": ("max_bytes", read.size),
}
