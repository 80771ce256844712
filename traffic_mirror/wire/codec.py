"""Reads and writes frames: their bytes on a pipe, and nothing of what they mean.

A frame is `u32 head length, u32 body length` (big endian), the head (MessagePack), the body (raw). The
body is beside the head so that neither side copies it through an encoder. Where the two ends share memory
(`ring`), the body length's highest bit says that the body lies there, and in its place is where: a u64.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import msgspec

from traffic_mirror.wire.frames import ToEdge, ToWorker

MAX_HEAD = 128 * 1024 * 1024
MAX_BODY = 1024 * 1024 * 1024

_PREFIX = struct.Struct(">II")
_PLACE = struct.Struct(">Q")
_SHARED = 1 << 31  # of a body's length: it lies in shared memory
_LENGTH = _SHARED - 1
_encoder = msgspec.msgpack.Encoder()


class WireError(ValueError):
    """The other end sent something that is no frame; the pipe can't be read any further."""


def encode(frame: ToWorker | ToEdge, body: bytes = b"") -> bytes:
    """The bytes that announce and hold `frame`; `body` itself is to be written right after them.

    Raises WireError when either part is over its bound.
    """
    head = _encoder.encode(frame)
    _check(len(head), len(body), MAX_HEAD, MAX_BODY)
    return _PREFIX.pack(len(head), len(body)) + head


def announce_shared(announced: bytes, at: int) -> bytes:
    """What to write in place of `announced`, an encoded frame, and its body, which lies shared at `at`."""
    head, body = _PREFIX.unpack_from(announced)
    return _PREFIX.pack(head, body | _SHARED) + announced[_PREFIX.size :] + _PLACE.pack(at)


class Decoder[T]:
    """Turns the bytes of a pipe, cut anywhere, back into frames of the union `kind`.

    A large body is gathered in pieces and put together once, so that its cost is one copy. `fetch` gets one
    that lies in shared memory, by its place and size; without it there must be none.
    """

    def __init__(
        self,
        kind: Any,
        *,
        max_head: int = MAX_HEAD,
        max_body: int = MAX_BODY,
        fetch: Callable[[int, int], bytes] | None = None,
    ) -> None:
        self._decode = msgspec.msgpack.Decoder(kind).decode
        self._fetch = fetch
        self._max_head = max_head
        self._max_body = max_body
        self._frame: T | None = None  # one whose body is not whole yet; `_parts` are this body's then
        self._shared = 0  # the size of that body where it lies in shared memory, and `_parts` say where
        self._before_body = 0
        self._parts: list[bytes | memoryview] = []
        self._have = 0
        self._need = _PREFIX.size

    @property
    def pending(self) -> int:
        """Bytes held of a frame that is not whole yet; 0 between frames."""
        return self._before_body + self._have

    def feed(self, data: bytes) -> list[tuple[T, bytes]]:
        """The frames, each with its body, that `data` completes.

        Raises WireError on a length over its bound or a head that is no frame of this kind.
        """
        self._parts.append(data)
        self._have += len(data)
        if self._have < self._need:
            return []
        frames: list[tuple[T, bytes]] = []
        if self._frame is not None:
            after = len(data) - (self._have - self._need)
            self._parts[-1] = memoryview(data)[:after]
            frames.append((self._frame, self._whole(b"".join(self._parts), self._shared)))
            data = data[after:]
        elif len(self._parts) > 1:
            data = b"".join(self._parts)
        self._split(data, frames)
        return frames

    def _split(self, data: bytes, frames: list[tuple[T, bytes]]) -> None:
        """Adds the whole frames in `data`, and keeps the rest."""
        view = memoryview(data)
        at, size = 0, len(data)
        self._frame, self._before_body, self._need = None, 0, _PREFIX.size
        while size - at >= _PREFIX.size:
            head, body = _PREFIX.unpack_from(data, at)
            shared = body & _LENGTH if self._fetch and body & _SHARED else 0
            _check(head, shared or body, self._max_head, self._max_body)
            if shared:
                body = _PLACE.size
            middle = at + _PREFIX.size + head
            if middle > size:
                self._need = middle - at
                break
            frame = self._read(view[at + _PREFIX.size : middle])
            if middle + body > size:
                self._frame, self._before_body, self._need = frame, middle - at, body
                self._shared = shared
                at = middle
                break
            frames.append((frame, self._whole(data[middle : middle + body], shared)))
            at = middle + body
        self._parts = [data[at:]] if at < size else []
        self._have = size - at

    def _whole(self, data: bytes, shared: int) -> bytes:
        """A body from what came in its place, which is itself but where it is `shared`."""
        if not shared or self._fetch is None:
            return data
        return self._fetch(_PLACE.unpack(data)[0], shared)

    def _read(self, head: memoryview) -> T:
        try:
            frame: T = self._decode(head)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise WireError(f"found a head that is no frame, expected one: {error}") from error
        return frame


def _check(head: int, body: int, max_head: int, max_body: int) -> None:
    if not 0 < head <= max_head:
        raise WireError(f"found a head of {head} bytes, expected 1 to {max_head}")
    if body > max_body:
        raise WireError(f"found a body of {body} bytes, expected at most {max_body}")
