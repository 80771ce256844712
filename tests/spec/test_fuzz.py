"""Nothing crashes the reader: whatever it is given, it answers with a spec or with SpecError."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.spec.test_mistakes import mistakes
from tests.spec.test_schema import ANY, BASE, changed, places
from traffic_mirror.rules import compile_rules
from traffic_mirror.spec.problems import SpecError
from traffic_mirror.spec.reader import parse_spec

CONFIG = Path(__file__).parent.parent.parent / "config"
CORPUS = [file.read_bytes() for file in sorted(CONFIG.glob("*.yaml"))]
CORPUS += [text.encode() for _, text, _ in mistakes()] + [json.dumps(BASE).encode()]
ENVIRON = {"A": "s3cr3t-s3cr3t", "B": ""}
FUZZ = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


def read(*documents: bytes, suffix: str = "yaml") -> None:
    """Reads documents; what is accepted also compiles, and no message shows what the environment has."""
    named = [(f"{index}.{suffix}", document) for index, document in enumerate(documents)]
    try:
        spec = parse_spec(named, ENVIRON, lambda expression: None if expression[:1] == "~" else "no filter")
    except SpecError as error:
        refused = error
    else:
        compile_rules(spec)
        return
    assert refused.problems
    assert ENVIRON["A"] not in str(refused)
    for problem in refused.problems:
        assert min(problem.line, problem.column) >= 1
        assert problem.path.startswith("$")
        assert "\n" not in str(problem)


@FUZZ
@given(st.binary(max_size=300))
@example(b"")
@example(b"\xef\xbb\xbf")
@example(b"\xff\xfe\x00\xd8")
@example(b"\xfe\xff")
def test_any_bytes(data: bytes) -> None:
    read(data)
    read(data, suffix="json")


@FUZZ
@given(st.text(max_size=300))
@example("\ud800")
@example("%YAML 9.9\n--- a")
@example("%TAG ! tag:x,1:\n--- !a b")
@example("&a [*a]")
@example("a: &a {<<: [*a, *a]}")
@example("? ? ? a")
@example('"\\ud800"')
@example("--- |\n x\n...\n")
def test_any_text(text: str) -> None:
    read(text.encode("utf-8", "surrogatepass"))
    read(text.encode("utf-8", "surrogatepass"), suffix="json")


@FUZZ
@given(st.sampled_from(CORPUS), st.data())
def test_any_change_to_a_document(document: bytes, data: st.DataObject) -> None:
    """Bytes of real documents cut out, doubled and replaced, as an editor's slips would."""
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(document)))
        end = data.draw(st.integers(start, min(len(document), start + 30)))
        tokens = [
            b"",
            b"*",
            b"&a ",
            b"*a",
            b"<<: ",
            b"{",
            b"]",
            b": ",
            b"- ",
            b"\t",
            b"\n",
            b'"',
            b"${A}",
            b"\x00",
        ]
        middle = data.draw(st.sampled_from([*tokens, document[start:end] * 2]))
        document = document[:start] + middle + document[end:]
    read(document)


@FUZZ
@given(st.lists(st.tuples(st.sampled_from(sorted(places(BASE), key=str)), ANY), max_size=4), st.data())
def test_any_structure(changes: list[tuple[tuple[Any, ...], Any]], data: st.DataObject) -> None:
    document = copy.deepcopy(BASE)
    for path, value in changes:
        how = data.draw(st.sampled_from(["replace", "remove", "add"]))
        document = changed(
            document, path, value, how, data.draw(st.sampled_from(["a", "path", "url", "compare"]))
        )
    read(json.dumps(document).encode(), suffix="json")
    read(yaml.safe_dump(document).encode(), json.dumps(document).encode())


