"""Outlines: parts of the spec in force as plain data, in a spec's own words, secrets masked."""

from __future__ import annotations

import msgspec

from traffic_mirror.masking import MASK, SENSITIVE_HEADERS, Masker
from traffic_mirror.spec.model import Api, Compare, Destination, Rule, SampleBy, Spec
from traffic_mirror.spec.units import write_duration, write_size

_PAIRS = frozenset({"headers", "query", "tolerance", "unordered"})
_DURATIONS = frozenset({"timeout", "within", "open_for"})
_SIZES = frozenset({"max_body", "bytes", "max_bytes", "max_response", "stream_buffer"})
_PARTS_OF_URL = frozenset({"scheme", "hostname", "port", "base_path", "base_query"})


def outline_rule(spec: Spec, rule: Rule, masker: Masker) -> dict[str, object]:
    """What is set of a rule, with its destinations' names."""
    shown = _outline(rule, masker)
    shown["destinations"] = [spec.destinations[index].name for index in rule.destinations]
    if shown.pop("wait", False):
        shown["async"] = False
    if "compare" in shown:
        shown["compare"] = _compare(spec, rule.compare, masker)
    return shown


def _compare(spec: Spec, compare: Compare, masker: Masker) -> object:
    """A switch where nothing else is set."""
    shown = _outline(compare, masker)
    if compare.baseline is not None:
        shown["baseline"] = {
            "destination": spec.destinations[compare.baseline.destination].name,
            "sample_rate": compare.baseline.sample_rate,
        }
    if compare.enabled is False:
        return False
    shown.pop("enabled", None)
    return shown or True


def outline_destination(destination: Destination, masker: Masker) -> dict[str, object]:
    """What is set of a destination, its URL whole."""
    shown = _outline(destination, masker)
    url = destination.url + destination.base_path
    if destination.base_query:
        url += f"?{destination.base_query}"
    rest = {name: value for name, value in shown.items() if name not in _PARTS_OF_URL}
    return {**rest, "url": masker.text(url), "timeout": write_duration(destination.timeout)}


def outline_api(api: Api, masker: Masker) -> dict[str, object]:
    """An API's names and how many rules it has."""
    return {
        "name": api.name,
        "hosts": masker.value(api.hosts),
        "listen_path": masker.text(api.listen_path),
        "strip_listen_path": api.strip_listen_path,
        "tyk": api.tyk is not None,
        "rules": len(api.rules),
    }


def outline_markers(spec: Spec) -> dict[str, object]:
    """What the marker headers begin with, and which there are."""
    prefix, only = spec.markers.prefix, spec.markers.only_marker
    names = [prefix] if only else [prefix, *(f"{prefix}-{part}" for part in ("Source", "Timestamp", "Id"))]
    return {"marker_headers": False if only else prefix, "sent": names}


def _outline(value: msgspec.Struct, masker: Masker) -> dict[str, object]:
    """The fields that are not at their default."""
    shown = {}
    for field in msgspec.structs.fields(value):
        found = getattr(value, field.name)
        if found != field.default and found != ():
            shown[field.name] = _plain(field.name, found, masker)
    return shown


def _plain(name: str, value: object, masker: Masker) -> object:
    if isinstance(value, SampleBy):
        return f"{value.source}:{value.name}" if value.name else value.source
    if name in _DURATIONS and isinstance(value, float):
        return write_duration(value)
    if name in _SIZES and isinstance(value, int):
        return write_size(value)
    if name == "max_rate":
        return f"{value:.9g}/s"
    if isinstance(value, msgspec.Struct):
        return _outline(value, masker)
    if isinstance(value, bytes):
        return f"PEM, {len(value)} bytes"
    if isinstance(value, str):
        return masker.text(value)
    if isinstance(value, tuple):
        if name in _PAIRS and all(isinstance(item, tuple) and len(item) == 2 for item in value):
            return {key: _masked(key, item, masker) for key, item in value}
        return [_plain("", item, masker) for item in value]
    return value


def _masked(name: str, value: object, masker: Masker) -> object:
    return MASK if name.lower() in SENSITIVE_HEADERS else masker.value(value)
