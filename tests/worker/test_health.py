"""A destination's health: what its breaker says, then how its newest copies ended."""

from __future__ import annotations

import pytest

from traffic_mirror.worker.health import NEWEST, TROUBLED, Health, health_of, urgency


@pytest.mark.parametrize(
    ("breaker", "steps", "expected"),
    [
        pytest.param("closed", [], "idle", id="never-asked"),
        pytest.param("closed", [(3, 0), (0, 0)], "healthy", id="all-arrive"),
        pytest.param("closed", [(0, 2)], "failing", id="too-few-failures-for-the-breaker"),
        pytest.param("closed", [(2, 2)], "failing", id="half-of-them-fail"),
        pytest.param("closed", [(9, 1)], "losing", id="some-fail"),
        pytest.param("closed", [(0, 9), *[(0, 0)] * NEWEST], "idle", id="failed-long-ago"),
        pytest.param("closed", [(0, 9), *[(1, 0)] * NEWEST], "healthy", id="recovered"),
        pytest.param("open", [(9, 0)], "open", id="breaker-open"),
        pytest.param("half_open", [(9, 0)], "half_open", id="breaker-trying"),
    ],
)
def test_health(breaker: str, steps: list[tuple[int, int]], expected: str) -> None:
    assert health_of(breaker, steps) == expected


def test_trouble_comes_first_and_the_rest_is_alike() -> None:
    shuffled: list[Health] = ["idle", "half_open", "losing", "open", "healthy", "failing"]
    assert tuple(sorted(shuffled, key=urgency))[:3] == TROUBLED
    assert urgency("healthy") == urgency("losing") == urgency("idle")
