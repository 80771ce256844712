"""The child: one worker process, its pipes, and what memory is shared with it. It is trusted in nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast

from traffic_mirror.edge.worker_log import WorkerLog
from traffic_mirror.wire.codec import Decoder, WireError
from traffic_mirror.wire.frames import ToEdge
from traffic_mirror.wire.ring import RING_FD, RingWriter

logger = logging.getLogger("traffic_mirror")

MAX_HEAD = 32 * 1024 * 1024
MAX_BODY = 64 * 1024 * 1024

_BUFFER = 1024 * 1024  # bytes that a system may keep on their way to the process; it may grant fewer
_LAST_WORDS = 1.0  # seconds that a process's pipes may stay open once it has ended


class Throttle(Protocol):
    """What is told when the process's stdin is full, and when it takes bytes again."""

    def hold(self) -> None:
        """Stdin is full."""

    def release(self) -> None:
        """Stdin takes bytes again."""


class _Stdin(asyncio.Protocol):
    """Our end of a socket that is the process's stdin."""

    def __init__(self, throttle: Throttle) -> None:
        self._throttle = throttle

    def pause_writing(self) -> None:
        self._throttle.hold()

    def resume_writing(self) -> None:
        self._throttle.release()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._throttle.hold()


class Child(asyncio.SubprocessProtocol):
    """A process from its start to its end. `heard` is when it last said something, by the loop's clock.

    `receive` takes its frames; a `WireError` of its own, or bytes that are no frame, end the process.
    """

    def __init__(self, throttle: Throttle, receive: Callable[[ToEdge, bytes], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self.ended = asyncio.Event()
        self.heard = self._loop.time()
        self.farewell = "it could not be started"
        self._throttle = throttle
        self._receive = receive
        self._decoder: Decoder[ToEdge] = Decoder(ToEdge, max_head=MAX_HEAD, max_body=MAX_BODY)
        self._log = WorkerLog(self._loop.time)
        self._broken = False
        self._transport: asyncio.SubprocessTransport | None = None
        self._stdin: asyncio.WriteTransport | None = None
        self.ring: RingWriter | None = None
        """The memory that is shared with the process, where there is any."""

    async def start(
        self, command: Sequence[str], env: Mapping[str, str], *, shares: bool = True
    ) -> asyncio.WriteTransport:
        """Starts the process; returns where frames go. Raises OSError where it can't be started.

        With `shares`, and where the system has such, there is a `ring` in memory for large bodies.

        Its stdin is a socket where the system has them: bytes cross it at half a pipe's cost.
        """
        if shares:
            with contextlib.suppress(OSError):
                self.ring = RingWriter()
        if os.name != "posix":
            transport = await self._spawn(command, env, subprocess.PIPE)
            return cast("asyncio.WriteTransport", transport.get_pipe_transport(0))
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
                await self._spawn(command, env, theirs.fileno())
            except BaseException:
                ours.close()
                raise
        self._stdin, _ = await self._loop.create_connection(lambda: _Stdin(self._throttle), sock=ours)
        return self._stdin

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's: the process runs."""
        self._transport = cast("asyncio.SubprocessTransport", transport)

    @property
    def pid(self) -> int | None:
        """The process's number, once it runs."""
        return self._transport.get_pid() if self._transport else None

    def expect_end(self) -> None:
        """From now on the process's end is no accident."""
        self.farewell = "as asked"

    def kill(self) -> None:
        """Ends the process at once."""
        if self._transport is not None and self._transport.get_returncode() is None:
            self._transport.kill()

    def retire(self) -> None:
        """Nothing that still comes from it counts; its pipes close, whoever may hold their other ends."""
        self._broken = True
        if self._transport is not None:
            self._transport.close()
        if self._stdin is not None:
            self._stdin.abort()
        ring, self.ring = self.ring, None
        if ring is not None:
            ring.close()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Asyncio's: it said something."""
        if fd == 2:
            self._log.feed(data)
            return
        if self._broken:
            return
        self.heard = self._loop.time()
        try:
            for frame, body in self._decoder.feed(data):
                self._receive(frame, body)
        except WireError as error:
            self._break(f"the worker sent what it must not and is killed: {error}")
        except Exception:
            logger.exception("mirror: a frame of the worker's could not be handled")
            self._break("the worker is killed")

    def pause_writing(self) -> None:
        """Asyncio's: stdin is full."""
        self._throttle.hold()

    def resume_writing(self) -> None:
        """Asyncio's: stdin takes bytes again."""
        self._throttle.release()

    def process_exited(self) -> None:
        """Asyncio's: the process has ended, though its pipes may still hold something."""
        code = self._transport.get_returncode() if self._transport else None
        if self.farewell != "as asked":
            self.farewell = (
                f"killed by signal {-code}" if code is not None and code < 0 else f"exit status {code}"
            )
        self._loop.call_later(_LAST_WORDS, self.ended.set)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Asyncio's: the process has ended and its pipes are read to their ends."""
        self._log.close()
        self.ended.set()

    async def _spawn(
        self, command: Sequence[str], env: Mapping[str, str], stdin: int
    ) -> asyncio.SubprocessTransport:
        files = () if self.ring is None else (self.ring.fd,)
        env = {**env, RING_FD: "".join(map(str, files))}  # in place of what we may have been given
        transport, _ = await self._loop.subprocess_exec(
            lambda: self, *command, stdin=stdin, env=env, pass_fds=files, start_new_session=os.name == "posix"
        )
        return transport

    def _break(self, why: str) -> None:
        """Listens no more: after one bad frame nothing that follows means anything."""
        self._broken = True
        logger.error("mirror: %s", why)
        self.kill()
