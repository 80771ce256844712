"""The policy: places, and what the user knows better about them."""

from __future__ import annotations

import pytest

from tests.compare.answers import NOW, answer, aside, compare, found
from traffic_mirror.compare import PolicyUse, check_policy, compile_policy, judge
from traffic_mirror.compare.places import Tag, compile_place, generalise, write_body
from traffic_mirror.spec.model import Compare
from traffic_mirror.spec.place import PlaceError

COVERED = {
    "a name": ("body:$.a.b", ("a", "b"), True),
    "what is in it": ("body:$.a", ("a", "b", 3), True),
    "not what it is in": ("body:$.a.b", ("a",), False),
    "any depth": ("body:$..etag", ("items", 3, "etag"), True),
    "any index": ("body:$.items[*].price", ("items", 3, "price"), True),
    "one index": ("body:$.items[3]", ("items", 4), False),
    "any key": ("body:$.*.x", ("k", "x"), True),
    "a quoted key": ("body:$['a b']", ("a b",), True),
    "deep, then quoted": ("body:$..['a.b']", (1, "a.b"), True),
    "all of it": ("body", ("x",), True),
    "an element": ("body://entry/updated", (Tag("feed"), Tag("entry", 2), Tag("updated"), "text()"), True),
    "one element": ("body:/feed/entry[2]", (Tag("feed"), Tag("entry", 1)), False),
    "an attribute": ("body://a/@href", (Tag("html"), Tag("a"), "@href"), True),
    "a star that is quoted": ("body:$['*']", ("a",), False),
    "one of several texts": ("body:/a/text()[2]", (Tag("a"), "text()[2]"), True),
    "any of several texts": ("body:/a/text()", (Tag("a"), "text()[2]"), True),
    "a key like an attribute": ("body:$.*", ("@id",), True),
    "a key like a text": ("body:$.a[*]", ("a", "text()"), True),
    "no attribute of a tree": ("body:/a/*", (Tag("a"), "@href"), False),
    "any attribute": ("body://a/@*", (Tag("a"), "@href"), True),
}


@pytest.mark.parametrize(("expression", "path", "covered"), COVERED.values(), ids=COVERED.keys())
def test_places(expression: str, path: tuple[str | int | Tag, ...], covered: bool) -> None:
    assert compile_place(expression).covers(path) is covered


