"""Processes: what the harness starts, watches and ends, each by its own number."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.cores import CoreSet, starting_on

ROOT = Path(__file__).resolve().parent.parent

_SBIN = ("/usr/sbin", "/sbin", "/usr/local/sbin")
_GRACE = 10.0
_LOOK = 0.2  # seconds
_AT_REST = 0.11  # of a core; processor time is told in hundredths of a second
_MOST_WORK = 30.0
_MIB = 1024 * 1024


class BenchError(RuntimeError):
    """Something that was to be measured did not start, or did not do what it should."""


class Program:
    """One running process; all it prints goes to `logfile`."""

    def __init__(self, process: subprocess.Popen[bytes], logfile: Path) -> None:
        self.process = process
        self.pid = process.pid
        self._logfile = logfile

    @property
    def log(self) -> str:
        """What it has printed so far."""
        return self._logfile.read_text(errors="replace")

    def check(self) -> None:
        """Raises BenchError, with its last words, when it has ended."""
        if self.process.poll() is not None:
            raise BenchError(f"it ended with status {self.process.returncode}: {self.log[-600:]}")

    def end(self) -> None:
        """Ends it: asked first, killed after a grace."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(_GRACE)


@contextlib.contextmanager
def running(
    command: Sequence[str], logfile: Path, cores: CoreSet, env: Mapping[str, str] | None = None
) -> Iterator[Program]:
    """A started process on these cores, ended whatever happens. Its children must end with it."""
    with logfile.open("wb") as log, starting_on(cores):
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
            start_new_session=True,  # Ctrl-C reaches the harness alone, which ends all in order
        )
    program = Program(process, logfile)
    try:
        yield program
    finally:
        program.end()


def wait_for[T](condition: Callable[[], T], seconds: float, what: str, pause: float = 0.01) -> T:
    """What `condition` returned once it was true. Raises BenchError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise BenchError(f"waited {seconds:g} s for {what}")
        time.sleep(pause)
    return result


def children(pid: int) -> list[int]:
    """The processes that `pid` started and that still run."""
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
    rows = (line.split() for line in listing.stdout.splitlines())
    return [int(child) for child, parent in rows if int(parent) == pid]


def cpu_seconds(pid: int) -> float:
    """The processor time a process has used, user and system."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.exists():
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    shown = subprocess.run(["ps", "-o", "time=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return parse_ps_time(shown.stdout.strip())


def wait_until_at_rest(pid: int) -> None:
    """Waits until a process does nothing any more. Raises BenchError where that takes too long."""
    before = [cpu_seconds(pid)]

    def at_rest() -> bool:
        now = cpu_seconds(pid)
        used, before[0] = now - before[0], now
        return used < _AT_REST * _LOOK

    time.sleep(_LOOK)
    wait_for(at_rest, _MOST_WORK, "the worker to be done", _LOOK)


def parse_ps_time(text: str) -> float:
    """Seconds of ps's `[[days-]hours:]minutes:seconds[.fraction]`."""
    days, _, clock = text.rpartition("-")
    seconds = 0.0
    for part in clock.split(":"):
        seconds = seconds * 60 + float(part)
    return seconds + 86400 * int(days or 0)


def memory_mib(pid: int) -> float:
    """A process's share of memory (PSS, where shared pages count in part), or RSS where there is no PSS."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    shown = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return int(shown.stdout) * 1024 / _MIB


def find_program(name: str) -> str | None:
    """Where a program is; the administrator's directories count, whatever PATH says."""
    for folder in [*os.environ.get("PATH", "").split(os.pathsep), *_SBIN]:
        file = Path(folder) / name
        if folder and file.is_file() and os.access(file, os.X_OK):
            return str(file)
    return None
