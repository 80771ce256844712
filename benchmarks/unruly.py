"""Servers that misbehave, each in one way: `python -m benchmarks.unruly PORT…`, a port for each of `WAYS`."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
from collections.abc import Callable
from functools import partial
from typing import cast

HEAD = b"HTTP/1.1 200 OK\r\n"

_LATE = 3.0  # seconds
_EVERY = 1.0
_MUCH = b"x" * (1 << 20)
_numbers = itertools.count()


class _Server(asyncio.Protocol):
    """Calls its way for each piece of a request; a small request is one piece.

    `again` is called each time that more may be written.
    """

    def __init__(
        self, way: Callable[[asyncio.Transport], None], again: Callable[[asyncio.Transport], None]
    ) -> None:
        self._way = way
        self._again = again
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, _: bytes) -> None:
        """Asyncio's."""
        if self._transport is not None and not self._transport.is_closing():
            self._way(self._transport)

    def resume_writing(self) -> None:
        """Asyncio's."""
        if self._transport is not None and not self._transport.is_closing():
            self._again(self._transport)


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


def _begin_to_pour(transport: asyncio.Transport) -> None:
    transport.write(HEAD + b"\r\n")
    _pour(transport)


def _pour(transport: asyncio.Transport) -> None:
    """Writes until it has to wait for whoever reads, and is called again then."""
    while not transport.get_write_buffer_size() and not transport.is_closing():
        transport.write(_MUCH)


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


def _hold_still(_: asyncio.Transport) -> None:
    """Does nothing."""


def _fail(transport: asyncio.Transport) -> None:
    transport.write(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")


WAYS: dict[str, Callable[[asyncio.Transport], None]] = {
    "resets": _reset,
    "garbles": _garble,
    "floods": _flood,
    "never-ends": _begin_to_pour,
    "hangs-up": _hang_up,
    "is-late": _be_late,
    "drips": _drip,
    "invents": _invent,
    "fails": _fail,
    "is-silent": _hold_still,
}
_AGAIN = {"never-ends": _pour}


async def main(ports: list[int]) -> None:
    """Listens on all of them until it is interrupted."""
    loop = asyncio.get_running_loop()
    for port, (name, way) in zip(ports, WAYS.items(), strict=True):
        server = partial(_Server, way, _AGAIN.get(name, _hold_still))
        await loop.create_server(server, "127.0.0.1", port, backlog=4096)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main([int(port) for port in sys.argv[1:]]))
