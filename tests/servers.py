"""Recording servers: raw sockets on loopback that keep every request's exact bytes.

What a server does with a request is a behaviour: a function of the connection and the message.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import BinaryIO, Self

from tests.http1 import Message, read_message

Headers = Sequence[tuple[str, str]]


class Connection:
    """One client's connection, as a behaviour sees it."""

    def __init__(self, sock: socket.socket, server: RecordingServer) -> None:
        self.socket = sock
        self.server = server

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def pause(self, seconds: float | None = None) -> None:
        """Does nothing for so long, or until the server stops."""
        self.server.stopping.wait(seconds)

    def close(self) -> None:
        """Ends the connection in order, whatever was answered."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """Ends the connection with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionAbortedError  # the thread lets go of the socket; only then does it close


Behaviour = Callable[[Connection, Message], None]


def response(status: int = 200, body: bytes = b"ok", headers: Headers = ()) -> bytes:
    """A response with a Content-Length, and else only the headers given."""
    fields = [*headers, ("Content-Length", str(len(body)))]
    head = f"HTTP/1.1 {status} Status\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields)
    return head.encode("latin-1") + b"\r\n" + body


def answering(status: int = 200, body: bytes = b"ok", headers: Headers = ()) -> Behaviour:
    """Always the same response (to HEAD without its body)."""
    whole = response(status, body, headers)
    head = whole[: len(whole) - len(body)]
    return lambda connection, request: connection.send(head if request.method == b"HEAD" else whole)


def sending(data: bytes, *, close: bool = False) -> Behaviour:
    """These very bytes, whatever they are."""

    def behave(connection: Connection, _: Message) -> None:
        connection.send(data)
        if close:
            connection.close()

    return behave


def computing(answer: Callable[[Message], bytes]) -> Behaviour:
    """The bytes that a function of the request gives."""
    return lambda connection, request: connection.send(answer(request))


def scripted(*behaviours: Behaviour) -> Behaviour:
    """One behaviour a request, in the order the requests come; the last one from then on."""
    lock = threading.Lock()
    left = list(behaviours)

    def behave(connection: Connection, request: Message) -> None:
        with lock:
            chosen = left.pop(0) if len(left) > 1 else left[0]
        chosen(connection, request)

    return behave


def routed(routes: dict[str, Behaviour], otherwise: Behaviour) -> Behaviour:
    """By the target's path, without its query."""
    return lambda connection, request: routes.get(request.target.split(b"?")[0].decode("latin-1"), otherwise)(
        connection, request
    )


def never(connection: Connection, _: Message) -> None:
    """Reads the request and answers nothing, the connection left open."""
    connection.pause()


def closing(connection: Connection, _: Message) -> None:
    """Reads the request and closes."""
    connection.close()


def resetting(connection: Connection, _: Message) -> None:
    """Reads the request and resets."""
    connection.reset()


def slow(seconds: float, then: Behaviour | None = None) -> Behaviour:
    """Answers after so long."""
    behaviour = then or answering()

    def behave(connection: Connection, request: Message) -> None:
        connection.pause(seconds)
        behaviour(connection, request)

    return behave


def tunnelling(connection: Connection, request: Message) -> None:
    """A proxy that connects to where a CONNECT says, and passes on what either side sends."""
    host, _, port = request.target.decode().rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port))) as far:
        connection.send(b"HTTP/1.1 200 Connected\r\n\r\n")
        ends = {connection.socket: far, far: connection.socket}
        for end in ends:  # small pieces that wait for each other take 40 ms each
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while not connection.server.stopping.is_set():
            for end in select.select(list(ends), [], [], 0.1)[0]:
                data = end.recv(65536)
                while isinstance(end, ssl.SSLSocket) and end.pending():
                    data += end.recv(65536)
                if not data:
                    return connection.close()
                ends[end].sendall(data)
    return None


def dripping(body: bytes, every: float) -> Behaviour:
    """A response whose body comes byte by byte, `every` seconds one."""

    def behave(connection: Connection, _: Message) -> None:
        connection.send(response(body=body)[: -len(body)])
        for position in range(len(body)):
            connection.send(body[position : position + 1])
            connection.pause(every)

    return behave


class Gate:
    """Holds answers back until the test opens it."""

    def __init__(self, then: Behaviour | None = None) -> None:
        self._then = then or answering()
        self._opened = threading.Event()

    def open(self) -> None:
        self._opened.set()

    def __call__(self, connection: Connection, request: Message) -> None:
        while not self._opened.wait(0.05):
            if connection.server.stopping.is_set():
                return
        self._then(connection, request)


class RecordingServer:
    """An HTTP/1.1 server with a thread a connection; its requests are kept as they came.

    Use it in a `with` statement. `requests` is a snapshot; `wait_for(n)` waits for the first n.
    `behaviour` may be changed while it runs.
    """

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        listener: socket.socket | None = None,
        tls: ssl.SSLContext | None = None,
        backlog: int = 256,
    ) -> None:
        self.behaviour = behaviour or answering()
        self.stopping = threading.Event()
        self._tls = tls
        self._requests: list[Message] = []
        self._arrived = threading.Condition()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self.connections = 0
        self._listener = listener or socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=backlog
        )
        self._listener.settimeout(0.5)  # not every system ends an accept when its socket is closed
        self.host, self.port = self._listener.getsockname()[:2]

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}"

    @property
    def requests(self) -> tuple[Message, ...]:
        with self._arrived:
            return tuple(self._requests)

    def wait_for(self, count: int, timeout: float = 10.0) -> tuple[Message, ...]:
        """The requests, once there are `count` of them; more than that is an error."""
        with self._arrived:
            self._arrived.wait_for(lambda: len(self._requests) >= count, timeout)
            got = tuple(self._requests)
        lines = [request.first_line for request in got[:20]]
        assert len(got) == count, f"expected {count} requests, {len(got)} came: {lines}"
        return got

    def forget(self) -> None:
        """Forgets the requests so far."""
        with self._arrived:
            self._requests.clear()

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._arrived:
            still_open = list(self._open)
        for sock in still_open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive(), "a server's thread did not end"

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self.connections += 1
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        try:
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                sock.settimeout(10)
                sock = self._tls.wrap_socket(sock, server_side=True)
                sock.settimeout(None)
            with self._arrived:
                self._open.add(sock)
            with sock.makefile("rb") as reader:
                self._converse(Connection(sock, self), reader)
        except (OSError, ValueError):
            pass  # the client went, or the test closed the connection
        finally:
            with self._arrived:
                self._open.discard(sock)
            sock.close()

    def _converse(self, connection: Connection, reader: BinaryIO) -> None:
        while not self.stopping.is_set():
            request = read_message(reader)
            if request is None:
                return
            with self._arrived:
                self._requests.append(request)
                self._arrived.notify_all()
            if not request.complete:
                return
            self.behaviour(connection, request)


@contextlib.contextmanager
def refused_port() -> Iterator[int]:
    """A port of 127.0.0.1 that refuses connections and that nobody else gets meanwhile."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@contextlib.contextmanager
def refused_datagrams() -> Iterator[int]:
    """A UDP port of 127.0.0.1 that refuses datagrams of all but one other port, and is nobody else's."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock, socket.socket(type=socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        sock.bind(("127.0.0.1", 0))
        sock.connect(peer.getsockname())
        yield sock.getsockname()[1]


def free_port() -> int:
    """A port that was free a moment ago; for programs that can't be asked to choose one."""
    with refused_port() as port:
        return port
