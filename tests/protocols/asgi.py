"""A hypercorn that keeps what it is asked, over HTTP/1.1, 2 and 3 on one port."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config

from tests.certificates import Authority
from tests.waiting import wait_until

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as the application got it; names are in lower case, `host` holds the authority."""

    version: str
    method: str
    target: bytes
    scheme: str
    headers: Headers
    body: bytes

    def all(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key == name]


@dataclass(slots=True)
class AsgiServer:
    """A server that runs. `asked` are its requests."""

    port: int
    scheme: str
    asked: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def the(self, word: str) -> Asked:
        """The request with this word in its target, once it is there."""

        def found() -> list[Asked]:
            return [asked for asked in self.asked if word.encode() in asked.target]

        wait_until(found, 10, lambda: f"{word}, came: {[asked.target for asked in self.asked]}")
        (asked,) = found()
        return asked

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        pieces = []
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            pieces.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        query = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
        asked = Asked(
            scope["http_version"],
            scope["method"],
            target,
            scope["scheme"],
            [(bytes(name), bytes(value)) for name, value in scope["headers"]],
            b"".join(pieces),
        )
        self.asked.append(asked)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-answer", b"1")]})
        await send({"type": "http.response.body", "body": b"" if asked.method == "HEAD" else b"ok"})


def free_for_both() -> int:
    """A port that neither TCP nor UDP has taken a moment ago."""
    for _ in range(50):
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free for TCP and UDP")


@contextmanager
def asgi_server(authority: Authority | None, directory: Path, *, h3: bool = False) -> Iterator[AsgiServer]:
    """Starts one on loopback, with TLS where there is an authority, with HTTP/3 too where `h3` says so."""
    port = free_for_both()
    server = AsgiServer(port, "https" if authority else "http")
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.accesslog = config.errorlog = None
    config.graceful_timeout = 1
    config.shutdown_timeout = 1
    if authority is not None:
        certificate, key = authority.issue("127.0.0.1", "localhost")
        config.certfile, config.keyfile = str(certificate), str(key)
        config.alpn_protocols = ["h2", "http/1.1"]
        if h3:
            config.quic_bind = [f"127.0.0.1:{port}"]
    loop = asyncio.new_event_loop()
    stopping = asyncio.Event()

    async def run() -> None:
        await serve(server, config, shutdown_trigger=stopping.wait)

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), daemon=True)
    thread.start()
    try:
        wait_until(lambda: _answers(port), message="hypercorn")
        yield server
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(10)
        assert not thread.is_alive(), "hypercorn did not end"
        loop.close()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