TYK: dict[str, Any] = {
    "name": "n",
    "api_id": "i",
    "active": True,
    "domain": "{x}.d.test",
    "definition": {"location": "header", "key": "V"},
    "proxy": {"listen_path": "/l/{x}/", "strip_listen_path": True},
    "version_data": {
        "not_versioned": False,
        "default_version": "v1",
        "versions": {
            version: {
                "use_extended_paths": True,
                "extended_paths": {
                    "traffic_mirror": [
                        {
                            "path": "/a/{id}/*",
                            "method": "GET",
                            "sample_rate": 0.5,
                            "headers": {"X": "${A} env://A"},
                            "destinations": [
                                {"url": "http://u:env://A@d.test", "timeout": 2, "sample_rate": 1}
                            ],
                        }
                    ]
                },
            }
            for version in ("v1", "v2")
        },
    },
}


@FUZZ
@given(st.lists(st.tuples(st.sampled_from(sorted(places(TYK), key=str)), ANY), max_size=4), st.data())
def test_any_tyk_definition(changes: list[tuple[tuple[Any, ...], Any]], data: st.DataObject) -> None:
    document = copy.deepcopy(TYK)
    for path, value in changes:
        how = data.draw(st.sampled_from(["replace", "remove", "add"]))
        document = changed(
            document, path, value, how, data.draw(st.sampled_from(["a", "path", "url", "name"]))
        )
    read(json.dumps(document).encode(), suffix="json")
    read(json.dumps([document, {"api_definition": document}]).encode(), suffix="json")


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
KEYS = [
    "url",
    "headers",
    "proxy",
    "connect_to",
    "host",
    "path",
    "sample_by",
    "listen_path",
    "name",
    "timeout",
]


@FUZZ
@given(
    st.sampled_from(KEYS),
    st.one_of(TEXT, TEXT.map("/{}".format), TEXT.map("http://{}".format), TEXT.map("^{}".format)),
)
def test_any_text_as_a_value(key: str, value: str) -> None:
    destination = {"url": "http://d.test"}
    rule: dict[str, Any] = {"path": "/", "destinations": [destination]}
    api: dict[str, Any] = {"traffic_mirror": [rule]}
    if key in ("path", "sample_by", "name"):
        rule[key] = value
    elif key == "listen_path":
        api[key] = value
    else:
        rule["destinations"] = [{**destination, key: {"X": value} if key == "headers" else value}, value]
    read(json.dumps({"apis": [api]}).encode(), suffix="json")


@pytest.mark.parametrize("path", ["/{a", "/{a}}", "/{:x}", "/**", "/{a:{}", "^(", "/{a:(?=x)}", "/a?b"])
def test_a_path_that_the_rules_would_refuse_is_refused_here(path: str) -> None:
    document = {"apis": [{"traffic_mirror": [{"path": path, "destinations": ["http://d.test"]}]}]}
    with pytest.raises(SpecError, match=r"traffic_mirror\[0\]\.path: found"):
        parse_spec([("s.json", json.dumps(document).encode())], {})


RULES = "apis: [{traffic_mirror: [%s]}]"


@pytest.mark.parametrize(
    "document",
    [
        "\n".join(f"k{number}: 1" for number in range(20_000)),
        "x-k: 1\n" * 20_000,
        RULES % ",".join(["{path: /, destinations: [shdow]}"] * 5_000),
        RULES % ",".join(f"{{path: /, destinations: ['http://d?{number}']}}" for number in range(5_000)),
        "x-a: &a 1\nx-b: [" + "*a," * 3_000_000 + "]",
        "x-a: [" + "[]," * 100_000 + "]",
        "x-a: " + "a" * 10_000_000,
        RULES % ("{path: '/%s', destinations: ['http://d']}" % ("{a}" * 100_000)),
        RULES % ("{path: '^/%s', destinations: ['http://d']}" % ("(a|b)*" * 100_000)),
        RULES % ("{path: /, destinations: [{url: 'http://d', timeout: '%s'}]}" % ("1m" * 1_000_000)),
        RULES % ("{path: /, destinations: [{url: 'http://d', timeout: '%s'}]}" % ("1" * 1_000_000)),
    ],
    ids=[
        "unknown keys",
        "duplicate keys",
        "unknown destinations",
        "rules and destinations of one name",
        "aliases of a scalar",
        "many lists",
        "a long scalar",
        "a long template",
        "a long expression",
        "a long duration",
        "a long number",
    ],
)
def test_much_of_one_thing_takes_linear_time(document: str) -> None:
    read(document.encode())
