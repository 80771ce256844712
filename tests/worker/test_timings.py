"""Durations meet by flow, in whichever order they come, and nothing is kept for longer than it is wanted."""

from __future__ import annotations

from typing import cast

import pytest

from traffic_mirror.worker import timings
from traffic_mirror.worker.accounts import Accounts
from traffic_mirror.worker.errand import Route
from traffic_mirror.worker.timings import Timings


class _Route:
    api = "a"
    rule = "rule"
    destination = "shadow"


ROUTE = cast("Route", _Route())


def pairs_of(accounts: Accounts) -> int:
    rows = accounts.latencies.listing()
    return sum(cast("int", row["count"]) for row in rows)


@pytest.mark.parametrize("order", ["pc", "cp", "pcc", "cpc", "ccp"])
def test_order_does_not_matter(order: str) -> None:
    accounts = Accounts()
    waiting = Timings(accounts)
    waiting.expect("f", [ROUTE] * order.count("c"))
    for step in order:
        if step == "p":
            waiting.answered("f", 0.1)
        else:
            waiting.ended("f", ROUTE, 0.2)
    assert pairs_of(accounts) == order.count("c")
    assert len(waiting) == 0


def test_a_copy_that_did_not_arrive_is_no_pair() -> None:
    accounts = Accounts()
    waiting = Timings(accounts)
    waiting.expect("f", [ROUTE, ROUTE])
    waiting.ended("f", ROUTE, None)
    waiting.answered("f", 0.1)
    waiting.ended("f", ROUTE, 0.2)
    assert (pairs_of(accounts), len(waiting)) == (1, 0)


def test_a_second_answer_is_not_taken() -> None:
    accounts = Accounts()
    waiting = Timings(accounts)
    waiting.expect("f", [ROUTE, ROUTE])
    for _ in range(2):
        waiting.answered("f", 0.1)
        waiting.ended("f", ROUTE, 0.2)
    waiting.answered("f", 0.1)
    waiting.answered("unknown", 0.1)
    waiting.ended("unknown", ROUTE, 0.1)
    assert pairs_of(accounts) == 2


def test_the_oldest_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timings, "MAX_WAITING", 3)
    waiting = Timings(Accounts())
    for number in range(10):
        waiting.expect(str(number), [ROUTE])
    assert len(waiting) == 3
