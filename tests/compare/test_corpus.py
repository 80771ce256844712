"""The labelled corpus: how many known differences are found, and how much noise is called one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.compare.corpus import corpus, make_pair
from tests.compare.corpus.pair import Pair
from tests.compare.corpus.services import SERVICES
from traffic_mirror.compare import Baselines, Verdict, compile_policy, judge
from traffic_mirror.compare.places import generalise
from traffic_mirror.spec.model import Compare

PAIRS = 1050
SEEDS = (20261123, 7)
PLAIN = compile_policy(Compare())


def judge_pair(pair: Pair) -> Verdict:
    return judge(pair.primary, pair.copy, PLAIN, request=pair.request)


def is_found(pair: Pair, verdict: Verdict) -> bool:
    """Whether the known difference is among those reported, at its place where it has one that can be
    named."""
    if verdict.verdict != "differ":
        return False
    named = [place for place in pair.places if place.startswith(("status", "header:"))]
    json_body = pair.service not in (
        "html_page",
        "soap",
        "feed",
        "csv_export",
        "plain_text",
        "ndjson",
        "binary",
    )
    places = {generalise(d.place) for d in verdict.differences}
    if named or json_body:
        return not places.isdisjoint(pair.places)
    return (
        any(mention in str(d.copy) for mention in pair.mentions for d in verdict.differences)
        or not pair.mentions
    )


def test_the_corpus_is_wide_enough() -> None:
    assert len(SERVICES) >= 12


@pytest.mark.parametrize("seed", SEEDS)
def test_known_differences_are_found(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    missed = [pair for pair in corpus(seed, PAIRS, differ=True) if not is_found(pair, judge_pair(pair))]
    with capsys.disabled():
        print(f"\ncorpus {seed}: recall {1 - len(missed) / PAIRS:.4f} of {PAIRS} known differences")
    assert [(pair.service, pair.number, pair.change) for pair in missed] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_raises_no_alarm(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    alarms = list(false_alarms(seed))
    with capsys.disabled():
        print(f"\ncorpus {seed}: false alarms {len(alarms) / PAIRS:.2%} of {PAIRS} pairs, no configuration")
    assert len(alarms) < 0.005 * PAIRS, Counter(pair.service for pair, _ in alarms)


def false_alarms(seed: int) -> Iterator[tuple[Pair, Verdict]]:
    for pair in corpus(seed, PAIRS, differ=False):
        verdict = judge_pair(pair)
        if verdict.verdict != "match":
            yield pair, verdict


@pytest.mark.parametrize("seed", SEEDS)
def test_with_a_baseline_there_is_no_false_alarm_and_no_miss(
    seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    baselines = Baselines()
    alarms = missed = 0
    for number in range(PAIRS):
        service = list(SERVICES)[number % len(SERVICES)]
        same = make_pair(seed, number, service, differ=False, again=True)
        baselines.learn("rule", service, judge_pair(same))
        lesson = baselines.lesson("rule", service)
        quiet = make_pair(seed, number, service, differ=False)
        verdict = judge(quiet.primary, quiet.copy, PLAIN, request=quiet.request, learned=lesson)
        alarms += verdict.verdict != "match"
        changed = make_pair(seed, number, service, differ=True)
        verdict = judge(changed.primary, changed.copy, PLAIN, request=changed.request, learned=lesson)
        missed += not is_found(changed, verdict)
        baselines.observe("rule", service, verdict)
    with capsys.disabled():
        print(f"\ncorpus {seed}: {alarms} false alarms, {missed} misses of {PAIRS} pairs, with a baseline")
    assert (alarms, missed) == (0, 0)
