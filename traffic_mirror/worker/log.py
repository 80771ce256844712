"""The worker's log: `LEVEL message` lines on stderr, which never make it wait."""

from __future__ import annotations

import contextlib
import logging
import os
import stat


class _Lines(logging.Handler):
    """One line a record; dropped while nobody reads."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record).replace("\n", "\\n")
        with contextlib.suppress(OSError):
            os.write(self._fd, f"{record.levelname} {text}\n".encode("utf-8", "replace"))


def log_to_stderr(fd: int, level: int = logging.INFO) -> None:
    """Sends all records of `level` and above to `fd`, without blocking where it is a pipe of our own."""
    if stat.S_ISFIFO(os.fstat(fd).st_mode):
        os.set_blocking(fd, False)
    root = logging.getLogger()
    root.handlers[:] = [_Lines(fd)]
    root.setLevel(level)
