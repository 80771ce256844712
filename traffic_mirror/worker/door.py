"""The page's door: takes connections, so many and no more, since each holds one of the worker's few files.

Whoever comes when all places are taken gets the place of the one who came first: slow clients, however
many, neither keep a person's page away nor a copy's connection.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable

from tornado.iostream import IOStream

logger = logging.getLogger(__name__)

MAX_CONNECTIONS = 64

_AT_ONCE = 32
_PAUSE = 1.0  # seconds, when the system gives no more files

Serve = Callable[[IOStream, tuple[str, int]], object]


class Door:
    """Accepts on a listening `sock` and hands each connection to `serve`."""

    def __init__(self, sock: socket.socket, serve: Serve) -> None:
        self._sock = sock
        self._serve = serve
        self._loop = asyncio.get_running_loop()
        self._inside: deque[IOStream] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._said = False
        self._open()

    def close(self) -> None:
        """Lets nobody in any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._sock)
        self._sock.close()

    def _open(self) -> None:
        self._timer = None
        self._loop.add_reader(self._sock, self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, address = self._sock.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:  # too many files: trying on would only burn time
                self._shut_for_a_while(error)
                return
            stream = IOStream(connection)
            self._make_room()
            self._inside.append(stream)
            self._serve(stream, address)

    def _make_room(self) -> None:
        if len(self._inside) >= MAX_CONNECTIONS:
            self._inside = deque(stream for stream in self._inside if not stream.closed())
        while len(self._inside) >= MAX_CONNECTIONS:
            self._inside.popleft().close()

    def _shut_for_a_while(self, error: OSError) -> None:
        self._loop.remove_reader(self._sock)
        self._timer = self._loop.call_later(_PAUSE, self._open)
        if not self._said:
            self._said = True
            logger.warning("the status page takes no connections for now: %s", error.strerror or error)
