"""Processes that tests start: their children, and their end."""

from __future__ import annotations

import os
import signal
import subprocess


def children(pid: int) -> list[int]:
    """The processes that `pid` started and that still run."""
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True
    )
    rows = (line.split() for line in listing.stdout.splitlines())
    return [int(row[0]) for row in rows if int(row[1]) == pid and not row[2].startswith("Z")]


def runs(pid: int) -> bool:
    """Whether a process is there and not a zombie."""
    listing = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state = listing.stdout.strip()
    return bool(state) and not state.startswith("Z")


def end(process: subprocess.Popen[bytes], *, grace: float = 10.0) -> int:
    """Ends a process the way Ctrl-C does, and by force when it has not gone after `grace` seconds."""
    if process.poll() is None:
        os.kill(process.pid, signal.SIGINT)
    try:
        return process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)
        raise


def _ps(*arguments: str) -> str:
    return subprocess.run(["ps", *arguments], capture_output=True, text=True, check=False).stdout
