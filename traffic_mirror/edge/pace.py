"""The pace of a recording: when each of its flows is due, and whether the mirror has room for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from traffic_mirror.spec.model import Spec

_MOST_AT_ONCE = 256
_MOST_BYTES = 32 * 1024 * 1024  # half of what may wait for the worker


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


class Load:
    """A recording's copies under way, so that neither the way to the worker nor a queue overflows.

    `count` says how many copies are under way, `is_under_way` whether the one of a number is.
    """

    def __init__(self, count: Callable[[], int], is_under_way: Callable[[int], bool]) -> None:
        self._count = count
        self._is_under_way = is_under_way
        self._weights: dict[range, int] = {}

    def add(self, numbers: range, size: int) -> None:
        """The copies of these numbers, of one flow whose bodies have `size` bytes, are handed on."""
        if numbers and size:
            self._weights[numbers] = size

    def has_room(self, size: int, spec: Spec) -> bool:
        """Whether a flow of `size` bytes may follow; one alone always may."""
        queues = [destination.queue for destination in spec.destinations]
        if self._count() >= min([_MOST_AT_ONCE, *(queue.copies for queue in queues)]):
            return False
        self._weights = {
            numbers: weight
            for numbers, weight in self._weights.items()
            if any(map(self._is_under_way, numbers))
        }
        held = sum(self._weights.values())
        return not held or held + size <= min([_MOST_BYTES, *(queue.bytes for queue in queues)])


async def until_room(has_room: Callable[[], bool], ended: asyncio.Event) -> None:
    """Waits until there is room; the timeouts of the copies under way bound the wait.

    `ended` is set by whoever sees copies end.
    """
    while not has_room():
        ended.clear()
        await ended.wait()
