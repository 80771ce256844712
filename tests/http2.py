"""An HTTP/2 client for one request, whose header fields go out exactly as given."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

import h2.config
import h2.connection
import h2.events

Fields = Sequence[tuple[bytes, bytes]]


def connect(port: int, authority: str, *, ca: Path, timeout: float = 15.0) -> ssl.SSLSocket:
    """A TLS connection that has agreed on HTTP/2, through the proxy at `port` (by CONNECT) to `authority`."""
    raw = socket.create_connection(("127.0.0.1", port), timeout)
    raw.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += raw.recv(1) or b"\r\n\r\n"
    assert answer.split(b" ")[1] == b"200", answer
    context = ssl.create_default_context(cafile=str(ca))
    context.set_alpn_protocols(["h2"])
    secure = context.wrap_socket(raw, server_hostname=authority.rpartition(":")[0])
    assert secure.selected_alpn_protocol() == "h2"
    return secure


def exchange(sock: socket.socket, fields: Fields, body: bytes = b"", trailers: Fields = ()) -> int:
    """Sends one request, pseudo-header fields included, and returns the response's status."""
    settings = h2.config.H2Configuration(
        client_side=True, header_encoding=None, normalize_outbound_headers=False
    )
    connection = h2.connection.H2Connection(settings)
    connection.initiate_connection()
    connection.send_headers(1, list(fields), end_stream=not body and not trailers)
    if body:
        connection.send_data(1, body, end_stream=not trailers)
    if trailers:
        connection.send_headers(1, list(trailers), end_stream=True)
    sock.sendall(connection.data_to_send())
    status = 0
    while data := sock.recv(65536):
        for event in connection.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                status = int(dict(event.headers or ())[b":status"])
            elif isinstance(event, h2.events.StreamEnded):
                return status
            elif isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
                raise AssertionError(f"the proxy refused the request: {event}")
        sock.sendall(connection.data_to_send())
    raise AssertionError("the connection ended without a response")
