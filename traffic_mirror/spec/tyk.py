"""Tyk classic API definitions as APIs of a spec, read as the gateway would have meant them.

The fields are those of tyk pull request 7351; docs/tyk.md says where its code and its intent differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

import msgspec
import re2
import yaml

from traffic_mirror.spec import reading as read
from traffic_mirror.spec.destination import Destinations, make_destination, read_url
from traffic_mirror.spec.document import convert
from traffic_mirror.spec.environment import BadReferenceError, substitute
from traffic_mirror.spec.model import Api, Compare, Markers, Match, Pairs, Rule, TykMatching
from traffic_mirror.spec.node import Node
from traffic_mirror.spec.pattern import check_listen_path, check_tyk_path
from traffic_mirror.spec.problems import quote
from traffic_mirror.spec.reading import FRAMING, NOTHING, Field, Reading, children, collect, items
from traffic_mirror.spec.rule import Names
from traffic_mirror.spec.schema import check_structure

MARKERS = Markers(prefix="X-Tyk-Mirror", with_id=False)
_OUR_KEYS = frozenset(("apis", "destinations", "version"))
_TYK_KEYS = frozenset(("version_data", "api_definition", "api_id"))
_DEFAULT_VERSIONS = ("Default", "default", "")
_VARIABLE = re.compile(r"\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")
_ENVIRONMENT = re.compile(r"env://([A-Za-z_][A-Za-z0-9_]*)")
_STORES = ("secrets://", "consul://", "vault://")


class TykSwitches(msgspec.Struct, frozen=True, kw_only=True):
    """The switches of a gateway's own configuration that change which paths match."""

    enable_path_prefix_matching: bool = False
    enable_path_suffix_matching: bool = False
    ignore_endpoint_case: bool = False

    def matching(self) -> TykMatching:
        """What an API has to know of them."""
        return TykMatching(
            prefix_matching=self.enable_path_prefix_matching, suffix_matching=self.enable_path_suffix_matching
        )


class _Version(msgspec.Struct, frozen=True, kw_only=True):
    """A version's rules, the condition that a request is for it, and what is to follow the listen path."""

    name: str
    node: Node
    match: Match = Match()
    segment: str = ""


def is_tyk(origin: yaml.Node) -> bool:
    """Whether a document is a Tyk API definition (or a list of them) rather than a spec of our own."""
    if isinstance(origin, yaml.SequenceNode):
        return (
            bool(origin.value) and isinstance(origin.value[0], yaml.MappingNode) and is_tyk(origin.value[0])
        )
    if not isinstance(origin, yaml.MappingNode):
        return False
    keys = {key.value for key, _ in origin.value if isinstance(key, yaml.ScalarNode)}
    return not keys.isdisjoint(_TYK_KEYS) and keys.isdisjoint(_OUR_KEYS)


def tyk_switches(node: Node) -> TykSwitches:
    """The gateway's switches from a spec's `tyk` mapping."""
    return TykSwitches(**{key: child.value is True for key, child in children(node).items() if not child.bad})


def read_tyk(origin: yaml.Node, file: str, reading: Reading) -> Node:
    """A definition's checked root. The environment is put into its rules only: the rest is not ours."""
    root = convert(origin, file, reading, lambda _: None)
    for definition in _definitions(root):
        for version in children(_entry(definition, "version_data", "versions")).values():
            paths = _entry(version, "extended_paths")
            rules = _entry(paths, "traffic_mirror")
            if isinstance(rules.value, list):
                replaced = convert(rules.origin, file, reading, partial(_substitute, reading), rules)
                children(paths)["traffic_mirror"] = replaced
    check_structure("tyk_document", root, reading.problems)
    return root


def build_tyk(
    root: Node,
    switches: TykSwitches,
    compare: Compare,
    names: Names,
    destinations: Destinations,
    reading: Reading,
) -> list[Api]:
    """The APIs of a document of Tyk's: one for each version that mirrors anything."""
    apis = []
    for definition in _definitions(root):
        if _entry(definition, "active").value is False:
            continue
        name = _text(definition, "name") or _text(definition, "api_id") or "tyk"
        versions = [
            version for version in _versions(definition) if _entry(version.node, "traffic_mirror").value
        ]
        for version in versions:
            full_name = name if len(versions) == 1 else f"{name} {version.name}"
            rules = _rules(version, switches, compare, destinations, reading)
            api = Api(
                name=names.make(full_name, definition),
                hosts=_hosts(definition),
                listen_path=_listen_path(definition, version, reading),
                strip_listen_path=_entry(definition, "proxy", "strip_listen_path").value is True,
                tyk=switches.matching(),
                rules=tuple(rules),
                markers=MARKERS,
            )
            apis.append(api)
    return apis


def _definitions(root: Node) -> Iterator[Node]:
    for node in root.value if isinstance(root.value, list) else [root]:
        wrapped = _entry(node, "api_definition")
        yield wrapped if isinstance(wrapped.value, dict) else node


def _versions(definition: Node) -> Iterator[_Version]:
    """The versions, the default one last: it takes what names no other."""
    data = _entry(definition, "version_data")
    versions = {
        name: _entry(node, "extended_paths")
        for name, node in children(_entry(data, "versions")).items()
        if _entry(node, "use_extended_paths").value is not False
    }
    if _entry(data, "not_versioned").value is True or len(versions) == 1:
        named = [name for name in (*_DEFAULT_VERSIONS, *versions) if name in versions]
        if named:
            yield _Version(name=named[0], node=versions[named[0]])
        return
    default = _text(data, "default_version")
    for name, node in versions.items():
        if name != default:
            yield _conditional(name, node, definition)
    if default in versions:
        yield _Version(name=default, node=versions[default])


