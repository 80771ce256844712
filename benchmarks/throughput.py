"""Throughput: how many requests a second mitmdump takes with the mirror on, relative to bare."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.bench import Bench
from benchmarks.proxy import Setup, in_mitmweb, mirror, with_addon
from benchmarks.report import Figure, Part, Target, Unit
from benchmarks.rounds import differences, ratios, spread_of
from benchmarks.servers import Server, nginx, silent
from benchmarks.specs import mirror_all, mirror_none
from benchmarks.subjects import Sample, Samples, Subject, column, measure_all, mitmdump

GROUP = "Throughput, relative to the same mitmdump without addon"
COST = "What a request costs in processor time and memory"
BARE, HOOK, ONE, THREE = "bare", "empty hook", "one destination", "three destinations"
FROZEN = "frozen heap"
DEAD, COMPARED, BARE_JSON, UNMATCHED = "dead destination", "compared", "bare json", "no rule"
BARE_WEB, INSPECTED = "bare mitmweb", "inspected"
_DOCUMENT = '{"items": [%s], "next": null}'
QUICK = (BARE, ONE, THREE, DEAD)


@dataclass(frozen=True, slots=True)
class Servers:
    """What runs behind the proxies all the time."""

    origin: Server
    sink: Server
    dead: Server
    json_origin: Server
    json_sink: Server


def json_body(size: int) -> bytes:
    """A JSON document of about `size` bytes, with what real ones have: numbers, texts, lists, nesting."""
    items = (
        {"id": n, "name": f"item {n}", "price": n * 1.25, "tags": ["a", "b"], "on": True}
        for n in itertools.count(1000)
    )
    texts: list[str] = []
    room = size - len(_DOCUMENT)
    while room > 0:
        texts.append(json.dumps(next(items)))
        room -= len(texts[-1]) + len(", ")
    return (_DOCUMENT % ", ".join(texts)).encode()


@contextlib.contextmanager
def servers(bench: Bench) -> Iterator[Servers]:
    """Origin, destinations and the dead one, for the small answer and for 2 KiB of JSON."""
    rest, body = bench.cores.rest, json_body(2048)
    with (
        nginx(bench.folder("origin"), rest) as origin,
        nginx(bench.folder("sink"), rest, ports=8) as sink,
        silent(bench.folder("dead"), rest) as dead,
        nginx(bench.folder("json-origin"), rest, body=body, kind="application/json") as json_origin,
        nginx(bench.folder("json-sink"), rest, body=body, kind="application/json") as json_sink,
    ):
        yield Servers(origin, sink, dead, json_origin, json_sink)


def measure_throughput(bench: Bench, run: Servers, only: Sequence[str] = ()) -> Part:
    """The figures of every state, or of those in `only`."""
    subjects = [each for each in _subjects(bench, run) if not only or each.name in only]
    samples, broken = measure_all(bench, subjects)
    figures = [*_retained_figures(samples), *_cost_figures(samples)]
    return Part(tuple(figures), absent=broken)


def _subjects(bench: Bench, run: Servers) -> list[Subject]:
    cores, sink = bench.cores, run.sink
    one, three = sink.ports[:1], sink.ports[:3]
    body = json_body(2048)
    compared = mirror(mirror_all(run.json_sink.ports, compare=True))
    return [
        mitmdump(BARE, Setup(), run.origin, cores),
        mitmdump(HOOK, with_addon("empty_hook"), run.origin, cores),
        mitmdump(FROZEN, with_addon("frozen_heap"), run.origin, cores),
        mitmdump(ONE, mirror(mirror_all(one)), run.origin, cores, sink=sink),
        mitmdump(THREE, mirror(mirror_all(three)), run.origin, cores, sink=sink),
        mitmdump(DEAD, mirror(mirror_all(run.dead.ports)), run.origin, cores),
        mitmdump(UNMATCHED, mirror(mirror_none(one)), run.origin, cores, sink=sink),
        mitmdump(BARE_JSON, Setup(), run.json_origin, cores, body=body),
        mitmdump(COMPARED, compared, run.json_origin, cores, sink=run.json_sink, body=body),
        mitmdump(BARE_WEB, in_mitmweb(Setup()), run.origin, cores),
        mitmdump(INSPECTED, in_mitmweb(mirror(mirror_all(one))), run.origin, cores, sink=sink),
    ]


_RETAINED = (
    (HOOK, BARE, "an empty request hook", None, "the limit: an addon that does nothing"),
    (
        FROZEN,
        BARE,
        "nothing but a frozen heap",
        None,
        "`gc.freeze`, which the mirror brings along, by itself",
    ),
    (ONE, BARE, "every request mirrored to one destination", 0.95, ""),
    (THREE, BARE, "to three destinations", 0.90, ""),
    (DEAD, BARE, "to one that never answers", 0.95, "takes connections and bytes, and says nothing"),
    (COMPARED, BARE_JSON, "to one, answers compared", 0.90, "POSTs, requests and answers of 2 KiB JSON"),
    (
        INSPECTED,
        BARE_WEB,
        "in mitmweb, copies compared and shown as flows",
        None,
        "relative to mitmweb without addon, which keeps every flow",
    ),
    (UNMATCHED, BARE, "no rule takes it", 0.96, "five rules, none matches"),
    (ONE, FROZEN, "every request mirrored, relative to the frozen heap", None, "the mirror's work alone"),
)


def _retained_figures(samples: Samples) -> list[Figure]:
    rates = column(samples, lambda sample: sample.rate)
    figures = [
        Figure(
            key="bare rate",
            group=GROUP,
            name="mitmdump alone",
            unit="/s",
            spread=spread_of(rates[BARE]),
            how="requests a second; wrk, 32 keep-alive connections, reverse mode, GETs with 7 headers",
        )
    ]
    for subject, base, name, target, note in _RETAINED:
        if rates.get(subject) and rates.get(base):
            figures.append(
                Figure(
                    key=f"retained {subject}" + (" frozen" if base == FROZEN else ""),
                    group=GROUP,
                    name=name,
                    unit="ratio",
                    spread=spread_of(ratios(rates, subject, base)),
                    target=Target("≥", target) if target else None,
                    how="; ".join(part for part in (note, told(samples[subject])) if part),
                )
            )
    return figures


def told(rounds: Sequence[Sample]) -> str:
    """What became of the copies, and of the requests, in words: so that no speed is bought with silence."""
    outcomes: Counter[str] = Counter()
    for sample in rounds:
        outcomes.update(sample.account.get("outcomes", {}))
    ended = sum(outcomes.values())
    parts = [f"{count / ended:.1%} of copies {outcome}" for outcome, count in outcomes.most_common() if count]
    parts.append(
        ", ".join(f"{count} {verdict}" for verdict, count in _verdicts(rounds).most_common() if count)
    )
    if errors := sum(sample.errors for sample in rounds):
        parts.append(f"{errors} REQUESTS FAILED")
    return ", ".join(part for part in parts if part)


def _verdicts(rounds: Sequence[Sample]) -> Counter[str]:
    verdicts: Counter[str] = Counter()
    for sample in rounds:
        verdicts.update(sample.account.get("verdicts", {}))
    return verdicts


def _cost_figures(samples: Samples) -> list[Figure]:
    proxy = column(samples, lambda sample: sample.proxy_cpu * 1e6)
    worker = column(samples, lambda sample: sample.worker_cpu * 1e6)
    memory = column(samples, lambda sample: sample.proxy_memory)
    figures = [_cost("cpu bare", "processor time of bare mitmdump, a request", "µs", proxy[BARE])]
    for name in (ONE, THREE, DEAD):
        if proxy.get(name):
            more = differences(proxy, name, BARE)
            figures.append(
                _cost(f"cpu proxy {name}", f"{name}: the proxy's, above bare, a request", "µs", more)
            )
            figures.append(
                _cost(
                    f"cpu worker {name}",
                    f"{name}: the worker's, on another core, a request",
                    "µs",
                    worker[name],
                )
            )
    if samples.get(ONE):
        figures.append(_cost("memory mirrored proxy", "memory of the proxy at full load", "MiB", memory[ONE]))
        figures += _memory_figures(samples, differences(memory, ONE, BARE), ONE, "at full load")
    if samples.get(DEAD):
        note = "at full load, with the destination dead"
        figures += _memory_figures(samples, differences(memory, DEAD, BARE), DEAD, note)
    return figures


def _memory_figures(samples: Samples, above: Sequence[float], name: str, note: str) -> list[Figure]:
    worker = [sample.worker_memory for sample in samples[name]]
    how = "PSS (RSS where there is none), the highest seen"
    return [
        _cost(
            f"memory proxy {name}",
            f"memory of the proxy above bare {note}",
            "MiB",
            above,
            Target("≤", 25),
            how,
        ),
        _cost(f"memory worker {name}", f"memory of the worker {note}", "MiB", worker, Target("≤", 60), how),
    ]


def _cost(
    key: str, name: str, unit: Unit, samples: Sequence[float], target: Target | None = None, how: str = ""
) -> Figure:
    return Figure(
        key=key, group=COST, name=name, unit=unit, spread=spread_of(samples), target=target, how=how
    )
