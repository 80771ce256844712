from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.report import Spread, Target
from benchmarks.rounds import differences, interleave, ratios, spread_of


def test_every_second_round_runs_backwards() -> None:
    assert list(interleave(["a", "b", "c"], 3)) == [
        (0, "a"),
        (0, "b"),
        (0, "c"),
        (1, "c"),
        (1, "b"),
        (1, "a"),
        (2, "a"),
        (2, "b"),
        (2, "c"),
    ]


@given(st.lists(st.floats(0, 1e9), min_size=1))
def test_the_median_lies_between_the_ends(samples: list[float]) -> None:
    spread = spread_of(samples)
    assert spread.low <= spread.median <= spread.high
    assert spread.count == len(samples)


def test_one_outlier_does_not_move_the_median() -> None:
    assert spread_of([1.0, 1000.0, 2.0]) == Spread(2.0, 1.0, 1000.0, 3)


def test_no_samples_are_no_figure() -> None:
    with pytest.raises(ValueError, match="expected at least one"):
        spread_of([])


def test_ratios_are_made_within_a_round() -> None:
    samples = {"bare": (100.0, 200.0), "mirrored": (90.0, 190.0)}
    assert ratios(samples, "mirrored", "bare") == (0.9, 0.95)
    assert differences(samples, "bare", "mirrored") == (10.0, 10.0)


def test_rounds_that_do_not_pair_up_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratios({"bare": (1.0, 2.0), "mirrored": (1.0,)}, "mirrored", "bare")


@pytest.mark.parametrize(
    ("target", "value", "missed"),
    [
        pytest.param(Target("≥", 0.95), 0.97, 0.0, id="above what it should at least be"),
        pytest.param(Target("≥", 0.95), 0.95, 0.0, id="just that"),
        pytest.param(Target("≥", 0.95), 0.90, 0.05, id="below it"),
        pytest.param(Target("≤", 60), 18.0, 0.0, id="below what it should at most be"),
        pytest.param(Target("≤", 60), 80.0, 20.0, id="above it"),
    ],
)
def test_a_target_says_by_how_much_it_is_missed(target: Target, value: float, missed: float) -> None:
    assert target.missed_by(value) == pytest.approx(missed)
