"""HTTP/3 of one request: frames made for it, and its answer's frames read within bounds. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pylsqpack

from traffic_mirror.worker.messages import MOST_OF_HEADS, status_of

# RFC 9114, sections 6.2.1 and 7.2.
_CONTROL_STREAM = b"\x00"
_DATA, _HEADERS, _SETTINGS = 0x0, 0x1, 0x4
_MAX_FIELD_SECTION_SIZE = 0x6
# PRIORITY to CONTINUATION are HTTP/2's; the others that are here are not a request stream's.
_MISPLACED = frozenset((0x2, 0x3, _SETTINGS, 0x5, 0x6, 0x7, 0x8, 0x9, 0xD))

FieldList = list[tuple[bytes, bytes]]


class Head(NamedTuple):
    """An answer's head, `:status` first; the final one or, before it, a 1xx."""

    fields: FieldList
    final: bool


class Data(NamedTuple):
    """A piece of the body."""

    data: bytes


class Trailers(NamedTuple):
    """The fields after the body."""

    fields: FieldList


def control_stream() -> bytes:
    """What our control stream begins with. No dynamic table is offered, and so none has to be bounded."""
    settings = _varint(_MAX_FIELD_SECTION_SIZE) + _varint(MOST_OF_HEADS)
    return _CONTROL_STREAM + _frame(_SETTINGS, settings)


def headers_frame(fields: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A head or trailers, in the one way of QPACK that bounds no field's length: literally (pylsqpack takes
    4 KiB at most).

    >>> headers_frame([(b"a", b"b")])
    b'\\x01\\x06\\x00\\x00!a\\x01b'
    """
    lines = (_literal(0x20, 3, name) + _literal(0, 7, value) for name, value in fields)
    return _frame(_HEADERS, b"\0\0" + b"".join(lines))


def data_frame(data: bytes) -> bytes:
    """A piece of the body.

    >>> data_frame(b"hello")
    b'\\x00\\x05hello'
    """
    return _frame(_DATA, data)


class Reader:
    """Reads an answer's stream; holds no more than one head's bytes.

    `bodiless` says that the request was a HEAD: the length that the answer names is not its body's.
    """

    def __init__(self, *, bodiless: bool) -> None:
        self._bodiless = bodiless
        self._buffer = bytearray()
        self._kind = _DATA
        self._left = 0  # bytes of a frame that is not kept whole
        self._decoder = pylsqpack.Decoder(0, 0)
        self._length: int | None = None
        self._body_bytes = 0
        self._has_final = False
        self._has_trailers = False

    def read(self, data: bytes) -> Iterator[Head | Data | Trailers]:
        """What `data`, the stream's next bytes, completes. Raises ValueError."""
        self._buffer += data
        while True:
            if self._left:
                if not self._buffer:
                    return
                piece = self._take(min(self._left, len(self._buffer)))
                self._left -= len(piece)
                if self._kind == _DATA:
                    yield self._data(piece)
            elif (frame := self._next_frame()) is None:
                return
            elif frame:
                yield self._headers(frame)

    def end(self) -> None:
        """The stream has ended. Raises ValueError for an answer that is not whole."""
        if self._buffer or self._left:
            raise ValueError("the stream ended within a frame")
        if not self._has_final:
            raise ValueError("the stream ended without a head")
        if self._length is not None and self._body_bytes != self._length:
            raise ValueError(f"found {self._body_bytes} bytes of a body of {self._length}")

    def _next_frame(self) -> bytes | None:
        """The next HEADERS frame's payload; empty for one whose bytes follow, None while more has to come."""
        kind = _read_varint(self._buffer, 0)
        size = _read_varint(self._buffer, kind[1]) if kind else None
        if kind is None or size is None:
            return None
        self._kind, length, start = kind[0], size[0], size[1]
        if self._kind in _MISPLACED:
            raise ValueError(f"found a frame of type {self._kind:#x}")
        if self._kind == _HEADERS:
            if length > MOST_OF_HEADS:
                raise ValueError(f"found a head of {length} bytes")
            if len(self._buffer) < start + length:
                return None
            self._take(start)
            return self._take(length) or b"\0"  # no head can be empty, which the decoder says
        if self._kind == _DATA and (not self._has_final or self._has_trailers):
            raise ValueError("found a body where none can be")
        self._take(start)
        self._left = length
        return b""

    def _headers(self, frame: bytes) -> Head | Trailers:
        _, fields = self._decoder.feed_header(0, frame)
        if sum(len(name) + len(value) for name, value in fields) > MOST_OF_HEADS:
            raise ValueError("found a head that unpacks to more than it may be")
        if self._has_trailers:
            raise ValueError("found a head after the trailers")
        if self._has_final:
            self._has_trailers = True
            return Trailers(fields)
        final = status_of(fields)[:1] != b"1"
        if final:
            self._has_final = True
            self._note_length(fields)
        return Head(fields, final)

    def _note_length(self, fields: FieldList) -> None:
        lengths = {value for name, value in fields if name == b"content-length"}
        if len(lengths) > 1 or not all(value.isdigit() for value in lengths):
            raise ValueError("found a content-length that is none")
        status = fields[0][1]
        if lengths and not self._bodiless and status not in (b"204", b"304"):
            self._length = int(lengths.pop())

    def _data(self, piece: bytes) -> Data:
        self._body_bytes += len(piece)
        return Data(piece)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken


def _frame(kind: int, payload: bytes) -> bytes:
    return _varint(kind) + _varint(len(payload)) + payload


def _literal(first: int, bits: int, text: bytes) -> bytes:
    """RFC 9204, sections 4.1.1 and 4.5.6: a length, whose first byte has room for `bits`, and the text."""
    size, most = len(text), (1 << bits) - 1
    if size < most:
        return bytes((first | size,)) + text
    length = bytearray((first | most,))
    size -= most
    while size >= 0x80:
        length.append(0x80 | size & 0x7F)
        size >>= 7
    length.append(size)
    return bytes(length) + text


def _varint(value: int) -> bytes:
    """RFC 9000, section 16.

    >>> _varint(5), _varint(300)
    (b'\\x05', b'A,')
    """
    for power, most in enumerate((1 << 6, 1 << 14, 1 << 30, 1 << 62)):
        if value < most:
            size = 1 << power
            return (value | power << (8 * size - 2)).to_bytes(size)
    raise AssertionError("no frame is as large")


def _read_varint(data: bytearray, start: int) -> tuple[int, int] | None:
    """The number that begins at `start` and where it ends; None while it is not all there.

    >>> _read_varint(bytearray(b"A,"), 0)
    (300, 2)
    """
    if start >= len(data):
        return None
    end = start + (1 << (data[start] >> 6))
    if end > len(data):
        return None
    return int.from_bytes(data[start:end]) & ((1 << (8 * (end - start) - 2)) - 1), end
