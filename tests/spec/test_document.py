"""Documents: what YAML and JSON mean here, and what is refused before it can hurt."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from traffic_mirror.spec import document
from traffic_mirror.spec.document import convert, read_document
from traffic_mirror.spec.node import Node
from traffic_mirror.spec.problems import Problems, SpecError, path_of
from traffic_mirror.spec.reader import parse_spec
from traffic_mirror.spec.reading import Reading


def load(text: str | bytes, file: str = "s.yaml") -> Node:
    """The root of a document without mistakes."""
    data = text.encode() if isinstance(text, str) else text
    reading = Reading({}, None, Path())
    origin = read_document(file, data, reading.problems)
    assert origin is not None
    root = convert(origin, file, reading, lambda _: None)
    reading.problems.refuse([file])
    return root


def plain(node: Node) -> Any:
    """A node and all below it as plain values."""
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items()}
    return [plain(child) for child in node.value] if isinstance(node.value, list) else node.value


def refusal(text: str | bytes, file: str = "s.yaml") -> str:
    """The messages about a document."""
    with pytest.raises(SpecError) as error:
        parse_spec([(file, text.encode() if isinstance(text, str) else text)], {})
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(word, word) for word in ("no", "No", "on", "yes", "off", "y", "n", "nulls", "trues")],
        *[(word, word) for word in ("12:30", "1:2:3", "0o17", "0x1f", "0b1", "1_000", "007", "-01", "1__")],
        *[(word, word) for word in (".inf", ".nan", "-.inf", ".", "+", "1.2.3", "1e", "e5", "2026-11-23")],
        *[(word, word) for word in ("=", "1.5s", "50/s", "9" * 41, "1e9999")],
        *[(word, True) for word in ("true", "True", "TRUE")],
        *[(word, False) for word in ("false", "False", "FALSE")],
        *[(word, None) for word in ("", "~", "null", "Null", "NULL")],
        ("0", 0),
        ("-12", -12),
        ("+5", 5),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("-1.5e-3", -0.0015),
        ("1E5", 1e5),
        ("1e999", float("inf")),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        *[(f"'{word}'", word) for word in ("true", "1", "null", "")],
        *[(f'"{word}"', word) for word in ("false", "1.5", "~")],
    ],
    ids=repr,
)
def test_a_scalar_means_what_people_mean(text: str, value: object) -> None:
    found = plain(load(f"a: {text}\n"))["a"]
    assert found == value
    assert type(found) is type(value)


def test_blocks_are_text() -> None:
    assert plain(load("a: |\n  1\nb: >-\n  true\n")) == {"a": "1\n", "b": "true"}


def test_keys_are_text() -> None:
    assert plain(load("1: a\non: b\nnull: c\n1.1: d\n")) == {"1": "a", "on": "b", "null": "c", "1.1": "d"}


def test_every_node_knows_its_place() -> None:
    root = load("a:\n  - b: 1\n    'c d': [x,\n      y]\n")
    places = []

    def walk(node: Node) -> None:
        places.append((path_of(node), node.line, node.column, node.key_position))
        below = node.value.values() if isinstance(node.value, dict) else node.value
        for child in below if not isinstance(below, int | str | float | None) else ():
            walk(child)

    walk(root)
    assert places == [
        ("$", 1, 1, (1, 1)),
        ("$.a", 2, 3, (1, 1)),
        ("$.a[0]", 2, 5, (2, 5)),
        ("$.a[0].b", 2, 8, (2, 5)),
        ('$.a[0]["c d"]', 3, 12, (3, 5)),
        ('$.a[0]["c d"][0]', 3, 13, (3, 13)),
        ('$.a[0]["c d"][1]', 4, 7, (4, 7)),
    ]


class TestAliases:
    """Anchors, aliases and merge keys."""

    RULE = "apis: [{traffic_mirror: [{path: /, destinations: ['http://d.test']}]}]\n"

    def test_an_alias_stands_for_what_it_names(self) -> None:
        assert plain(load("a: &x [1, {b: 2}]\nc: *x\n")) == {"a": [1, {"b": 2}], "c": [1, {"b": 2}]}

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("<<: *x\nb: 3", {"a": 1, "b": 3}),
            ("b: 3\n  <<: *x", {"b": 3, "a": 1}),
            ("<<: [*x, *y]", {"a": 1, "b": 2, "c": 9}),
            ("<<: [*y, *x]", {"a": 8, "c": 9, "b": 2}),
            ("<<: {d: 4}", {"d": 4}),
            ("'<<': 5", {"<<": 5}),
        ],
        ids=["own wins", "in any order", "several", "the first wins", "written out", "quoted is a key"],
    )
    def test_a_merge_key_brings_what_is_not_there(self, text: str, value: dict[str, object]) -> None:
        indented = text.replace("\nb", "\n  b")
        document = f"x: &x {{a: 1, b: 2}}\ny: &y {{a: 8, c: 9}}\nz:\n  {indented}\n"
        assert plain(load(document))["z"] == value

    def test_a_merge_of_merges_is_followed(self) -> None:
        text = "a: &a {k: 1}\nb: &b {<<: *a, l: 2}\nc: {<<: *b}\n"
        assert plain(load(text))["c"] == {"l": 2, "k": 1}

    @pytest.mark.parametrize(
        ("text", "place"),
        [("[*a]", "[0]"), ("{b: *a}", ".b"), ("{<<: *a}", ""), ("{b: [{c: *a}, *a]}", ".b[0].c")],
    )
    def test_an_alias_within_itself_is_refused(self, text: str, place: str) -> None:
        said = "found an alias within its own value, expected a value that ends"
        assert refusal(f"x-a: &a {text}\n{self.RULE}") == f"s.yaml:1:6: $.x-a{place}: {said}"

    def test_what_is_too_much_to_read_is_not_said_to_be_absent(self) -> None:
        laughs = "".join(f"x-{n}: &a{n} [{f'*a{n - 1}, ' * 9}1]\n" for n in range(1, 9))
        (said,) = refusal("x-0: &a0 [1]\n" + laughs + self.RULE).splitlines()
        assert "found too many values repeated by aliases" in said

    @pytest.mark.parametrize("item", ["[%s]", "{a: %s}", "{<<: [%s]}"])
    def test_a_billion_laughs_are_refused(self, item: str) -> None:
        lines = ["x-0: &a0 {k: 1}"]
        for level in range(1, 40):
            many = ", ".join([f"*a{level - 1}"] * 10)
            lines.append(f"x-{level}: &a{level} " + (item % many if "[" in item else f"[{many}]"))
        start = time.monotonic()
        assert "repeated by aliases" in refusal("\n".join(lines))
        assert time.monotonic() - start < 60, "it is refused, not expanded"


class TestBounds:
    """What is too much."""

    @pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 5_000, "- " * 5_000, "? " * 5_000])
    def test_deep_nesting_is_refused(self, text: str) -> None:
        assert "levels" in refusal(f"x-a:\n  {text}")

    def test_many_bytes_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(document, "MAX_BYTES", 10)
        assert refusal("apis: [12345]") == "s.yaml:1:1: $: found 13 bytes, expected at most 10 bytes"

    def test_many_values_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(document, "MAX_NODES", 10)
        assert "expected at most 10 in a document" in refusal("x-a: [1, 2, 3, 4, 5, 6, 7, 8, 9]")


class TestJson:
    """JSON files."""

    @pytest.mark.parametrize(
        "text",
        [
            '{"a":1,"b":[true,null,-1.5e3,"x"]}',
            '\t{\n\t"a"\t:\t"b",\n\t\t"c": [\n\t1\t]\n\t}\n',
            '{"a": "\\ud83d\\ude00 \\u00fc \\/ \\" \\\\ \\n\\t\\b\\f\\r"}',
            '{"a": "\\\\ud83d\\\\ude00"}',
            '{"a": 123456789012345678901234567890}',
            '{"a": "no", "on": "12:30", "": "<<", "k": "# no comment", "l": "a: b", "m": "&x *y !z %"}',
            '{"long": "' + "x" * 5000 + '"}',
            "[]",
            "\n\n[ ]\n",
            '{"a": "\u2028\u2029\ufeff"}',
        ],
    )
    def test_it_means_what_json_means(self, text: str) -> None:
        assert plain(load(text, "s.json")) == json.loads(text)

    def test_a_mistake_in_it_has_its_place(self) -> None:
        text = '{\n\t"apis": [\n\t\t{"traffic_mirror": [], "nam": 1}]}'
        assert refusal(text, "s.json").startswith('s.json:3:26: $.apis[0].nam: found the unknown key "nam"')


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_with_their_marks_are_read(encoding: str) -> None:
    assert plain(load("a: ü\n".encode(encoding))) == {"a": "ü"}


@pytest.mark.parametrize(
    "text",
    [
        "!!python/name:os.system a",
        "!!str a",
        "!x [a]",
        "!!set {a}",
        "!!binary aGk=",
        "!!timestamp 2026-01-01",
    ],
)
def test_tags_are_refused(text: str) -> None:
    assert "expected a value without a tag" in refusal(f"x-a: {text}")


def test_it_reads_alike_without_libyaml() -> None:
    """PyYAML's own parser, for where it was built without libyaml."""
    from yaml.composer import Composer
    from yaml.parser import Parser
    from yaml.reader import Reader
    from yaml.scanner import Scanner

    class Slow(document._Bounds, Reader, Scanner, Parser, Composer):
        def __init__(self, text: str) -> None:
            Reader.__init__(self, text)
            Scanner.__init__(self)
            Parser.__init__(self)
            Composer.__init__(self)

    text = "a: &x [1, 'b', {c: null}]\nd: *x\n"
    slow = Slow(text).get_single_node()
    assert isinstance(slow, yaml.MappingNode)
    reading = Reading({}, None, Path())
    fast = read_document("s.yaml", text.encode(), Problems())
    assert isinstance(fast, yaml.MappingNode)
    assert plain(convert(slow, "s.yaml", reading, lambda _: None)) == plain(
        convert(fast, "s.yaml", reading, lambda _: None)
    )
