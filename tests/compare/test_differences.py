"""Differences: where, of which kind, with which values."""

from __future__ import annotations

import pytest

from tests.compare.answers import aside, compare, found

JSON = {
    "a value": ({"a": {"b": 1}}, {"a": {"b": 2}}, [("body:$.a.b", "value", 1, 2)]),
    "a key added": ({}, {"a": 1}, [("body:$.a", "added", None, 1)]),
    "a key removed": ({"a": None}, {}, [("body:$.a", "removed", None, None)]),
    "another type": ({"a": 1}, {"a": "1"}, [("body:$.a", "type", 1, "1")]),
    "true for 1": ([1], [True], [("body:$[0]", "type", 1, True)]),
    "a key that needs quotes": ({"a b'c": 1}, {"a b'c": 2}, [(r"body:$['a b\'c']", "value", 1, 2)]),
    "one element inserted": ([1, 2, 3, 4], [1, 9, 2, 3, 4], [("body:$[1]", "added", None, 9)]),
    "one element removed": (
        {"x": [{"id": i, "n": f"n{i}"} for i in range(50)]},
        {"x": [{"id": i, "n": f"n{i}"} for i in range(50) if i != 7]},
        [("body:$.x[7]", "removed", {"id": 7, "n": "n7"}, None)],
    ),
    "inserted and changed": (
        [{"id": 1, "p": 5, "n": "a"}, {"id": 2, "p": 6, "n": "b"}],
        [{"id": 9, "p": 1, "n": "z"}, {"id": 1, "p": 5, "n": "a"}, {"id": 2, "p": 7, "n": "b"}],
        [("body:$[0]", "added", None, {"id": 9, "p": 1, "n": "z"}), ("body:$[1].p", "value", 6, 7)],
    ),
    "another order": ([1, 2, 3], [2, 3, 1], [("body:$", "order", [1, 2, 3], [2, 3, 1])]),
    "a key twice": (b'{"a":1}', b'{"a":1,"a":1}', [("body:$.a", "added", None, [1, 1])]),
    "a digit lost": (
        b"[9007199254740993]",
        b"[9007199254740992]",
        [("body:$[0]", "value", 9007199254740993, 9007199254740992)],
    ),
    "a digit lost past 64 bits": (
        b"[123456789012345678901]",
        b"[123456789012345678900]",
        [("body:$[0]", "value", "123456789012345678901", "123456789012345678900")],
    ),
    "a decimal digit lost": (
        b"[0.1234567890123456789]",
        b"[0.12345678901234568]",
        [("body:$[0]", "value", "0.1234567890123456789", 0.12345678901234568)],
    ),
    "no JSON": (b"[NaN]", b"[1]", [("body:$[0]", "type", "NaN", 1)]),
}


@pytest.mark.parametrize(("first", "second", "differences"), JSON.values(), ids=JSON.keys())
def test_json(first: object, second: object, differences: list[object]) -> None:
    assert found(compare(first, second)) == differences


