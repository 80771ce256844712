"""HTTP/1.1 messages as bytes: read from a socket exactly as they came, nothing normalised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO, Protocol

BODILESS = (b"1", b"204", b"304")


class Reader(Protocol):
    """What a message is read from: `socket.makefile("rb")` is one."""

    def read(self, size: int, /) -> bytes: ...

    def readline(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it came: `head` up to and with the empty line, `raw_body` with its chunk framing.

    `body` is `raw_body` without the framing. `complete` is False where the connection ended early.
    """

    head: bytes
    body: bytes = b""
    raw_body: bytes = b""
    complete: bool = True

    @property
    def raw(self) -> bytes:
        return self.head + self.raw_body

    @property
    def first_line(self) -> bytes:
        return self.head.split(b"\r\n", 1)[0]

    @property
    def method(self) -> bytes:
        return self.first_line.split(b" ", 1)[0]

    @property
    def target(self) -> bytes:
        """A request's target, all between the first and the last space of its first line."""
        return self.first_line.split(b" ", 1)[1].rsplit(b" ", 1)[0]

    @property
    def status(self) -> int:
        """A response's status."""
        return int(self.first_line.split(b" ", 2)[1])

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Names and values in order, case and duplicates kept."""
        lines = self.head.split(b"\r\n")[1:-2]
        return [(name, value.strip(b" \t")) for name, _, value in (line.partition(b":") for line in lines)]

    def all(self, name: bytes | str) -> list[bytes]:
        """Every value of a header, in order; the name in any case."""
        wanted = (name.encode() if isinstance(name, str) else name).lower()
        return [value for key, value in self.headers if key.lower() == wanted]

    def header(self, name: bytes | str) -> bytes | None:
        """A header's only value, None where it is absent; a duplicate is an error."""
        values = self.all(name)
        assert len(values) < 2, f"{name!r} came {len(values)} times: {values}"
        return values[0] if values else None


def read_message(reader: BinaryIO | Reader, *, answers: bytes | None = None) -> Message | None:
    """The next message, None at the end of the connection.

    `answers` is the method of the request that a response belongs to, and None for a request.
    """
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = reader.readline()
        if not line:
            return Message(head, complete=False) if head else None
        head += line
        if head == b"\r\n":  # an empty line before a request is allowed
            head = b""
    message = Message(head)
    is_response = answers is not None
    if is_response and (answers == b"HEAD" or str(message.status).encode().startswith(BODILESS)):
        return message
    if b"chunked" in (message.header(b"transfer-encoding") or b"").lower():
        return _read_chunked(head, reader)
    length = message.header(b"content-length")
    if length is None and not is_response:
        return message
    body = reader.read(-1 if length is None else int(length))
    return Message(head, body, body, complete=length is None or len(body) == int(length))


def _read_chunked(head: bytes, reader: BinaryIO | Reader) -> Message:
    raw, body = bytearray(), bytearray()
    while True:
        size_line = reader.readline()
        raw += size_line
        if not size_line:
            return Message(head, bytes(body), bytes(raw), complete=False)
        size = int(size_line.split(b";")[0], 16)
        if size == 0:
            break
        chunk = reader.read(size + 2)
        raw += chunk
        body += chunk[:size]
        if len(chunk) < size + 2:
            return Message(head, bytes(body), bytes(raw), complete=False)
    while True:  # trailers
        line = reader.readline()
        raw += line
        if line in (b"\r\n", b""):
            return Message(head, bytes(body), bytes(raw), complete=bool(line))
