"""The examination: real differences found, noise called one, with nothing configured and with a baseline."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.compare.examiner.examination import (
    Pair,
    Result,
    describe,
    doubly_faulty_pairs,
    examine,
    faulty_pairs,
    learn,
    make_pair,
    noise_pairs,
    score,
)
from tests.compare.examiner.services.catalogue import SERVICES

CALM = [service for service in SERVICES if not service.restless]
MOST_ALARMS = 0.005


def report(title: str, pairs: Iterable[Pair], capsys: pytest.CaptureFixture[str]) -> list[Result]:
    results = [examine(pair) for pair in pairs]
    sums = score(results)
    with capsys.disabled():
        print(
            f"\nexamination, {title}: recall {sums.recall:.4f} of {sums.faults} differences, "
            f"false alarms in {sums.false_alarms:.2%} of {sums.pairs} pairs"
        )
    return results


def missed(results: Iterable[Result]) -> list[str]:
    return [describe(result) for result in results if result.missed]


def alarmed(results: Iterable[Result]) -> list[str]:
    return [describe(result) for result in results if result.alarms]


def test_the_examination_is_wide() -> None:
    assert len(SERVICES) >= 50
    assert len({fault.kind for service in SERVICES for fault in service.faults}) >= 400


def test_it_is_the_same_each_time() -> None:
    assert all(make_pair(service, 5) == make_pair(service, 5) for service in SERVICES)


def test_every_fault_changes_its_answer() -> None:
    for service in SERVICES:
        sound = make_pair(service, 0, at_midnight=False)
        for fault in service.faults:
            faulty = make_pair(service, 0, (fault,))
            assert (sound.primary, sound.copy) != (faulty.primary, faulty.copy), (service.name, fault.kind)


def test_noise_raises_no_alarm(capsys: pytest.CaptureFixture[str]) -> None:
    results = report("noise", noise_pairs(CALM, 30), capsys)
    assert score(results).false_alarms < MOST_ALARMS, alarmed(results)


def test_a_difference_is_found_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    results = report("one difference", faulty_pairs(CALM, 2), capsys)
    assert missed(results) == []
    assert score(results).false_alarms < MOST_ALARMS, alarmed(results)


def test_two_differences_are_both_found(capsys: pytest.CaptureFixture[str]) -> None:
    results = report("two differences", doubly_faulty_pairs(CALM, 15), capsys)
    assert missed(results) == []
    assert score(results).false_alarms < MOST_ALARMS, alarmed(results)


def test_a_baseline_leaves_no_alarm_and_hides_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    quiet, faulty = [], []
    for service in SERVICES:
        lesson = learn(service, 20)
        quiet += [examine(pair, lesson) for pair in noise_pairs([service], 20)]
        faulty += [examine(pair, lesson) for pair in faulty_pairs([service], 1)]
    with capsys.disabled():
        print(
            f"\nexamination, with a baseline: recall {score(faulty).recall:.4f} of {score(faulty).faults} "
            f"differences, false alarms in {score(quiet).false_alarms:.2%} of {len(quiet)} pairs"
        )
    assert (missed(faulty), alarmed(quiet)) == ([], [])
