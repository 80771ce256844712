"""Subjects: things that stand between load and server, measured under full load, round by round."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench
from benchmarks.cores import Cores
from benchmarks.load import run_wrk
from benchmarks.processes import BenchError
from benchmarks.proxy import Proxy, Setup, Usage, started, usage_of
from benchmarks.report import Absent
from benchmarks.rounds import interleave
from benchmarks.servers import Server, requests_of
from benchmarks.specs import PATH

_WARM = 1.0


@dataclass(frozen=True, slots=True)
class Subject:
    """Something to load. `sink` is where its copies go, to be counted there; `body` makes requests POSTs."""

    name: str
    start: Callable[[Path], AbstractContextManager[Proxy]]
    sink: Server | None = None
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One load on one subject. Processor times are seconds a request, memory is the highest seen, in MiB.

    `sent` is copies at the sink by the load's end, a request; `account` the mirror's own, once settled.
    """

    rate: float
    errors: int
    proxy_cpu: float
    worker_cpu: float
    proxy_memory: float
    worker_memory: float
    sent: float
    account: Mapping[str, Any]


Samples = Mapping[str, Sequence[Sample]]


def mitmdump(
    name: str,
    setup: Setup,
    origin: Server,
    cores: Cores,
    *,
    sink: Server | None = None,
    body: bytes | None = None,
) -> Subject:
    """mitmdump as a subject."""
    return Subject(name, lambda folder: started(setup, origin.port, folder, cores), sink, body)


def measure_all(bench: Bench, subjects: Sequence[Subject]) -> tuple[Samples, tuple[Absent, ...]]:
    """Every subject, in interleaved rounds, each time started anew; and those that broke on the way."""
    by_name = {subject.name: subject for subject in subjects}
    samples: dict[str, list[Sample]] = {name: [] for name in by_name}
    broken: dict[str, str] = {}
    for number, name in interleave(list(by_name), bench.rounds):
        if name in broken:
            continue
        try:
            sample = measure(bench, by_name[name], f"{name.replace(' ', '-')}-{number}")
        except (BenchError, OSError, ValueError) as error:
            broken[name] = str(error)
            samples.pop(name)
            bench.say(f"  {name}: BROKEN: {error}")
            continue
        samples[name].append(sample)
        bench.say(f"  round {number + 1}/{bench.rounds}  {name:<28} {sample.rate:8.0f} requests/s")
    return samples, tuple(Absent(name, why, broken=True) for name, why in broken.items())


def measure(bench: Bench, subject: Subject, folder: str) -> Sample:
    """Starts a subject, warms it, loads it, and ends it."""
    directory = bench.folder(folder)
    with subject.start(directory) as proxy:
        url = f"http://127.0.0.1:{proxy.port}{PATH}"
        run_wrk(url, _WARM, directory, bench.cores.rest, body=subject.body)
        before, had = usage_of(proxy), _seen(subject)
        peaks: list[Usage] = []
        load = run_wrk(
            url,
            bench.seconds,
            directory,
            bench.cores.rest,
            body=subject.body,
            meanwhile=lambda: peaks.append(usage_of(proxy)),
        )
        after, has = usage_of(proxy), _seen(subject)
        return Sample(
            rate=load.rate,
            errors=load.errors,
            proxy_cpu=(after.proxy_cpu - before.proxy_cpu) / load.requests,
            worker_cpu=(after.worker_cpu - before.worker_cpu) / load.requests,
            proxy_memory=max(each.proxy_memory for each in [*peaks, after]),
            worker_memory=max(each.worker_memory for each in [*peaks, after]),
            sent=(has - had) / load.requests,
            account=proxy.settle() if proxy.page else {},
        )


def column(samples: Samples, of: Callable[[Sample], float]) -> dict[str, tuple[float, ...]]:
    """One quantity of every subject, by round."""
    return {name: tuple(of(sample) for sample in rounds) for name, rounds in samples.items()}


def _seen(subject: Subject) -> int:
    return requests_of(subject.sink) if subject.sink else 0
