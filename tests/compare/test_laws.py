"""Laws of comparison, for whatever two answers hold."""

from __future__ import annotations

import copy as copying
import json
import re

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.compare.answers import NOW, PLAIN, answer, ask
from traffic_mirror.compare import Answer, Budget, Verdict, compile_policy, judge
from traffic_mirror.compare.places import generalise
from traffic_mirror.spec.model import Compare

SCALARS = (
    st.none() | st.booleans() | st.integers(-50, 50) | st.sampled_from(["", "a", "b", "red", "blue", "x y"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from("abcdefg"), inner, max_size=5)
    ),
    max_leaves=20,
)
TYPES = st.sampled_from(
    [
        "application/json",
        "text/html",
        "text/xml",
        "text/plain",
        "application/x-www-form-urlencoded",
        "image/png",
        "application/x-ndjson",
        "multipart/mixed; boundary=x",
        "",
        "text/plain; charset=utf-16",
        "nonsense;;=",
    ]
)
BOUNDED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=200)


def verdict_of(first: object, second: object) -> Verdict:
    return judge(answer(json.dumps(first)), answer(json.dumps(second)), PLAIN)


def listed(verdict: Verdict) -> list[tuple[str, str, str, str]]:
    return sorted(
        (generalise(d.place), d.kind, json.dumps(d.primary), json.dumps(d.copy)) for d in verdict.differences
    )


def mirrored(verdict: Verdict) -> list[tuple[str, str, str, str]]:
    turned = {"added": "removed", "removed": "added"}
    return sorted(
        (place, turned.get(kind, kind), copy, primary) for place, kind, primary, copy in listed(verdict)
    )


@given(VALUES)
@BOUNDED
def test_an_answer_never_differs_from_itself(value: object) -> None:
    verdict = judge(answer(json.dumps(value)), answer(json.dumps(value, indent=1)), PLAIN)
    assert (verdict.verdict, verdict.differences) == ("match", ())


@given(VALUES, VALUES)
@BOUNDED
def test_unlike_answers_differ(first: object, second: object) -> None:
    same = json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
    assert verdict_of(first, second).verdict == ("match" if same else "differ")


@example([{"x": "a", "id": [1, 2]}], [{"x": {}, "id": "b"}])
@given(VALUES, VALUES)
@BOUNDED
def test_swapping_the_sides_mirrors_the_differences(first: object, second: object) -> None:
    assert listed(verdict_of(first, second)) == mirrored(verdict_of(second, first))


@given(VALUES, VALUES)
@BOUNDED
def test_the_differences_make_one_side_of_the_other(first: object, second: object) -> None:
    verdict = verdict_of(first, second)
    assert not verdict.truncated
    assert json.dumps(patched(first, verdict), sort_keys=True) == json.dumps(second, sort_keys=True)


def patched(value: object, verdict: Verdict) -> object:
    """The primary's value with all differences made in it: values are at the primary's places, what is added
    at the copy's."""
    holder = {"$": copying.deepcopy(value)}
    told = [(steps(d.place), d) for d in verdict.differences]
    for path, difference in told:
        if difference.kind in ("value", "type", "order"):
            put(holder, path, difference.copy)
    for path, difference in sorted(told, key=lambda item: order(item[0]), reverse=True):
        if difference.kind == "removed":
            target = reach(holder, path)
            del target[path[-1]]  # type: ignore[attr-defined]
    for path, difference in sorted(told, key=lambda item: order(item[0])):
        if difference.kind == "added":
            target = reach(holder, path)
            if isinstance(target, list):
                target.insert(int(path[-1]), difference.copy)
            else:
                put(holder, path, difference.copy)
    return holder["$"]


def steps(place: str) -> list[str | int]:
    return ["$", *(int(i) if i else k for k, i in re.findall(r"\.(\w+)|\[(\d+)\]", place))]


def order(path: list[str | int]) -> list[tuple[int, str]]:
    return [(step, "") if isinstance(step, int) else (0, step) for step in path]


def reach(value: object, path: list[str | int]) -> object:
    for step in path[:-1]:
        value = value[step]  # type: ignore[index]
    return value


def put(holder: object, path: list[str | int], value: object) -> None:
    reach(holder, path)[path[-1]] = value  # type: ignore[index]


FRAGMENTS = st.sampled_from(
    [
        b"{",
        b"}",
        b"[",
        b'"a":',
        b"1",
        b",",
        b"<a>",
        b"</a>",
        b"<!DOCTYPE x [<!ENTITY a 'b'>]>",
        b"&a;",
        b"--x\r\n",
        b"\r\n\r\n",
        b"2026-11-23T10:00:00Z",
        b"1795428000",
        b"7f8a1c1e-1a2b-4c3d-8e4f-112233445566",
        b"eyJhbGciOiJIUzI1NiJ9.e30.x",
        b"\xff\xfe",
        b"NaN",
        b"1e999999",
        b"https://api.example.test/",
        b"3 minutes ago",
        b"\x00",
        b"=",
        b"&",
        b"%",
        b'"\\ud800"',
        b"9" * 5000,
    ]
)
BODIES = st.binary(max_size=60) | st.lists(FRAGMENTS, max_size=12).map(b"".join)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "ETag",
                "Set-Cookie",
                "Vary",
                "Expires",
                "Content-Encoding",
                "Location",
                "Content-Security-Policy",
                "X-A",
            ]
        ),
        st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=30)
        | st.sampled_from(
            [
                "gzip",
                "br",
                "zstd",
                "deflate",
                '"abc"',
                "a=b; Path=/; Max-Age=9",
                "Mon, 23 Nov 2026 10:00:00 GMT",
            ]
        ),
    ),
    max_size=4,
).map(lambda fields: tuple((name.encode(), value.encode("latin-1")) for name, value in fields))


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    fields = ((b"Content-Type", draw(TYPES).encode()), *draw(HEADERS))
    return Answer(
        status=draw(st.sampled_from([200, 204, 304, 500])),
        headers=fields,
        body=draw(BODIES),
        hosts=draw(st.sampled_from([(), ("api.example.test",), ("localhost", "localhost:80")])),
        began=draw(st.sampled_from([0.0, NOW, NOW + 2])),
    )


POLICY = compile_policy(
    Compare(
        ignore=("header:X-*", "body:$..b"),
        tolerance=(("body:$.a", 0.5),),
        unordered=(("body:$", True), ("body:$.a", "id")),
        equivalent=(("v1/(.*)", "v2/(.*)"),),
    )
)


@given(answers(), answers(), st.sampled_from([PLAIN, POLICY]))
@settings(BOUNDED, max_examples=600)
def test_nothing_breaks_the_judge(primary: Answer, copy: Answer, policy: object) -> None:
    verdict = judge(primary, copy, policy, request=ask("POST", "/x", b"{}"), budget=Budget(steps=20_000))  # type: ignore[arg-type]
    json.dumps([[d.place, d.kind, d.primary, d.copy] for d in verdict.differences]).encode()
    assert (verdict.verdict == "incomparable") == (verdict.reason is not None)
    assert (verdict.verdict == "differ") == bool(verdict.differences)


@given(answers())
@settings(BOUNDED, max_examples=300)
def test_no_answer_of_any_kind_differs_from_itself(primary: Answer) -> None:
    assert judge(primary, primary, PLAIN).verdict != "differ"
