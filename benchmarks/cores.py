"""Cores: which part of a measurement runs where, as far as the system lets itself be told."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CoreSet = frozenset[int]


@dataclass(frozen=True, slots=True)
class Cores:
    """The proxy's core, and those of everything else. Both empty where nothing can be pinned."""

    proxy: CoreSet
    rest: CoreSet

    @property
    def words(self) -> str:
        """The pinning, for the table."""
        if not self.proxy:
            return "none: this system pins no process, or has one core"
        return (
            f"proxy alone on core {_list(self.proxy)}; load, servers and the mirror's worker "
            f"on {_list(self.rest)}"
        )


def plan_cores() -> Cores:
    """The last core for the proxy (interrupts favour the first), all others for the rest."""
    if not hasattr(os, "sched_getaffinity"):
        return Cores(frozenset(), frozenset())
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return Cores(frozenset(), frozenset())
    return Cores(frozenset(cores[-1:]), frozenset(cores[:-1]))


@contextlib.contextmanager
def starting_on(cores: CoreSet) -> Iterator[None]:
    """Processes started meanwhile begin on these cores, with all their threads."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def move(pid: int, cores: CoreSet) -> None:
    """Moves a running process, with all its threads, to these cores; one that has ended is let be."""
    if not cores:
        return
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), cores)


def _list(cores: CoreSet) -> str:
    return ", ".join(str(core) for core in sorted(cores))
