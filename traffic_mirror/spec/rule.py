"""Rules and the APIs they belong to, from their nodes to values."""

from __future__ import annotations

from functools import partial
from typing import Any

from traffic_mirror.spec import reading as read
from traffic_mirror.spec.comparison import inherit
from traffic_mirror.spec.destination import Destinations, redact
from traffic_mirror.spec.model import Api, Compare, Match, Rule, SampleBy, SampleSource
from traffic_mirror.spec.node import Node
from traffic_mirror.spec.pattern import check_listen_path, check_path
from traffic_mirror.spec.problems import quote
from traffic_mirror.spec.reading import Field, Reading, children, collect, items
from traffic_mirror.spec.url import parse_host

LARGEST_BODY = 1024**3
_SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))


class Names:
    """Names that must differ: written ones are refused the second time, made ones get a number."""

    def __init__(self) -> None:
        self._taken: dict[str, str] = {}
        self._made: dict[str, int] = {}

    def write(self, name: str, node: Node, kind: str, reading: Reading) -> str:
        """Takes a name that the spec gives."""
        if name in self._taken:
            found = f"the {kind} {quote(name)} again (first at {self._taken[name]})"
            reading.problems.at(node, "every name once", found)
        self._taken.setdefault(name, f"{node.file}:{node.line}")
        return name

    def make(self, name: str, node: Node) -> str:
        """Takes a name that is made here, with a number where it is taken."""
        unique, again = name, self._made.get(name, 1)
        while unique in self._taken:
            again += 1
            unique = f"{name} #{again}"
        self._made[name] = again
        self._taken[unique] = f"{node.file}:{node.line}"
        return unique


def build_api(node: Node, above: Compare, names: Names, destinations: Destinations, reading: Reading) -> Api:
    """An API from its mapping; what is wrong in it is reported and left out."""
    entries = children(node)
    compare = inherit(above, entries["compare"], destinations, reading) if "compare" in entries else above
    values = collect(node, _API, reading)
    if "name" in values:
        values["name"] = names.write(values["name"], entries["name"], "API", reading)
    else:
        hosts, path = values.get("hosts", ()), values.get("listen_path", "/").strip("/")
        values["name"] = names.make(" ".join(filter(None, (*hosts[:1], path))) or "api", node)
    in_api = Names()
    written = items(entries["traffic_mirror"]) if "traffic_mirror" in entries else []
    for child in written:
        _name(child, in_api, reading)
    rules = [build_rule(child, compare, in_api, destinations, reading) for child in written]
    return Api(**values, rules=tuple(rule for rule in rules if rule is not None))


def build_rule(
    node: Node, above: Compare, names: Names, destinations: Destinations, reading: Reading
) -> Rule | None:
    """A rule from its mapping, or None where it lacks what makes a rule."""
    entries = children(node)
    values = collect(node, _RULE, reading)
    if "method" in entries and "methods" in entries:
        reading.problems.at_key(entries["methods"], "only one of them", "methods beside method")
    if "destinations" in entries:
        values["destinations"] = _destinations(entries["destinations"], destinations, reading)
    if "compare" in entries:
        values["compare"] = inherit(above, entries["compare"], destinations, reading)
    else:
        values["compare"] = above
    _check_together(entries, values, reading)
    if "path" not in values:
        return None
    if "name" not in values:
        methods = ",".join(values.get("methods", ()))
        values["name"] = names.make(f"{methods} {values['path']}".lstrip(), node)
    return Rule(**values)


def _name(node: Node, names: Names, reading: Reading) -> None:
    """Takes a rule's written name before any name is made."""
    child = children(node).get("name")
    if child is not None and not child.bad:
        names.write(child.text, child, "rule", reading)


def _destinations(node: Node, destinations: Destinations, reading: Reading) -> tuple[int, ...]:
    """The indices of a rule's destinations."""
    found: dict[int, Node] = {}
    for child in items(node):
        index = destinations.resolve(child)
        if index is not None and found.setdefault(index, child) is not child:
            name = quote(destinations[index].name)
            reading.problems.at(child, "every destination once", f"the destination {name} again")
    return tuple(found)