def _conditional(name: str, node: Node, definition: Node) -> _Version:
    location = _text(definition, "definition", "location")
    condition = ((_text(definition, "definition", "key") or "x-api-version", f"^{re2.escape(name)}$"),)
    match location:
        case "url":
            return _Version(name=name, node=node, segment=f"{name}/")
        case "url-param":
            return _Version(name=name, node=node, match=Match(query=condition))
        case _:
            return _Version(name=name, node=node, match=Match(headers=condition))


def _listen_path(definition: Node, version: _Version, reading: Reading) -> str:
    written = _text(definition, "proxy", "listen_path")
    path = f"/{written.removeprefix('/')}{version.segment}"
    if error := check_listen_path(path):
        node = _entry(definition, "proxy", "listen_path")
        place = definition if node is NOTHING else node
        reading.problems.at(place, f"a listen path ({error})", f"the listen path {quote(path)}")
    return path


def _hosts(definition: Node) -> tuple[str, ...]:
    """The domain as a host pattern. A variable is any name: what comes after the last one is held to."""
    domain = _text(definition, "domain").lower()
    if not domain or _entry(definition, "domain_disabled").value is True:
        return ()
    after = _VARIABLE.split(domain)[-1].partition(":")[0]
    if "{" not in domain:
        return (after,)
    _, dot, rest = after.partition(".")
    return (f"*.{rest}",) if dot and rest else ()


def _rules(
    version: _Version, switches: TykSwitches, compare: Compare, destinations: Destinations, reading: Reading
) -> Iterator[Rule]:
    names = Names()
    ignore_case = switches.ignore_endpoint_case or _ignores_case(version.node)
    for node in items(_entry(version.node, "traffic_mirror")):
        values = collect(node, _RULE, reading)
        path = values.setdefault("path", "")
        if error := check_tyk_path(path):
            child = _entry(node, "path")
            reading.problems.at(child, "a path that makes an RE2 expression" + read.because(child, error))
        resolved = [
            _destination(child, destinations, reading) for child in items(_entry(node, "destinations"))
        ]
        values["destinations"] = tuple(dict.fromkeys(index for index in resolved if index is not None))
        values["ignore_case"] = ignore_case or values.get("ignore_case", False)
        name = " ".join(filter(None, (*values.get("methods", ()), path))) or "any"
        yield Rule(name=names.make(name, node), match=version.match, compare=compare, **values)


def _ignores_case(paths: Node) -> bool:
    version = paths.parent
    return version is not None and _entry(version, "ignore_endpoint_case").value is True


def _destination(node: Node, destinations: Destinations, reading: Reading) -> int | None:
    values = collect(node, _DESTINATION, reading)
    url = values.pop("url", None)
    if not values.get("timeout"):
        values.pop("timeout", None)
    return None if url is None else destinations.write(make_destination(url, "", values))


def _entry(node: Node, *keys: str) -> Node:
    """What stands under keys, one below the other; a node of nothing where something is missing or bad."""
    for key in keys:
        node = children(node).get(key, NOTHING)
    return NOTHING if node.bad else node


def _text(node: Node, *keys: str) -> str:
    value = _entry(node, *keys).value
    return value if isinstance(value, str) else ""


def _substitute(reading: Reading, text: str) -> tuple[str, tuple[str, ...]] | None:
    """Our references and the gateway's `env://NAME`; its other stores are out of reach."""
    if "://" not in text:
        return substitute(text, reading.environ)
    for store in _STORES:
        if store in text:
            raise BadReferenceError((f"a reference to the gateway's {store} store", "env://NAME or ${NAME}"))
    return substitute(_ENVIRONMENT.sub(r"${\1}", text), reading.environ)


def _headers(node: Node, reading: Reading) -> Pairs:
    """The headers to set, without those that frame a message: the gateway's client would not send them."""
    return tuple(
        (name, read.text(child, reading))
        for name, child in children(node).items()
        if not child.bad and name.lower() not in FRAMING
    )


def _method(node: Node, reading: Reading) -> tuple[str, ...]:
    method = read.text(node, reading).upper() if node.value else ""
    return (method,) if method else ()


def _path(node: Node, reading: Reading) -> str:
    return read.text(node, reading) if node.value else ""


def _rate(node: Node, reading: Reading) -> float:
    return 1.0 if node.value is None else read.number(node, reading)


def _timeout(node: Node, reading: Reading) -> float:
    return 0.0 if node.value is None else read.number(node, reading)


def _is_true(node: Node, _reading: Reading) -> bool:
    return node.value is True


def _is_false(node: Node, _reading: Reading) -> bool:
    return node.value is False


_RULE: dict[str, Field] = {
    "disabled": ("disabled", _is_true),
    "path": ("path", _path),
    "method": ("methods", _method),
    "ignore_case": ("ignore_case", _is_true),
    "sample_rate": ("sample_rate", _rate),
    "async": ("wait", _is_false),
    "headers": ("headers", _headers),
}
_DESTINATION: dict[str, Field] = {
    "url": ("url", read_url),
    "headers": ("headers", _headers),
    "timeout": ("timeout", _timeout),
    "sample_rate": ("sample_rate", _rate),
}
