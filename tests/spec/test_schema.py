"""The JSON Schema: complete, closed, explained, and of one mind with the reader."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.spec.test_mistakes import mistakes
from traffic_mirror.spec.document import convert, read_document
from traffic_mirror.spec.node import Node
from traffic_mirror.spec.problems import Problems
from traffic_mirror.spec.reading import Reading
from traffic_mirror.spec.schema import check_structure, load_schema

SCHEMA = load_schema()
CONFIG = Path(__file__).parent.parent.parent / "config"


def subschemas(schema: Any, path: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping of the schema's document that is a schema, with its place."""
    if isinstance(schema, dict):
        yield path, schema
        for key, sub in schema.items():
            if key in ("properties", "$defs", "patternProperties"):
                for name, each in sub.items():
                    yield from subschemas(each, f"{path}/{key}/{name}")
            elif key not in ("default", "examples", "enum", "const", "required"):
                yield from subschemas(sub, f"{path}/{key}")
    elif isinstance(schema, list):
        for index, each in enumerate(schema):
            yield from subschemas(each, f"{path}/{index}")


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        pointer, schema = schema["$ref"], SCHEMA
        for step in pointer.removeprefix("#/").split("/"):
            schema = schema[step]
    return schema


def reader_accepts(text: str, definition: str = "spec") -> bool:
    """Whether the reader's own check finds nothing wrong with a document's structure."""
    reading = Reading({}, None, Path())
    origin = read_document("s.json", text.encode(), reading.problems)
    assert origin is not None
    root = convert(origin, "s.json", reading, lambda _: None)
    check_structure(definition, root, reading.problems)
    return not len(reading.problems)


def without_environment(schema: Any) -> Any:
    """The schema as it is after the environment has been put in."""
    if isinstance(schema, dict):
        return {
            key: value.removesuffix(r"|\$\{") if key == "pattern" else without_environment(value)
            for key, value in schema.items()
        }
    if isinstance(schema, list):
        return [without_environment(each) for each in schema if each != {"$ref": "#/$defs/from_environment"}]
    return schema


AS_READ = without_environment(SCHEMA)


def schema_accepts(value: Any, definition: str = "spec") -> bool:
    schema = {"$ref": f"#/$defs/{definition}", "$defs": AS_READ["$defs"]}
    return jsonschema.Draft202012Validator(schema).is_valid(value)


def test_it_is_a_valid_schema_of_draft_2020_12() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_key_is_explained() -> None:
    silent = [
        f"{path}/properties/{key}"
        for path, schema in subschemas(SCHEMA)
        for key, sub in schema.get("properties", {}).items()
        if not sub.get("description") and not resolve(sub).get("description")
    ]
    assert silent == []


def test_every_definition_has_a_title_for_messages_and_a_description() -> None:
    assert [name for name, each in SCHEMA["$defs"].items() if not each.get("title")] == []
    assert [name for name, each in SCHEMA["$defs"].items() if not each.get("description")] == []


def test_every_object_of_our_own_is_closed() -> None:
    open_ones = [
        path
        for path, schema in subschemas(SCHEMA)
        if schema.get("type") == "object" and schema.get("additionalProperties", True) is True
    ]
    # Tyk's definitions have much that is not ours; their rules and destinations are closed.
    assert all("/tyk_" in path or path.startswith("#/if") for path in open_ones)
    assert not any(name in path for path in open_ones for name in ("tyk_rule", "tyk_destination"))


def test_defaults_are_valid_and_those_of_the_model() -> None:
    from traffic_mirror.spec.reader import parse_spec

    wrong = [
        path
        for path, schema in subschemas(SCHEMA)
        if "default" in schema
        and not jsonschema.Draft202012Validator({**schema, "$defs": SCHEMA["$defs"]}).is_valid(
            schema["default"]
        )
    ]
    assert wrong == []

    def defaults(name: str) -> dict[str, Any]:
        properties = SCHEMA["$defs"][name]["properties"]
        nested = {key: sub["properties"] for key, sub in properties.items() if "properties" in sub}
        own = {key: sub["default"] for key, sub in properties.items() if "default" in sub}
        return own | {
            key: {each: sub["default"] for each, sub in subs.items() if "default" in sub}
            for key, subs in nested.items()
            if key != "match"
        }

    rule = {"path": "/", "destinations": [{"url": "https://d.test"}]}
    written = {
        **rule,
        **defaults("rule"),
        "destinations": [{"url": "https://d.test", **defaults("destination")}],
    }
    written["compare"] = defaults("compare_policy")
    bare = parse_spec(
        [("s", json.dumps({"apis": [{"traffic_mirror": [{**rule, "compare": {}}]}]}).encode())], {}
    )
    full = parse_spec(
        [("s", json.dumps({"apis": [{**defaults("api"), "traffic_mirror": [written]}]}).encode())], {}
    )
    assert full == bare


@pytest.mark.parametrize("file", sorted(CONFIG.glob("*.yaml")), ids=lambda file: file.name)
def test_editors_find_nothing_wrong_with_the_examples(file: Path) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(yaml.safe_load(file.read_text()))


