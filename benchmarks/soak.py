"""`make soak`: full speed for minutes, to destinations that misbehave in every way; memory must stay.

Prints both processes' memory every ten seconds, and at the end what the first minute held beside the last.
`python -m benchmarks.soak SECONDS [--json FILE]`; exit status 1 where something grew or was not counted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.cores import Cores, plan_cores
from benchmarks.load import Load, run_wrk
from benchmarks.processes import BenchError, find_program
from benchmarks.proxy import Proxy, Usage, mirror, started, usage_of
from benchmarks.servers import LEAST, Server, free_ports, nginx, unruly

BODY = b'{"ok": true, "name": "soak", "padding": "' + b"x" * 1500 + b'"}'
EVERY = 10.0  # seconds between two looks
FIRST = 60.0  # seconds; what was held in this time is the measure
SPARE, SHARE = 24.0, 0.10  # what may be held more in the end: MiB, and this share of the first minute's

_SUM = re.compile(r"mirror: (\d+) selected = (.*)")

SPEC = """
version: 1
destinations:
  good: {{url: "http://127.0.0.1:{good}"}}
  refuses: {{url: "http://127.0.0.1:{dead}"}}
{unruly}
apis:
  - name: soak
    traffic_mirror:
      - name: each-third
        path: "^/"
        sample_rate: 0.33
        compare: {{baseline: {{url: "http://127.0.0.1:{origin}", sample_rate: 0.05}}}}
        destinations: [good, refuses, {names}]
"""
# Half of them with a breaker that opens, half with one that never does.
UNRULY = '  {name}: {{url: "http://127.0.0.1:{port}", timeout: 2s, max_response: 1MiB{breaker}}}'
NO_BREAKER = ", sample_rate: 0.1, circuit_breaker: {of: 1000, within: 1s}"


@dataclass(frozen=True, slots=True)
class Look:
    """What both processes held `at` so many seconds, in MiB, and how many copies were selected by then."""

    at: float
    proxy: float
    worker: float
    selected: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. `first` and `last` are the most that proxy and worker held in those minutes, MiB."""

    seconds: float
    requests: int
    failed_requests: int
    first: tuple[float, float]
    last: tuple[float, float]
    ledger: str
    problems: tuple[str, ...]


