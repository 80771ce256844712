"""Bodies: what large buffered ones cost a small request on another connection, bare and mirrored.

On a machine with few cores the copies cost every process something, whoever sends them. So a third subject is
bare, while a process that has nothing to do with the mirror sends the same bodies to the same destination.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from benchmarks.bench import Bench
from benchmarks.latency import TURN, run_open_loop
from benchmarks.openloop import Latency, together
from benchmarks.processes import BenchError, Program, running, wait_until_at_rest
from benchmarks.proxy import ADDONS, Setup, mirror, started
from benchmarks.report import Figure, Part, Target
from benchmarks.rounds import interleave, ratios, spread_of
from benchmarks.servers import Server
from benchmarks.specs import mirror_all

GROUP = "A small request beside 16 MiB bodies, relative to bare"
SIZE = 16 * 1024 * 1024
_RATE = 50.0  # small requests a second: few enough to wait for nothing but the large ones
_numbers = itertools.count()
_LAG = re.compile(r"loop lag: ([\d.]+) ([\d.]+)")
_BARE, _ONE = "bare", "one destination"
_BESIDE = "beside other uploads"  # bare, while a process of its own sends the destination as many bodies


@dataclass(slots=True)
class _Samples:
    """One subject's rounds."""

    latency: list[Latency] = field(default_factory=list)
    bodies: list[float] = field(default_factory=list)  # a second
    lag: list[float] = field(default_factory=list)  # seconds, the 99th percentile


def measure_bodies(bench: Bench, origin: Server, sink: Server) -> Part:
    """p50 and p99 of small requests while one client uploads 16 MiB bodies as fast as they are taken."""
    lag = ADDONS / "loop_lag.py"
    setups = {
        _BARE: Setup(beside=lag),
        _ONE: replace(mirror(mirror_all(sink.ports[:1])), beside=lag),
        _BESIDE: Setup(beside=lag),
    }
    samples = {name: _Samples() for name in setups}
    for number in range(bench.rounds):
        _measure_round(bench, setups, (origin, sink), samples, number)
    return Part(tuple(_figures(samples)))


def _measure_round(
    bench: Bench,
    setups: Mapping[str, Setup],
    servers: tuple[Server, Server],
    samples: Mapping[str, _Samples],
    number: int,
) -> None:
    """One round: side by side, each in turn for a few seconds."""
    origin, sink = servers
    turns: dict[str, list[tuple[Latency, float]]] = {name: [] for name in setups}
    with contextlib.ExitStack() as stack:
        proxies = {}
        for name, setup in setups.items():
            folder = bench.folder(f"bodies-{name.replace(' ', '-')}-{number}")
            proxies[name] = stack.enter_context(started(setup, origin.port, folder, bench.cores))
        for turn, name in interleave(list(setups), max(1, round(bench.seconds * 2 / TURN))):
            with contextlib.ExitStack() as meanwhile:
                if name == _BESIDE:
                    copies = [rate for _, rate in turns[_ONE]]
                    meanwhile.enter_context(_uploading(bench, sink.port, sum(copies) / len(copies)))
                turns[name].append(_upload_and_ask(bench, proxies[name].port, number * 1000 + turn))
            if (worker := proxies[name].worker) is not None:
                wait_until_at_rest(worker)
    for name, proxy in proxies.items():
        found = _LAG.search(proxy.program.log)
        if found is None:
            raise BenchError(f"the proxy did not say how late its loop was: {proxy.program.log[-300:]}")
        latency = together([each for each, _ in turns[name]])
        samples[name].latency.append(latency)
        samples[name].bodies.append(sum(rate for _, rate in turns[name]) / len(turns[name]))
        samples[name].lag.append(float(found[2]))
        said = f"p50 {latency.p50 * 1e3:.1f} ms, p99 {latency.p99 * 1e3:.1f} ms"
        bench.say(f"  round {number + 1}/{bench.rounds}  {name:<28} {said}")


def _upload_and_ask(bench: Bench, port: int, seed: int) -> tuple[Latency, float]:
    """A few seconds of small requests beside uploads; and how many of those there were a second."""
    with _uploading(bench, port) as uploader:
        latency = run_open_loop(bench, port, _RATE, TURN, seed)
        uploader.check()
    return latency, int(uploader.log.strip() or 0) / TURN


@contextlib.contextmanager
def _uploading(bench: Bench, port: int, rate: float = 0.0) -> Iterator[Program]:
    """A client that uploads to `port`: as fast as it can or, at the worker's priority, `rate` a second."""
    log = bench.folder("uploader") / f"{port}-{next(_numbers)}.log"
    command = [sys.executable, "-m", "benchmarks.uploader", str(port), str(SIZE)]
    with running([*command, str(rate)] if rate else command, log, bench.cores.rest) as uploader:
        yield uploader


def _figures(samples: dict[str, _Samples]) -> list[Figure]:
    how = f"{_RATE:.0f} small requests/s beside one client's uploads of 16 MiB, one after another"
    figures = []
    for name in ("p50", "p99"):
        column = {subject: [getattr(one, name) for one in kept.latency] for subject, kept in samples.items()}
        in_ms = [value * 1e3 for value in column[_BARE]]
        figures += [
            Figure(
                key=f"bodies bare {name}", group=GROUP, name=f"{name} of bare", unit="ms",
                spread=spread_of(in_ms), how=how,
            ),
            Figure(
                key=f"bodies {name}", group=GROUP, name=f"{name}, mirrored to one destination", unit="ratio",
                spread=spread_of(ratios(column, _ONE, _BARE)), target=Target("≤", 1.25),
            ),
            Figure(
                key=f"bodies {name} beside", group=GROUP, unit="ratio",
                name=f"{name} of bare, beside as many uploads by another process",
                spread=spread_of(ratios(column, _BESIDE, _BARE)),
                how="what the copies cost this machine, whoever sends them",
            ),
            Figure(
                key=f"bodies {name} relative", group=GROUP, unit="ratio",
                name=f"{name}, mirrored, relative to that",
                spread=spread_of(ratios(column, _ONE, _BESIDE)),
                how="what the mirror adds to that",
            ),
        ]  # fmt: skip
    lags = {subject: kept.lag for subject, kept in samples.items()}
    figures.append(
        Figure(
            key="bodies lag",
            group=GROUP,
            name="p99 of how late the proxy's loop is, mirrored",
            unit="ratio",
            spread=spread_of(ratios(lags, _ONE, _BARE)),
            target=Target("≤", 1.25),
            how="looked at every 2 ms from within, at rest too",
        )
    )
    rates = {subject: kept.bodies for subject, kept in samples.items()}
    figures.append(
        Figure(
            key="bodies rate",
            group=GROUP,
            name="16 MiB bodies a second, mirrored",
            unit="ratio",
            spread=spread_of(ratios(rates, _ONE, _BARE)),
        )
    )
    return figures
