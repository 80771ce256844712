"""Matching: what it costs to find a request's rule among few and many, beside a loop over `re`."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.bench import Bench
from benchmarks.cores import starting_on
from benchmarks.report import Figure, Line, Part, Plot, Target
from benchmarks.rounds import spread_of
from benchmarks.specs import many_rules, many_targets
from benchmarks.timing import Timed, time_in_turn
from traffic_mirror.copies.request import Fields
from traffic_mirror.rules import compile_rules
from traffic_mirror.spec.reader import parse_spec

GROUP = "Matching and the request hook"
COUNTS = (10, 100, 1_000, 10_000)

_HOT = 100
_BATCHES = 15
_REQUESTS = 1_000
_REQUESTS_OF_LOOP = 60
_FIELDS: Fields = ((b"Host", b"api.example.test"), (b"Accept", b"*/*"))
type _Times = dict[int, list[float]]

_HOLE = re.compile(r"\\\{\w+\\\}")


def measure_matching(bench: Bench) -> Part:
    """µs a match by number of rules, in one process, on the proxy's core."""
    with starting_on(bench.cores.proxy):
        every = time_in_turn([_ours(count) for count in COUNTS])
        hot = time_in_turn([_ours(COUNTS[-1], asked=_HOT)])[0]
        loops = time_in_turn([_loop(count) for count in COUNTS])
    ours, loop = dict(zip(COUNTS, every, strict=True)), dict(zip(COUNTS, loops, strict=True))
    for count in COUNTS:
        one, other = spread_of(ours[count]).median, spread_of(loop[count]).median
        bench.say(f"  {count:>6} rules: {one:6.2f} µs; loop {other:8.2f} µs")
    return Part(tuple(_figures(ours, hot, loop)), (_plot(ours, loop),))


def _figures(ours: _Times, hot: list[float], loop: _Times) -> list[Figure]:
    few, many = ours[COUNTS[0]], ours[COUNTS[-1]]
    how = f"{_BATCHES} batches of {_REQUESTS} requests, every rule alike likely"
    in_a_hurry = spread_of(loop[COUNTS[-1]]).median / spread_of(loop[COUNTS[0]]).median
    return [
        _figure("match 10", "a match, 10 rules", few, how),
        _figure("match 10000", "a match, 10,000 rules", many, how),
        _figure("match hot", f"the same, {_HOT} of the rules asked for", hot, "as traffic mostly is"),
        _figure("loop 10000", "10,000 as a loop over `re`", loop[COUNTS[-1]], "what one writes in a hurry"),
        Figure(
            key="match growth",
            group=GROUP,
            name="match: 10,000 rules relative to 10",
            unit="ratio",
            spread=spread_of([one / other for one, other in zip(many, few, strict=True)]),
            target=Target("≤", 1.5),
            how=f"every rule alike likely; a loop over `re`: {in_a_hurry:.0f} times",
        ),
    ]


def _plot(ours: _Times, loop: _Times) -> Plot:
    lines = (_line("traffic_mirror.rules", ours), _line("a loop over re", loop))
    title = "A match, by number of rules"
    return Plot(key="rules", title=title, x="rules", y="µs a request", lines=lines, log_x=True, log_y=True)


def _ours(count: int, asked: int | None = None) -> Timed[bytes]:
    """The mirror's own matching; every rule has been asked for once before."""
    spec = parse_spec([("bench.json", many_rules(count, 9).encode())], {})
    rules = compile_rules(spec)

    def match(target: bytes) -> None:
        if rules.match("GET", "api.example.test", target, _FIELDS) is None:
            raise ValueError(f"found no rule for {target!r}, expected one")

    for target in many_targets(count):
        match(target.encode())
    return Timed(match, _batches(count, _REQUESTS, asked))


def _loop(count: int) -> Timed[bytes]:
    patterns = [
        re.compile(_HOLE.sub("[^/]+", re.escape(api["listen_path"].rstrip("/") + rule["path"])))
        for api in _apis(count)
        for rule in api["traffic_mirror"]
    ]
    return Timed(_try_each(patterns), _batches(count, _REQUESTS_OF_LOOP))


def _try_each(patterns: Sequence[re.Pattern[str]]) -> Callable[[bytes], re.Pattern[str] | None]:
    def match(target: bytes) -> re.Pattern[str] | None:
        path = target.decode().partition("?")[0]
        for pattern in patterns:
            if pattern.fullmatch(path):
                return pattern
        return None

    return match


def _apis(count: int) -> list[dict[str, Any]]:
    apis: list[dict[str, Any]] = json.loads(many_rules(count, 9))["apis"]
    return apis


def _batches(count: int, size: int, asked: int | None = None) -> list[list[bytes]]:
    """Requests for rules drawn at random, each with a query of its own; only `asked` rules are asked for."""
    draw = random.Random(count)
    targets = many_targets(count)
    if asked is not None:
        targets = draw.sample(targets, asked)
    return [
        [f"{draw.choice(targets)}?n={draw.getrandbits(40)}".encode() for _ in range(size)]
        for _ in range(_BATCHES)
    ]


def _figure(key: str, name: str, samples: Sequence[float], how: str) -> Figure:
    return Figure(key=key, group=GROUP, name=name, unit="µs", spread=spread_of(samples), how=how)


def _line(name: str, samples: _Times) -> Line:
    return Line(name, tuple((count, spread_of(means).median) for count, means in samples.items()))
