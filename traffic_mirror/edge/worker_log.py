"""The worker's log as the proxy passes it on: whole lines, made harmless, and never a flood."""

from __future__ import annotations

import logging
from collections.abc import Callable

logger = logging.getLogger("traffic_mirror")

MAX_LINE = 4000  # characters that are shown of one
BURST = 200  # lines at once
PER_SECOND = 10.0  # lines from then on

_LEVELS = {name: getattr(logging, name) for name in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")}
# A line may quote what a destination said: nothing in it may move a terminal's cursor.
_HARMLESS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code != 0x09}


class WorkerLog:
    """Takes the bytes of the worker's stderr; `clock` gives seconds of a steady clock.

    A line is `LEVEL message`; anything else (a traceback) is a warning's text. Lines over the bound are
    counted, and the count is said once lines pass again.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rest = b""
        self._left = float(BURST)
        self._since = clock()
        self._hidden = 0

    def feed(self, data: bytes) -> None:
        """Logs the lines that `data` completes."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[: MAX_LINE * 4]
        for line in lines:
            self._pass_on(line)

    def close(self) -> None:
        """Logs what was left without its end, and how many lines were not shown."""
        if self._rest:
            self._pass_on(self._rest)
            self._rest = b""
        self._confess()

    def _pass_on(self, line: bytes) -> None:
        if not self._may_log():
            self._hidden += 1
            return
        self._confess()
        text = line[: MAX_LINE * 4].decode("utf-8", "replace")
        level, _, rest = text.partition(" ")
        known = _LEVELS.get(level)
        if known is None:
            logger.warning("mirror: worker: %s", harmless(text))
        else:
            logger.log(known, "mirror: %s", harmless(rest))

    def _may_log(self) -> bool:
        now = self._clock()
        self._left = min(float(BURST), self._left + (now - self._since) * PER_SECOND)
        self._since = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

    def _confess(self) -> None:
        hidden, self._hidden = self._hidden, 0
        if hidden:
            logger.warning("mirror: %d more lines of the worker's log are not shown", hidden)


def harmless(text: str) -> str:
    """What a worker said, as a log may hold it: short, and no control characters.

    >>> harmless("\\x1b[2Jgone")
    '\\\\x1b[2Jgone'
    """
    return text[:MAX_LINE].translate(_HARMLESS)
