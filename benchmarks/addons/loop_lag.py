"""How late the proxy's loop is: looks every two milliseconds, and says at the end what it saw."""

import asyncio
import logging
import time

_EVERY = 0.002


class LoopLag:
    """Measures from `running` on."""

    def __init__(self) -> None:
        self._lags: list[float] = []

    def running(self) -> None:
        """Begins."""
        self._task = asyncio.create_task(self._look())

    def done(self) -> None:
        """Says what was seen."""
        self._task.cancel()
        ordered = sorted(self._lags)
        p50, p99 = (ordered[int(len(ordered) * share)] for share in (0.5, 0.99))
        logging.getLogger(__name__).warning("loop lag: %.6f %.6f", p50, p99)

    async def _look(self) -> None:
        while True:
            due = time.perf_counter() + _EVERY
            await asyncio.sleep(_EVERY)
            self._lags.append(time.perf_counter() - due)


addons = [LoopLag()]
