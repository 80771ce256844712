"""Streaming: how far proxy and worker grow while 2 GiB pass to a primary and two destinations."""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import replace

from benchmarks.bench import Bench
from benchmarks.processes import BenchError
from benchmarks.proxy import Proxy, mirror, started
from benchmarks.report import Absent, Figure, Part, Target
from benchmarks.rounds import spread_of
from benchmarks.specs import mirror_all
from tests.protocols.sink import sink
from tests.protocols.uploads import MIB, memory, upload

GROUP = "A streamed upload of 2 GiB to a primary and two destinations"
SIZE = 2048 * MIB
_HOW = (
    "resident memory above what it was before; the client is at most 16 MiB ahead of the slower destination"
)


def measure_streaming(bench: Bench) -> Part:
    """The highest memory of both processes over one upload a way: announced length, and chunked."""
    if sys.platform != "linux":
        return Part(absent=(Absent(GROUP, "memory is read from /proc, which Linux has"),))
    figures: list[Figure] = []
    for name, chunked in (("known length", False), ("chunked", True)):
        with contextlib.ExitStack() as running:
            primary, one, two = (running.enter_context(sink()) for _ in range(3))
            setup = mirror(mirror_all((one.port, two.port)))
            setup = replace(setup, options={"stream_large_bodies": "1m"})
            folder = bench.folder(f"streaming-{name.replace(' ', '-')}")
            proxy = running.enter_context(started(setup, primary.port, folder, bench.cores))
            before, began = _memory(proxy), time.monotonic()
            answer, expected = upload(proxy.port, SIZE, chunked=chunked, pace=(one, two), target="/items/42")
            seconds = time.monotonic() - began
            swallowed = [server.swallowed() for server in (primary, one, two)]
            if answer.status != 200 or swallowed != [expected] * 3:
                raise BenchError(f"the upload did not arrive whole: {answer.status}, {swallowed}")
            proxy.settle()
            rise = [high - low for low, high in zip(before, _memory(proxy, highest=True), strict=True)]
        bench.say(f"  {name}: {SIZE / MIB / seconds:.0f} MiB/s, {rise[0]:.0f} and {rise[1]:.0f} MiB")
        figures += [
            Figure(
                key=f"streaming {name} {part}",
                group=GROUP,
                name=f"the {part} grows by, {name}",
                unit="MiB",
                spread=spread_of([most]),
                target=Target("≤", 64),
                how=_HOW,
            )
            for part, most in zip(("proxy", "worker"), rise, strict=True)
        ]
    return Part(tuple(figures))


def _memory(proxy: Proxy, *, highest: bool = False) -> list[float]:
    assert proxy.worker is not None
    return [memory(pid)[highest] for pid in (proxy.program.pid, proxy.worker)]
