"""Pairs of answers made from services, judged, and what the judging missed or called out without a cause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import NamedTuple

from tests.compare.examiner.fault import Fault
from tests.compare.examiner.reply import Reply
from tests.compare.examiner.service import Service
from tests.compare.examiner.world import Side, World
from traffic_mirror.compare import Answer, Baselines, Difference, Lesson, Verdict, compile_policy, judge
from traffic_mirror.copies.request import FrozenRequest
from traffic_mirror.spec.model import Compare

POLICY = compile_policy(Compare(enabled=True))
HOSTS = (
    ("https", "api.acme.example", "https", "shadow.acme.test:8443"),
    ("https", "shop.acme.example", "http", "127.0.0.1:9001"),
    ("http", "10.0.3.7:8080", "http", "10.0.9.12:8081"),
    ("https", "www.acme.co.uk", "https", "acme-v2-canary.internal"),
    ("http", "localhost:3000", "http", "localhost:3001"),
)
GAPS = (0.005, 0.04, 0.3, 0.9, 1.7, 3.0)  # seconds from the primary's request to the copy's


class Pair(NamedTuple):
    """Two answers to one request; `faults` are the real differences between them."""

    service: str
    seed: int
    request: FrozenRequest
    primary: Answer
    copy: Answer
    faults: tuple[Fault, ...] = ()

    @property
    def label(self) -> str:
        return f"{self.service} #{self.seed}: {', '.join(fault.kind for fault in self.faults) or 'noise'}"


class Result(NamedTuple):
    """`missed` are faults that were not found, `alarms` differences that are no fault's."""

    pair: Pair
    verdict: Verdict
    missed: tuple[Fault, ...]
    alarms: tuple[Difference, ...]


class Score(NamedTuple):
    """Sums over results: faults, faults missed, pairs, pairs with an alarm."""

    faults: int
    missed: int
    pairs: int
    alarmed: int

    @property
    def recall(self) -> float:
        return 1 - self.missed / self.faults if self.faults else 1.0

    @property
    def false_alarms(self) -> float:
        return self.alarmed / self.pairs


def make_pair(
    service: Service,
    seed: int,
    faults: tuple[Fault, ...] = (),
    *,
    same_code: bool = False,
    at_midnight: bool = True,
) -> Pair:
    """With `same_code` both sides are the primary, at its own name: what a baseline sees. Some pairs are of
    just before midnight, which would undo some faults."""
    dice = Random(f"{service.name} {seed}")
    base = _moment(dice, at_midnight=at_midnight and not faults)
    scheme, host, copy_scheme, copy_host = dice.choice(HOSTS)
    gap = dice.choice(GAPS) * dice.uniform(0.8, 1.2)
    sides = (
        _side(dice, scheme, host, base.timestamp()),
        _side(dice, *((scheme, host) if same_code else (copy_scheme, copy_host)), base.timestamp() + gap),
    )
    stored = dice.random()
    replies = [service.make(World(Random(stored), base), side) for side in sides]
    wrong = dice.random() < 0.25  # now and then it is the primary that is wrong
    for fault in faults:
        fault.change(replies[0 if wrong else 1])
    answers = [reply.seal(side) for reply, side in zip(replies, sides, strict=True)]
    request = _request(replies[0], host, sides[0])
    return Pair(service.name, seed, request, answers[0], answers[1], faults)


def _moment(dice: Random, *, at_midnight: bool) -> datetime:
    """Some time of these years; now and then just before midnight or the turn of a year."""
    base = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(
        seconds=dice.randint(0, 7 * 365 * 86_400), milliseconds=dice.randint(0, 999)
    )
    if dice.random() < 0.06 and at_midnight:
        base = base.replace(hour=23, minute=59, second=59)
    if dice.random() < 0.03 and at_midnight:
        base = base.replace(month=12, day=31, hour=23, minute=59, second=58)
    return base


def _side(dice: Random, scheme: str, host: str, began: float) -> Side:
    seconds = dice.choice((0.004, 0.06, 0.4, 1.2)) * dice.uniform(0.5, 1.5)
    clock = began + seconds * dice.random() + dice.uniform(-0.15, 0.15)
    return Side(host, scheme, began, seconds, clock, Random(dice.random()), Random(dice.random()))


def _request(reply: Reply, host: str, side: Side) -> FrozenRequest:
    bare, _, port = host.partition(":")
    return FrozenRequest(
        id="flow",
        method=reply.method.encode(),
        scheme=side.scheme,
        host=bare,
        port=int(port or (443 if side.scheme == "https" else 80)),
        authority=host.encode(),
        target=reply.target.encode("latin-1"),
        http_version="HTTP/1.1",
        headers=((b"Host", host.encode()), (b"Accept", b"*/*")),
        body=reply.request_body.encode(),
        time=side.began,
    )


def examine(pair: Pair, learned: Lesson | None = None) -> Result:
    verdict = judge(pair.primary, pair.copy, POLICY, request=pair.request, learned=learned)
    found = verdict.differences
    missed = tuple(fault for fault in pair.faults if not any(fault.is_at(d.place) for d in found))
    alarms = [d for d in found if not any(fault.explains(d.place) for fault in pair.faults)]
    if len(pair.faults) == 1:
        alarms += [d for d in found if pair.faults[0].is_at(d.place)][pair.faults[0].most :]
    return Result(pair, verdict, missed, tuple(alarms))


def noise_pairs(services: Sequence[Service], count: int) -> Iterator[Pair]:
    for service in services:
        for seed in range(count):
            yield make_pair(service, seed)


def faulty_pairs(services: Sequence[Service], count: int) -> Iterator[Pair]:
    for service in services:
        for index, fault in enumerate(service.faults):
            for seed in range(count):
                yield make_pair(service, 1000 + 100 * index + seed, (fault,))


def doubly_faulty_pairs(services: Sequence[Service], count: int) -> Iterator[Pair]:
    """Two faults that are in different places."""
    for service in services:
        dice = Random(f"two faults {service.name}")
        for seed in range(count if len(service.faults) > 1 else 0):
            one, other = dice.sample(service.faults, 2)
            if (
                not one.place.startswith(other.place)
                and not other.place.startswith(one.place)
                and one.most == other.most == 1
            ):
                yield make_pair(service, 90_000 + seed, (one, other))


def learn(service: Service, runs: int) -> Lesson:
    """What so many second runs of the same code teach, each beside a copy's verdict."""
    baselines = Baselines()
    for seed in range(runs):
        second = examine(make_pair(service, 50_000 + seed, same_code=True))
        baselines.learn("rule", service.name, second.verdict)
        copy = examine(make_pair(service, 60_000 + seed), baselines.lesson("rule", service.name))
        baselines.observe("rule", service.name, copy.verdict)
    return baselines.lesson("rule", service.name)


def score(results: Sequence[Result]) -> Score:
    return Score(
        sum(len(result.pair.faults) for result in results),
        sum(len(result.missed) for result in results),
        len(results),
        sum(bool(result.alarms) for result in results),
    )


def describe(result: Result) -> str:
    wrong = [f"missed {fault.kind} at {fault.place}" for fault in result.missed]
    wrong += [f"alarm {d.place} {d.kind}: {d.primary!r} / {d.copy!r}" for d in result.alarms[:3]]
    return f"{result.pair.label}: " + "; ".join(wrong)
