"""Groups, lessons and latencies: what many comparisons come to."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compare.answers import NOW, compare, new_hex
from traffic_mirror.compare import Baselines, Difference, Groups, Latencies, Verdict, Way
from traffic_mirror.compare.latency import Histogram


def differ(place: str, first: object = 1, second: object = 2) -> Verdict:
    return Verdict(verdict="differ", differences=(Difference(place, "value", first, second),))


READ = Way("users", "read", "shadow", "GET /users/{id}")
ROOT = Way("a", "r", "d", "GET /")
MATCH = Verdict(verdict="match")


def test_differences_are_grouped_by_route_and_place() -> None:
    groups = Groups()
    for i in range(1203):
        groups.add(READ, differ(f"body:$.items[{i}].price"), f"f{i}", NOW + i)
    for i in range(7):
        groups.add(READ, MATCH, f"m{i}", NOW)
    groups.add(READ, Verdict(verdict="incomparable", reason="budget"), "x", NOW)
    assert groups.listing() == [
        {
            "api": "users",
            "rule": "read",
            "destination": "shadow",
            "route": "GET /users/{id}",
            "place": "body:$.items[*].price",
            "kind": "value",
            "count": 1203,
            "of": 1210,
            "first": "2026-11-23T10:00:00.370Z",
            "last": "2026-11-23T10:20:02.370Z",
            "examples": ["f0", "f1"],
        }
    ]
    assert groups.lines() == [
        "GET /users/{id} → body:$.items[*].price value (1,203 of 1,210, from 10:00, for example flow f0, f1)"
    ]


def test_groups_are_bounded_and_survive_a_restart() -> None:
    groups = Groups(limit=10)
    for i in range(50):
        groups.add(ROOT, differ(f"header:X-{i}"), "f", NOW + i)
        groups.add(ROOT, differ("body:$.often"), "f", NOW + i)
    assert (len(groups.listing()), groups.evicted) == (10, 41)
    assert groups.listing()[0]["place"] == "body:$.often"
    again = Groups.load(msgspec.msgpack.decode(msgspec.msgpack.encode(groups.dump())))
    assert again.listing() == groups.listing()
    assert Groups.load({"groups": 3}).listing() == []


APART = {
    "one rule to one destination": ([READ], ""),
    "rules of one name in two APIs": ([READ, READ._replace(api="v2")], " (users)"),
    "two destinations": ([READ, READ._replace(destination="other")], " (shadow)"),
    "all": ([READ, Way("v2", "get", "other", READ.route)], " (users, read, shadow)"),
    "another route": ([READ, Way("v2", "get", "other", "GET /x")], ""),
}


@pytest.mark.parametrize(("ways", "said"), APART.values(), ids=APART.keys())
def test_lines_say_what_tells_groups_of_one_route_apart(ways: list[Way], said: str) -> None:
    groups = Groups()
    for way in ways[1:]:
        groups.add(way, MATCH, "m", NOW)
    groups.add(READ, differ("status"), "f", NOW)
    assert groups.lines() == [
        f"GET /users/{{id}}{said} → status value (1 of 1, from 10:00, for example flow f)"
    ]


@pytest.mark.parametrize(
    ("at", "told"),
    [
        (NOW, "2026-11-23T10:00:00.370Z"),
        (0.1239, "1970-01-01T00:00:00.123Z"),
        (-1.0, "1970-01-01T00:00:00.000Z"),
        (NOW * 1000, "1970-01-01T00:00:00.000Z"),
        (1e300, "1970-01-01T00:00:00.000Z"),
        (float("nan"), "1970-01-01T00:00:00.000Z"),
    ],
)
def test_a_recording_may_name_any_time(at: float, told: str) -> None:
    groups = Groups()
    groups.add(ROOT, differ("status"), "f", at)
    assert [(group["first"], group["last"]) for group in groups.listing()] == [(told, told)]


def test_a_baseline_teaches_where_the_primary_differs_from_itself() -> None:
    baselines = Baselines()
    primary, again, copy = ({"luck": n, "price": p} for n, p in ((1, 10), (2, 10), (3, 11)))
    baselines.learn("r", "GET /", compare(primary, again))
    lesson = baselines.lesson("r", "GET /")
    verdict = compare(primary, copy, learned=lesson)
    assert [d.place for d in verdict.differences] == ["body:$.price"]
    assert [(s.place, s.why) for s in verdict.set_aside] == [("body:$.luck", "baseline")]
    assert compare(primary, {"luck": "none", "price": 10}, learned=lesson).verdict == "differ"


def test_a_place_that_copies_differ_at_far_more_often_is_noise_no_more() -> None:
    baselines = Baselines()
    for i in range(100):
        baselines.learn("r", "GET /", compare({"a": 1}, {"a": 1 + (i == 50)}))
    hidden = 0
    for _ in range(30):
        verdict = compare({"a": 1}, {"a": 2}, learned=baselines.lesson("r", "GET /"))
        baselines.observe("r", "GET /", verdict)
        hidden += verdict.verdict == "match"
    assert 0 < hidden < 15


RUNS = {
    "ever new": (lambda i: f"{i}", lambda i: f"-{i}"),
    "now and then another": (lambda i: f"{i // 3}", lambda i: "new"),
    "what the primary said itself": (lambda i: "b", lambda i: "a"),
}


@pytest.mark.parametrize(("primary", "copy"), RUNS.values(), ids=RUNS.keys())
def test_noise_that_the_primary_showed_once_stays_noise(
    primary: Callable[[int], object], copy: Callable[[int], object]
) -> None:
    assert hidden_after_one_change(primary, copy) == 9


def test_one_difference_of_the_primary_does_not_hide_what_copies_always_say() -> None:
    assert hidden_after_one_change(lambda i: "b", lambda i: "c") == 4


def test_a_primary_that_always_differs_from_itself_hides_it_for_longer() -> None:
    baselines = Baselines()
    baselines.learn("r", "GET /", compare({"a": "a"}, {"a": "b"}))
    hidden = 0
    for _ in range(30):
        verdict = compare({"a": "b"}, {"a": "c"}, learned=baselines.lesson("r", "GET /"))
        baselines.observe("r", "GET /", verdict)
        hidden += verdict.verdict == "match"
    assert hidden == 8


def hidden_after_one_change(primary: Callable[[int], object], copy: Callable[[int], object]) -> int:
    """In how many of nine comparisons a difference is hidden when `a` became `b` in one of five baselines."""
    baselines = Baselines()
    for i in range(5):
        baselines.learn("r", "GET /", compare({"a": "a" if i == 2 else "b"}, {"a": "b"}))
    verdicts = []
    for i in range(1, 10):
        lesson = baselines.lesson("r", "GET /")
        verdicts.append(compare({"a": primary(i)}, {"a": copy(i)}, learned=lesson))
        baselines.observe("r", "GET /", verdicts[-1])
    return sum(verdict.verdict == "match" for verdict in verdicts)


def test_a_place_that_differs_in_several_ways_stays_noise() -> None:
    random, baselines = Random(5), Baselines()

    def answer() -> object:
        return {"picked": random.sample("abcdef", 3), "promo": random.choice([None, "x", {"k": 1}])}

    reported = 0
    for round_ in range(80):
        baselines.learn("r", "GET /", compare(answer(), answer()))
        verdict = compare(answer(), answer(), learned=baselines.lesson("r", "GET /"))
        baselines.observe("r", "GET /", verdict)
        reported += round_ >= 20 and verdict.verdict == "differ"
    assert reported == 0


def test_ever_new_values_are_reported_as_candidates_and_not_hidden() -> None:
    baselines = Baselines()
    for i in range(20):
        verdict = compare(
            {"code": new_hex(6), "price": 10, "n": i}, {"code": new_hex(6), "price": 12, "n": i}
        )
        assert "body:$.code" in [d.place for d in verdict.differences]
        baselines.observe("r", "GET /", verdict)
    assert [(c.place, c.count, c.of) for c in baselines.candidates()] == [("body:$.code", 20, 20)]


def test_lessons_of_two_apis_are_apart() -> None:
    baselines = Baselines()
    baselines.learn("r", "GET /", differ("body:$.a"), "v2")
    assert baselines.lesson("r", "GET /", "v2").covers("body:$.a", "value")
    assert not baselines.lesson("r", "GET /", "v3").covers("body:$.a", "value")


def test_times_of_two_apis_are_apart() -> None:
    latencies = Latencies()
    for api in ("v2", "v3"):
        latencies.add("read", "shadow", 0.01, 0.02, api)
    assert [(row["api"], row["count"]) for row in latencies.listing()] == [("v2", 1), ("v3", 1)]
    assert str(latencies.listing()[0]["sentence"]).startswith("shadow on v2 / read: ")


def test_lessons_survive_a_restart() -> None:
    baselines = Baselines()
    baselines.learn("r", "GET /", differ("body:$.a"))
    again = Baselines.load(msgspec.msgpack.decode(msgspec.msgpack.encode(baselines.dump())))
    assert again.lesson("r", "GET /").covers("body:$.a", "value")
    assert not again.lesson("r", "GET /").covers("body:$.a", "type")
    assert Baselines.load("nonsense").dump() == []


def test_quantiles_are_right_to_a_few_percent_and_told_only_with_enough_samples() -> None:
    histogram = Histogram()
    for i in range(1, 1001):
        histogram.add(i / 1000)
    assert histogram.quantile(0.5) == pytest.approx(0.5, rel=0.05)
    assert histogram.quantile(0.99) == pytest.approx(0.99, rel=0.05)
    few = Histogram()
    for _ in range(99):
        few.add(0.1)
    assert (few.quantile(0.5) is None, few.quantile(0.9)) == (False, None)


SPEEDS = {"slower": 2.0, "faster": 0.5, "alike": 1.0}


@pytest.mark.parametrize(("verdict", "factor"), SPEEDS.items(), ids=SPEEDS.keys())
def test_a_sentence_says_which_is_slower(verdict: str, factor: float) -> None:
    chance = random.Random(1)
    latencies = Latencies()
    for _ in range(500):
        latencies.add(
            "read", "shadow", chance.lognormvariate(-4, 0.5), factor * chance.lognormvariate(-4, 0.5)
        )
    [row] = latencies.listing()
    assert row["verdict"] == verdict
    assert str(row["sentence"]).startswith(
        "shadow is " + ("as fast as" if verdict == "alike" else f"{verdict} than")
    )
    assert "of 500 pairs" in str(row["sentence"])
    assert row["copy"]["p99"] is None  # type: ignore[index]


TAILS = {
    "slower at p99 alone": (0.03, 0.0, "slower", ", but slower at p99 (4"),
    "faster at p99 alone": (0.0, 0.03, "faster", ", but faster at p99 (4"),
    "both seldom slow": (0.03, 0.03, "alike", "read: 1"),
}


@pytest.mark.parametrize(("copies", "primaries", "verdict", "said"), TAILS.values(), ids=TAILS.keys())
def test_a_tail_that_is_another_is_said(copies: float, primaries: float, verdict: str, said: str) -> None:
    chance = random.Random(1)
    latencies = Latencies()
    for _ in range(2000):
        primary, copy = (chance.lognormvariate(-4, 0.1) for _ in range(2))
        primary += 1.0 * (chance.random() < primaries)
        copy += 1.0 * (chance.random() < copies)
        latencies.add("read", "shadow", primary, copy)
    [row] = latencies.listing()
    assert row["verdict"] == verdict
    assert str(row["sentence"]).startswith("shadow is as fast as the primary on read")
    assert said in str(row["sentence"])


def test_like_tails_are_seldom_called_unlike() -> None:
    called = 0
    for seed in range(50):
        chance, latencies = random.Random(seed), Latencies()
        for _ in range(1000):
            latencies.add("read", "shadow", chance.lognormvariate(-4, 1), chance.lognormvariate(-4, 1))
        called += latencies.listing()[0]["verdict"] != "alike"
    assert called <= 1


@given(st.lists(st.floats(0, 10_000), min_size=1), st.floats(0, 0.999))
def test_quantiles_and_spread_hold_for_any_durations(values: list[float], share: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    exact = min(max(sorted(values)[max(0, math.ceil(share * len(values)) - 1)], 1e-5), 3000)
    assert histogram.quantile(share, 0) == pytest.approx(exact, rel=0.06)
    bounds = (0.001, 0.1, 10.0)
    counts = histogram.spread(bounds)
    assert sum(counts) == histogram.count == len(values)
    clear = [value for value in values if all(abs(value / bound - 1) > 0.06 for bound in bounds)]
    if len(clear) == len(values):
        assert counts[0] == sum(value < bounds[0] for value in values)


def test_few_pairs_give_no_verdict() -> None:
    latencies = Latencies()
    for _ in range(19):
        latencies.add("read", "shadow", 0.01, 1.0)
    assert latencies.listing()[0]["verdict"] == "unknown"


def test_latencies_merge_and_survive_a_restart() -> None:
    one, two = Latencies(), Latencies()
    for side in (one, two):
        for _ in range(20):
            side.add("read", "shadow", 0.01, 0.02)
    one.merge(two)
    again = Latencies.load(msgspec.msgpack.decode(msgspec.msgpack.encode(one.dump()), strict=False))
    assert again.listing() == one.listing()
    assert again.listing()[0]["count"] == 40
    assert Latencies.load(3).listing() == []
