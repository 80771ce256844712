"""What the worker tells the edge of its copies' ends, gathered into few frames."""

from __future__ import annotations

import asyncio
from typing import Protocol

from traffic_mirror.ledger import RowKey
from traffic_mirror.wire.frames import Ended, Ending, Judged, ToEdge, VerdictCount

_BATCH = 256
_PATIENCE = 0.05  # seconds; every frame is a turn of the loop that the clients' requests go through


class Out(Protocol):
    """Where frames go."""

    def send(self, frame: ToEdge, body: bytes = b"") -> None:
        """Writes a frame that must arrive."""


class Report:
    """Gathers endings and verdicts for some milliseconds; a client that waits gets its copy's at once."""

    def __init__(self, out: Out, loop: asyncio.AbstractEventLoop) -> None:
        self._out = out
        self._loop = loop
        self._endings: list[Ending] = []
        self._verdicts: dict[tuple[RowKey, str], int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def ended(self, ending: Ending, *, urgent: bool) -> None:
        """Reports a copy's end."""
        self._endings.append(ending)
        if urgent or len(self._endings) >= _BATCH:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(_PATIENCE, self.flush)

    def judged(self, row: RowKey, verdict: str) -> None:
        """Reports a verdict."""
        self._verdicts[row, verdict] = self._verdicts.get((row, verdict), 0) + 1
        if self._timer is None:
            self._timer = self._loop.call_later(_PATIENCE, self.flush)

    def flush(self) -> None:
        """Writes what was gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._endings:
            self._out.send(Ended(tuple(self._endings)))
            self._endings.clear()
        if self._verdicts:
            counts = (VerdictCount(*row, verdict, n) for (row, verdict), n in self._verdicts.items())
            self._out.send(Judged(tuple(counts)))
            self._verdicts.clear()
