"""The gathering: work that the hooks put off for some milliseconds, to be done in order and at once.

What is done while a client's request is on its way is time that its client waits, and done once in a while
it finds nothing in the processor's caches: the same work for several requests in a row takes a fraction.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

MAX_BYTES = 256 * 1024
MAX_NUMBER = 256

_WAIT = 0.02  # seconds; as long as the outbox gathers frames that come singly

logger = logging.getLogger("traffic_mirror")


class Gathering:
    """Work put off, bounded in number and in the bytes that it holds; `done` is called when all is done."""

    def __init__(self, loop: asyncio.AbstractEventLoop, done: Callable[[], None]) -> None:
        self._loop = loop
        self._done = done
        self._waiting: deque[Callable[[], object]] = deque()
        self._bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def put(self, work: Callable[[], object], size: int) -> None:
        """Has `work` done soon; `size` is in bytes."""
        self._waiting.append(work)
        self._bytes += size
        if self._bytes > MAX_BYTES or len(self._waiting) >= MAX_NUMBER:
            self.finish()
        elif self._timer is None:
            self._timer = self._loop.call_later(_WAIT, self.finish)

    def finish(self) -> None:
        """Does all that was put off. What fails is logged, and the rest done."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._waiting:
            return
        self._bytes = 0
        while self._waiting:
            work = self._waiting.popleft()
            try:
                work()
            except Exception:
                logger.exception("mirror: a request or its answer can't be mirrored")
        self._done()
