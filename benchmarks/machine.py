"""The machine a run is made on, described for the table."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.cores import Cores
from benchmarks.processes import find_program
from benchmarks.report import Machine

_PACKAGES = ("mitmproxy", "pycurl", "google-re2", "msgspec")
_PROGRAMS = (("nginx", "-v"), ("wrk", "-v"))
_NUMBER = re.compile(r"\d+(?:\.\d+)+")


def describe_machine(cores: Cores) -> Machine:
    """The machine as it is now; `load_before` is the load average before the run adds to it."""
    return Machine(
        cpu=_cpu(),
        cores=os.cpu_count() or 0,
        memory_gib=round(_memory_gib(), 1),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        versions=tuple(_versions()),
        pinning=cores.words,
        load_before=round(os.getloadavg()[0], 2),
    )


def _cpu() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3


def _versions() -> Sequence[tuple[str, str]]:
    found = [(name, importlib.metadata.version(name)) for name in _PACKAGES]
    for name, flag in _PROGRAMS:
        if program := find_program(name):
            shown = subprocess.run([program, flag], capture_output=True, text=True, check=False)
            number = _NUMBER.search(shown.stdout + shown.stderr)
            found.append((name, number[0] if number else "?"))
    return found
