"""Servers that misbehave, each in one way: `python -m benchmarks.unruly PORT…`, a port for each of `WAYS`."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
from collections.abc import Callable
from typing import cast

HEAD = b"HTTP/1.1 200 OK\r\n"

_LATE = 3.0  # seconds
_EVERY = 1.0
_numbers = itertools.count()


class _Server(asyncio.Protocol):
    """Calls its way for each piece of a request; a small request is one piece."""

    def __init__(self, way: Callable[[asyncio.Transport], None]) -> None:
        self._way = way
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, _: bytes) -> None:
        """Asyncio's."""
        if self._transport is not None and not self._transport.is_closing():
            self._way(self._transport)


def _answer(transport: asyncio.Transport, body: bytes, kind: bytes = b"text/plain") -> None:
    if not transport.is_closing():
        length = b"Content-Length: %d\r\n\r\n" % len(body)
        transport.write(HEAD + b"Content-Type: " + kind + b"\r\n" + length + body)


def _reset(transport: asyncio.Transport) -> None:
    transport.abort()


def _garble(transport: asyncio.Transport) -> None:
    transport.write(b"\x00\xff\x13 this is no HTTP\r\n\r\n")
    transport.close()


def _flood(transport: asyncio.Transport) -> None:
    transport.write(HEAD + b"\r\n" + b"x" * (4 << 20))
    transport.close()


def _hang_up(transport: asyncio.Transport) -> None:
    _answer(transport, b"ok")
    transport.close()


def _be_late(transport: asyncio.Transport) -> None:
    asyncio.get_running_loop().call_later(_LATE, _answer, transport, b"late")


def _drip(transport: asyncio.Transport) -> None:
    transport.write(HEAD + b"Content-Length: 1000\r\n\r\n")
    _drop(transport)


def _drop(transport: asyncio.Transport) -> None:
    if not transport.is_closing():
        transport.write(b"x")
        asyncio.get_running_loop().call_later(_EVERY, _drop, transport)


def _invent(transport: asyncio.Transport) -> None:
    """Answers that always differ, in ever new places."""
    number = next(_numbers)
    body = {"ok": True, f"new-{number}": number, "list": [{f"k{number % 977}": "x" * (number % 300)}]}
    _answer(transport, json.dumps(body).encode(), b"application/json")


def _fail(transport: asyncio.Transport) -> None:
    transport.write(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")


WAYS: dict[str, Callable[[asyncio.Transport], None]] = {
    "resets": _reset,
    "garbles": _garble,
    "floods": _flood,
    "hangs-up": _hang_up,
    "is-late": _be_late,
    "drips": _drip,
    "invents": _invent,
    "fails": _fail,
    "is-silent": lambda _: None,
}


async def main(ports: list[int]) -> None:
    """Listens on all of them until it is interrupted."""
    loop = asyncio.get_running_loop()
    for port, way in zip(ports, WAYS.values(), strict=True):
        await loop.create_server(lambda way=way: _Server(way), "127.0.0.1", port, backlog=4096)  # type: ignore[misc]
    await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main([int(port) for port in sys.argv[1:]]))
