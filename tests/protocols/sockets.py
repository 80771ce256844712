"""A WebSocket server of the `websockets` library that keeps what each connection said, in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

Behaviour = Callable[[ServerConnection], None]


@dataclass(slots=True)
class Heard:
    """One connection: its request, its messages, and how it closed (1006: it broke off)."""

    path: str
    headers: list[tuple[str, str]]
    subprotocol: str | None
    messages: list[str | bytes] = field(default_factory=list)
    closed: tuple[int | None, str | None] | None = None


@dataclass(slots=True)
class SocketServer:
    """A server that runs. `heard` are its connections; `refuse` is the status for upgrades, 0 takes them."""

    port: int = 0
    refuse: int = 0
    heard: list[Heard] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def echo(connection: ServerConnection) -> None:
    """Answers every message with itself."""
    heard: Heard = connection.heard  # type: ignore[attr-defined]
    for message in connection:
        heard.messages.append(message)
        connection.send(message if len(message) < 1000 else "much")


def listen(connection: ServerConnection) -> None:
    """Says nothing."""
    heard: Heard = connection.heard  # type: ignore[attr-defined]
    for message in connection:
        heard.messages.append(message)


@contextmanager
def socket_server(behaviour: Behaviour = listen, **options: object) -> Iterator[SocketServer]:
    """Starts one on loopback; `options` are those of `websockets.sync.server.serve`."""
    server = SocketServer()

    def handle(connection: ServerConnection) -> None:
        assert connection.request is not None
        headers = list(connection.request.headers.raw_items())
        heard = Heard(connection.request.path, headers, connection.subprotocol)
        connection.heard = heard  # type: ignore[attr-defined]
        server.heard.append(heard)
        try:
            behaviour(connection)
        except ConnectionClosed:
            pass
        finally:
            connection.close()
            heard.closed = connection.close_code, connection.close_reason

    def process(connection: ServerConnection, _: Request) -> Response | None:
        return connection.respond(server.refuse, "no\n") if server.refuse else None

    settings = {"max_size": None, "process_request": process, "compression": None, **options}
    with serve(handle, "127.0.0.1", 0, **settings) as running:  # type: ignore[arg-type]
        server.port = running.socket.getsockname()[1]
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield server
        running.shutdown()
    thread.join(5)
