"""Subjects: things that stand between load and server, measured under full load, round by round."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench
from benchmarks.cores import Cores
from benchmarks.load import Load, run_wrk
from benchmarks.processes import BenchError, wait_until_at_rest
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
    """One round's loads on one subject. Processor times are seconds a request, memory is the highest, in MiB.

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


def measure_all(
    bench: Bench, subjects: Sequence[Subject], *, apart: bool = False
) -> tuple[Samples, tuple[Absent, ...]]:
    """Every subject in every round, each time started anew; and those that broke on the way.

    A round's subjects run side by side and are loaded in turn, a second at a time and every second turn
    backwards: what a machine does to one second it does to the next, and so to all of them alike. The next
    one's turn comes once the mirror's worker is at rest. `apart` starts each by itself, for other things that
    still work when their load has ended.
    """
    samples: dict[str, list[Sample]] = {subject.name: [] for subject in subjects}
    broken: dict[str, str] = {}
    groups = [[subject] for subject in subjects] if apart else [list(subjects)]
    for number in range(bench.rounds):
        for group in groups if number % 2 == 0 else reversed(groups):
            working = [subject for subject in group if subject.name not in broken]
            for name, sample in _measure_group(bench, working, number, broken).items():
                samples[name].append(sample)
                bench.say(f"  round {number + 1}/{bench.rounds}  {name:<28} {sample.rate:8.0f} requests/s")
    whole = {name: rounds for name, rounds in samples.items() if name not in broken}
    return whole, tuple(Absent(name, why, broken=True) for name, why in broken.items())


def _measure_group(
    bench: Bench, group: Sequence[Subject], number: int, broken: dict[str, str]
) -> dict[str, Sample]:
    """One round of subjects side by side."""
    under_load: dict[str, _UnderLoad] = {}
    samples: dict[str, Sample] = {}
    with contextlib.ExitStack() as stack:
        for subject in group:
            with _noting_in(broken, subject.name, bench):
                directory = bench.folder(f"{subject.name.replace(' ', '-')}-{number}")
                proxy = stack.enter_context(subject.start(directory))
                under_load[subject.name] = _UnderLoad(bench, subject, proxy, directory)
        for _, name in interleave(list(under_load), max(1, round(bench.seconds))):
            if name not in broken:
                with _noting_in(broken, name, bench):
                    under_load[name].load_for_a_second()
        for name in [name for name in under_load if name not in broken]:
            with _noting_in(broken, name, bench):
                samples[name] = under_load[name].sum_up()
    return samples


@contextlib.contextmanager
def _noting_in(broken: dict[str, str], name: str, bench: Bench) -> Iterator[None]:
    """Where it fails, why goes to `broken`; the others go on."""
    try:
        yield
    except (BenchError, OSError, ValueError) as error:
        broken[name] = str(error)
        bench.say(f"  {name}: BROKEN: {error}")


class _UnderLoad:
    """A subject that runs, warm, and what its loads have shown so far."""

    def __init__(self, bench: Bench, subject: Subject, proxy: Proxy, directory: Path) -> None:
        self._bench = bench
        self._subject = subject
        self._proxy = proxy
        self._directory = directory
        self._loads: list[Load] = []
        self._peaks: list[Usage] = []
        self._proxy_cpu = self._worker_cpu = 0.0
        self._run(_WARM)
        self._had = _seen(subject)

    def load_for_a_second(self) -> None:
        """As many requests as it takes in a second. Raises BenchError where none is answered."""
        before = usage_of(self._proxy)
        self._loads.append(self._run(1.0))
        after = usage_of(self._proxy)
        self._peaks.append(after)
        self._proxy_cpu += after.proxy_cpu - before.proxy_cpu
        self._worker_cpu += after.worker_cpu - before.worker_cpu
        if self._proxy.worker:
            wait_until_at_rest(self._proxy.worker)

    def sum_up(self) -> Sample:
        """All its loads as one. Raises BenchError where the mirror's copies do not end."""
        requests = sum(load.requests for load in self._loads)
        sent = (_seen(self._subject) - self._had) / requests
        return Sample(
            rate=requests / sum(load.seconds for load in self._loads),
            errors=sum(load.errors for load in self._loads),
            proxy_cpu=self._proxy_cpu / requests,
            worker_cpu=self._worker_cpu / requests,
            proxy_memory=max(each.proxy_memory for each in self._peaks),
            worker_memory=max(each.worker_memory for each in self._peaks),
            sent=sent,
            account=self._proxy.settle() if self._proxy.page else {},
        )

    def _run(self, seconds: float) -> Load:
        return run_wrk(
            f"http://127.0.0.1:{self._proxy.port}{PATH}",
            seconds,
            self._directory,
            self._bench.cores.rest,
            body=self._subject.body,
            meanwhile=lambda: self._peaks.append(usage_of(self._proxy)),
        )


def column(samples: Samples, of: Callable[[Sample], float]) -> dict[str, tuple[float, ...]]:
    """One quantity of every subject, by round."""
    return {name: tuple(of(sample) for sample in rounds) for name, rounds in samples.items()}


def _seen(subject: Subject) -> int:
    return requests_of(subject.sink) if subject.sink else 0