@pytest.mark.parametrize(
    "text", ["", "header:", "body:", "cookie:x", "body:a.b", "body:$.a[", "body:/a//", "body:line x"]
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(PlaceError):
        compile_place(text)


def test_a_place_is_written_and_made_general() -> None:
    assert write_body(("items", 3, "a b", "x")) == "body:$.items[3]['a b'].x"
    assert generalise("body:$.items[3]['a b'].x") == "body:$.items[*]['a b'].x"
    assert generalise("body:$.users['7f8a1c1e-1a2b-4c3d-8e4f-112233445566'].n") == "body:$.users.*.n"
    assert write_body((Tag("a"), Tag("b", 2), "@c")) == "body:/a/b[2]/@c"
    assert generalise("body:line 3") == "body:line 3"


ITEMS = [{"id": n, "etag": f"a{n}", "score": n + 0.0} for n in range(1, 13)]
TURNED = [{"id": n, "etag": f"b{n}", "score": n + 0.1} for n in range(12, 0, -1)]

POLICIES = {
    "only at any depth": (
        Compare(only=("body:$..x",)),
        {"x": 1, "y": 1, "k": {"x": 1, "y": 1}},
        {"x": 1, "y": 2, "k": {"x": 2, "y": 2}},
        ["body:$.k.x"],
    ),
    "only at any depth, and what holds none is gone": (
        Compare(only=("body:$..x",)),
        {"k": {"y": 1}, "h": {"x": 1}},
        {},
        ["body:$.h"],
    ),
    "only below a single value": (Compare(only=("body:$.a.b",)), {"a": 1}, {"a": 2}, []),
    "only, but for what is ignored": (
        Compare(only=("body:$.a",), ignore=("body:$.a.b",)),
        {"a": {"b": 1, "c": 1}, "d": 1},
        {"a": {"b": 2, "c": 2}, "d": 2},
        ["body:$.a.c"],
    ),
    "unordered, with an ignored field and near numbers": (
        Compare(
            ignore=("body:$..etag",), unordered=(("body:$.t", True),), tolerance=(("body:$..score", 0.5),)
        ),
        {"t": ITEMS},
        {"t": TURNED},
        [],
    ),
    "unordered near numbers, one too far": (
        Compare(unordered=(("body:$.t", True),), tolerance=(("body:$.t", 0.5),)),
        {"t": [1.0, 2.0, 3.0]},
        {"t": [3.1, 9.0, 1.1]},
        ["body:$.t[1]"],
    ),
    "unordered, of an equivalent host": (
        Compare(unordered=(("body:$.t", True),), equivalent=(("alpha", "beta"),)),
        {"t": ["alpha/1", "alpha/2", "alpha/3"]},
        {"t": ["beta/3", "beta/2", "beta/1"]},
        [],
    ),
    "unordered, each changed a little": (
        Compare(unordered=(("body:$.t", True),)),
        {"t": [{"id": 1, "n": "ann", "v": 1}, {"id": 2, "n": "bob", "v": 2}]},
        {"t": [{"id": 2, "n": "bob", "v": 8}, {"id": 1, "n": "ann", "v": 9}]},
        ["body:$.t[0].v", "body:$.t[1].v"],
    ),
    "by a key that some have not": (
        Compare(unordered=(("body:$.t", "id"),)),
        {"t": [{"id": 1, "n": 1}, {"x": 1}, 7, {"id": 2}]},
        {"t": [7, {"id": 2}, {"x": 1}, {"id": 1, "n": 2}]},
        ["body:$.t[0].n"],
    ),
    "by a key that is gone": (
        Compare(unordered=(("body:$.t", "id"),)),
        {"t": [{"id": 1}, {"id": 2}]},
        {"t": [{"id": 3}, {"id": 1}]},
        ["body:$.t[1]", "body:$.t[0]"],
    ),
    "an element is inserted among equivalent ones": (
        Compare(equivalent=(("old", "new"),)),
        {"u": [f"old/{n}" for n in range(6)]},
        {"u": ["new/x", *(f"new/{n}" for n in range(6))]},
        ["body:$.u[0]"],
    ),
    "a pair is not found in what another left": (
        Compare(equivalent=(("old", "new"), ("zzz", "yyy"), ("1", "2"))),
        {"u": "zzz/1"},
        {"u": "yyy/2"},
        [],
    ),
    "the nearest tolerance counts": (
        Compare(tolerance=(("body:$..score", 0.01), ("body:$.score", 5))),
        {"score": 1.0, "k": {"score": 1.0}},
        {"score": 4.0, "k": {"score": 4.0}},
        ["body:$.k.score"],
    ),
    "tolerance of what is no number": (
        Compare(tolerance=(("body:$.a", 5),)),
        {"a": ["x", None, True, "NaN"]},
        {"a": ["y", 1, False, "0"]},
        ["body:$.a[0]", "body:$.a[1]", "body:$.a[2]", "body:$.a[3]"],
    ),
    "ignore a place": (Compare(ignore=("body:$..etag",)), {"x": [{"etag": 1}]}, {"x": [{"etag": 2}]}, []),
    "ignore only that": (
        Compare(ignore=("body:$..etag",)),
        {"etag": 1, "b": 1},
        {"etag": 2, "b": 2},
        ["body:$.b"],
    ),
    "only": (Compare(only=("body:$.a",)), {"a": 1, "b": 1}, {"a": 1, "b": 2}, []),
    "only, and it differs": (
        Compare(only=("body:$.a[*].x",)),
        {"a": [{"x": 1, "y": 1}]},
        {"a": [{"x": 2, "y": 2}]},
        ["body:$.a[0].x"],
    ),
    "only, and what holds it is gone": (Compare(only=("body:$.a.b",)), {"a": {"b": 1}}, {}, ["body:$.a"]),
    "tolerance": (Compare(tolerance=(("body:$..score", 0.01),)), {"score": 1.0}, {"score": 1.005}, []),
    "past tolerance": (
        Compare(tolerance=(("body:$..score", 0.01),)),
        {"score": 1.0},
        {"score": 1.05},
        ["body:$.score"],
    ),
    "unordered": (Compare(unordered=(("body:$.t", True),)), {"t": ["a", "b"]}, {"t": ["b", "a"]}, []),
    "unordered, one gone": (
        Compare(unordered=(("body:$.t", True),)),
        {"t": ["a", "b", "c"]},
        {"t": ["c", "a"]},
        ["body:$.t[1]"],
    ),
    "by key": (
        Compare(unordered=(("body:$.t", "id"),)),
        {"t": [{"id": 1, "n": 1}, {"id": 2, "n": 2}]},
        {"t": [{"id": 2, "n": 3}, {"id": 1, "n": 1}]},
        ["body:$.t[1].n"],
    ),
    "equivalent": (
        Compare(equivalent=(("https://old[.]test", "https://new[.]test"),)),
        {"u": "https://old.test/a"},
        {"u": "https://new.test/a"},
        [],
    ),
    "equivalent, the rest differs": (
        Compare(equivalent=(("old", "new"),)),
        {"u": "old/a"},
        {"u": "new/b"},
        ["body:$.u"],
    ),
    "equivalent groups agree": (
        Compare(equivalent=(("v1/([0-9]+)", "v2/([0-9]+)"),)),
        {"u": "v1/7"},
        {"u": "v2/7"},
        [],
    ),
    "equivalent groups do not": (
        Compare(equivalent=(("v1/([0-9]+)", "v2/([0-9]+)"),)),
        {"u": "v1/7"},
        {"u": "v2/8"},
        ["body:$.u"],
    ),
}


@pytest.mark.parametrize(("policy", "first", "second", "places"), POLICIES.values(), ids=POLICIES.keys())
def test_policies(policy: Compare, first: object, second: object, places: list[str]) -> None:
    assert [place for place, *_ in found(compare(first, second, policy=compile_policy(policy)))] == places


FEED = "<f><a id='1'><k>1</k><n>x</n></a><a id='2'><k>2</k><n>y</n></a></f>"
FEED_TURNED = "<f><a id='2'><k>2</k><n>y</n></a><a id='1'><k>1</k><n>z</n></a></f>"
OTHER_KINDS = {
    "children in any order": ("application/xml", {"body:/f": True}, FEED, FEED_TURNED, 1),
    "by an attribute": ("application/xml", {"body:/f": "id"}, FEED, FEED_TURNED, 1),
    "by a child": ("application/xml", {"body:/f": "k"}, FEED, FEED_TURNED, 1),
    "lines in any order": ("text/plain", {"body": True}, "a\nb\nc\n", "c\na\nb\n", 0),
}


@pytest.mark.parametrize(
    ("content_type", "unordered", "first", "second", "differences"),
    OTHER_KINDS.values(),
    ids=OTHER_KINDS.keys(),
)
def test_other_bodies_than_json_may_be_unordered(
    content_type: str, unordered: dict[str, str | bool], first: str, second: str, differences: int
) -> None:
    policy = compile_policy(Compare(unordered=tuple(unordered.items())))
    verdict = compare(first, second, content_type, policy=policy)
    assert len(verdict.differences) == differences
    assert ("body:/f" if "xml" in content_type else "body", "unordered") in aside(verdict)


def test_headers_have_tolerances_and_equivalents() -> None:
    primary = answer({}, headers=(("Location", "https://old.x/a"), ("X-Score", "1.0"), ("X-Other", "1.0")))
    copy = answer({}, headers=(("Location", "https://new.x/a"), ("x-score", "1.2"), ("x-other", "1.2")))
    policy = compile_policy(
        Compare(equivalent=(("old[.]x", "new[.]x"),), tolerance=(("header:X-SCORE", 0.5),))
    )
    verdict = judge(primary, copy, policy)
    assert [d.place for d in verdict.differences] == ["header:X-Other"]
    assert aside(verdict) == [("header:Location", "equivalent"), ("header:X-Score", "tolerance")]


def test_what_only_leaves_out_is_listed() -> None:
    primary, copy = answer({"a": 1, "b": 1}), answer({"a": 1, "b": 2}, status=201, headers=(("X-B", "1"),))
    verdict = judge(primary, copy, compile_policy(Compare(only=("body:$.a",))))
    assert verdict.verdict == "match"
    assert aside(verdict) == [("status", "only"), ("header:X-B", "only"), ("body:$.b", "only")]


def test_headers_and_status_have_policies_too() -> None:
    primary, copy = (
        answer({}, headers=(("X-Build", "1"),)),
        answer({}, headers=(("X-Build", "2"),), status=201),
    )
    policy = compile_policy(Compare(ignore=("header:X-B*",), status="class"))
    verdict = judge(primary, copy, policy)
    assert verdict.verdict == "match"
    assert aside(verdict) == [("status", "class"), ("header:X-Build", "ignore")]
    assert judge(primary, answer({}, status=404), policy).verdict == "differ"


def test_what_does_not_compile_is_reported() -> None:
    problems = check_policy(Compare(ignore=("nowhere",), equivalent=(("a(", "b"),)))
    assert len(problems) == 2
    assert "'nowhere' is no place" in problems[0]
    assert "a(" in problems[1]


def test_a_place_that_never_matches_is_reported() -> None:
    policy = compile_policy(
        Compare(ignore=("body:$.a", "body:$.mispelt", "header:X-Gone"), tolerance=(("body:$.b", 1),))
    )
    use = PolicyUse(policy)
    for i in range(25):
        judge(answer({"a": i, "b": 1}), answer({"a": i, "b": 1}, began=NOW + 1), policy, use=use)
    assert use.never_matched() == ("body:$.mispelt", "header:X-Gone")


SEEN = {
    "lines": ("a\nb\nc", "text/plain", ("body", "body:line 3"), ("body:line 4", "body:bytes")),
    "a tree": (
        "<f><a/><a/><b>x</b></f>",
        "application/xml",
        ("body", "body:/f/a[2]", "body:/f/b/text()", "body://b"),
        ("body:/f/a[3]",),
    ),
    "a long list": (
        {"a": list(range(6000)), "z": [{"p": 1}] * 6000, "t": 1},
        "application/json",
        ("body:$.z[*].p", "body:$.t"),
        ("body:$.nope",),
    ),
    "bytes": (b"\x00\x01", "application/octet-stream", ("body:bytes",), ("body:line 1",)),
}


@pytest.mark.parametrize(("body", "content_type", "there", "not_there"), SEEN.values(), ids=SEEN.keys())
def test_a_place_that_is_there_but_never_differs_is_not_reported(
    body: object, content_type: str, there: tuple[str, ...], not_there: tuple[str, ...]
) -> None:
    policy = compile_policy(Compare(ignore=(*there, *not_there)))
    use = PolicyUse(policy)
    for _ in range(20):
        judge(answer(body, content_type), answer(body, content_type), policy, use=use)
    assert use.never_matched() == not_there


BOTH_IN_ONE_TEXT = {
    "the copy's own stands in the primary's": ("v1", "v2", "v2 and v1", "v2 and v2", "differ"),
    "the primary's own stays in the copy's": ("v1", "v2", "v1 and v1", "v1 and v2", "differ"),
    "a copy that is still the old one": ("v1", "v2", "v2 x", "v1 x", "differ"),
    "what is around it says which is meant": ("and v1", "and v2", "v2 and v1", "v2 and v2", "match"),
    "the same text": ("v1", "v2", "v1 and v2", "v1 and v2", "match"),
}


@pytest.mark.parametrize(
    ("of_primary", "of_copy", "primary", "copy", "verdict"),
    BOTH_IN_ONE_TEXT.values(),
    ids=BOTH_IN_ONE_TEXT.keys(),
)
def test_each_expression_of_a_pair_is_of_its_own_side(
    of_primary: str, of_copy: str, primary: str, copy: str, verdict: str
) -> None:
    policy = compile_policy(Compare(equivalent=((of_primary, of_copy),)))
    assert compare({"at": primary}, {"at": copy}, policy=policy).verdict == verdict
