"""The JSON Schema of specs: what it finds wrong with a document, told at the nodes it is wrong with.

`schemas/mirror-spec.schema.json` alone says which keys and types a spec has.
"""

from __future__ import annotations

import difflib
import functools
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from traffic_mirror.spec.node import Node
from traffic_mirror.spec.problems import Problems, quote

type Schema = dict[str, Any]

FILE_NAME = "mirror-spec.schema.json"
_HINTS = 100
_ENVIRONMENT = "#/$defs/from_environment"
_OR_ENVIRONMENT = r"|\$\{"
_FOR_EDITORS = frozenset(("$defs", "$schema", "default", "description", "examples"))
_OF_NAMES = frozenset(("patternProperties", "properties"))
_TITLES = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}


def load_schema() -> Schema:
    """The schema's document: in an installed package inside it, in a checkout beside it."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "schemas" / FILE_NAME
    path = inside if inside.exists() else package.parent / "schemas" / FILE_NAME
    schema: Schema = json.loads(path.read_bytes())
    return schema


def check_structure(definition: str, root: Node, problems: Problems) -> None:
    """Reports all that a document has against a definition under `$defs`, and marks the bad nodes."""
    for error in _validator(definition).iter_errors(_plain(root)):
        _report(error, root, problems)


def did_you_mean(name: str, known: Iterable[str], problems: Problems) -> str:
    """A hint for a misspelled name, or nothing; the first hundred problems get one, as it takes a while."""
    if len(problems) > _HINTS:
        return ""
    close = difflib.get_close_matches(name[:_HINTS], list(itertools.islice(known, _HINTS)), n=1)
    return f" (did you mean {quote(close[0])}?)" if close else ""


# --- the schema as the reader uses it ---


@functools.cache
def _validator(definition: str) -> Draft202012Validator:
    root = load_schema()
    return Draft202012Validator(_as_read(root["$defs"][definition], root))


def _as_read(schema: Any, root: Schema) -> Any:
    """The schema for values that the environment has been put into, with references followed.

    Looking a reference up at each value would take as long again as all the checks.
    """
    if isinstance(schema, list):
        return [_as_read(each, root) for each in schema if each != {"$ref": _ENVIRONMENT}]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _as_read(_resolve(schema["$ref"], root), root)
    return {key: _keyword(key, value, root) for key, value in schema.items() if key not in _FOR_EDITORS}


def _keyword(key: str, value: Any, root: Schema) -> Any:
    if key in _OF_NAMES:
        return {name: _as_read(each, root) for name, each in value.items()}
    # Python's `$` also matches before a last line break.
    return (
        re.sub(r"(?<!\\)\$(?=\)|\||$)", r"\\Z", value.removesuffix(_OR_ENVIRONMENT))
        if key == "pattern"
        else _as_read(value, root)
    )


def _resolve(pointer: str, root: Schema) -> Schema:
    schema = root
    for step in pointer.removeprefix("#/").split("/"):
        schema = schema[step]
    return schema


def _plain(node: Node) -> Any:
    """A node's value without places."""
    if isinstance(node.value, dict):
        return {key: _plain(child) for key, child in node.value.items()}
    return [_plain(child) for child in node.value] if isinstance(node.value, list) else node.value


# --- what it finds, in our words ---


def _report(error: ValidationError, start: Node, problems: Problems, title: str = "") -> None:
    """Tells an error at its node, whose path begins at `start`; `title` is what is expected there."""
    node = _find(start, error.relative_path)
    if node is None:
        return
    schema, instance = _schema_of(error), cast("Any", error.instance)
    title = title or _title(schema)
    if len(error.relative_schema_path) > 1 and error.relative_schema_path[-2] == "propertyNames":
        problems.at_key(_children(node)[instance], title)
        return
    match error.validator:
        case "anyOf":
            _report_branch(error, node, problems, title)
        case "additionalProperties":
            _report_unknown_keys(schema, node, problems)
        case "required":
            for key in schema["required"]:
                if key not in instance:
                    problems.missing(node, key, _title(schema["properties"][key]))
        case "minItems" | "maxItems":
            least = "" if "maxItems" in schema else f", at least {schema['minItems']}"
            found = f"a list of {len(instance)}" if instance else "an empty list"
            problems.at(node, title + least, found)
        case _:
            problems.at(node, title)


def _find(node: Node, path: Iterable[str | int]) -> Node | None:
    """The node at a path; None where something is known to be wrong with it or with what holds it."""
    for step in path:
        if node.bad:
            return None
        node = cast("Any", node.value)[step]
    return None if node.bad else node


def _report_branch(error: ValidationError, node: Node, problems: Problems, title: str) -> None:
    """What is wrong by the first branch that is for values of this type; else that none is."""
    for errors in _branches(error.context or ()):
        if all(each.validator != "type" or each.relative_path for each in errors):
            for each in errors:
                _report(each, node, problems, "" if each.relative_path else title)
            return
    problems.at(node, title)


def _branches(errors: Iterable[ValidationError]) -> Iterator[list[ValidationError]]:
    for _, group in itertools.groupby(errors, lambda error: error.relative_schema_path[0]):
        yield list(group)


def _report_unknown_keys(schema: Schema, node: Node, problems: Problems) -> None:
    properties = schema.get("properties", {})
    known = [key for key in properties if not key.startswith("$")]
    free = [re.compile(pattern) for pattern in schema.get("patternProperties", ())]
    for key, child in _children(node).items():
        if child.bad or key in properties or any(pattern.search(key) for pattern in free):
            continue
        expected = "one of " + ", ".join(known) + did_you_mean(key, known, problems)
        problems.at_key(child, expected, f"the unknown key {quote(key)}")


def _schema_of(error: ValidationError) -> Schema:
    """What it was checked against; a schema may also be true or false, ours never are."""
    return cast("Schema", error.schema)


def _title(schema: Schema) -> str:
    """What a value of this schema is, in words."""
    if title := schema.get("title"):
        return str(title)
    types = schema.get("type", [])
    names = [types] if isinstance(types, str) else types
    return " or ".join(_TITLES[name] for name in names) or "something else"


def _children(node: Node) -> dict[str, Node]:
    assert isinstance(node.value, dict)
    return node.value
