"""`python -m traffic_mirror.worker`: frames on stdin, frames on stdout, `LEVEL message` lines on stderr."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys

from traffic_mirror.worker.log import log_to_stderr
from traffic_mirror.worker.process import Worker

_FILES = 65_536
_PR_SET_PDEATHSIG = 1
_NICENESS = 10  # where processors are scarce, whatever serves clients comes before copies


def main() -> int:
    """Runs the worker; 0 after an orderly end, 1 after bad input or without usable pipes."""
    # Ctrl-C and a closed terminal reach the whole group; the edge decides what follows.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    log_to_stderr(sys.stderr.fileno())
    _raise_file_limit()
    _wake_when_orphaned()
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    gc.freeze()
    try:
        return asyncio.run(_work())
    except OSError as error:
        logging.getLogger(__name__).error("%s", error)
        return 1


def _raise_file_limit() -> None:
    """Every copy under way holds a file, and most systems' first limit is for programs that hold few."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
        if soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _wake_when_orphaned() -> None:
    """A worker that was stopped goes on when its proxy is killed, finds its pipes closed, and ends."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGCONT)


async def _work() -> int:
    return await Worker(asyncio.get_running_loop()).run()


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)  # libcurl would wait here for names that are still being looked up
