"""Faults: how many requests a second pass while the destination misbehaves, relative to bare mitmdump."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.proxy import Setup, mirror
from benchmarks.report import Figure, Part, Target
from benchmarks.rounds import ratios, spread_of
from benchmarks.servers import LEAST, Server, expired, free_ports, unruly
from benchmarks.specs import mirror_to
from benchmarks.subjects import Samples, column, measure_all, mitmdump
from benchmarks.throughput import told

GROUP = "Throughput while the destination misbehaves, relative to bare"
BARE, WELL = "bare", "is well"
TARGET = 0.95
_PATIENCE = 1.0  # seconds, fewer than `benchmarks.unruly` is late

# What a destination does, by the way of `benchmarks.unruly` that does it.
_UNRULY = {
    "resets": "resets each connection",
    "garbles": "sends garbage",
    "floods": "sends a body of 4 MiB",
    "never-ends": "sends a body without end",
    "hangs-up": "closes each connection after an answer",
    "drips": "answers a byte a second",
    "fails": "answers 500",
    "is-silent": "accepts and never answers",
}


def measure_faults(bench: Bench, origin: Server, sink: Server) -> Part:
    """Every request mirrored to one destination, for each thing that it may do."""
    with _specs(bench, sink) as specs:
        subjects = [mitmdump(BARE, Setup(), origin, bench.cores)]
        subjects += [mitmdump(name, mirror(spec), origin, bench.cores) for name, spec in specs.items()]
        samples, broken = measure_all(bench, subjects)
    return Part(tuple(_figures(samples)), absent=broken)


@contextlib.contextmanager
def _specs(bench: Bench, sink: Server) -> Iterator[dict[str, str]]:
    """A spec for each thing that its destination may do, in words.

    What misbehaves stands for another machine, so it gets what processor time those on this one leave.
    """
    rest = bench.cores.rest
    with (
        unruly(bench.folder("unruly"), rest, niceness=LEAST) as ports,
        expired(bench.folder("expired"), rest) as tls,
    ):
        (closed,) = free_ports(1)
        yield {
            WELL: mirror_to(f"http://127.0.0.1:{sink.port}"),
            "refuses connections": mirror_to(f"http://127.0.0.1:{closed}"),
            **{words: mirror_to(f"http://127.0.0.1:{ports[way]}") for way, words in _UNRULY.items()},
            "answers after its timeout": mirror_to(
                f"http://127.0.0.1:{ports['is-late']}", timeout=f"{_PATIENCE:g}s"
            ),
            "has no DNS name": mirror_to("http://nosuch.invalid"),
            "has an expired certificate": mirror_to(f"https://127.0.0.1:{tls.port}"),
        }


def _figures(samples: Samples) -> list[Figure]:
    rates = column(samples, lambda sample: sample.rate)
    return [
        Figure(
            key=f"fault {name}",
            group=GROUP,
            name=f"one destination, which {name}",
            unit="ratio",
            spread=spread_of(ratios(rates, name, BARE)),
            target=Target("≥", TARGET),
            how=told(rounds),
        )
        for name, rounds in samples.items()
        if name != BARE and rates.get(BARE)
    ]
