"""The JSON Schema of specs, compiled into checks that run over a document's nodes.

`schemas/mirror-spec.schema.json` alone says which keys and types a spec has. The `jsonschema` package takes
seconds for ten thousand rules and knows no lines and columns, so the keywords that the schema uses are
compiled here; the tests hold both to the same answers.
"""

from __future__ import annotations

import difflib
import functools
import itertools
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from traffic_mirror.spec.node import Node
from traffic_mirror.spec.problems import Problems, quote

type Check = Callable[[Node, Problems], None]
type Schema = dict[str, Any]

FILE_NAME = "mirror-spec.schema.json"
_HINTS = 100
_ENVIRONMENT = "#/$defs/from_environment"
_OR_ENVIRONMENT = r"|\$\{"
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


@functools.cache
def compile_check(definition: str) -> Check:
    """The check of a definition by its name under `$defs`. It reports every problem and marks bad nodes."""
    return _Compiler(load_schema()).reference(f"#/$defs/{definition}")


def did_you_mean(name: str, known: Iterable[str], problems: Problems) -> str:
    """A hint for a misspelled name, or nothing; the first hundred problems get one, as it takes a while."""
    if len(problems) > _HINTS:
        return ""
    close = difflib.get_close_matches(name[:_HINTS], list(itertools.islice(known, _HINTS)), n=1)
    return f" (did you mean {quote(close[0])}?)" if close else ""


