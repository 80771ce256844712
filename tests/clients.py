"""Clients that send exact bytes, and curl where a real one is wanted."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from tests.http1 import Message, read_message
from tests.programs import find


class Client:
    """One keep-alive connection. Use it in a `with` statement."""

    def __init__(self, port: int, *, host: str = "127.0.0.1", timeout: float = 15.0) -> None:
        self.socket = socket.create_connection((host, port), timeout)
        self._reader = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self, method: bytes = b"GET") -> Message:
        """The next response, to a request of this method."""
        answer = read_message(self._reader, answers=method)
        assert answer is not None, "the connection ended without a response"
        return answer

    def exchange(self, data: bytes) -> Message:
        """Sends a whole request's bytes and reads the response."""
        self.send(data)
        return self.receive(data.split(b" ", 1)[0])

    def start_tls(self, context: ssl.SSLContext, name: str) -> None:
        """Goes on with TLS, as after a CONNECT."""
        self._reader.close()
        self.socket = context.wrap_socket(self.socket, server_hostname=name)
        self._reader = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._reader.close()
        self.socket.close()


def exchange(port: int, data: bytes) -> Message:
    """One request over a connection of its own."""
    with Client(port) as client:
        return client.exchange(data)


def request(
    target: str,
    *,
    method: str = "GET",
    host: str = "api.example.test",
    headers: Sequence[tuple[str, str]] = (),
    body: bytes | None = None,
) -> bytes:
    """A request's bytes, with a Host and, where there is a body, a Content-Length."""
    fields = [("Host", host), *headers]
    if body is not None:
        fields.append(("Content-Length", str(len(body))))
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def curl(*arguments: str, timeout: float = 30.0, prefix: Sequence[str] = ()) -> str:
    """What curl printed; its failure is an error with its message."""
    done = subprocess.run(
        [*prefix, find("curl") or "curl", "--silent", "--show-error", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"curl {' '.join(arguments)}: {done.returncode}: {done.stderr}"
    return done.stdout
