"""The worker's life: it starts, works, watches who it works for, and ends in order."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import secrets
import signal
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from traffic_mirror.wire.frames import (
    Beat,
    Chunk,
    ChunkEnd,
    Control,
    Mirror,
    Primary,
    Ready,
    Setup,
    Socket,
    SpecState,
    Statistics,
    Stop,
    Tally,
    ToWorker,
    Unsent,
)
from traffic_mirror.worker.accounts import Accounts
from traffic_mirror.worker.address import Address, bind, is_loopback, parse_address
from traffic_mirror.worker.desk import Desk
from traffic_mirror.worker.page_data import PageData
from traffic_mirror.worker.pipes import Outlet, open_pipes
from traffic_mirror.worker.view import View

if TYPE_CHECKING:
    from traffic_mirror.worker.web import Web

logger = logging.getLogger(__name__)

_TICK = 1.0
_LOOK = 0.01
_FAREWELL = 0.5  # seconds for the last frames to be read
_PATIENCE = 2.0  # seconds beyond a drain after which a worker that hangs is ended from outside Python
_MAX_STATISTICS = 32 * 1024 * 1024  # bytes; what is kept over a restart, and no more
_SHARE = 50  # of its time the worker spends at most one part in so many on statistics


class Worker:
    """Holds the parts together. `run` returns the exit status."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._accounts = Accounts()
        self._setup: Setup | None = None
        self._stopping: asyncio.Future[float] = loop.create_future()
        self._deaf = False
        self._status = 0
        self._told = 0
        self._statistics_due = 0.0
        self._web: Web | None = None
        self._wanted = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._handlers: dict[type, Callable[[Any, bytes], None]] = {}
        self._outlet: Outlet
        self._desk: Desk
        self._view: View
        self._page: PageData

    async def run(self) -> int:
        """Works until told to stop, or until nobody is there to work for."""
        self._outlet = await open_pipes(self)
        self._desk = desk = Desk(self._accounts, self._outlet, self._loop)
        self._view = View(self._accounts, desk.lanes)
        self._page = PageData(self._view)
        self._handlers = {
            Mirror: desk.mirror,
            Primary: desk.primary,
            Chunk: desk.chunk,
            ChunkEnd: desk.chunk_end,
            Socket: desk.socket,
            Unsent: desk.unsent,
            Setup: self._set_up,
            SpecState: self._set_state,
            Tally: self._set_tally,
            Stop: self._stop,
        }
        self._loop.set_exception_handler(_on_exception)
        self._loop.add_signal_handler(signal.SIGTERM, self._ask_to_stop, None)
        self._spawn(self._tick(), "tick")
        await self._drain(await self._stopping)
        await self._close()
        return self._status

    def on_frame(self, frame: ToWorker, body: bytes) -> None:
        """Takes a frame from the edge."""
        handler = self._handlers.get(type(frame))
        if handler is None:
            return
        try:
            handler(frame, body)
        except MemoryError:
            raise  # the loop's exception handler ends us
        except Exception:
            logger.exception("a %s frame could not be handled", type(frame).__name__)
            if isinstance(frame, Setup):
                os._exit(1)  # what follows would be taken for the old spec's

    def on_end(self, error: str) -> None:
        """The edge has closed the pipe: what is under way is finished, if someone still listens."""
        if error:
            logger.error("%s", error)
            self._status = 1
        self._ask_to_stop(None)

    def on_deaf(self) -> None:
        """The edge is gone: there is nobody to work for."""
        self._deaf = True
        self._ask_to_stop(0.0)

    def _set_up(self, setup: Setup, _: bytes) -> None:
        first, self._setup = self._setup is None, setup
        self._desk.set_up(setup)
        self._page.set_up(setup)
        self._view.state, self._view.masker = setup.state, self._desk.masker
        if first:
            self._view.restarts, self._view.started = setup.restarts, setup.started
            self._accounts.set_base(setup.base, setup.verdicts)
            self._accounts.restore(setup.statistics)
            self._get_ready(setup)

    def _get_ready(self, setup: Setup) -> None:
        """Says where the page will be before it is there: the socket listens, its server is still loaded."""
        if not setup.listen:
            self._outlet.send(Ready(os.getpid()))
            return
        self._listen(setup.listen)

    def _listen(self, listen: str) -> None:
        """Binds the page's socket; while that is taken it is tried again, since whoever has it may go."""
        again, self._wanted = bool(self._wanted), ""
        try:
            sock = bind(parse_address(listen))
        except (OSError, ValueError) as error:
            if isinstance(error, OSError):
                self._wanted = listen
            if not again:
                why = error.strerror if isinstance(error, OSError) and error.strerror else error
                warning = f"no status page and metrics at {listen}: {why}"
                if self._wanted:
                    warning += "; tried again until it is free (mirror_listen names another address)"
                self._outlet.send(Ready(os.getpid(), warnings=(warning,)))
            return
        address = Address(*sock.getsockname()[:2])
        token = ""
        if not is_loopback(address.host):
            token = os.environ.get("MIRROR_TOKEN") or secrets.token_urlsafe(16)
        self._outlet.send(Ready(os.getpid(), str(address), token=token))
        self._spawn(self._open_web(sock, address, token), "open the page")

    async def _open_web(self, sock: socket.socket, address: Address, token: str) -> None:
        if token:
            shown = "MIRROR_TOKEN" if token == os.environ.get("MIRROR_TOKEN") else token
            logger.info("others than this machine see the status page at http://%s/?token=%s", address, shown)
        while self._web is None:
            try:
                # Here, since the first copies need not wait for it.
                from traffic_mirror.worker.web import Web  # noqa: PLC0415

                self._web = Web(self._view, self._page, self._control, address, token)
            except (ImportError, OSError) as error:  # too many files are open; some will be closed
                logger.warning("the status page can't be opened yet: %s", error)
                await asyncio.sleep(_TICK)
        self._web.serve(sock)

    def _control(self, action: str) -> None:
        self._outlet.send(Control(action))

    def _set_state(self, state: SpecState, _: bytes) -> None:
        self._view.state = state

    def _set_tally(self, tally: Tally, _: bytes) -> None:
        self._accounts.set_tally(tally.counts, paused=tally.paused)

    def _stop(self, stop: Stop, _: bytes) -> None:
        self._ask_to_stop(stop.drain)

    def _ask_to_stop(self, drain: float | None) -> None:
        if not self._stopping.done():
            kept = self._setup.drain if self._setup is not None else 0.0
            self._stopping.set_result(kept if drain is None else drain)
            faulthandler.dump_traceback_later((kept if drain is None else drain) + _PATIENCE, exit=True)
        elif drain == 0:
            faulthandler.dump_traceback_later(_PATIENCE, exit=True)

    async def _drain(self, seconds: float) -> None:
        deadline = self._loop.time() + seconds
        self._desk.expect_no_more()
        while not self._desk.idle and not self._deaf and self._loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK)  # many things may be the last to end; a stop may look around

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self._desk.close()
        self._tell_statistics()
        if self._web is not None:
            await self._web.close()
        await self._outlet.close(_FAREWELL)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            self._outlet.offer(Beat())
            try:
                await self._do_chores()
            except MemoryError:
                raise
            except Exception:  # without its beat the edge would take the worker for dead
                logger.exception("the worker could not put its things in order")

    async def _do_chores(self) -> None:
        await self._desk.sweep()
        if self._wanted:
            self._listen(self._wanted)
        self._page.tick(self._loop.time())
        if self._loop.time() >= self._statistics_due:
            self._tell_statistics()

    def _tell_statistics(self) -> None:
        ended = sum(sum(row.ended.values()) + sum(row.verdicts.values()) for row in self._accounts.own)
        if ended == self._told:
            return
        began = self._loop.time()
        body = self._accounts.keep()
        if len(body) <= _MAX_STATISTICS and self._outlet.offer(Statistics(), body):
            self._told = ended
        self._statistics_due = self._loop.time() + _SHARE * (self._loop.time() - began)

    def _spawn(self, work: Any, name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _on_exception(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Without memory nothing can be relied on: the edge starts another worker, and counts what was lost."""
    if isinstance(context.get("exception"), MemoryError):
        logger.critical("out of memory")
        os._exit(1)
    loop.default_exception_handler(context)