class Soak:
    """One run; `looks` are what was seen so far."""

    def __init__(self, directory: Path, cores: Cores, seconds: float) -> None:
        self.looks: list[Look] = []
        self._directory = directory
        self._cores = cores
        self._seconds = seconds
        self._began = 0.0

    def run(self) -> Outcome:
        """Starts everything, loads it, ends it, and sums up."""
        with self._servers() as (origin, spec):
            options = {"mirror_results": "/dev/null", "mirror_failed": str(self._directory / "failed.mitm")}
            setup = replace(mirror(spec), options=options)
            with started(setup, origin.port, self._directory / "proxy", self._cores) as proxy:
                self._began = time.monotonic()
                load = self._load(proxy)
                self._look(proxy, always=True)
                restarts = int(proxy.summary()["worker_restarts"])
                proxy.settle()
                proxy.program.end()
                return self._sum_up(load, proxy.program.log, restarts)

    @contextlib.contextmanager
    def _servers(self) -> Iterator[tuple[Server, str]]:
        rest, directory = self._cores.rest, self._directory
        json_body = {"body": BODY, "kind": "application/json"}
        with (
            nginx(directory / "origin", rest, **json_body) as origin,  # type: ignore[arg-type]
            nginx(directory / "good", rest, **json_body) as good,  # type: ignore[arg-type]
            unruly(directory, rest, niceness=LEAST) as ports,
        ):
            (dead,) = free_ports(1)
            each = [
                UNRULY.format(name=name, port=port, breaker=NO_BREAKER if index % 2 else "")
                for index, (name, port) in enumerate(ports.items())
            ]
            names = ", ".join(ports)
            yield (
                origin,
                SPEC.format(
                    good=good.port, origin=origin.port, dead=dead, unruly="\n".join(each), names=names
                ),
            )

    def _load(self, proxy: Proxy) -> Load:
        url = f"http://127.0.0.1:{proxy.port}/soak"
        return run_wrk(
            url,
            self._seconds,
            self._directory,
            self._cores.rest,
            body=BODY,
            meanwhile=lambda: self._look(proxy),
        )

    def _look(self, proxy: Proxy, *, always: bool = False) -> None:
        at = time.monotonic() - self._began
        if not always and self.looks and at - self.looks[-1].at < EVERY:
            return
        usage: Usage = usage_of(proxy)
        look = Look(round(at, 1), usage.proxy_memory, usage.worker_memory, int(proxy.summary()["selected"]))
        self.looks.append(look)
        print(
            f"{look.at:6.0f} s   proxy {look.proxy:6.1f} MiB   worker {look.worker:6.1f} MiB"
            f"   {look.selected:9,} copies selected",
            flush=True,
        )

    def _sum_up(self, load: Load, log: str, restarts: int) -> Outcome:
        first = _most([look for look in self.looks if look.at <= FIRST])
        last = _most([look for look in self.looks if look.at >= self.looks[-1].at - FIRST])
        found = _SUM.findall(log)
        problems = []
        for name, before, after in zip(("proxy", "worker"), first, last, strict=True):
            if after > before * (1 + SHARE) + SPARE:
                problems.append(f"the {name} held {before:.0f} MiB at first and {after:.0f} MiB in the end")
        if load.errors:
            problems.append(f"{load.errors} requests failed")
        if restarts:
            problems.append(f"the worker was started again {restarts} times")
        if not found or not _adds_up(*found[-1]):
            problems.append("the ledger's sum is not exact")
        ledger = " selected = ".join(found[-1]) if found else ""
        return Outcome(load.seconds, load.requests, load.errors, first, last, ledger, tuple(problems))


def _most(looks: list[Look]) -> tuple[float, float]:
    return max(look.proxy for look in looks), max(look.worker for look in looks)


def _adds_up(selected: str, parts: str) -> bool:
    """Whether the log's last line is a sum: `12 selected = 10 delivered + 2 failed …`."""
    return int(selected) == sum(int(part.split()[0]) for part in parts.split(" + ")) and "flight" not in parts


def main(arguments: list[str]) -> int:
    """Runs it and prints what came of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("seconds", nargs="?", type=float, default=300.0)
    parser.add_argument("--json", type=Path, help="a file for the figures")
    options = parser.parse_args(arguments)
    if options.seconds < 2 * EVERY:
        parser.error(f"seconds are at least {2 * EVERY:g}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything started is ended
    if missing := [name for name in ("nginx", "wrk") if find_program(name) is None]:
        print(f"missing: {', '.join(missing)} (on Debian: apt install {' '.join(missing)})", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="mirror-soak-") as folder:
        soak = Soak(Path(folder), plan_cores(), options.seconds)
        try:
            outcome = soak.run()
        except BenchError as error:
            print(f"broken: {error}", file=sys.stderr)
            return 1
    _print(outcome)
    if options.json:
        options.json.write_text(
            json.dumps({**asdict(outcome), "looks": [asdict(look) for look in soak.looks]})
        )
    return 1 if outcome.problems else 0


def _print(outcome: Outcome) -> None:
    rate = outcome.requests / outcome.seconds
    print(
        f"{outcome.requests:,} requests in {outcome.seconds:.0f} s ({rate:,.0f}/s),"
        f" {outcome.failed_requests} failed"
    )
    for name, before, after in zip(("proxy", "worker"), outcome.first, outcome.last, strict=True):
        print(f"{name:6}: at most {before:.1f} MiB in the first minute, {after:.1f} MiB in the last")
    print(outcome.ledger)
    print("\n".join(outcome.problems) or "bounded, and every copy is counted")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(sys.argv[1:]))
    sys.exit(130)
