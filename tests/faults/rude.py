"""Servers that misbehave before, while or after they read a request, and can be mended while they run."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from collections.abc import Callable

from tests.servers import Behaviour, Connection, RecordingServer

Greeting = Callable[[socket.socket], None]


class RudeServer(RecordingServer):
    """What `greeting` does to a new connection comes before any request is read; None: nothing."""

    def __init__(self, greeting: Greeting | None = None, behaviour: Behaviour | None = None) -> None:
        super().__init__(behaviour)
        self.greeting = greeting

    def _serve(self, sock: socket.socket) -> None:
        if self.greeting is None:
            super()._serve(sock)
            return
        with contextlib.suppress(OSError), sock:
            self.greeting(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def at_once(_: socket.socket) -> None:
    """A reset as soon as the connection is there."""


def after_the_head(sock: socket.socket) -> None:
    """A reset once the request's head is read."""
    read_until(sock, b"\r\n\r\n")


def within_the_body(sock: socket.socket) -> None:
    """A reset some way into the request's body."""
    read_until(sock, b"\r\n\r\n")
    sock.recv(1000)


def silence(sock: socket.socket) -> None:
    """Reads nothing and says nothing until the other end has given up, or long enough."""
    poll = select.poll()
    poll.register(sock, select.POLLHUP | select.POLLERR)
    poll.poll(3000)


def read_until(sock: socket.socket, end: bytes) -> None:
    sock.settimeout(10)
    seen = b""
    while end not in seen and (data := sock.recv(256)):
        seen += data


def then_reset(data: bytes) -> Behaviour:
    """Reads the request, sends these bytes, resets."""

    def behave(connection: Connection, _: object) -> None:
        connection.send(data)
        connection.reset()

    return behave


def endless(head: bytes, piece: bytes) -> Behaviour:
    """A head, and then the same piece as long as the other end takes it."""

    def behave(connection: Connection, _: object) -> None:
        connection.send(head)
        while not connection.server.stopping.is_set():
            connection.send(piece)

    return behave
