"""The outbox: frames on their way to the worker's stdin, bounded, written without ever blocking.

Small frames are gathered for some milliseconds and written at once; a large body is fed in pieces, by
reference, only as fast as the pipe takes them.
"""

from __future__ import annotations

import asyncio
from collections import deque

MAX_PIECES = 40_000  # a frame is one piece, or two with a body
MAX_BYTES = 64 * 1024 * 1024

_GATHER = 0.02  # every write wakes the worker, and costs a request more than all that the mirror does with it
_WRITE = 256 * 1024


class Outbox:
    """Frames not written yet. `size` is in bytes; both bounds count what waits here."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[bytes | memoryview] = deque()
        self.size = 0
        self._pipe: asyncio.WriteTransport | None = None
        self._held = False
        self._timer: asyncio.TimerHandle | None = None

    def has_room(self, size: int) -> bool:
        """Whether another frame of `size` bytes fits; one alone always does."""
        return not self._waiting or (len(self._waiting) < MAX_PIECES and self.size + size <= MAX_BYTES)

    def push(self, head: bytes, body: bytes = b"", *, now: bool = False) -> None:
        """Adds a frame at the end; with `now` what waits is written without gathering more."""
        self._waiting.append(head)
        if body:
            self._waiting.append(body)
        self.size += len(head) + len(body)
        if self._pipe is None or self._held:
            return
        if now or self.size >= _WRITE:
            self._pump()
        elif self._timer is None:
            self._timer = self._loop.call_later(_GATHER, self._pump)

    def flush(self) -> None:
        """Writes what waits without gathering more, as far as the pipe takes it."""
        self._pump()

    def open(self, pipe: asyncio.WriteTransport, first: bytes) -> None:
        """Begins to write into `pipe`: the frame `first`, then all that waits."""
        self._pipe = pipe
        self._held = False
        self._waiting.appendleft(first)
        self.size += len(first)
        self._pump()

    def close(self) -> None:
        """Forgets the pipe, and what was meant for it."""
        self._pipe = None
        self._waiting.clear()
        self.size = 0
        self._cancel_timer()

    def hold(self) -> None:
        """The pipe is full."""
        self._held = True

    def release(self) -> None:
        """The pipe takes bytes again."""
        self._held = False
        self._pump()

    def _pump(self) -> None:
        self._cancel_timer()
        while self._waiting and self._pipe is not None and not self._held:
            piece = self._next_piece()
            self.size -= len(piece)
            self._pipe.write(piece)

    def _next_piece(self) -> bytes | memoryview:
        """The next bytes to write: many small frames joined, or a slice of a large one."""
        first = self._waiting.popleft()
        if len(first) > _WRITE:
            view = memoryview(first)
            self._waiting.appendleft(view[_WRITE:])
            return view[:_WRITE]
        if not self._waiting or len(first) + len(self._waiting[0]) > _WRITE:
            return first
        joined, size = [first], len(first)
        while self._waiting and size + len(self._waiting[0]) <= _WRITE:
            size += len(self._waiting[0])
            joined.append(self._waiting.popleft())
        return b"".join(joined)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
