"""The breaker opens on a share of failures, and one probe decides when it closes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traffic_mirror.spec.model import CircuitBreaker
from traffic_mirror.worker.breaker import Breaker

POLICY = CircuitBreaker(failures=0.5, of=4, within=10.0, open_for=5.0)


def _opened(at: float = 0.0) -> Breaker:
    breaker = Breaker(POLICY)
    for _ in range(4):
        assert breaker.begin(at)
        breaker.end(at, ok=False)
    assert breaker.state == "open"
    return breaker


@pytest.mark.parametrize(
    ("ends", "state", "failed_of"),
    [
        ("fff", "closed", (0, 0)),
        ("ffff", "open", (4, 4)),
        ("ooff", "open", (2, 4)),
        ("ooof", "closed", (0, 0)),
        ("ffoo", "open", (2, 4)),
        ("fooof", "closed", (0, 0)),
        ("foooff", "open", (2, 4)),
    ],
)
def test_opens_at_its_share_of_the_last_copies(ends: str, state: str, failed_of: tuple[int, int]) -> None:
    breaker = Breaker(POLICY)
    changes = [breaker.end(0.0, ok=end == "o") for end in ends]
    assert breaker.state == state
    assert breaker.failed_of == failed_of
    assert sum(changes) == (state == "open")


def test_failures_that_are_too_old_do_not_count() -> None:
    breaker = Breaker(POLICY)
    for second in (0, 5, 11, 16, 22, 27):
        breaker.end(second, ok=False)
    assert breaker.state == "closed"


def test_refuses_while_open_and_lets_one_probe_through() -> None:
    breaker = _opened()
    assert breaker.refuses(4.9)
    assert not breaker.begin(4.9)
    assert not breaker.refuses(5.0)
    assert breaker.begin(5.0)
    assert breaker.state == "half_open"
    assert breaker.refuses(5.1)
    assert not breaker.begin(100.0)


def test_a_good_probe_closes_it_and_forgets_the_failures() -> None:
    breaker = _opened()
    breaker.begin(5.0)
    assert breaker.end(5.1, ok=True)
    assert breaker.state == "closed"
    assert not breaker.end(5.2, ok=False)
    assert breaker.begin(5.2)


def test_a_bad_probe_opens_it_again_without_a_new_change() -> None:
    breaker = _opened()
    breaker.begin(5.0)
    assert not breaker.end(6.0, ok=False)
    assert breaker.state == "open"
    assert breaker.refuses(10.9)
    assert breaker.begin(11.0)


def test_copies_sent_before_it_opened_do_not_change_it() -> None:
    breaker = _opened()
    assert not breaker.end(0.1, ok=True)
    assert breaker.state == "open"


def test_an_abandoned_probe_leaves_room_for_the_next() -> None:
    breaker = _opened()
    assert breaker.begin(5.0)
    breaker.abandon()
    assert breaker.state == "open"
    assert breaker.begin(5.1)


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=60))
def test_it_never_stays_shut_for_good(steps: list[tuple[float, bool]]) -> None:
    breaker, now = Breaker(POLICY), 0.0
    for wait, ok in steps:
        now += wait
        if breaker.begin(now):
            breaker.end(now, ok=ok)
    assert breaker.begin(now + POLICY.open_for + 0.001)
