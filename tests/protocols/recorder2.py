"""An HTTP/2 server that keeps each request's fields as they stood: order, case, duplicates, split cookies."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from tests.waiting import wait_until

Fields = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Recorded:
    """One request; `head` begins with its pseudo-header fields. `reset` says that the client broke it off."""

    head: Fields
    body: bytes = b""
    trailers: Fields = field(default_factory=list)
    complete: bool = False
    reset: bool = False

    @property
    def pseudo(self) -> dict[bytes, bytes]:
        return {name: value for name, value in self.head if name.startswith(b":")}

    @property
    def headers(self) -> Fields:
        """All other fields, in order."""
        return [(name, value) for name, value in self.head if not name.startswith(b":")]


@dataclass(slots=True)
class Recorder:
    """A recorder that runs. `requests` are all that came, those under way too, on so many `connections`."""

    port: int
    scheme: str
    requests: list[Recorded] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def heads_without_markers(self) -> list[list[tuple[bytes, bytes]]]:
        """Each request's head, but for what no two copies have alike."""
        return [
            [field for field in got.head if b"-id" not in field[0] and b"time" not in field[0]]
            for got in self.requests
        ]

    def the_only(self) -> Recorded:
        """The one request, once it is complete."""
        wait_until(lambda: any(got.complete for got in self.requests), 10, lambda: f"one: {self.requests}")
        (got,) = self.requests
        return got


@contextlib.contextmanager
def recorder2(tls: ssl.SSLContext | None = None, unix: Path | None = None) -> Iterator[Recorder]:
    """Starts one on loopback or a unix socket: with TLS and ALPN where there is a context, else for prior
    knowledge."""
    if tls is not None:
        tls.set_alpn_protocols(["h2"])
    with _listener(unix) as listener:
        recorder = Recorder(0 if unix else listener.getsockname()[1], "https" if tls else "http")
        thread = threading.Thread(target=_serve, args=(listener, tls, recorder), daemon=True)
        thread.start()
        yield recorder
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def _listener(unix: Path | None) -> socket.socket:
    if unix is None:
        return socket.create_server(("127.0.0.1", 0))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(unix))
    listener.listen()
    return listener


def _serve(listener: socket.socket, tls: ssl.SSLContext | None, recorder: Recorder) -> None:
    with contextlib.suppress(OSError):
        while True:
            sock, _ = listener.accept()
            recorder.connections += 1
            threading.Thread(target=_converse, args=(sock, tls, recorder), daemon=True).start()


def _converse(sock: socket.socket, tls: ssl.SSLContext | None, recorder: Recorder) -> None:
    # Nothing is checked or put in order: what came is what is wanted.
    config = h2.config.H2Configuration(
        client_side=False,
        header_encoding=None,
        validate_inbound_headers=False,
        normalize_inbound_headers=False,
    )
    connection = h2.connection.H2Connection(config)
    connection.initiate_connection()
    connection.decoder.max_header_list_size = 1 << 24  # a client may send more than it is told to
    open_: dict[int, Recorded] = {}
    with contextlib.suppress(OSError, h2.exceptions.ProtocolError), contextlib.ExitStack() as closing:
        sock = closing.enter_context(tls.wrap_socket(sock, server_side=True) if tls else sock)
        sock.sendall(connection.data_to_send())
        while data := sock.recv(65536):
            for event in connection.receive_data(data):
                _take(event, connection, open_, recorder)
            sock.sendall(connection.data_to_send())


def _take(
    event: h2.events.Event,
    connection: h2.connection.H2Connection,
    open_: dict[int, Recorded],
    recorder: Recorder,
) -> None:
    if isinstance(event, h2.events.RequestReceived):
        open_[event.stream_id] = got = Recorded(_plain(event.headers))
        recorder.requests.append(got)
    elif isinstance(event, h2.events.DataReceived):
        open_[event.stream_id].body += event.data
        connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
    elif isinstance(event, h2.events.TrailersReceived):
        open_[event.stream_id].trailers = _plain(event.headers)
    elif isinstance(event, h2.events.StreamReset):
        open_[event.stream_id].reset = True
    elif isinstance(event, h2.events.StreamEnded):
        answer = [(b":status", b"200"), (b"content-length", b"0")]
        connection.send_headers(event.stream_id, answer, end_stream=True)
        open_[event.stream_id].complete = True


def _plain(headers: object) -> Fields:
    return [(bytes(name), bytes(value)) for name, value in headers]  # type: ignore[attr-defined]
