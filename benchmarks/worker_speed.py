"""The worker alone: how many copies a second it sends on a core of its own, fed as the edge feeds it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from benchmarks.bench import Bench
from benchmarks.cores import starting_on
from benchmarks.load import HEADERS
from benchmarks.processes import ROOT, BenchError, cpu_seconds
from benchmarks.report import Figure, Part, Target
from benchmarks.rounds import spread_of
from benchmarks.servers import Server
from benchmarks.specs import PATH, mirror_all
from traffic_mirror.copies.request import FrozenRequest
from traffic_mirror.spec.reader import parse_spec
from traffic_mirror.wire.codec import Decoder, encode
from traffic_mirror.wire.frames import Ended, Mirror, Primary, Ready, Setup, SpecState, Stop, ToEdge

GROUP = "The worker"
COPIES = 20_000

_WINDOW = 900  # copies under way at once; a destination's queue takes 1,000
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Run:
    """One run: copies a second, and processor seconds a copy."""

    rate: float
    cpu: float


def measure_worker(bench: Bench, sink: Server) -> Part:
    """Small GETs to one healthy destination, each followed by its primary's answer, as at the edge."""
    runs = []
    with starting_on(bench.cores.rest):
        for number in range(bench.rounds):
            runs.append(asyncio.run(_run(bench, sink)))
            bench.say(f"  round {number + 1}/{bench.rounds}  {runs[-1].rate:8.0f} copies/s")
    how = f"{COPIES:,} small GETs with 7 headers, at most {_WINDOW} under way, the worker alone on its core"
    rates = spread_of([run.rate for run in runs])
    cpu = spread_of([run.cpu * 1e6 for run in runs])
    return Part(
        (
            Figure(
                key="worker rate",
                group=GROUP,
                name="copies a second on one core",
                unit="/s",
                spread=rates,
                target=Target("≥", 10_000),
                how=how,
            ),
            Figure(key="worker cpu", group=GROUP, name="processor time a copy", unit="µs", spread=cpu),
        )
    )


async def _run(bench: Bench, sink: Server) -> Run:
    async with _worker(bench) as worker:
        feeder = _Feeder(worker)
        await feeder.begin(mirror_all(sink.ports[:1]))
        assert worker.pid
        used, began = cpu_seconds(worker.pid), time.perf_counter()
        await feeder.send(COPIES)
        seconds = time.perf_counter() - began
        cpu = cpu_seconds(worker.pid) - used
        await feeder.stop()
        if feeder.delivered != COPIES:
            raise BenchError(
                f"{feeder.delivered} of {COPIES} copies were delivered, the last one ended as {feeder.last}"
            )
        return Run(COPIES / seconds, cpu / COPIES)


@contextlib.asynccontextmanager
async def _worker(bench: Bench) -> AsyncIterator[asyncio.subprocess.Process]:
    log = (bench.folder("worker") / "log").open("wb")
    with log, starting_on(bench.cores.proxy):
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "traffic_mirror.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            cwd=ROOT,
            start_new_session=True,
        )
    try:
        yield worker
    finally:
        if worker.returncode is None:
            worker.kill()
        await worker.wait()


class _Feeder:
    """Plays the edge: frames in, outcomes out, never more than a window's worth between them."""

    def __init__(self, worker: asyncio.subprocess.Process) -> None:
        assert worker.stdin is not None
        assert worker.stdout is not None
        self._stdin, self._stdout = worker.stdin, worker.stdout
        self._decoder: Decoder[ToEdge] = Decoder(ToEdge)
        self._ended = 0
        self.delivered = 0
        self.last = "nothing"

    async def begin(self, spec: str) -> None:
        setup = Setup(parse_spec([("bench.json", spec.encode())], {}), SpecState("bench.json", 0.0, True))
        self._stdin.write(encode(setup))
        ready = False
        while not ready:
            ready = any(isinstance(frame, Ready) for frame in await self._read())

    async def send(self, copies: int) -> None:
        request = _request()
        sent = 0
        while self._ended < copies:
            batch = []
            while sent < copies and sent - self._ended < _WINDOW:
                batch += [
                    encode(Mirror(request, 0, 4, ((sent, 0),), has_body=True)),
                    encode(Primary(request.id, 200, 0.001, request.time)),
                ]
                sent += 1
            self._stdin.write(b"".join(batch))
            self._count(await self._read())

    async def stop(self) -> None:
        self._stdin.write(encode(Stop(1.0)))
        self._stdin.write_eof()

    def _count(self, frames: list[ToEdge]) -> None:
        for frame in frames:
            if isinstance(frame, Ended):
                self._ended += len(frame.endings)
                self.delivered += sum(ending.outcome == "delivered" for ending in frame.endings)
                self.last = f"{frame.endings[-1].outcome} {frame.endings[-1].reason}"

    async def _read(self) -> list[ToEdge]:
        async with asyncio.timeout(_PATIENCE):
            data = await self._stdout.read(1 << 20)
        if not data:
            raise BenchError("the worker ended")
        return [frame for frame, _ in self._decoder.feed(data)]


def _request() -> FrozenRequest:
    fields = [("Host", "127.0.0.1:8080"), *HEADERS]
    return FrozenRequest(
        id="7d0e5a52-3f5e-4d7b-9b57-0f3f0c1d2e3f",
        method=b"GET",
        scheme="http",
        host="127.0.0.1",
        port=8080,
        authority=b"127.0.0.1:8080",
        target=PATH.encode(),
        http_version="HTTP/1.1",
        headers=tuple((name.encode(), value.encode()) for name, value in fields),
        body=None,
        time=time.time(),
        client="127.0.0.1",
    )
