"""Latency: what mirroring adds to a request at a third of full load, from an open-loop generator."""

from __future__ import annotations

import subprocess
import sys

import msgspec

from benchmarks.bench import Bench
from benchmarks.openloop import Latency
from benchmarks.processes import BenchError, running
from benchmarks.proxy import Setup, mirror, started
from benchmarks.report import Figure, Part, Target
from benchmarks.rounds import interleave, ratios, spread_of
from benchmarks.servers import Server
from benchmarks.specs import mirror_all

GROUP = "Latency at a third of full load, relative to bare"
BARE, ONE = "bare", "one destination"


def measure_latency(bench: Bench, origin: Server, sink: Server, bare_rate: float) -> Part:
    """p50 and p99 of bare and mirrored at a third of `bare_rate`, both at the same arrivals."""
    rate = bare_rate / 3
    setups = {BARE: Setup(), ONE: mirror(mirror_all(sink.ports[:1]))}
    samples: dict[str, list[Latency]] = {name: [] for name in setups}
    for number, name in interleave(list(setups), bench.rounds):
        folder = bench.folder(f"latency-{name.replace(' ', '-')}-{number}")
        with started(setups[name], origin.port, folder, bench.cores) as proxy:
            sample = run_open_loop(bench, proxy.port, rate, bench.seconds * 2, number)
        samples[name].append(sample)
        in_ms = f"p50 {sample.p50 * 1e3:.2f} ms, p99 {sample.p99 * 1e3:.2f} ms"
        bench.say(f"  round {number + 1}/{bench.rounds}  {name:<28} {in_ms}")
    return Part(tuple(_figures(samples, rate)))


def run_open_loop(bench: Bench, port: int, rate: float, seconds: float, seed: int) -> Latency:
    """One run of the generator, on the cores of the rest. Raises BenchError where it fails."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.openloop",
        str(port),
        f"{rate:.3f}",
        f"{seconds:.3f}",
        str(seed),
    ]
    with running(command, bench.folder("openloop") / "log", bench.cores.rest) as process:
        try:
            status = process.process.wait(seconds + 30)
        except subprocess.TimeoutExpired as error:
            raise BenchError(f"the generator did not end within {seconds + 30:.0f} s") from error
        if status != 0:
            raise BenchError(f"the generator failed: {process.log[-300:]}")
        return msgspec.json.decode(process.log.strip().splitlines()[-1], type=Latency)


def _figures(samples: dict[str, list[Latency]], rate: float) -> list[Figure]:
    how = f"{rate:.0f} requests/s, exponentially spaced, timed from when each was due"
    figures = []
    for name, limit in (("p50", 1.05), ("p99", 1.10)):
        column = {subject: [getattr(each, name) for each in rounds] for subject, rounds in samples.items()}
        in_ms = [value * 1e3 for value in column[BARE]]
        figures += [
            Figure(
                key=f"bare {name}",
                group=GROUP,
                name=f"{name} of bare",
                unit="ms",
                spread=spread_of(in_ms),
                how=how,
            ),
            Figure(
                key=f"latency {name}",
                group=GROUP,
                name=f"{name}, mirrored to one destination",
                unit="ratio",
                spread=spread_of(ratios(column, ONE, BARE)),
                target=Target("≤", limit),
            ),
        ]
    return figures
