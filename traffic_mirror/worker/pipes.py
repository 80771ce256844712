"""The worker's two pipes: frames in from stdin, frames out to stdout."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import sys
from collections.abc import Callable
from typing import IO, Any, Protocol, cast

from traffic_mirror.wire.codec import Decoder, WireError, encode
from traffic_mirror.wire.frames import Taken, ToEdge, ToWorker
from traffic_mirror.wire.ring import RING_FD, RingReader

_PIPE_SIZE = 1024 * 1024
_SPARE = 4 * 1024 * 1024  # bytes that may wait in the outlet before it refuses what can be spared


class Reader(Protocol):
    """What takes the frames."""

    def on_frame(self, frame: ToWorker, body: bytes) -> None:
        """A frame has come."""

    def on_end(self, error: str) -> None:
        """No more will come; `error` says why where that is not the other end's will."""

    def on_deaf(self) -> None:
        """Nobody reads what we write any more."""


class Outlet(asyncio.BaseProtocol):
    """Writes frames to stdout, never waiting for the other end.

    What must arrive is buffered however long the other end stalls: only `Ended`, `Judged` and other
    small frames, whose number the copies under way bound. The rest is refused while much waits.
    """

    def __init__(self, deaf: Callable[[], None]) -> None:
        self._deaf = deaf
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's: stdout is open."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Asyncio's: nobody reads any more."""
        if self._transport is not None:
            self._transport = None
            self._deaf()

    def pause_writing(self) -> None:
        """Asyncio's: much waits; `offer` asks for the amount itself."""

    def resume_writing(self) -> None:
        """Asyncio's: less waits."""

    def send(self, frame: ToEdge, body: bytes = b"") -> None:
        """Writes a frame that must arrive."""
        if self._transport is not None:
            self._transport.write(encode(frame, body))
            if body:
                self._transport.write(body)

    def offer(self, frame: ToEdge, body: bytes = b"") -> bool:
        """Writes a frame that can be spared; False when it was not."""
        if self._transport is None or self._transport.get_write_buffer_size() > _SPARE:
            return False
        self.send(frame, body)
        return True

    async def close(self, seconds: float) -> None:
        """Waits until all is written, at most so long, and closes."""
        deadline = asyncio.get_running_loop().time() + seconds
        while self._transport is not None and self._transport.get_write_buffer_size():
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0.005)
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()


class Inlet(asyncio.Protocol):
    """Reads frames from stdin, large bodies from `ring` where there is one; `outlet` tells the edge so."""

    def __init__(self, reader: Reader, outlet: Outlet, ring: RingReader | None) -> None:
        self._reader = reader
        self._outlet = outlet
        self._ring = ring
        self._decoder: Decoder[ToWorker] = Decoder(ToWorker, fetch=ring.take if ring else None)
        self._transport: asyncio.ReadTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's: stdin is open."""
        self._transport = cast("asyncio.ReadTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Asyncio's: some bytes of some frames."""
        try:
            frames = self._decoder.feed(data)
        except WireError as error:
            self._stop(f"bad input: {error}")
            return
        if self._ring is not None and self._ring.taken:
            self._outlet.send(Taken(self._ring.taken))
            self._ring.taken = 0
        on_frame = self._reader.on_frame
        for frame, body in frames:
            on_frame(frame, body)

    def eof_received(self) -> None:
        """Asyncio's: the other end has closed."""
        pending = self._decoder.pending
        self._stop(f"the input ended within a frame, {pending} bytes into it" if pending else "")

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio's: the pipe is gone."""
        self._stop(str(exc) if exc else "")

    def _stop(self, error: str) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()
            self._reader.on_end(error)


async def open_pipes(reader: Reader) -> Outlet:
    """Connects stdin and stdout. Raises OSError where either is neither a pipe nor a socket."""
    loop = asyncio.get_running_loop()
    for name, stream in (("stdin", sys.stdin), ("stdout", sys.stdout)):
        mode = os.fstat(stream.fileno()).st_mode
        if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)):
            raise OSError(f"{name} is a file, expected a pipe or a socket (`cat FILE |`, `| cat`)")
        _widen(stream)
    _, outlet = await loop.connect_write_pipe(lambda: Outlet(reader.on_deaf), sys.stdout.buffer)
    ring = _shared_ring()
    await loop.connect_read_pipe(lambda: Inlet(reader, outlet, ring), sys.stdin.buffer)
    return outlet


def _shared_ring() -> RingReader | None:
    """The memory that the edge shares with us, if it does. Raises OSError where it is none."""
    fd = os.environ.pop(RING_FD, "")
    if not fd:
        return None
    try:
        return RingReader(int(fd))
    except (OSError, OverflowError, ValueError) as error:
        raise OSError(
            f"{RING_FD} is {fd!r}, expected the number of a file in sealed memory: {error}"
        ) from error


def _widen(stream: IO[Any]) -> None:
    """Large frames cross a larger pipe in fewer turns; where that can't be had, they take more."""
    if sys.platform == "linux":
        import fcntl  # noqa: PLC0415 - not there on every platform

        with contextlib.suppress(OSError):
            fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
