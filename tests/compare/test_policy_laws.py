"""Laws that hold whatever a policy says: a response never differs from itself, swapping the sides mirrors the
differences, and what is unordered may come in any order."""

from __future__ import annotations

import json
import random

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.compare.answers import compare
from traffic_mirror.compare import Verdict, compile_policy
from traffic_mirror.spec.model import Compare

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "b", "old", "new"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["id", "x", "t", "@id"]), inner, max_size=3)
    ),
    max_leaves=12,
)
POLICIES = st.sampled_from(
    [
        Compare(unordered=(("body:$", True), ("body:$..t", True))),
        Compare(unordered=(("body:$", "id"), ("body:$..t", "id"))),
        Compare(only=("body:$..x",)),
        Compare(ignore=("body:$..id",), unordered=(("body:$", True),)),
        Compare(tolerance=(("body:$..x", 1),), unordered=(("body:$", True),)),
        Compare(only=("body:$[*].x", "body:$.x"), ignore=("body:$..t",)),
    ]
)
BOUNDED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=200)
TURNED = {"added": "removed", "removed": "added"}


@BOUNDED
@given(VALUES, VALUES, POLICIES)
@example([{"id": None, "x": None}], [{"id": [], "x": 0}], Compare())
def test_swapping_the_sides_mirrors_the_differences(first: object, second: object, said: Compare) -> None:
    policy, a, b = compile_policy(said), json.dumps(first), json.dumps(second)
    assert compare(a, a, policy=policy).verdict == "match"
    there, back = compare(a, b, policy=policy), compare(b, a, policy=policy)
    assert kinds(there, turned=True) == kinds(back, turned=False)


def kinds(verdict: Verdict, *, turned: bool) -> list[tuple[str, str, str]]:
    found = [(d.kind, d.primary, d.copy) for d in verdict.differences]
    if turned:
        found = [(TURNED.get(kind, kind), copy, primary) for kind, primary, copy in found]  # type: ignore[misc]
    return sorted((kind, repr(primary), repr(copy)) for kind, primary, copy in found)


@BOUNDED
@given(st.lists(VALUES, max_size=6), st.randoms(use_true_random=False), st.sampled_from([True, "id"]))
def test_what_is_unordered_may_come_in_any_order(
    items: list[object], chance: random.Random, by: str | bool
) -> None:
    ids = [repr(item["id"]) for item in items if isinstance(item, dict) and "id" in item]
    if by is True or len(ids) == len(set(ids)):
        policy = compile_policy(Compare(unordered=(("body:$", by),)))
        shuffled = chance.sample(items, len(items))
        assert compare(json.dumps(items), json.dumps(shuffled), policy=policy).verdict == "match"
