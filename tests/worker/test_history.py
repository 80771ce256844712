"""The history behind the plots: every copy is in exactly one second, gaps are gaps, and all is bounded."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from traffic_mirror.compare import Pair
from traffic_mirror.worker.history import COUNTED, FIELDS, History, Ring


def points(ring: Ring, since: int = 0) -> list[dict[str, Any]]:
    found = ring.since(since)["points"]
    assert isinstance(found, list)
    return [dict(zip(FIELDS, point, strict=True)) for point in found]


def test_a_second_holds_what_happened_in_it() -> None:
    history = History()
    history.sample(100.0, {}, 0, 0)
    for outcome in ("delivered", "delivered", "failed"):
        history.ended("shadow", outcome, 0.01)
    history.answered("shadow", 0.02)
    history.judged("differ")
    history.sample(101.0, {"skipped": 3}, 5, 7)
    _, second = points(history.fine)
    assert {name: second[name] for name in COUNTED if second[name]} == {
        "delivered": 2,
        "failed": 1,
        "skipped": 3,
        "differ": 1,
    }
    assert (second["in_flight"], second["queued"]) == (5, 7)
    assert second["copy_p50"] == pytest.approx(0.01, rel=0.03)
    assert second["primary_p50"] == pytest.approx(0.02, rel=0.03)


def test_what_ended_at_the_edge_counts_by_its_growth_and_a_new_tally_takes_nothing_back() -> None:
    history = History()
    for now, count in enumerate((3, 5, 0, 2)):
        history.sample(float(now), {"skipped": count}, 0, 0)
    assert [second["skipped"] for second in points(history.fine)] == [3, 2, 0, 2]


def test_without_copies_there_is_no_latency() -> None:
    history = History()
    history.sample(0.0, {}, 0, 0)
    assert points(history.fine)[0]["copy_p50"] is None


def test_a_late_tick_spreads_what_it_found_over_the_seconds_it_missed() -> None:
    history = History()
    history.sample(0.0, {}, 0, 0)
    for _ in range(4):
        history.ended("shadow", "delivered", 0.001)
    history.sample(4.2, {}, 0, 0)
    assert [second["delivered"] for second in points(history.fine)] == [0, 1, 1, 1, 1]


def test_a_machine_that_slept_long_is_not_caught_up_with_second_by_second() -> None:
    history = History()
    history.sample(0.0, {}, 0, 0)
    history.ended("shadow", "delivered", 0.001)
    history.sample(1e9, {}, 0, 0)
    assert history.fine.next < 1000
    assert sum(second["delivered"] for second in points(history.coarse)) == pytest.approx(1, abs=0.1)


@given(st.lists(st.tuples(st.floats(0.0, 30.0), st.integers(0, 50)), min_size=1, max_size=60))
@example([(7.335413543773066, 0), (0.0, 1)])
def test_no_copy_is_lost_or_counted_twice(ticks: list[tuple[float, int]]) -> None:
    history, now, sent = History(), 0.0, 0
    for step, copies in ticks:
        now += step
        for _ in range(copies):
            history.ended("shadow", "delivered", 0.001)
        sent += copies
        history.sample(now, {}, 0, 0)
    history.sample(now + 1.001, {}, 0, 0)  # a hair more, for floats round
    ring = Ring(1, 300)
    if history.fine.next <= 300:
        assert sum(second["delivered"] for second in points(history.fine)) == pytest.approx(sent, abs=0.1)
    assert ring.next == 0


def test_points_are_asked_for_from_a_number_on() -> None:
    ring = Ring(1, 3)
    for count in range(5):
        ring.add([count, *[0] * (len(COUNTED) - 1)], (0, 0))
    assert [point["delivered"] for point in points(ring)] == [2, 3, 4]
    assert [point["delivered"] for point in points(ring, 4)] == [4]
    assert points(ring, 5) == []
    assert [point["delivered"] for point in points(ring, 99)] == [2, 3, 4]  # another worker's number


def test_a_coarse_point_is_the_sum_of_its_seconds_and_the_mean_of_its_gauges() -> None:
    ring = Ring(4, 10)
    for gauge in range(8):
        ring.add([1.0] * len(COUNTED), (gauge, 0))
    assert [(point["match"], point["in_flight"]) for point in points(ring)] == [(4, 1.5), (4, 5.5)]


def test_each_destination_has_its_last_minutes_and_its_latency() -> None:
    history = History()
    for second in range(11):
        history.ended("a", "delivered", 0.005)
        history.ended("b", "failed", 0.0)
        history.ended("b", "skipped", 0.0)
        history.sample(float(second), {}, 0, 0)
    assert list(history.recent["a"].steps) == [(5, 0), (5, 0)]
    assert list(history.recent["b"].steps) == [(0, 5), (0, 5)]
    assert history.recent["a"].latency.copy.count == 11
    assert history.recent["b"].latency.copy.count == 0


def test_latencies_of_an_earlier_worker_are_taken_up() -> None:
    pair = Pair()
    pair.copy.add(0.01)
    pair.primary.add(0.02)
    history = History()
    history.restore({"shadow": pair})
    history.restore({"shadow": pair})
    latency = history.recent["shadow"].latency
    assert (latency.copy.count, latency.primary.count) == (2, 2)
    assert pair.copy.count == 1
