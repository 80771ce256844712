"""Sampling: exact at its ends, fair between them, and the same for the same user everywhere."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from traffic_mirror.copies.request import Fields
from traffic_mirror.rules import Route
from traffic_mirror.rules.sampling import Sampler
from traffic_mirror.spec.model import Api, Destination, Rule, SampleBy, Spec


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def spec_of(*rules: Rule, rates: tuple[float, ...] = (1.0,)) -> tuple[Spec, list[Route]]:
    destinations = tuple(
        Destination(name=f"d{number}", url="http://h", scheme="http", hostname="h", port=80, sample_rate=rate)
        for number, rate in enumerate(rates)
    )
    api = Api(name="a", rules=rules)
    return Spec(destinations=destinations, apis=(api,)), [
        Route(0, i, api, rule) for i, rule in enumerate(rules)
    ]


def rule_of(rate: float = 1.0, by: SampleBy | None = None, to: int = 1, cap: float | None = None) -> Rule:
    return Rule(
        name="r", path="/", sample_rate=rate, sample_by=by, max_rate=cap, destinations=tuple(range(to))
    )


def decide(
    sampler: Sampler,
    spec: Spec,
    route: Route,
    headers: Fields = (),
    target: bytes = b"/",
    client: str = "10.0.0.1",
) -> tuple[str, ...]:
    return sampler.decide(route, spec, headers, target, client)


def user(name: str) -> Fields:
    return ((b"X-User", name.encode()),)


BY_USER = SampleBy(source="header", name="x-user")


@pytest.mark.parametrize(
    ("rate", "rates", "decision"),
    [
        (1.0, (1.0, 1.0), ("", "")),
        (0.0, (1.0, 1.0), ("rule_rate", "rule_rate")),
        (1.0, (0.0, 1.0), ("destination_rate", "")),
        (0.0, (0.0, 1.0), ("rule_rate", "rule_rate")),
        (1.0, (), ()),
    ],
)
@pytest.mark.parametrize("by", [None, BY_USER])
@pytest.mark.parametrize("seed", ["", "s"])
def test_0_is_never_and_1_is_always(
    rate: float, rates: tuple[float, ...], decision: tuple[str, ...], by: SampleBy | None, seed: str
) -> None:
    spec, (route,) = spec_of(rule_of(rate, by, len(rates)), rates=rates)
    sampler = Sampler(seed, Clock())
    assert {decide(sampler, spec, route, user(str(number))) for number in range(300)} == {decision}


def test_0_is_never_beside_a_rate_that_is_drawn() -> None:
    spec, (route,) = spec_of(rule_of(0.5, BY_USER, 2), rates=(0.0, 1.0))
    decisions = {decide(Sampler("", Clock()), spec, route, user(str(number))) for number in range(300)}
    assert decisions == {("rule_rate", "rule_rate"), ("destination_rate", "")}


@pytest.mark.parametrize("by", [None, BY_USER, SampleBy(source="path")])
def test_the_share_taken_is_the_rate(by: SampleBy | None) -> None:
    """0.25 of 20,000 is 5,000, give or take 61; 400 is more than six times that."""
    spec, (route,) = spec_of(rule_of(0.25, by))
    sampler = Sampler("seed", Clock())
    counts = Counter(
        decide(sampler, spec, route, user(str(number)), b"/%d" % number)[0] for number in range(20_000)
    )
    assert abs(counts[""] - 5_000) < 400
    assert counts[""] + counts["rule_rate"] == 20_000


@pytest.mark.parametrize("by", [None, BY_USER])
def test_rule_and_destinations_are_drawn_apart(by: SampleBy | None) -> None:
    spec, (route,) = spec_of(rule_of(0.5, by, 2), rates=(0.5, 0.5))
    sampler = Sampler("seed", Clock())
    counts = Counter(decide(sampler, spec, route, user(str(number))) for number in range(20_000))
    assert abs(counts[("rule_rate", "rule_rate")] - 10_000) < 500
    for decision in (("", ""), ("", "destination_rate"), ("destination_rate", ""), ("destination_rate",) * 2):
        assert abs(counts[decision] - 2_500) < 350


def test_the_same_seed_draws_the_same() -> None:
    spec, (route,) = spec_of(rule_of(0.5))

    def drawn(seed: str) -> list[tuple[str, ...]]:
        sampler = Sampler(seed, Clock())
        return [decide(sampler, spec, route) for _ in range(64)]

    assert drawn("one") == drawn("one") != drawn("two")
    assert drawn("") != drawn("")


@settings(deadline=None)
@given(st.text(max_size=20), st.floats(0, 1), st.floats(0, 1))
def test_who_is_in_at_a_rate_is_in_at_every_higher_one(name: str, rate: float, other: float) -> None:
    low, high = sorted((rate, other))
    sampler = Sampler("", Clock())
    spec, (few, many) = spec_of(rule_of(low, BY_USER), rule_of(high, BY_USER))
    headers = ((b"X-User", name.encode() or b"-"),)
    assert decide(sampler, spec, few, headers) != ("",) or decide(sampler, spec, many, headers) == ("",)


def test_a_user_is_whole_across_rules_and_reloads_and_not_across_seeds() -> None:
    def those_in(seed: str, rule: Rule) -> set[str]:
        spec, (route,) = spec_of(rule)
        sampler = Sampler(seed, Clock())
        return {name for name in map(str, range(200)) if decide(sampler, spec, route, user(name)) == ("",)}

    one = rule_of(0.5, BY_USER)
    other = Rule(name="other", path="/x", sample_rate=0.5, sample_by=BY_USER, destinations=(0,))
    assert those_in("", one) == those_in("", other)
    assert those_in("s", one) == those_in("s", other) != those_in("", one)


def test_a_key_hashes_alike_on_every_machine() -> None:
    """These stay as they are: else a user would change sides with an upgrade."""
    spec, (route,) = spec_of(rule_of(0.5, BY_USER, 2), rates=(1.0, 0.5))
    sampler = Sampler("", Clock())
    marks: dict[tuple[str, ...], str] = {
        ("rule_rate",) * 2: "-",
        ("", "destination_rate"): "a",
        ("", ""): "b",
    }
    decisions = [decide(sampler, spec, route, user(str(number))) for number in range(40)]
    assert "".join(marks[decision] for decision in decisions) == "a--a-a--b-b--a-b-abb--aa-bab-b--baba-ab-"


KEYS = [
    (SampleBy(source="header", name="X-User"), ((b"x-uSER", b"1"), (b"X-User", b"2")), b"/", "", b"1"),
    (
        SampleBy(source="cookie", name="sid"),
        ((b"Cookie", b"a=b; sid=1;c"), (b"cookie", b"sid=2")),
        b"/",
        "",
        b"1",
    ),
    (SampleBy(source="cookie", name="sid"), ((b"cookie", b"a=b"), (b"cookie", b"sid=a=b")), b"/", "", b"a=b"),
    (SampleBy(source="client_ip"), (), b"/", "10.0.0.1", bytes((10, 0, 0, 1))),
    (SampleBy(source="client_ip"), (), b"/", "10.0.0.1:5000", bytes((10, 0, 0, 1))),
    (SampleBy(source="client_ip"), (), b"/", "::ffff:10.0.0.1", bytes((10, 0, 0, 1))),
    (SampleBy(source="client_ip"), (), b"/", "[::ffff:10.0.0.1]:80", bytes((10, 0, 0, 1))),
    (SampleBy(source="client_ip"), (), b"/", "fe80::1%eth0", bytes((0xFE, 0x80, *[0] * 13, 1))),
    (SampleBy(source="client_ip"), (), b"/", "/run/app.sock", b"/run/app.sock"),
    (SampleBy(source="path"), (), b"/a%62?x=1", "", b"/ab"),
]


@pytest.mark.parametrize(("by", "headers", "target", "client", "key"), KEYS)
def test_a_request_is_known_by_its_key(
    by: SampleBy, headers: Fields, target: bytes, client: str, key: bytes
) -> None:
    """Whatever its form, it falls on the side on which the bare key does."""
    bare = SampleBy(source="header", name="key")
    for rate in (number / 32 for number in range(1, 32)):
        spec, (one, other) = spec_of(rule_of(rate, by), rule_of(rate, bare))
        sampler = Sampler("", Clock())
        expected = decide(sampler, spec, other, ((b"key", key),))
        assert decide(sampler, spec, one, headers, target, client) == expected


@pytest.mark.parametrize(
    ("by", "headers"),
    [
        (BY_USER, ()),
        (BY_USER, ((b"X-User", b""),)),
        (SampleBy(source="cookie", name="sid"), ((b"Cookie", b"sid=; xsid=1; sid"),)),
        (SampleBy(source="client_ip"), ()),
    ],
)
def test_a_request_without_the_key_is_drawn_at_random(by: SampleBy, headers: Fields) -> None:
    spec, (route,) = spec_of(rule_of(0.5, by))
    sampler = Sampler("seed", Clock())
    counts = Counter(decide(sampler, spec, route, headers, client="") for _ in range(1000))
    assert 350 < counts[("",)] < 650


def test_a_cap_lets_a_seconds_worth_through_at_once_and_then_its_rate() -> None:
    spec, (route,) = spec_of(rule_of(cap=10, to=2), rates=(1.0, 1.0))
    clock = Clock()
    sampler = Sampler("", clock)

    def taken(requests: int) -> int:
        counts = Counter(decide(sampler, spec, route) for _ in range(requests))
        assert set(counts) <= {("", ""), ("rate_cap", "rate_cap")}
        return counts[("", "")]

    assert taken(100) == 10
    clock.now += 0.5
    assert taken(100) == 5
    clock.now += 3600
    assert taken(100) == 10


def test_a_cap_below_one_a_second_lets_single_ones_through() -> None:
    spec, (route,) = spec_of(rule_of(cap=0.1))
    clock = Clock()
    sampler = Sampler("", clock)
    taken = []
    for _ in range(100):
        taken.append(decide(sampler, spec, route) == ("",))
        clock.now += 1.0
    assert sum(taken) == 10


def test_only_what_the_rules_rate_takes_counts_against_its_cap() -> None:
    spec, (route,) = spec_of(rule_of(0.5, BY_USER, cap=10))
    sampler = Sampler("", Clock())
    decisions = Counter(decide(sampler, spec, route, user(str(number))) for number in range(100))
    assert decisions[("",)] == 10
    assert decisions[("rule_rate",)] > 30
    assert decisions[("rate_cap",)] > 20


def test_a_reload_grants_no_new_burst_unless_the_cap_is_another() -> None:
    clock = Clock()
    sampler = Sampler("", clock)
    spec, (route,) = spec_of(rule_of(cap=1))
    assert decide(sampler, spec, route) == ("",)
    again, (same,) = spec_of(rule_of(cap=1))
    assert decide(sampler, again, same) == ("rate_cap",)
    higher, (raised,) = spec_of(rule_of(cap=2))
    assert decide(sampler, higher, raised) == ("",)


@pytest.mark.parametrize(("rate", "least", "most"), [(0.0, 0, 0), (1.0, 1000, 1000), (0.5, 400, 600)])
def test_a_draw(rate: float, least: int, most: int) -> None:
    sampler = Sampler("seed", Clock())
    assert least <= sum(sampler.draw(rate) for _ in range(1000)) <= most
