"""Which copies are compared, and that no number or size of them holds the worker up."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tests.waiting import wait_until_async
from tests.worker.driver import destination, request, spec_of
from traffic_mirror.compare import Verdict
from traffic_mirror.spec.model import Compare
from traffic_mirror.wire.frames import Mirror, Primary
from traffic_mirror.worker import verdicts
from traffic_mirror.worker.accounts import Accounts
from traffic_mirror.worker.case import Case
from traffic_mirror.worker.comparison import LIGHT, is_light
from traffic_mirror.worker.errand import Errand, Outcome
from traffic_mirror.worker.program import Lanes, Program
from traffic_mirror.worker.sender import Sent
from traffic_mirror.worker.verdicts import Verdicts


class Bench:
    """Verdicts over made-up answers, and what was told."""

    def __init__(self) -> None:
        self.accounts = Accounts()
        spec = spec_of(destination("http://127.0.0.1:1"), compare=Compare(enabled=True))
        lanes = Lanes(lambda _: None).adopt(spec.destinations, "")
        self.program = Program(spec, lanes, self.accounts, inspect=False)
        self.told: list[Verdict | None] = []
        self.verdicts = Verdicts(
            asyncio.get_running_loop(), self.accounts, lambda _, verdict: self.told.append(verdict)
        )

    def errand(self, body: bytes = b"ok", primary: Primary | None = None, **more: object) -> Errand:
        fields = {"compare": True, **more}
        frame = Mirror(request(), 0, 0, ((1, 0),), **fields)  # type: ignore[arg-type]
        case = Case(frame, b"", 100, waits=True, told=True)
        case.primary = primary or Primary("f1", 200, 0.1, has_body=True)
        case.primary_body = b"ok"
        route = self.program.route(0, 0, 0)
        errand = Errand(1, route, case, 0.0, 0.0)
        errand.copy = route.plan.copy(case.request, b"")
        errand.sent = Sent(0, "")
        errand.sent.status, errand.sent.body = 200, body
        errand.outcome = Outcome("delivered", "2xx")
        return errand


async def settle(bench: Bench, *errands: Errand) -> list[tuple[str, str | None] | None]:
    for errand in errands:
        bench.verdicts.settle(errand)
    await wait_until_async(lambda: len(bench.told) == len(errands))
    return [None if verdict is None else (verdict.verdict, verdict.reason) for verdict in bench.told]


async def test_answers_are_compared() -> None:
    bench = Bench()
    assert await settle(bench, bench.errand(b"ok"), bench.errand(b"no")) == [
        ("match", None),
        ("differ", None),
    ]


async def test_what_is_not_to_be_compared_gets_no_verdict() -> None:
    bench = Bench()
    failed = bench.errand()
    failed.outcome = Outcome("failed", "timeout")
    unsent = bench.errand()
    unsent.sent = None
    assert await settle(bench, bench.errand(compare=False), failed, unsent) == [None, None, None]


@pytest.mark.parametrize(
    ("primary", "unpaired", "reason"),
    [
        (Primary("f1", 0, 0.0, error="refused"), "", "primary_failed"),
        (None, "primary_late", "primary_late"),
        (Primary("f1", 200, 0.1, missing="streamed"), "", "streamed"),
    ],
    ids=["failed", "late", "streamed"],
)
async def test_an_answer_that_is_not_there_is_a_reason(
    primary: Primary | None, unpaired: str, reason: str
) -> None:
    bench = Bench()
    errand = bench.errand(primary=primary)
    errand.case.unpaired = unpaired
    assert await settle(bench, errand) == [("incomparable", reason)]


async def test_too_many_are_an_overload(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "MAX_WAITING", 3)
    bench = Bench()
    told = await settle(bench, *(bench.errand() for _ in range(5)))
    assert sorted(map(str, told)) == ["('incomparable', 'overload')"] * 2 + ["('match', None)"] * 3
    assert bench.verdicts.idle


async def test_too_large_ones_are_an_overload(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "MAX_BYTES", 100)
    bench = Bench()
    told = await settle(bench, *(bench.errand(b"x" * 80) for _ in range(4)))
    assert told.count(("incomparable", "overload")) == 2
    assert bench.verdicts._light._bytes == 0


async def test_what_waits_at_the_end_is_told_too() -> None:
    bench = Bench()
    for _ in range(3):
        bench.verdicts.settle(bench.errand())
    bench.verdicts.close()
    assert [v.reason for v in bench.told if v is not None] == ["shutdown"] * 3
    await asyncio.sleep(0)
    assert len(bench.told) == 3


async def test_a_baseline_gets_no_verdict_but_teaches() -> None:
    bench = Bench()
    told = await settle(bench, bench.errand(b"other", baseline=1), bench.errand(b"another"))
    assert told == [None, ("match", None)]
    assert bench.accounts.baselines.lesson("rule", "GET /*", "api").baseline == 1


def heavy(bench: Bench, last: bytes = b"x") -> Errand:
    errand = bench.errand(b"x" * LIGHT + last)
    errand.case.primary_body = b"x" * (LIGHT + 1)
    return errand


async def test_large_answers_are_compared_beside_the_loop() -> None:
    bench = Bench()
    for errand in (heavy(bench), heavy(bench, b"y"), bench.errand(b"ok")):
        bench.verdicts.settle(errand)
    await wait_until_async(lambda: len(bench.told) == 3)
    assert sorted(v.verdict for v in bench.told if v) == ["differ", "match", "match"]
    assert bench.verdicts.idle
    bench.verdicts.close()


@pytest.mark.parametrize("side", ["primary", "copy"])
async def test_a_compressed_answer_counts_as_large(side: str) -> None:
    bench = Bench()
    encoded = ((b"content-ENCODING", b"gzip"),)
    primary = Primary("f1", 200, 0.1, has_body=True, headers=encoded if side == "primary" else ())
    errand = bench.errand(primary=primary)
    assert errand.sent is not None
    if side == "copy":
        errand.sent.lines = [b"HTTP/1.1 200 OK\r\n", b"Content-Encoding: gzip\r\n", b"\r\n"]
    assert (is_light(errand), is_light(bench.errand())) == (False, True)


async def test_a_comparison_has_a_bound_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "HEAVY_SECONDS", -1.0)
    monkeypatch.setattr(verdicts, "LIGHT_SECONDS", -1.0)
    bench = Bench()
    bench.verdicts.settle(heavy(bench, b"y"))
    bench.verdicts.settle(bench.errand(b"no"))
    await wait_until_async(lambda: len(bench.told) == 2)
    assert [v and (v.verdict, v.reason) for v in bench.told] == [("incomparable", "budget")] * 2
    bench.verdicts.close()


async def test_a_comparison_under_way_at_the_end_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    began, go_on = threading.Event(), threading.Event()

    def clock() -> float:
        began.set()
        assert go_on.wait(10)
        return 0.0

    monkeypatch.setattr(verdicts, "monotonic", clock)
    bench = Bench()
    for _ in range(3):
        bench.verdicts.settle(heavy(bench))
    await wait_until_async(began.is_set)
    bench.verdicts.close()
    assert [v and v.reason for v in bench.told] == ["shutdown"] * 3
    assert bench.verdicts.idle
    go_on.set()
    await wait_until_async(lambda: not [t for t in threading.enumerate() if t.name.startswith("compare")])
    await asyncio.sleep(0)
    assert len(bench.told) == 3
