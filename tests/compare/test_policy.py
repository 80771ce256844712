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


POLICIES = {
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
