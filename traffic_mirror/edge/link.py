"""The link: one worker process after another, its pipes, and what to do when it dies.

A worker that ends is started again, later each time it fails young. One that says nothing for a while
is killed, since it holds copies that would never end.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Protocol

from mitmproxy.utils import asyncio_utils

from traffic_mirror.edge.child import Child
from traffic_mirror.edge.outbox import Outbox
from traffic_mirror.wire.codec import encode
from traffic_mirror.wire.frames import Beat, Ready, Setup, Stop, Taken, ToEdge, ToWorker

logger = logging.getLogger("traffic_mirror")

_BACK_OFF = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds before the nth start in a row that failed young
_YOUNG = 30.0  # a worker that lived this long in seconds was no failed start
_FAILURES_WITH_RING = 2  # then what ends the workers may be the memory that they are to share
SILENCE = 10.0  # a worker that says nothing for so long, twice looked at, is taken for dead
_LOOK = 1.0
_KILL_AFTER = 1.0  # beyond the drain, in seconds


class State(Enum):
    """Whether frames can go to a worker."""

    STARTING = "starting"  # frames wait in the outbox
    UP = "up"
    DOWN = "down"  # between a death and the next start
    STOPPED = "stopped"


class Listener(Protocol):
    """What the link tells its owner."""

    def make_setup(self) -> Setup:
        """The first frame for a new worker; called just before it starts."""

    def on_frame(self, frame: ToEdge, body: bytes) -> None:
        """A frame from the worker."""

    def on_lost(self) -> None:
        """The worker is gone, with every copy it had not acknowledged."""


class Link:
    """Keeps one worker process alive until told to stop.

    `command` starts one. One that says nothing for `silence` seconds is killed.
    """

    def __init__(
        self,
        owner: Listener,
        loop: asyncio.AbstractEventLoop,
        *,
        command: Sequence[str] = (),
        silence: float = SILENCE,
    ) -> None:
        self.state = State.STARTING
        self._started = asyncio.Event()
        self.restarts = 0
        self.pid: int | None = None
        self._owner = owner
        self._loop = loop
        self._command = command or _command()
        self._silence = silence
        self._outbox = Outbox(loop)
        self._process: Child | None = None
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Starts the worker, and watches it from now on."""
        self._task = asyncio_utils.create_task(
            self._keep_alive(), name="traffic mirror: worker", keep_ref=True
        )

    def send(self, frame: ToWorker, body: bytes = b"", *, now: bool = False) -> None:
        """Sends a frame that must not be lost while a worker lives; the caller bounds their number."""
        if self.state in (State.STARTING, State.UP):
            self._outbox.push(encode(frame, body), body, now=now)

    def offer(self, frame: ToWorker, body: bytes = b"", *, now: bool = False) -> str:
        """Sends a frame if it can be sent; returns "" or why not: `edge_full`, `worker_lost`, `shutdown`."""
        if self.state is State.STOPPED:
            return "shutdown"
        if self.state is State.DOWN:
            return "worker_lost"
        if not self._outbox.has_room(len(body)):
            return "edge_full"
        self._outbox.push(encode(frame, body), body, now=now)
        return ""

    def flush(self) -> None:
        """Writes what waits, as far as the worker takes it."""
        self._outbox.flush()

    @property
    def backlog(self) -> int:
        """Bytes that wait for the worker to read them."""
        return self._outbox.backlog

    async def until_started(self) -> None:
        """Waits while a worker is starting: until it runs, or does not."""
        await self._started.wait()

    async def stop(self, drain: float) -> None:
        """Asks the worker to finish within `drain` seconds; kills it a second later."""
        process = self._process
        if process is not None and self.state is not State.DOWN:
            self.send(Stop(drain), now=True)
            process.expect_end()
            self.state = State.STOPPED
            try:
                await asyncio.wait_for(process.ended.wait(), drain + _KILL_AFTER)
            except TimeoutError:
                logger.warning("mirror: the worker did not stop within %.1f s and is killed", drain)
                process.kill()
                await asyncio.wait([asyncio.ensure_future(process.ended.wait())], timeout=_KILL_AFTER)
            process.retire()
            self._outbox.close()
        self.state = State.STOPPED
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _keep_alive(self) -> None:
        failures = 0
        while True:
            born = self._loop.time()
            await self._run_one(shares=failures < _FAILURES_WITH_RING)
            if self.state is State.STOPPED:
                return
            failures = failures + 1 if self._loop.time() - born < _YOUNG else 1
            pause = _BACK_OFF[min(failures - 1, len(_BACK_OFF) - 1)]
            logger.warning(
                "mirror: the worker ended (%s); copies under way are lost, it is started again%s",
                self._process.farewell if self._process else "it could not be started",
                f" in {pause:g} s" if pause else "",
            )
            await asyncio.sleep(pause)
            self.restarts += 1
            self.state = State.STARTING
            self._started.clear()

    async def _run_one(self, *, shares: bool) -> None:
        """One worker's whole life; with memory of ours where it `shares`."""
        process = self._process = Child(self._outbox, self._receive)
        setup = self._owner.make_setup()
        try:
            stdin = await process.start(self._command, _environment(), shares=shares)
        except OSError as error:
            logger.error("mirror: the worker can't be started: %s", error)
        else:
            self.pid = process.pid
            self._outbox.open(stdin, encode(setup), process.ring)
            await self._watch(process)
        process.retire()
        if self.state is not State.STOPPED:
            self.state = State.DOWN
        self._started.set()
        self.pid = None
        self._outbox.close()
        self._owner.on_lost()

    async def _watch(self, process: Child) -> None:
        silent = 0
        while not process.ended.is_set():
            try:
                await asyncio.wait_for(process.ended.wait(), _LOOK)
            except TimeoutError:
                silent = silent + 1 if self._loop.time() - process.heard > self._silence else 0
                if silent >= 2:
                    logger.warning(
                        "mirror: the worker has said nothing for %g s and is killed", self._silence
                    )
                    process.kill()

    def _receive(self, frame: ToEdge, body: bytes) -> None:
        if isinstance(frame, Ready):
            if self.state is State.STARTING:
                self.state = State.UP
                self._started.set()
        elif isinstance(frame, Beat):
            return
        elif isinstance(frame, Taken):
            self._outbox.give_back(frame.count)
            return
        self._owner.on_frame(frame, body)


def _command() -> tuple[str, ...]:
    return (
        sys.executable,
        "-P",
        "-m",
        "traffic_mirror.worker",
    )  # -P: the working folder is no place for imports


def _environment() -> dict[str, str]:
    """Ours, with the package findable even where it is not installed but beside the addon."""
    home = str(Path(__file__).resolve().parents[2])
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([home, path] if path else [home])}
