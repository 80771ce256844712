"""Faults: how many requests a second pass while the destination misbehaves, relative to bare mitmdump."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.proxy import Setup, mirror
from benchmarks.report import Figure, Part, Target
from benchmarks.rounds import ratios, spread_of
from benchmarks.servers import Server, expired, free_ports, unruly
from benchmarks.specs import mirror_to
from benchmarks.subjects import Samples, column, measure_all, mitmdump
from benchmarks.throughput import told

GROUP = "Throughput while the destination misbehaves, relative to bare"
BARE, WELL = "bare", "is well"
TARGET = 0.95

# What a destination does, by the way of `benchmarks.unruly` that does it.
_UNRULY = {
    "resets": "resets each connection",
    "garbles": "sends garbage",
    "floods": "sends an endless body",
    "hangs-up": "closes each connection after an answer",
    "is-late": "answers after 3 seconds",
    "drips": "answers a byte a second",
    "fails": "answers 500",
    "is-silent": "accepts and never answers",
}


def measure_faults(bench: Bench, origin: Server, sink: Server) -> Part:
    """Every request mirrored to one destination, for each thing that it may do."""
    with _destinations(bench, sink) as urls:
        subjects = [mitmdump(BARE, Setup(), origin, bench.cores)]
        subjects += [
            mitmdump(name, mirror(mirror_to(url)), origin, bench.cores) for name, url in urls.items()
        ]
        samples, broken = measure_all(bench, subjects)
    return Part(tuple(_figures(samples)), absent=broken)


@contextlib.contextmanager
def _destinations(bench: Bench, sink: Server) -> Iterator[dict[str, str]]:
    """A URL for each thing that a destination may do, in words."""
    rest = bench.cores.rest
    with unruly(bench.folder("unruly"), rest) as ports, expired(bench.folder("expired"), rest) as tls:
        (closed,) = free_ports(1)
        yield {
            WELL: f"http://127.0.0.1:{sink.port}",
            "refuses connections": f"http://127.0.0.1:{closed}",
            **{words: f"http://127.0.0.1:{ports[way]}" for way, words in _UNRULY.items()},
            "has no DNS name": "http://nosuch.invalid",
            "has an expired certificate": f"https://127.0.0.1:{tls.port}",
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
