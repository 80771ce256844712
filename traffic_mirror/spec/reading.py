"""What one reading of a spec carries along: its problems, its surroundings, and typed access to nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from traffic_mirror.spec.model import Pairs
from traffic_mirror.spec.node import Node
from traffic_mirror.spec.pattern import check_expression
from traffic_mirror.spec.place import PlaceError, parse_json_path, parse_place
from traffic_mirror.spec.problems import Problems, quote
from traffic_mirror.spec.units import parse_duration, parse_rate, parse_size

type CheckFilter = Callable[[str], str | None]
type Field = tuple[str, Callable[[Node, Reading], Any]]

NOTHING = Node(None, None)
LONGEST = 86_400.0
LARGEST = 1024**4
FASTEST = 1_000_000.0
FRAMING = frozenset(
    (
        "connection",
        "content-length",
        "expect",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)


@dataclass(frozen=True, slots=True)
class Reading:
    """One run of the reader. `base_dir` is where relative files are looked for; `secrets` gathers what the
    environment put into texts, `collections` the mappings and lists of all documents."""

    environ: Mapping[str, str]
    check_filter: CheckFilter | None
    base_dir: Path
    problems: Problems = field(default_factory=Problems)
    secrets: dict[str, None] = field(default_factory=dict)
    collections: list[Node] = field(default_factory=list)


def children(node: Node) -> dict[str, Node]:
    """A mapping's entries; the check has made sure that it is one, or has marked it bad."""
    return node.value if isinstance(node.value, dict) and not node.bad else {}


def items(node: Node) -> list[Node]:
    """A list's good items; the check has made sure that it is one, or has marked it bad."""
    return (
        [item for item in node.value if not item.bad] if isinstance(node.value, list) and not node.bad else []
    )


def collect(node: Node, fields: Mapping[str, Field], reading: Reading) -> dict[str, Any]:
    """The good entries of a mapping that `fields` knows, by the names and functions it gives."""
    values = {}
    for key, child in children(node).items():
        if child.bad or key not in fields:
            continue
        name, read = fields[key]
        value = read(child, reading)
        if not child.bad:
            values[name] = value
    return values


def text(node: Node, reading: Reading) -> str:
    """A scalar as text."""
    if node.secrets:
        reading.secrets.update(dict.fromkeys(node.secrets))
    return node.text


def texts(node: Node, reading: Reading) -> tuple[str, ...]:
    """A list of scalars as texts."""
    return tuple(text(item, reading) for item in items(node))


def switch(node: Node, _reading: Reading) -> bool:
    """A boolean."""
    return cast("bool", node.value)


def number(node: Node, _reading: Reading) -> float:
    """A number as a float."""
    return float(cast("float", node.value))


def count(node: Node, _reading: Reading) -> int:
    """A whole number."""
    return int(cast("int", node.value))


def duration(node: Node, reading: Reading) -> float:
    """Seconds, from a millisecond to a day."""
    seconds = parse_duration(cast("str | float", node.value))
    if not 0.001 <= seconds <= LONGEST:
        reading.problems.at(node, "a duration from 1ms to 24h")
    return seconds


def size(node: Node, reading: Reading, largest: int = LARGEST) -> int:
    """Bytes, at least one."""
    value = parse_size(cast("str | int", node.value))
    if not 1 <= value <= largest:
        reading.problems.at(node, f"a size from 1B to {largest // 1024**3}GiB")
    return value


def rate(node: Node, reading: Reading) -> float:
    """Requests per second, more than none."""
    value = parse_rate(cast("str | float", node.value))
    if not 0 < value <= FASTEST:
        reading.problems.at(node, "a rate of more than 0/s and at most 1000000/s")
    return value


def headers(node: Node, reading: Reading) -> Pairs:
    """Header names and values that a copy may be given."""
    pairs = []
    seen: dict[str, Node] = {}
    for name, child in children(node).items():
        if child.bad:
            continue
        if (first := seen.setdefault(name.lower(), child)) is not child:
            found = f"the header {quote(name)} again ({quote(first.key)} in line {first.key_position[0]})"
            reading.problems.at_key(child, "every header once, in whatever case", found)
        if name.lower() in FRAMING:
            reading.problems.at_key(
                child, "a header that does not frame the message or belong to one connection"
            )
        pairs.append((name, text(child, reading)))
    return tuple(pairs)


def expression(node: Node, reading: Reading) -> str:
    """An RE2 expression."""
    value = text(node, reading)
    if error := check_expression(value):
        reading.problems.at(node, "an RE2 expression" + because(node, error))
    return value


def because(node: Node, reason: str) -> str:
    """A reason in brackets; left out where it could quote what the environment put into the node."""
    return "" if node.from_environment else f" ({reason})"


def places(node: Node, reading: Reading) -> tuple[str, ...]:
    """Places in a response."""
    return tuple(place(item, reading) for item in items(node))


def place(node: Node, reading: Reading) -> str:
    """A place in a response, as a value."""
    value = text(node, reading)
    try:
        parse_place(value)
    except PlaceError as error:
        reading.problems.at(node, "a place in a response" + because(node, str(error)))
    return value


def places_of(node: Node, reading: Reading, parts: Sequence[str]) -> dict[str, Node]:
    """A mapping's good entries, whose keys are places in some of the `parts` of a response."""
    entries = {key: child for key, child in children(node).items() if not child.bad}
    for key, child in entries.items():
        try:
            if parse_place(key).part not in parts:
                reading.problems.at_key(child, f"a place in the {' or a '.join(reversed(parts))}")
        except PlaceError as error:
            reading.problems.at_key(child, f"a place in a response ({error})")
    return entries


def json_paths(node: Node, reading: Reading) -> tuple[str, ...]:
    """JSONPaths."""
    for item in items(node):
        try:
            parse_json_path(text(item, reading))
        except PlaceError as error:
            reading.problems.at(item, "a JSONPath" + because(item, str(error)))
    return texts(node, reading)


def expressions(node: Node, reading: Reading) -> Pairs:
    """Names and the RE2 expressions their values are searched for."""
    return tuple((key, expression(child, reading)) for key, child in children(node).items() if not child.bad)