class _Compiler:
    def __init__(self, root: Schema) -> None:
        self._root = root
        self._compiled: dict[str, Check] = {}

    def reference(self, pointer: str) -> Check:
        """The check of what a `$ref` points to, compiled once."""
        if pointer not in self._compiled:
            schema = self._root
            for step in pointer.removeprefix("#/").split("/"):
                schema = schema[step]
            self._compiled[pointer] = self.compile(schema)
        return self._compiled[pointer]

    def compile(self, schema: Schema) -> Check:
        """The check of a schema."""
        if "$ref" in schema:
            return self.reference(schema["$ref"])
        branches = [branch for branch in schema.get("anyOf", [schema]) if branch.get("$ref") != _ENVIRONMENT]
        title = schema.get("title", "")
        by_kind: dict[type, Check] = {}
        for branch in branches:
            for kind, check in self._kinds(branch, title):
                by_kind.setdefault(kind, check)
        expected = title or _TITLES.get(str(schema.get("type")), "something else")
        return _dispatch(by_kind, expected) if by_kind else _anything

    def _kinds(self, schema: Schema, title: str) -> list[tuple[type, Check]]:
        """The checks of a schema without `anyOf`, by the Python type of the values they are for."""
        if "$ref" in schema:
            return self._referred_kinds(schema["$ref"], title)
        types = schema.get("type", [])
        types = [types] if isinstance(types, str) else types
        if "const" in schema:
            types = ["integer"]
        title = title or schema.get("title", "") or " or ".join(_TITLES[t] for t in types)
        return [pair for name in types for pair in self._of_type(name, schema, title)]

    def _referred_kinds(self, pointer: str, title: str) -> list[tuple[type, Check]]:
        schema = self._root
        for step in pointer.removeprefix("#/").split("/"):
            schema = schema[step]
        if schema.get("type") == "object":
            return [(dict, self.reference(pointer))]
        return self._kinds(schema, title)

    def _of_type(self, name: str, schema: Schema, title: str) -> list[tuple[type, Check]]:
        match name:
            case "object":
                return [(dict, self._object(schema))]
            case "array":
                return [(list, self._array(schema, title))]
            case "string":
                return [(str, _string(schema, title))]
            case "integer":
                return [(int, _number(schema, title)), (float, _whole(schema, title))]
            case "number":
                return [(int, _number(schema, title)), (float, _number(schema, title))]
            case "boolean":
                return [(bool, _anything)]
            case _:
                return [(type(None), _anything)]

    def _object(self, schema: Schema) -> Check:
        properties = {key: self.compile(sub) for key, sub in schema.get("properties", {}).items()}
        titles = {key: self._title(sub) for key, sub in schema.get("properties", {}).items()}
        required = [(key, titles[key]) for key in schema.get("required", [])]
        free = [re.compile(pattern) for pattern in schema.get("patternProperties", {})]
        additional = schema.get("additionalProperties", True)
        others = self.compile(additional) if isinstance(additional, dict) else None
        names = schema.get("propertyNames")
        name_check = _key_name(self._resolve(names)) if names else None
        known = [key for key in properties if not key.startswith("$")]

        def check(node: Node, problems: Problems) -> None:
            children: dict[str, Node] = node.value  # type: ignore[assignment]  # dispatched by its type
            for key, child in children.items():
                of_key = properties.get(key, others)
                if name_check:
                    name_check(child, problems)
                if of_key is not None:
                    of_key(child, problems)
                elif additional is False and not any(pattern.search(key) for pattern in free):
                    expected = "one of " + ", ".join(known) + did_you_mean(key, known, problems)
                    problems.at_key(child, expected, f"the unknown key {quote(key)}")
            for key, title in required:
                if key not in children:
                    problems.missing(node, key, title)

        return check

    def _array(self, schema: Schema, title: str) -> Check:
        item = self.compile(schema["items"]) if "items" in schema else _anything
        least, most = schema.get("minItems", 0), schema.get("maxItems", float("inf"))

        def check(node: Node, problems: Problems) -> None:
            items: list[Node] = node.value  # type: ignore[assignment]  # dispatched by its type
            for child in items:
                item(child, problems)
            if not least <= len(items) <= most:
                found = "an empty list" if not items else f"a list of {len(items)}"
                problems.at(node, title if most < float("inf") else f"{title}, at least {least}", found)

        return check

    def _title(self, schema: Schema) -> str:
        return str(self._resolve(schema).get("title", "a value"))

    def _resolve(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            pointer, schema = schema["$ref"], self._root
            for step in pointer.removeprefix("#/").split("/"):
                schema = schema[step]
        return schema


def _anything(_node: Node, _problems: Problems) -> None:
    """The check of what may be anything."""


def _dispatch(by_kind: dict[type, Check], expected: str) -> Check:
    def check(node: Node, problems: Problems) -> None:
        of_kind = by_kind.get(type(node.value))
        if node.bad:
            return
        if of_kind is None:
            problems.at(node, expected)
        else:
            of_kind(node, problems)

    return check


def _string(schema: Schema, title: str) -> Check:
    choices = frozenset(schema["enum"]) if "enum" in schema else None
    pattern = _pattern(schema["pattern"]) if "pattern" in schema else None
    if choices is None and pattern is None and not schema.get("minLength"):
        return _anything

    def check(node: Node, problems: Problems) -> None:
        text: str = node.value  # type: ignore[assignment]  # dispatched by its type
        wrong = (
            text not in choices if choices is not None else pattern is not None and not pattern.search(text)
        )
        if wrong or (not text and schema.get("minLength")):
            problems.at(node, title)

    return check


def _number(schema: Schema, title: str) -> Check:
    least, most = schema.get("minimum", float("-inf")), schema.get("maximum", float("inf"))
    choices = schema.get("enum") or ([schema["const"]] if "const" in schema else None)

    def check(node: Node, problems: Problems) -> None:
        number: float = node.value  # type: ignore[assignment]  # dispatched by its type
        if not least <= number <= most or (choices and number not in choices):
            problems.at(node, title)

    return check


def _whole(schema: Schema, title: str) -> Check:
    in_range = _number(schema, title)

    def check(node: Node, problems: Problems) -> None:
        number: float = node.value  # type: ignore[assignment]  # dispatched by its type
        if number.is_integer():
            in_range(node, problems)
        else:
            problems.at(node, title)

    return check


def _key_name(schema: Schema) -> Check:
    pattern, title = _pattern(schema["pattern"]), schema["title"]

    def check(node: Node, problems: Problems) -> None:
        if not pattern.search(str(node.key)):
            problems.at_key(node, title)

    return check


def _pattern(pattern: str) -> re.Pattern[str]:
    """A schema's expression for Python, where `$` must not match before a last line break.

    References to the environment, which editors see, are replaced before a check sees them.
    """
    return re.compile(re.sub(r"(?<!\\)\$(?=\)|\||$)", r"\\Z", pattern.removesuffix(_OR_ENVIRONMENT)))
