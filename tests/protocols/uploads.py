"""A large upload by a client that stays just ahead of what the destinations have taken."""

from __future__ import annotations

import os
import socket
import zlib
from collections.abc import Sequence
from pathlib import Path

from tests.clients import Client
from tests.http1 import Message
from tests.protocols.sink import Sink, Swallowed
from tests.waiting import wait_until

MIB = 1024 * 1024
_AHEAD = 16 * MIB


def upload(
    port: int, size: int, *, chunked: bool, pace: Sequence[Sink], target: str = "/upload"
) -> tuple[Message, Swallowed]:
    """Sends `size` bytes, whole MiB; the answer, and what whoever got it must have swallowed.

    It is never more than 16 MiB ahead of the slowest of `pace`: loopback is faster than what two cores can
    pass on, and what is dropped then says nothing.
    """
    piece = os.urandom(MIB)
    crc, before = 0, [sink.taken for sink in pace]
    how = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    with Client(port, timeout=60) as client:
        client.send(f"POST {target} HTTP/1.1\r\nHost: h.test\r\n{how}\r\n\r\n".encode())
        for sent in range(0, size, MIB):

            def near(least: int = sent - _AHEAD) -> bool:
                return all(sink.taken - start >= least for sink, start in zip(pace, before, strict=True))

            wait_until(near, 60, f"a destination to take what was sent, {sent} bytes so far")
            client.send(b"%x\r\n%b\r\n" % (MIB, piece) if chunked else piece)
            crc = zlib.crc32(piece, crc)
        if chunked:
            client.send(b"0\r\n\r\n")
        return client.receive(b"POST"), Swallowed(size, crc, complete=True)


def memory(pid: int) -> tuple[float, float]:
    """The resident memory of a process now, and at most so far, in MiB (Linux)."""
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
    )
    return int(fields["VmRSS"].split()[0]) / 1024, int(fields["VmHWM"].split()[0]) / 1024


def stuck_listener() -> socket.socket:
    """Accepts connections and reads nothing from them."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener
