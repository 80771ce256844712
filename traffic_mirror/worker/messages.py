"""What HTTP/2 and 3 have in common: a request's head as it travels, and an answer noted within bounds."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence

import pycurl

from traffic_mirror.copies import Copy
from traffic_mirror.copies.request import Fields
from traffic_mirror.worker.sender import Sent
from traffic_mirror.worker.upload import declared_size

MOST_OF_HEADS = 300 * 1024
"""Bytes of an answer's header fields: libcurl's MAX_HTTP_RESP_HEADER_SIZE."""
TOO_LARGE = 100
"""What libcurl calls more of them: CURLE_TOO_LARGE."""
_STATUS = re.compile(rb"[1-9][0-9][0-9]")
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_NOT_IN_VALUES = re.compile(rb"[\0-\x08\n-\x1f\x7f]")
_OF_CONNECTIONS = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)

Over = Callable[[Sent], None]


class OutOfBounds(ValueError):  # noqa: N818 - it says what the answer is
    """An answer is larger than it may be; `code` is what libcurl calls that."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Answer:
    """An answer as it arrives, kept as libcurl keeps it, and its one end: `over` is called once, unless it
    is given up.

    `version` is as libcurl names it. Up to `keep` bytes of the body are wanted; one of more than `limit` is
    out of bounds. `began` is the loop's time from which its times count.
    """

    def __init__(self, version: str, keep: int, limit: int, began: float, over: Over) -> None:
        self._version = version
        self._keep = keep
        self._limit = limit
        self._began = began
        self._over: Over | None = over
        self._telling: asyncio.Handle | None = None
        self._loop = asyncio.get_running_loop()
        self._sent = Sent(pycurl.E_ABORTED_BY_CALLBACK, "given up")
        self._head_bytes = 0
        self._body_bytes = 0
        self._chunks: list[bytes] = []

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._over is None

    @property
    def status(self) -> int:
        """The final one; 0 while there is none."""
        return self._sent.status

    @property
    def lacking(self) -> int:
        """Bytes of the body that its head announces and that did not come."""
        return max(0, (declared_size(self._sent.fields()) or 0) - self._body_bytes)

    def note_head(self, fields: Sequence[tuple[bytes, bytes]], *, final: bool) -> None:
        """A head, its `:status` first. Raises ValueError for one that has none, as `note_fields` does."""
        status = status_of(fields)
        self._sent.first_byte = self._sent.first_byte or self._loop.time() - self._began
        self._sent.lines.append(b"%b %b \r\n" % (self._version.removesuffix(".0").encode(), status))
        self.note_fields(fields[1:])
        self._sent.lines.append(b"\r\n")
        if final:
            self._sent.status = int(status)

    def note_fields(self, fields: Sequence[tuple[bytes, bytes]]) -> None:
        """A head's fields, or trailers. Raises ValueError for those that no answer may have."""
        self._head_bytes += sum(len(name) + len(value) + len(b": \r\n") for name, value in fields)
        if self._head_bytes > MOST_OF_HEADS:
            raise OutOfBounds(TOO_LARGE, f"found more than {MOST_OF_HEADS} bytes of header fields")
        self._sent.lines += [b"%b: %b\r\n" % field for field in sound_fields(fields)]

    def note_data(self, data: bytes) -> None:
        """The body's next bytes."""
        self._body_bytes += len(data)
        if self._body_bytes <= self._keep:
            self._chunks.append(data)
        else:
            self._chunks.clear()
        if self._body_bytes > self._limit:
            raise OutOfBounds(pycurl.E_FILESIZE_EXCEEDED, "the answer is larger than max_response")

    def end(self, code: int, message: str) -> bool:
        """Ends it, well where `code` is 0. Only the first end counts; whether this was it."""
        over, self._over = self._over, None
        if over is None:
            return False
        self._sent.code, self._sent.message = code, message
        self._telling = self._loop.call_soon(over, self._take())  # not amid what the feed's owner does
        return True

    def give_up(self) -> Sent:
        """Ends it without a word; what had arrived comes back."""
        self._over = None
        if self._telling is not None:
            self._telling.cancel()
        return self._take()

    def _take(self) -> Sent:
        sent = self._sent
        sent.version = self._version if sent.lines else ""
        sent.seconds = self._loop.time() - self._began
        sent.too_large = self._body_bytes > self._limit or 0 < self._keep < self._body_bytes
        if not sent.too_large:
            sent.body = b"".join(self._chunks)
        return sent


def head_of(copy: Copy) -> list[tuple[bytes, bytes]]:
    """A request's head, the pseudo-header fields first."""
    return [
        (b":method", copy.method),
        (b":scheme", copy.scheme.encode()),
        (b":authority", copy.host),
        (b":path", copy.target),
        *in_lower_case(copy.headers),
    ]


def status_of(head: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The status that an answer's head begins with. Raises ValueError for one that does not."""
    if not head or head[0][0] != b":status" or not _STATUS.fullmatch(head[0][1]):
        raise ValueError("found a head without a status")
    return head[0][1]


def sound_fields(fields: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """An answer's fields without those that are none, which libcurl leaves out too. Raises ValueError for
    what no answer may have: a pseudo-header field, a connection's own, a name in upper case.

    >>> sound_fields([(b"a", b" 1 "), (b"b c", b"2"), (b"d", b"3\\n")])
    [(b'a', b' 1 ')]
    """
    for name, _ in fields:
        if name.startswith(b":") or name in _OF_CONNECTIONS or name != name.lower():
            raise ValueError(f"found a field that no answer may have: {name[:50]!r}")
    return [field for field in fields if _NAME.fullmatch(field[0]) and not _NOT_IN_VALUES.search(field[1])]


def in_lower_case(fields: Fields) -> Iterable[tuple[bytes, bytes]]:
    """Fields with names as they must be there."""
    return ((name.lower(), value) for name, value in fields)
