"""Growth: how the cost of mirroring grows with destinations, body size and rate; a plot of each."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.bench import Bench
from benchmarks.latency import run_open_loop
from benchmarks.proxy import Setup, mirror, started, usage_of
from benchmarks.report import Line, Part, Plot
from benchmarks.rounds import interleave, ratios, spread_of
from benchmarks.servers import Server
from benchmarks.specs import mirror_all
from benchmarks.subjects import Samples, column, measure_all, mitmdump
from benchmarks.throughput import json_body

DESTINATIONS = (1, 2, 3, 5, 8)
SIZES = (0, 1024, 16 * 1024, 128 * 1024, 1024 * 1024)
SHARES = (0.1, 0.25, 0.5, 0.75)  # of bare's full load

_BARE = "bare"


def measure_destinations(bench: Bench, origin: Server, sink: Server) -> Part:
    """Retained throughput, and the processor time of proxy and worker, by number of destinations."""
    subjects = [mitmdump(_BARE, Setup(), origin, bench.cores)]
    for count in DESTINATIONS:
        spec = mirror_all(sink.ports[:count])
        subjects.append(mitmdump(f"{count} destinations", mirror(spec), origin, bench.cores, sink=sink))
    samples, broken = measure_all(bench, subjects)
    names = [f"{count} destinations" for count in DESTINATIONS]
    retained = Plot(
        key="destinations",
        title="Throughput relative to bare, by number of destinations",
        x="destinations",
        y="retained",
        lines=(_retained("traffic-mirror", samples, names, DESTINATIONS, [_BARE] * len(names)),),
    )
    cost = Plot(
        key="destinations-cpu",
        title="Processor time a request, by number of destinations",
        x="destinations",
        y="µs a request",
        lines=(
            _cpu("proxy", samples, names, DESTINATIONS, worker=False),
            _cpu("worker", samples, names, DESTINATIONS, worker=True),
        ),
    )
    return Part(plots=(retained, cost), absent=broken)


def measure_sizes(bench: Bench, origin: Server, sink: Server) -> Part:
    """Retained throughput by size of the request's body, each size relative to bare with that size."""
    subjects = []
    for size in SIZES:
        body = json_body(size) if size else None
        spec = mirror_all(sink.ports[:1])
        subjects += [
            mitmdump(f"bare {size} B", Setup(), origin, bench.cores, body=body),
            mitmdump(f"mirrored {size} B", mirror(spec), origin, bench.cores, sink=sink, body=body),
        ]
    samples, broken = measure_all(bench, subjects)
    xs = [size / 1024 for size in SIZES]
    line = _retained(
        "traffic-mirror",
        samples,
        [f"mirrored {size} B" for size in SIZES],
        xs,
        [f"bare {size} B" for size in SIZES],
    )
    title = "Throughput relative to bare, by size of the request's body"
    return Part(plots=(Plot(key="sizes", title=title, x="KiB", y="retained", lines=(line,)),), absent=broken)


def measure_rates(bench: Bench, origin: Server, sink: Server, bare_rate: float) -> Part:
    """How busy proxy and worker are, in percent of a core, by requests a second."""
    setups = {"bare": Setup(), "mirrored": mirror(mirror_all(sink.ports[:1]))}
    proxies: dict[str, list[tuple[float, float]]] = {name: [] for name in setups}
    workers: list[tuple[float, float]] = []
    for number, share in enumerate(SHARES):
        for _, name in interleave(list(setups), 1):
            with started(
                setups[name], origin.port, bench.folder(f"rate-{name}-{number}"), bench.cores
            ) as proxy:
                run_open_loop(bench, proxy.port, bare_rate * share, 1.0, number)
                before = usage_of(proxy)
                seconds = bench.seconds
                run_open_loop(bench, proxy.port, bare_rate * share, seconds, number)
                after = usage_of(proxy)
            proxies[name].append((bare_rate * share, (after.proxy_cpu - before.proxy_cpu) / seconds * 100))
            if proxy.worker:
                workers.append((bare_rate * share, (after.worker_cpu - before.worker_cpu) / seconds * 100))
        bench.say(f"  {bare_rate * share:6.0f} requests/s measured")
    lines = (
        Line("proxy, bare", tuple(proxies["bare"])),
        Line("proxy, mirrored", tuple(proxies["mirrored"])),
        Line("worker", tuple(workers)),
    )
    title = "How busy a core is, by requests a second"
    return Part(plots=(Plot(key="rates", title=title, x="requests a second", y="% of a core", lines=lines),))


def _retained(
    name: str, samples: Samples, subjects: Sequence[str], xs: Sequence[float], bases: Sequence[str]
) -> Line:
    rates = column(samples, lambda sample: sample.rate)
    return Line(
        name,
        tuple(
            (x, spread_of(ratios(rates, subject, base)).median)
            for x, subject, base in zip(xs, subjects, bases, strict=True)
            if rates.get(subject) and rates.get(base)
        ),
    )


def _cpu(name: str, samples: Samples, subjects: Sequence[str], xs: Sequence[float], *, worker: bool) -> Line:
    used = column(samples, lambda sample: (sample.worker_cpu if worker else sample.proxy_cpu) * 1e6)
    return Line(
        name,
        tuple(
            (x, spread_of(used[each]).median) for x, each in zip(xs, subjects, strict=True) if used.get(each)
        ),
    )