OTHERS = {
    "text by lines": ("text/plain", "a\nb\nc\n", "a\nx\nb\nc\n", [("body:line 2", "added", None, "x")]),
    "csv": ("text/csv", "id;n\r\n1;a\r\n", "id;n\r\n1;b\r\n", [("body:line 2", "value", "1;a", "1;b")]),
    "xml text": ("text/xml", "<a><b>1</b></a>", "<a><b>2</b></a>", [("body:/a/b/text()", "value", "1", "2")]),
    "xml attribute": (
        "text/xml",
        "<a><b c='1'/><b c='2'/></a>",
        "<a><b c='1'/><b c='3'/></a>",
        [("body:/a/b[2]/@c", "value", "2", "3")],
    ),
    "xml element": ("text/xml", "<a><b/><c/></a>", "<a><c/></a>", [("body:/a/b", "removed", "<b/>", None)]),
    "xml root": ("text/xml", "<a/>", "<b/>", [("body:/a", "type", "<a/>", "<b/>")]),
    "html": (
        "text/html",
        "<p class='a b'>Hi",
        "<P CLASS='b a'>Ho</P>",
        [("body:/html/body/p/text()", "value", "Hi", "Ho")],
    ),
    "html code": (
        "text/html",
        "<pre><code>if a:\n    b</code></pre>",
        "<pre><code>if a:\n  b</code></pre>",
        [("body:/html/body/pre/code/text()", "value", "if a:\n    b", "if a:\n  b")],
    ),
    "html words": (
        "text/html",
        "<p>see <a href='/x'>this</a> page</p>",
        "<p>see<a href='/x'>this</a> page</p>",
        [("body:/html/body/p/text()[1]", "value", "see ", "see")],
    ),
    "html indented": (
        "text/html",
        "<ul><li>see <b>this</b> page</li><li>Home</li></ul>",
        "<ul>\n  <li>\n    see\n    <b>this</b>\n    page\n  </li>\n  <li> Home </li>\n</ul>",
        [],
    ),
    "form": ("application/x-www-form-urlencoded", "a=1&b=2", "b=2&a=3", [("body:$.a", "value", "1", "3")]),
    "ndjson": (
        "application/x-ndjson",
        '{"a":1}\n{"a":2}\n',
        '{"a":1}\n{"a":3}\n',
        [("body:$[1].a", "value", 2, 3)],
    ),
    "json said to be text": ("text/plain", '{"a":1}', '{"a":2}', [("body:$.a", "value", 1, 2)]),
    "two kinds": ("", '{"a":1}', "<html></html>", [("body", "type", "json", "html")]),
    "nothing for something": ("application/json", "[1]", "", [("body", "removed", [1], None)]),
    "multipart": (
        "multipart/form-data; boundary=b",
        '--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n--b--\r\n',
        '--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n2\r\n--b--\r\n',
        [("body:$[0].content", "value", "1", "2")],
    ),
}


@pytest.mark.parametrize(("kind", "first", "second", "differences"), OTHERS.values(), ids=OTHERS.keys())
def test_other_kinds(kind: str, first: str, second: str, differences: list[object]) -> None:
    assert found(compare(first, second, kind)) == differences


def test_bytes_are_told_by_length_and_checksum() -> None:
    [(place, kind, first, second)] = found(compare(b"\x00\x01", b"\x00\x02\x03", "image/png"))
    assert (place, kind) == ("body:bytes", "value")
    assert str(first).startswith("2 bytes, sha256 ")
    assert str(second).startswith("3 bytes, sha256 ")


def test_only_the_noisy_part_of_a_value_is_set_aside() -> None:
    said = "Order {} failed (trace 4bf92f3577b34da6a3ce929d0e0e47{})"
    assert compare({"m": said.format(42, "36")}, {"m": said.format(43, "36")}).verdict == "differ"
    trace = (
        {"m": said.format(42, "36")},
        {"m": said.format(42, "36").replace("4bf92f3577b34da6", "9c1f77aa90d24b7e")},
    )
    fresh = {"m": trace[1]["m"].replace("a3ce929d0e0e4736", "051f0e9d8c7b6a54")}
    assert aside(compare(trace[0], fresh)) == [("body:$.m", "id")]


def test_long_values_are_cut_around_the_first_unlike_character() -> None:
    [(_, _, first, second)] = found(compare({"a": "x" * 5000 + "1"}, {"a": "x" * 5000 + "2"}))
    assert str(first) == "…" + "x" * 40 + "1"
    assert str(second) == "…" + "x" * 40 + "2"


def test_large_values_are_bounded() -> None:
    [(_, _, first, _)] = found(compare({"a": list(range(10_000))}, {}))
    assert len(str(first)) < 400


def test_many_differences_are_counted_and_not_all_listed() -> None:
    verdict = compare({f"k{i}": i for i in range(300)}, {f"k{i}": -i - 1 for i in range(300)})
    assert (len(verdict.differences), verdict.truncated) == (100, 200)


def test_half_of_a_surrogate_pair_can_be_told() -> None:
    [(_, _, first, _)] = found(compare(b'{"a":"\\ud800"}', b'{"a":"b"}'))
    assert str(first).encode() == b"\\ud800"


def test_what_was_only_written_otherwise_is_said() -> None:
    assert aside(compare(b'{"a":1,"b":2}', b'{"b":2, "a":1}')) == [("body", "notation")]


def test_no_entity_is_expanded_and_none_is_fetched() -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c SYSTEM "file:///etc/hostname">]><a>&b;&c;</a>'
    [(place, *_)] = found(compare(bomb, "<a>x</a>", "text/xml"))
    assert place == "body:/a/text()"
