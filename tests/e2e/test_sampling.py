"""How many copies are sent: none at a rate of 0, all at 1, the expected share in between."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.clients import Client, request
from tests.e2e.stage import Stage, stage
from tests.http1 import Message
from tests.waiting import wait_until

REQUESTS = 4000
USERS = 200
CLIENTS = 4

SPEC = """
version: 1
destinations:
  all: {url: $all, timeout: 30s, queue: {copies: 10000}}
  none: {url: $none, sample_rate: 0}
  quarter: {url: $quarter, sample_rate: 0.25, timeout: 30s, queue: {copies: 10000}}
  halved: {url: $halved}
  few: {url: $few}
apis:
  - name: rates
    traffic_mirror:
      - {name: by-destination, path: /by-destination/*, destinations: [all, none, quarter]}
      - {name: never, path: /never/*, sample_rate: 0, destinations: [halved]}
      - name: by-user
        path: /by-user/*
        sample_rate: 0.5
        sample_by: header:X-User-Id
        destinations: [halved]
      - {name: capped, path: /capped/*, max_rate: 5/s, destinations: [few]}
"""


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[Stage]]:
    """Two proxies with the same spec, each with servers of its own."""
    names = ("all", "none", "quarter", "halved", "few")
    with (
        stage(tmp_path_factory.mktemp("one"), SPEC, behaviours=dict.fromkeys(names)) as one,
        stage(tmp_path_factory.mktemp("two"), SPEC, behaviours=dict.fromkeys(names)) as other,
    ):
        yield one, other


def send_all(on: Stage, count: int, make: Callable[[int], bytes]) -> None:
    """Sends requests 0 to `count` over a few connections, and looks at every answer."""

    def send_some(first: int) -> int:
        with Client(on.proxy.port, timeout=60) as client:
            return sum(client.exchange(make(n)).status == 200 for n in range(first, count, CLIENTS))

    with ThreadPoolExecutor(CLIENTS) as clients:
        assert sum(clients.map(send_some, range(CLIENTS))) == count


def all_ended(on: Stage, rule: str, destination: str, count: int) -> dict[tuple[str, str], int]:
    """The row of a rule and destination, once so many copies have ended, one way or another."""
    wait_until(
        lambda: sum(on.ended(rule, destination).values()) == count,
        message=lambda: f"{count} copies of {rule} to end: {on.ended(rule, destination)}",
    )
    return on.ended(rule, destination)


def test_rates_of_0_1_and_a_quarter_of_4000(two: Sequence[Stage]) -> None:
    on = two[0]
    send_all(on, REQUESTS, lambda number: request(f"/by-destination/{number}"))
    on.wait_until_ended("by-destination", "all", {("delivered", "2xx"): REQUESTS})
    on.wait_until_ended("by-destination", "none", {("sampled_out", "destination_rate"): REQUESTS})
    targets = [copy.target for copy in on.servers["all"].requests]
    assert sorted(targets) == sorted(f"/by-destination/{number}".encode() for number in range(REQUESTS))
    assert on.servers["none"].requests == ()
    sent = len(on.servers["quarter"].requests)
    within = 5 * math.sqrt(REQUESTS * 0.25 * 0.75)  # five standard deviations: wrong once in two million runs
    assert abs(sent - REQUESTS / 4) < within
    on.wait_until_ended(
        "by-destination",
        "quarter",
        {("delivered", "2xx"): sent, ("sampled_out", "destination_rate"): REQUESTS - sent},
    )


def test_a_rule_s_rate_of_0_sends_nothing(two: Sequence[Stage]) -> None:
    on = two[0]
    send_all(on, 100, lambda number: request(f"/never/{number}"))
    on.wait_until_ended("never", "halved", {("sampled_out", "rule_rate"): 100})
    assert not [copy for copy in on.servers["halved"].requests if copy.target.startswith(b"/never")]


def test_a_user_stays_in_or_out_on_every_proxy(two: Sequence[Stage]) -> None:
    def visit(number: int) -> bytes:
        return request(f"/by-user/{number}", headers=[("X-User-Id", f"user-{number % USERS}")])

    def user(copy: Message) -> bytes:
        return copy.header("X-User-Id") or b""

    chosen = []
    for on in two:
        send_all(on, 3 * USERS, visit)
        all_ended(on, "by-user", "halved", 3 * USERS)
        copies = [user(copy) for copy in on.servers["halved"].requests]
        assert {copies.count(who) for who in copies} == {3}, "all of a user's requests, or none"
        chosen.append(set(copies))
    assert chosen[0] == chosen[1], "both proxies choose the same users"
    assert abs(len(chosen[0]) - USERS / 2) < 5 * math.sqrt(USERS / 4)


def test_a_cap_holds(two: Sequence[Stage]) -> None:
    on = two[0]
    send_all(on, 200, lambda number: request(f"/capped/{number}"))
    ended = all_ended(on, "capped", "few", 200)
    assert ended[("delivered", "2xx")] == len(on.servers["few"].requests)
    assert ended[("sampled_out", "rate_cap")] > 100, "200 requests took nowhere near 20 seconds"
