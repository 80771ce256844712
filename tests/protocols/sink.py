"""A server that only counts: a program of its own, so that large uploads do not share the test's interpreter.

It prints its port, then a line for each request: its body's bytes, their CRC-32, whether the end was reached.
"""

from __future__ import annotations

import contextlib
import mmap
import re
import socket
import subprocess
import sys
import tempfile
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

_PIECE = 1024 * 1024
_shared: mmap.mmap | None = None  # in the sink's own process, what `Sink.taken` reads


@dataclass(frozen=True, slots=True)
class Swallowed:
    """One request's body."""

    size: int
    crc: int
    complete: bool


class Sink:
    """A sink that runs in a process of its own. `taken` is how many bytes of bodies it has read so far."""

    def __init__(self, process: subprocess.Popen[bytes], taken: mmap.mmap) -> None:
        assert process.stdout is not None
        self.process = process
        self._taken = taken
        self._lines = process.stdout
        self.port = int(self._lines.readline())

    @property
    def taken(self) -> int:
        return int.from_bytes(self._taken[:8], "little")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def swallowed(self) -> Swallowed:
        """The next request's body; waits for its end."""
        size, crc, complete = self._lines.readline().split()
        return Swallowed(int(size), int(crc), complete == b"1")


@contextlib.contextmanager
def sink() -> Iterator[Sink]:
    """Starts one on loopback."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(8))
        file.flush()
        command = [sys.executable, str(Path(__file__)), file.name]
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE) as process,
            mmap.mmap(file.fileno(), 8) as taken,
        ):
            try:
                yield Sink(process, taken)
            finally:
                process.kill()


def serve(listener: socket.socket) -> None:
    """Takes connections for ever, a thread each."""
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_converse, args=(connection,), daemon=True).start()


def _converse(connection: socket.socket) -> None:
    with connection, connection.makefile("rb", _PIECE) as file, contextlib.suppress(OSError, ValueError):
        reader = cast("BinaryIO", file)
        while head := _read_head(reader):
            length = re.search(rb"(?im)^content-length: *(\d+)", head)
            swallowed = _read_chunks(reader) if length is None else _read(reader, int(length[1]))
            print(swallowed.size, swallowed.crc, int(swallowed.complete), flush=True)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def _read_head(reader: BinaryIO) -> bytes:
    head = b""
    while line := reader.readline():
        head += line
        if line == b"\r\n":
            return head
    return b""


def _read(reader: BinaryIO, length: int, crc: int = 0) -> Swallowed:
    left, buffer = length, bytearray(_PIECE)
    view = memoryview(buffer)
    while left and (count := reader.readinto1(view[: min(left, _PIECE)])):  # type: ignore[attr-defined]
        crc = zlib.crc32(view[:count], crc)
        left -= count
        if _shared is not None:
            _shared[:8] = (int.from_bytes(_shared[:8], "little") + count).to_bytes(8, "little")
    return Swallowed(length - left, crc, not left)


def _read_chunks(reader: BinaryIO) -> Swallowed:
    size, crc = 0, 0
    while chunk := int(reader.readline() or b"-1", 16):
        if chunk < 0:
            return Swallowed(size, crc, complete=False)
        part = _read(reader, chunk, crc)
        size, crc = size + part.size, part.crc
        if not part.complete or reader.readline() != b"\r\n":
            return Swallowed(size, crc, complete=False)
    return Swallowed(size, crc, reader.readline() == b"\r\n")


if __name__ == "__main__":
    with open(sys.argv[1], "r+b") as file:  # noqa: PTH123 - mmap wants the file
        _shared = mmap.mmap(file.fileno(), 8)
    sock = socket.create_server(("127.0.0.1", 0))
    print(sock.getsockname()[1], flush=True)
    serve(sock)
