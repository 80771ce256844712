"""The pace of a recording: when each of its flows is due, and whether the mirror has room for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from traffic_mirror.spec.model import Spec

_MOST_AT_ONCE = 256


class Pace:
    """Times are the recording's unix seconds; `speed` is a multiple of its pace, None without waiting."""

    def __init__(self, speed: float | None, clock: Callable[[], float]) -> None:
        self._speed = speed
        self._clock = clock
        self._offset: float | None = None

    async def until_due(self, recorded: float) -> None:
        """Waits until a flow of that time is due; the first one is due at once."""
        if self._speed is None:
            return
        due = recorded / self._speed
        if self._offset is None:
            self._offset = self._clock() - due
        await asyncio.sleep(max(0.0, due + self._offset - self._clock()))


def most_at_once(spec: Spec) -> int:
    """How many copies of a recording may be under way, so that no destination's queue overflows."""
    return min([_MOST_AT_ONCE, *(destination.queue.copies for destination in spec.destinations)])


async def until_room(under_way: Callable[[], int], most: int, ended: asyncio.Event) -> None:
    """Waits until fewer than `most` copies are under way; their timeouts bound the wait.

    `ended` is set by whoever sees copies end.
    """
    while under_way() >= most:
        ended.clear()
        await ended.wait()
