"""`python -m benchmarks`: measures, and with `--write` writes `RESULTS.md` and what belongs to it."""

from __future__ import annotations

import argparse
import contextlib
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import table, throughput
from benchmarks.bench import Bench
from benchmarks.bodies import measure_bodies
from benchmarks.cores import plan_cores
from benchmarks.faults import measure_faults
from benchmarks.growth import measure_destinations, measure_rates, measure_sizes
from benchmarks.hook import measure_hooks
from benchmarks.latency import measure_latency
from benchmarks.machine import describe_machine
from benchmarks.matching import measure_matching
from benchmarks.peers import measure_peers
from benchmarks.plots import draw
from benchmarks.processes import ROOT, BenchError, find_program
from benchmarks.report import Absent, Part, Report, save_report
from benchmarks.startup import measure_start
from benchmarks.streaming import measure_streaming
from benchmarks.worker_speed import measure_worker

HERE = ROOT / "benchmarks"
PARTS = (
    "throughput",
    "faults",
    "latency",
    "bodies",
    "streaming",
    "matching",
    "hooks",
    "worker",
    "start",
    "growth",
    "peers",
)
_NEEDED = ("nginx", "wrk")


def main(arguments: Sequence[str]) -> int:
    """Runs what is asked for; 1 where something broke, 2 where a program is missing."""
    options = _parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything started is ended
    _raise_file_limit()
    if missing := [name for name in _NEEDED if find_program(name) is None]:
        print(f"missing: {', '.join(missing)} (on Debian: apt install {' '.join(missing)})", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="mirror-bench-") as folder:
        bench = Bench(Path(folder), plan_cores(), options.rounds, options.seconds)
        report = _run(bench, options, " ".join(["python -m benchmarks", *arguments]))
    print(table.render(report))
    if options.write:
        _write(report)
    return 1 if any(absent.broken for absent in report.absent) else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"what to measure, of {', '.join(PARTS)}; all if absent"
    )
    parser.add_argument(
        "--quick", action="store_true", help="bare, one, three and a dead destination, in a minute"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0, help="how long each is loaded in a round")
    parser.add_argument(
        "--write", action="store_true", help="write RESULTS.md, its plots, docs/performance.md"
    )
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.parts) - set(PARTS)):
        parser.error(f"found {', '.join(unknown)}, expected parts of {', '.join(PARTS)}")
    if options.rounds < 1 or options.seconds < 1:
        parser.error("rounds and seconds are at least 1")
    if options.quick:
        options.parts, options.rounds, options.seconds = ["throughput"], 3, 3.0
    return options


def _run(bench: Bench, options: argparse.Namespace, command: str) -> Report:
    machine = describe_machine(bench.cores)
    began, taken = time.monotonic(), datetime.now(UTC)
    parts: list[Part] = []
    with throughput.servers(bench) as servers:
        for name, measure in _steps(bench, servers, parts, quick=options.quick):
            if options.parts and name not in options.parts:
                continue
            bench.say(f"{name} ({time.monotonic() - began:.0f} s)")
            parts.append(_attempt(name, measure))
    return Report(
        machine=machine,
        command=command,
        taken=taken.strftime("%Y-%m-%d %H:%M UTC"),
        seconds=time.monotonic() - began,
        figures=tuple(figure for part in parts for figure in part.figures),
        plots=tuple(plot for part in parts for plot in part.plots),
        absent=tuple(absent for part in parts for absent in part.absent),
    )


def _steps(
    bench: Bench, servers: throughput.Servers, parts: list[Part], *, quick: bool
) -> list[tuple[str, Callable[[], Part]]]:
    """What is measured, in order; one part's figures may be another's need."""
    origin, sink = servers.origin, servers.sink
    few = replace(bench, rounds=min(bench.rounds, 3), seconds=max(1.0, bench.seconds / 2))
    five = replace(bench, rounds=min(bench.rounds, 5))
    only = throughput.QUICK if quick else ()
    return [
        ("throughput", lambda: throughput.measure_throughput(bench, servers, only)),
        ("faults", lambda: measure_faults(few, origin, sink)),
        ("latency", lambda: measure_latency(five, origin, sink, _bare_rate(bench, servers, parts))),
        ("bodies", lambda: measure_bodies(few, origin, sink)),
        ("streaming", lambda: measure_streaming(bench)),
        ("matching", lambda: measure_matching(bench)),
        ("hooks", lambda: measure_hooks(bench, sink)),
        ("worker", lambda: measure_worker(five, sink)),
        ("start", lambda: measure_start(five, origin)),
        ("growth", lambda: measure_destinations(few, origin, sink)),
        ("growth", lambda: measure_sizes(few, origin, sink)),
        ("growth", lambda: measure_rates(few, origin, sink, _bare_rate(bench, servers, parts))),
        ("peers", lambda: measure_peers(few, origin, sink, servers.dead)),
    ]


def _bare_rate(bench: Bench, servers: throughput.Servers, parts: Sequence[Part]) -> float:
    """What bare mitmdump takes; measured now where throughput was not asked for."""
    for figure in (figure for part in parts for figure in part.figures):
        if figure.key == "bare rate":
            return figure.spread.median
    once = throughput.measure_throughput(replace(bench, rounds=1), servers, (throughput.BARE,))
    return once.figures[0].spread.median


def _attempt(name: str, measure: Callable[[], Part]) -> Part:
    """A part, or what broke in it: the others go on."""
    try:
        return measure()
    except (BenchError, OSError, ValueError, KeyError, AttributeError, TypeError, AssertionError) as error:
        why = f"{type(error).__name__}: {error}"
        print(f"{name}: BROKEN: {why}", file=sys.stderr)
        return Part(absent=(Absent(name, why, broken=True),))


def _write(report: Report) -> None:
    save_report(report, HERE / "results.json")
    (HERE / "RESULTS.md").write_text(table.render(report))
    (HERE / "plots").mkdir(exist_ok=True)
    page = ROOT / "docs" / "performance.md"
    page.write_text(table.update_page(page.read_text(), report))
    for plot in report.plots:
        (HERE / "plots" / f"{plot.key}.svg").write_text(draw(plot))


def _raise_file_limit() -> None:
    """Peers open a connection a copy where a destination never answers."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(sys.argv[1:]))
    sys.exit(130)
