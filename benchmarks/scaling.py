"""Going past one machine: how many proxies and workers a rate takes, from what was measured. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from benchmarks.report import Report

RATES = (1_000, 10_000, 100_000)
BUSY = 0.7  # how much of a core is planned for; the rest is for peaks

_KEYS = (
    "bare rate",
    "retained one destination",
    "worker rate",
    "memory mirrored proxy",
    "memory worker one destination",
)


@dataclass(frozen=True, slots=True)
class Basis:
    """What one process does on one core, and holds: requests and copies a second, MiB."""

    requests: float
    copies: float
    proxy_memory: float
    worker_memory: float


@dataclass(frozen=True, slots=True)
class Need:
    """What a rate takes. `worker_cores` is the workers' share in cores; each proxy has its own worker."""

    rate: int
    proxies: int
    worker_cores: float
    pooled_workers: int
    memory_gib: float


def basis_of(report: Report) -> Basis | None:
    """What the plan rests on, None where the run measured too little."""
    keys = (
        "bare rate",
        "retained one destination",
        "worker rate",
        "memory mirrored proxy",
        "memory worker one destination",
    )
    found = [report.get(key) for key in keys]
    values = [figure.spread.median for figure in found if figure is not None]
    if len(values) < len(keys):
        return None
    bare, retained, copies, proxy, worker = values
    return Basis(bare * retained, copies, proxy, worker)


def plan(basis: Basis, rate: int, destinations: int = 1) -> Need:
    """What `rate` requests a second take when each is mirrored to so many destinations."""
    proxies = math.ceil(rate / (basis.requests * BUSY))
    copies = rate * destinations
    return Need(
        rate=rate,
        proxies=proxies,
        worker_cores=copies / basis.copies,
        pooled_workers=math.ceil(copies / (basis.copies * BUSY)),
        memory_gib=proxies * (basis.proxy_memory + basis.worker_memory) / 1024,
    )


def render_plan(basis: Basis) -> str:
    """The plan as Markdown: a table, and what it rests on."""
    basis_in_words = (
        f"One proxy takes {basis.requests:,.0f} requests a second with every request mirrored, one worker "
        f"sends {basis.copies:,.0f} copies a second, each on one core of the machine above. Planned at "
        f"{BUSY:.0%} of that:"
    )
    lines = [
        basis_in_words,
        "",
        "| requests/s | destinations | proxies, a core each | their workers, in cores | if pooled | memory |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    for rate in RATES:
        for destinations in (1, 3):
            need = plan(basis, rate, destinations)
            lines.append(
                f"| {rate:,} | {destinations} | {need.proxies:,} | {need.worker_cores:.1f} | "
                f"{need.pooled_workers:,} | {need.memory_gib:.1f} GiB |"
            )
    return "\n".join(lines)