def _check_together(entries: dict[str, Node], values: dict[str, Any], reading: Reading) -> None:
    """Refuses settings that can't work with each other."""
    methods = values.get("methods", ())
    if values.get("websocket"):
        if values.get("wait"):
            found = "async: false with websocket: true"
            reading.problems.at(entries["async"], "true, as a WebSocket has no end to wait for", found)
        if methods and "GET" not in methods:
            found = "websocket: true without the method GET"
            reading.problems.at(entries["websocket"], "GET among the methods, or none", found)
    compare = entries.get("compare")
    baseline = children(compare).get("baseline") if compare is not None else None
    if baseline is not None and methods and _SAFE_METHODS.isdisjoint(methods):
        expected = "a rule that takes GET, HEAD, OPTIONS or TRACE"
        reading.problems.at_key(baseline, expected, "a baseline for unsafe methods")


def _path(node: Node, reading: Reading) -> str:
    value = read.text(node, reading)
    if error := check_path(value):
        reading.problems.at(node, "a template or an RE2 expression" + read.because(node, error))
    return value


def _listen_path(node: Node, reading: Reading) -> str:
    value = read.text(node, reading)
    if error := check_listen_path(value):
        reading.problems.at(node, "a path, which may hold {variables}" + read.because(node, error))
    return value


def _method(node: Node, reading: Reading) -> tuple[str, ...]:
    return (read.text(node, reading).upper(),)


def _methods(node: Node, reading: Reading) -> tuple[str, ...]:
    return tuple(dict.fromkeys(read.text(child, reading).upper() for child in items(node)))


def _hosts(node: Node, reading: Reading) -> tuple[str, ...]:
    return tuple(_host(child, reading) for child in items(node))


def _host(node: Node, reading: Reading) -> str:
    """A host as it is compared: lower case, IDNA, an IPv6 address without brackets."""
    value = read.text(node, reading)
    wildcard, name = ("*.", value[2:]) if value.startswith("*.") else ("", value)
    try:
        return wildcard + parse_host(f"[{name.strip('[]')}]" if ":" in name else name).strip("[]")
    except ValueError as error:
        reading.problems.at(node, f"a host name, or *. and a host name ({error})")
        return value


def _not(node: Node, _reading: Reading) -> bool:
    return not node.value


def _sample_by(node: Node, reading: Reading) -> SampleBy:
    source, _, name = read.text(node, reading).partition(":")
    sources: dict[str, SampleSource] = {"header": "header", "cookie": "cookie", "path": "path"}
    return SampleBy(source=sources.get(source, "client_ip"), name=name)


def _match(node: Node, reading: Reading) -> Match:
    return Match(**collect(node, _MATCH, reading))


def _filter(node: Node, reading: Reading) -> str:
    value = read.text(node, reading)
    if reading.check_filter is not None and (error := reading.check_filter(value)):
        expected = "an expression of mitmproxy's filter language"
        reading.problems.at(node, expected + read.because(node, error))
    return value


_MATCH: dict[str, Field] = {
    "headers": ("headers", read.expressions),
    "query": ("query", read.expressions),
    "filter": ("filter", _filter),
}
_RULE: dict[str, Field] = {
    "name": ("name", read.text),
    "path": ("path", _path),
    "method": ("methods", _method),
    "methods": ("methods", _methods),
    "ignore_case": ("ignore_case", read.switch),
    "disabled": ("disabled", read.switch),
    "async": ("wait", _not),
    "websocket": ("websocket", read.switch),
    "sample_rate": ("sample_rate", read.number),
    "sample_by": ("sample_by", _sample_by),
    "max_rate": ("max_rate", read.rate),
    "match": ("match", _match),
    "headers": ("headers", read.headers),
    "remove_headers": ("remove_headers", read.texts),
    "max_body": ("max_body", partial(read.size, largest=LARGEST_BODY)),
    "redact": ("redact", redact),
}
_API: dict[str, Field] = {
    "name": ("name", read.text),
    "hosts": ("hosts", _hosts),
    "listen_path": ("listen_path", _listen_path),
    "strip_listen_path": ("strip_listen_path", read.switch),
}
