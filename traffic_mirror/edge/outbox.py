"""The outbox: frames on their way to the worker's stdin, bounded, written without ever blocking.

Small frames are gathered for some milliseconds and written at once. A large body is copied into the memory
that both share, a slice in each turn of the loop, and only where it lies is written; where there is no such
memory, or no room in it, it is fed in pieces, by reference, as fast as the pipe takes them.
"""

from __future__ import annotations

import asyncio
from collections import deque

from traffic_mirror.wire.codec import WireError, announce_shared
from traffic_mirror.wire.ring import RingWriter

MAX_PIECES = 40_000  # a frame is one piece, or two with a body
MAX_BYTES = 64 * 1024 * 1024

_GATHER = 0.02  # every write wakes the worker, and costs a request more than all that the mirror does with it
_WRITE = 256 * 1024
_LARGE = 1024 * 1024  # a body from which on it is worth to be given back
_SLICE = 1024 * 1024  # what one turn of the loop copies: 0.1 ms, or 0.5 where the memory is new
_IDLE = 5.0  # seconds that shared memory is kept for the next large body


class _Crossing:
    """A body on its way into shared memory, and what is written once it is there."""

    __slots__ = ("announcement", "at", "body", "copied", "head")

    def __init__(self, head: bytes, body: bytes, at: int) -> None:
        self.head = head
        self.body = body
        self.at = at
        self.copied = 0
        self.announcement = announce_shared(head, at)


class Outbox:
    """Frames not written yet. `size` is in bytes; both bounds count what waits here, and what lies shared."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[bytes | memoryview | _Crossing] = deque()
        self.size = 0
        self._pipe: asyncio.WriteTransport | None = None
        self._ring: RingWriter | None = None
        self._held = False
        self._timer: asyncio.Handle | None = None
        self._lent_at = 0.0
        self._shrinking: asyncio.TimerHandle | None = None

    def has_room(self, size: int) -> bool:
        """Whether another frame of `size` bytes fits; one alone always does."""
        held = self.backlog
        return not held or (len(self._waiting) < MAX_PIECES and held + size <= MAX_BYTES)

    @property
    def backlog(self) -> int:
        """Bytes that the worker has not read: what waits here, and what it has not copied out of the ring."""
        return self.size + (self._ring.used if self._ring else 0)

    def push(self, head: bytes, body: bytes = b"", *, now: bool = False) -> None:
        """Adds a frame at the end; with `now` what waits is written without gathering more."""
        at = self._reserve(len(body)) if len(body) >= _LARGE else None
        if at is not None:
            crossing = _Crossing(head, body, at)
            self._waiting.append(crossing)
            self.size += len(crossing.announcement)
            now = True
        else:
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

    def open(self, pipe: asyncio.WriteTransport, first: bytes, ring: RingWriter | None = None) -> None:
        """Begins to write: the frame `first`, then all that waits. Large bodies go to `ring` from now on."""
        self._pipe = pipe
        self._ring = ring
        self._held = False
        self._waiting.appendleft(first)
        self.size += len(first)
        self._pump()

    def give_back(self, count: int) -> None:
        """The worker has copied the oldest `count` bodies out. Raises WireError where it can't have."""
        if self._ring is None:
            raise WireError(f"found {count} bodies given back, and no memory is shared")
        self._ring.give_back(count)

    def close(self) -> None:
        """Forgets the pipe and the ring, and what was meant for them."""
        self._pipe = self._ring = None
        self._waiting.clear()
        self.size = 0
        self._cancel_timer()
        if self._shrinking is not None:
            self._shrinking.cancel()
            self._shrinking = None

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
            first = self._waiting[0]
            if isinstance(first, _Crossing):
                try:
                    crossed = self._copy(first)
                except OSError:
                    self._send_by_pipe(first)
                    continue
                if not crossed:
                    self._timer = self._loop.call_soon(self._pump)
                    return
                self._waiting[0] = first.announcement
            piece = self._next_piece()
            self.size -= len(piece)
            self._pipe.write(piece)

    def _copy(self, crossing: _Crossing) -> bool:
        """Copies the next slice of a body; whether it was the last. Raises OSError without memory for it."""
        assert self._ring is not None
        data = memoryview(crossing.body)[crossing.copied : crossing.copied + _SLICE]
        self._ring.write(crossing.at + crossing.copied, data)
        crossing.copied += len(data)
        return crossing.copied == len(crossing.body)

    def _send_by_pipe(self, crossing: _Crossing) -> None:
        """The first that waits finds no memory to lie in: it goes the way of those that find no room."""
        assert self._ring is not None
        self._ring.take_back(crossing.at)
        self._waiting.popleft()
        self._waiting.extendleft((crossing.body, crossing.head))
        self.size += len(crossing.head) + len(crossing.body) - len(crossing.announcement)

    def _next_piece(self) -> bytes | memoryview:
        """The next bytes to write: many small frames joined, or a slice of a large one."""
        first = self._waiting.popleft()
        assert not isinstance(first, _Crossing)
        if len(first) > _WRITE:
            view = memoryview(first)
            self._waiting.appendleft(view[_WRITE:])
            return view[:_WRITE]
        joined, size = [first], len(first)
        while self._waiting:
            following = self._waiting[0]
            if isinstance(following, _Crossing) or size + len(following) > _WRITE:
                break
            size += len(following)
            joined.append(following)
            self._waiting.popleft()
        return b"".join(joined) if len(joined) > 1 else first

    def _reserve(self, size: int) -> int | None:
        """A place in the ring, if there is one; it is kept for the next body for a while."""
        at = self._ring.reserve(size) if self._ring else None
        if at is not None:
            self._lent_at = self._loop.time()
            if self._shrinking is None:
                self._shrinking = self._loop.call_later(_IDLE, self._shrink)
        return at

    def _shrink(self) -> None:
        self._shrinking = None
        if self._ring is None:
            return
        if self._ring.used or self._loop.time() - self._lent_at < _IDLE:
            self._shrinking = self._loop.call_later(_IDLE, self._shrink)
        else:
            self._ring.shrink()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
