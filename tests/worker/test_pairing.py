"""Pairing: each copy is settled once, with its primary's answer if it came in time, within bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.driver import request
from traffic_mirror.wire.frames import Mirror, Primary
from traffic_mirror.worker import pairing
from traffic_mirror.worker.case import Case
from traffic_mirror.worker.errand import Errand
from traffic_mirror.worker.pairing import Pairing


class Bench:
    """A pairing with a clock of its own, and what it settled."""

    def __init__(self) -> None:
        self.now = 0.0
        self.settled: list[Errand] = []
        self.pairing = Pairing(lambda: self.now, self.settled.append)

    def open(
        self, flow: str = "f", copies: int = 1, *, baseline: int = -1, body: bytes = b""
    ) -> list[Errand]:
        numbers = tuple((number, 0) for number in range(copies))
        frame = Mirror(request(flow=flow), 0, 0, numbers, compare=True, baseline=baseline)
        case = Case(frame, body, 0, waits=True, told=True)
        self.pairing.open(case)
        return [Errand(number, None, case, 0.0, 0.0) for number, _ in numbers]  # type: ignore[arg-type]

    def answer(self, flow: str = "f", body: bytes = b"") -> None:
        self.pairing.answered(Primary(flow, 200, 0.1, has_body=True), body)


def test_a_copy_waits_for_its_primary() -> None:
    bench = Bench()
    (errand,) = bench.open()
    bench.pairing.ended(errand)
    assert bench.settled == []
    bench.answer()
    assert bench.settled == [errand]
    assert len(bench.pairing) == 0


def test_a_primary_waits_for_its_copies() -> None:
    bench = Bench()
    first, second = bench.open(copies=2)
    bench.answer()
    bench.pairing.ended(second)
    assert bench.settled == [second]
    bench.pairing.ended(first)
    assert bench.settled == [second, first]
    assert len(bench.pairing) == 0


def test_copies_wait_for_their_baseline() -> None:
    bench = Bench()
    copy, baseline = bench.open(copies=2, baseline=1)
    bench.answer()
    bench.pairing.ended(copy)
    assert bench.settled == []
    bench.pairing.ended(baseline)
    assert bench.settled == [baseline, copy]


def test_what_waits_too_long_is_settled_without() -> None:
    bench = Bench()
    (late,) = bench.open("late")
    bench.pairing.ended(late)
    bench.now = pairing.PATIENCE / 2
    (young,) = bench.open("young")
    bench.pairing.ended(young)
    bench.now = pairing.PATIENCE + 1
    bench.pairing.sweep()
    assert bench.settled == [late]
    assert late.case.unpaired == "primary_late"
    bench.answer("late")
    assert bench.settled == [late]


def test_a_case_given_up_settles_its_later_copies_at_once() -> None:
    bench = Bench()
    (errand,) = bench.open()
    bench.now = pairing.PATIENCE + 1
    bench.pairing.sweep()
    bench.pairing.ended(errand)
    assert bench.settled == [errand]


def test_the_same_flow_again_settles_the_one_before() -> None:
    bench = Bench()
    (before,) = bench.open()
    bench.pairing.ended(before)
    (again,) = bench.open()
    assert bench.settled == [before]
    assert before.case.unpaired == "superseded"
    bench.answer()
    bench.pairing.ended(again)
    assert again.case.unpaired == ""


def test_it_holds_so_many_bytes_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairing, "MAX_BYTES", 1000)
    bench = Bench()
    errands = [bench.open(str(i), body=b"x" * 400)[0] for i in range(3)]
    for errand in errands:
        bench.pairing.ended(errand)
    assert bench.settled == [errands[0]]
    assert errands[0].case.unpaired == "overload"
    bench.answer("2", b"x" * 900)
    assert bench.settled == [errands[0], errands[1], errands[2]]
    assert len(bench.pairing) == 0


def test_it_holds_so_many_cases_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairing, "MAX_CASES", 5)
    bench = Bench()
    for i in range(8):
        bench.pairing.ended(bench.open(str(i))[0])
    assert [errand.case.request.id for errand in bench.settled] == ["0", "1", "2"]
    assert len(bench.pairing) == 5


def test_nothing_waits_once_it_is_closed() -> None:
    bench = Bench()
    (before,) = bench.open("before")
    bench.pairing.ended(before)
    (running,) = bench.open("running")
    bench.pairing.close()
    assert bench.settled == [before]
    bench.pairing.ended(running)
    (after,) = bench.open("after")
    bench.pairing.ended(after)
    assert bench.settled == [before, running, after]
    assert {errand.case.unpaired for errand in bench.settled} == {"shutdown"}


steps = st.lists(
    st.tuples(st.sampled_from(("open", "end", "answer", "wait")), st.integers(0, 5)), max_size=60
)


@given(steps)
def test_every_copy_is_settled_exactly_once(moves: list[tuple[str, int]]) -> None:
    bench = Bench()
    running: list[Errand] = []
    opened = 0
    for move, number in moves:
        if move == "open":
            errands = bench.open(str(number), 1 + number % 3, baseline=0 if number == 2 else -1)
            opened += len(errands)
            running += errands
        elif move == "end" and running:
            bench.pairing.ended(running.pop(number % len(running)))
        elif move == "answer":
            bench.answer(str(number))
        elif move == "wait":
            bench.now += 50.0
            bench.pairing.sweep()
    bench.pairing.close()
    for errand in running:
        bench.pairing.ended(errand)
    assert len(bench.settled) == len(set(map(id, bench.settled))) == opened
    assert len(bench.pairing) == 0
    assert bench.pairing._bytes == 0