def structured() -> Iterator[tuple[str, Node]]:
    """The mistakes that a JSON value can show: no syntax errors, tags or duplicate keys."""
    for name, text, _ in mistakes():
        reading = Reading({}, None, Path())
        origin = read_document("s.yaml", text.encode(), reading.problems)
        if origin is None:
            continue
        root = convert(origin, "s.yaml", reading, lambda _: None)
        if not len(reading.problems):
            yield name, root


@pytest.mark.parametrize("root", [case[1] for case in structured()], ids=[case[0] for case in structured()])
def test_mistakes_of_structure_are_mistakes_to_both(root: Node) -> None:
    problems = Problems()
    check_structure("spec", root, problems)
    assert schema_accepts(plain(root)) == (not len(problems))


def plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items()}
    return [plain(child) for child in node.value] if isinstance(node.value, list) else node.value


BASE: dict[str, Any] = {
    "version": 1,
    "marker_headers": "X-Copy",
    "tyk": {"ignore_endpoint_case": True},
    "destinations": {
        "a": {
            "url": "https://d.test",
            "timeout": "2s",
            "sample_rate": 0.5,
            "headers": {"X": "y", "N": 1},
            "remove_headers": ["C"],
            "host": "preserve",
            "http_version": 1.1,
            "tls": {"verify": False, "server_name": "a"},
            "proxy": "http://p",
            "connect_to": "h:1",
            "max_in_flight": 3,
            "queue": {"copies": 1, "bytes": "1KiB", "when_full": "drop_oldest"},
            "circuit_breaker": {"failures": 1, "of": 2, "within": 3, "open_for": "4s"},
            "redact": {"headers": ["X"], "query": ["q"], "json": ["$.a"]},
        }
    },
    "compare": True,
    "apis": [
        {
            "name": "n",
            "hosts": ["*.h", "::1"],
            "listen_path": "/l",
            "strip_listen_path": True,
            "compare": {"status": "class"},
            "traffic_mirror": [
                {
                    "name": "r",
                    "path": "/p",
                    "methods": ["GET"],
                    "async": False,
                    "sample_by": "cookie:c",
                    "max_rate": "5/s",
                    "match": {"headers": {"X": "1"}, "query": {"q": 2}, "filter": "~a"},
                    "max_body": 5,
                    "destinations": ["a", {"url": "http://e"}],
                    "compare": {
                        "baseline": "a",
                        "ignore": ["status"],
                        "tolerance": {"body:$.a": 1},
                        "unordered": {"body:$.b": "id"},
                        "equivalent": [["a", "b"]],
                        "max_bytes": "1MB",
                    },
                }
            ],
        }
    ],
}


def test_what_the_following_changes_is_valid() -> None:
    assert reader_accepts(json.dumps(BASE))
    assert schema_accepts(BASE)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value."""
    yield path
    if isinstance(value, dict):
        for key, child in value.items():
            yield from places(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from places(child, (*path, index))


WORDS = [
    "",
    "a",
    "GET",
    "X-Y",
    "2s",
    "1KiB",
    "5/s",
    "/p",
    "^p",
    "*.h",
    "http://x",
    "status",
    "$.a",
    "a b",
    "\n",
]
WORDS += [
    "client_ip",
    "header:X",
    "drop_oldest",
    "auto",
    "1.1",
    "preserve",
    "exact",
    "body:$.a",
    "é",
    "http://",
]
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2_000_000),
    st.sampled_from([0.5, 1.0, 1.5, -0.1, 2.0, 3.0, 1e300]),
    st.sampled_from(WORDS),
)
ANY = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(WORDS), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.sampled_from(sorted(places(BASE), key=str)), ANY), min_size=1, max_size=2),
    st.data(),
)
def test_reader_and_schema_agree_on_any_document(
    changes: list[tuple[tuple[Any, ...], Any]], data: st.DataObject
) -> None:
    document = copy.deepcopy(BASE)
    for path, value in changes:
        how = data.draw(st.sampled_from(["replace", "remove", "add"]))
        document = changed(document, path, value, how, data.draw(st.sampled_from(WORDS)))
    assert reader_accepts(json.dumps(document)) == schema_accepts(document)


def changed(document: Any, path: tuple[Any, ...], value: Any, how: str, key: str) -> Any:
    """The document with one place replaced, removed or given another key."""
    if not path:
        return value if how == "replace" else document
    target = document
    for step in path[:-1]:
        if not isinstance(target, dict | list) or (isinstance(target, dict) and step not in target):
            return document
        if isinstance(target, list) and (not isinstance(step, int) or step >= len(target)):
            return document
        target = target[step]
    if isinstance(target, dict):
        if how == "remove":
            target.pop(path[-1], None)
        else:
            target[path[-1] if how == "replace" else key] = value
    elif isinstance(target, list) and isinstance(path[-1], int) and path[-1] < len(target):
        target[path[-1]] = value
    return document


@pytest.mark.parametrize("definition", [name for name in SCHEMA["$defs"] if name != "from_environment"])
@settings(max_examples=60, deadline=None)
@given(ANY)
def test_reader_and_schema_agree_on_every_definition(definition: str, value: Any) -> None:
    assert reader_accepts(json.dumps(value), definition) == schema_accepts(value, definition)
