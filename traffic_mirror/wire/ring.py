"""A ring in memory that both processes see: large bodies cross in it at a fraction of a pipe's cost.

The edge writes a body there and says in the pipe where it lies; the worker copies it out and says so.
There is one only where the system has files that are memory alone (Linux). Elsewhere all goes by the pipe.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
from collections import deque

from traffic_mirror.wire.codec import WireError

SIZE = 32 * 1024 * 1024
RING_FD = "TRAFFIC_MIRROR_RING_FD"
"""The environment variable that tells a worker which of its files the ring is."""


class RingWriter:
    """The edge's end. `fd` is what the worker is given. Raises OSError where there is no such memory."""

    def __init__(self, size: int = SIZE) -> None:
        self.fd = _sealed_memory(size)
        try:
            self._memory = mmap.mmap(self.fd, size)
        except BaseException:
            os.close(self.fd)
            raise
        self._size = size
        self._backed = 0  # bytes at the front that the system has given pages for
        self._lent: deque[range] = deque()
        self.used = 0
        """Bytes that the worker has not copied out yet."""

    def reserve(self, size: int) -> int | None:
        """Where `size` bytes may be written; None while there is no room for them in one piece."""
        at, end = 0, self._size
        if self._lent:
            first, last = self._lent[0].start, self._lent[-1].stop
            wrapped = last <= first
            at, end = last, first if wrapped else self._size
            if at + size > end and not wrapped:
                at, end = 0, first
        if at + size > end:
            return None
        self._lent.append(range(at, at + size))
        self.used += size
        return at

    def write(self, at: int, data: bytes | memoryview) -> None:
        """Puts bytes into what was reserved. Raises OSError where the system has no memory for them."""
        end = at + len(data)
        if end > self._backed:
            # Asked for, it says that there is no page; touched, it would end this process (SIGBUS).
            os.posix_fallocate(self.fd, self._backed, end - self._backed)
            self._backed = end
        self._memory[at:end] = data

    def take_back(self, at: int) -> None:
        """What was reserved at `at` will not be lent after all."""
        (place,) = (lent for lent in self._lent if lent.start == at)
        self._lent.remove(place)
        self.used -= len(place)

    def give_back(self, count: int) -> None:
        """The worker has copied out the oldest `count` bodies. Raises WireError for more than it was lent."""
        if not 0 <= count <= len(self._lent):
            raise WireError(f"found {count} bodies given back, expected at most {len(self._lent)}")
        for _ in range(count):
            self.used -= len(self._lent.popleft())

    def shrink(self) -> None:
        """Gives the system its memory back; to be called while nothing is used."""
        self._backed = 0
        with contextlib.suppress(OSError):
            self._memory.madvise(mmap.MADV_REMOVE)

    def close(self) -> None:
        """Lets the memory go, as far as this process holds it."""
        self._memory.close()
        os.close(self.fd)


class RingReader:
    """The worker's end of the ring that is behind `fd`, which is closed. Raises OSError where it is none."""

    def __init__(self, fd: int) -> None:
        _check_sealed(fd)  # and leave open what is no ring: it may be somebody's stdout
        try:
            self._memory = mmap.mmap(fd, os.fstat(fd).st_size, access=mmap.ACCESS_READ)
        finally:
            os.close(fd)
        self.taken = 0
        """How many bodies were copied out, and not given back yet."""

    def take(self, at: int, size: int) -> bytes:
        """A body's bytes, copied. Raises WireError where the ring ends before them."""
        if at + size > len(self._memory):
            raise WireError(f"found a body at {at} + {size}, expected it within {len(self._memory)} bytes")
        self.taken += 1
        return self._memory[at : at + size]


def _sealed_memory(size: int) -> int:
    """A file in memory whose size nobody can change: to read beyond a shrunken one would end the process."""
    if sys.platform != "linux" or not hasattr(os, "memfd_create"):  # a Python may be built without it
        raise OSError("there are no files here that are memory alone")
    import fcntl  # noqa: PLC0415 - not there on every platform

    fd = os.memfd_create("traffic-mirror", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, size)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _check_sealed(fd: int) -> None:
    """Raises OSError unless `fd` is a file in memory that nobody can shrink."""
    if sys.platform != "linux":
        raise OSError("there are no files here that are memory alone")
    import fcntl  # noqa: PLC0415 - not there on every platform

    if not fcntl.fcntl(fd, fcntl.F_GET_SEALS) & fcntl.F_SEAL_SHRINK:
        raise OSError("it can be shrunk")
