"""Latency: what mirroring adds to a request at a third of full load, from an open-loop generator."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Mapping

import msgspec

from benchmarks.bench import Bench
from benchmarks.openloop import Latency, together
from benchmarks.processes import BenchError, running
from benchmarks.proxy import Setup, mirror, started
from benchmarks.report import Figure, Part, Target
from benchmarks.rounds import interleave, ratios, spread_of
from benchmarks.servers import Server
from benchmarks.specs import mirror_all

GROUP = "Latency at a third of full load, relative to bare"
BARE, ONE = "bare", "one destination"
TURN = 4.0  # seconds that one is loaded before the other's turn comes


def measure_latency(bench: Bench, origin: Server, sink: Server, bare_rate: float) -> Part:
    """p50 and p99 of bare and mirrored at a third of `bare_rate`, side by side and in turn."""
    rate = bare_rate / 3
    setups = {BARE: Setup(), ONE: mirror(mirror_all(sink.ports[:1]))}
    samples: dict[str, list[Latency]] = {name: [] for name in setups}
    for number in range(bench.rounds):
        for name, sample in _measure_round(bench, setups, origin, rate, number).items():
            samples[name].append(sample)
            in_ms = f"p50 {sample.p50 * 1e3:.2f} ms, p99 {sample.p99 * 1e3:.2f} ms"
            bench.say(f"  round {number + 1}/{bench.rounds}  {name:<28} {in_ms}")
    return Part(tuple(_figures(samples, rate)))


def _measure_round(
    bench: Bench, setups: Mapping[str, Setup], origin: Server, rate: float, number: int
) -> dict[str, Latency]:
    """One round: each in turn for a few seconds, both at the same arrivals."""
    runs: dict[str, list[Latency]] = {name: [] for name in setups}
    with contextlib.ExitStack() as stack:
        ports = {}
        for name, setup in setups.items():
            folder = bench.folder(f"latency-{name.replace(' ', '-')}-{number}")
            ports[name] = stack.enter_context(started(setup, origin.port, folder, bench.cores)).port
        for turn, name in interleave(list(setups), max(1, round(bench.seconds * 2 / TURN))):
            runs[name].append(run_open_loop(bench, ports[name], rate, TURN, number * 1000 + turn))
    return {name: together(each) for name, each in runs.items()}


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
