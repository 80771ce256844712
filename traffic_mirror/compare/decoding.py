"""Content codings undone (gzip, deflate, br, zstd), never past a bound, so that no small body becomes a huge
one."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]  # it ships no types
import zstandard

_GZIP, _ZLIB, _RAW = 31, 15, -15
_MAX_CODINGS = 4
_MAX_WINDOW = 1 << 27


class TooLargeError(ValueError):
    """The body, decoded, is over the bound."""


class UndecodableError(ValueError):
    """The body is not what its Content-Encoding says, or the coding is unknown."""


def decode_content(body: bytes, codings: str, limit: int) -> bytes:
    """The body with its codings (a Content-Encoding value) undone, at most `limit` bytes at each step."""
    names = [
        name for name in (part.strip().lower() for part in codings.split(",")) if name not in ("", "identity")
    ]
    if len(names) > _MAX_CODINGS:
        raise UndecodableError(f"{len(names)} content codings")
    for name in reversed(names):
        decoder = _DECODERS.get(name)
        if decoder is None:
            raise UndecodableError(f"unknown content coding {name[:40]!r}")
        try:
            body = decoder(body, limit)
        except (zlib.error, brotli.error, zstandard.ZstdError, EOFError) as error:
            raise UndecodableError(f"not {name}: {error}") from error
    if len(body) > limit:
        raise TooLargeError
    return body


def _gzip(body: bytes, limit: int) -> bytes:
    out = b""
    while body:
        inflater = zlib.decompressobj(_GZIP)
        out += _inflate(inflater, body, limit - len(out))
        body = inflater.unused_data.lstrip(b"\0")
    return out


def _deflate(body: bytes, limit: int) -> bytes:
    try:
        return _inflate(zlib.decompressobj(_ZLIB), body, limit)
    except zlib.error:
        return _inflate(zlib.decompressobj(_RAW), body, limit)


def _inflate(inflater: zlib._Decompress, body: bytes, limit: int) -> bytes:
    out = inflater.decompress(body, max(1, limit + 1))
    if len(out) > limit:
        raise TooLargeError
    if not inflater.eof:
        raise EOFError("it ends too early")
    return out


def _brotli(body: bytes, limit: int) -> bytes:
    if not body:
        return b""
    decompressor = brotli.Decompressor()
    out = bytearray(decompressor.process(body, output_buffer_limit=limit + 1))
    while len(out) <= limit and not decompressor.is_finished():
        more = decompressor.process(b"", output_buffer_limit=limit + 1 - len(out))
        if not more:
            raise EOFError("it ends too early")
        out += more
    if len(out) > limit:
        raise TooLargeError
    return bytes(out)


def _zstd(body: bytes, limit: int) -> bytes:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
    with decompressor.stream_reader(io.BytesIO(body), read_across_frames=True) as reader:
        out: bytes = reader.read(limit + 1)
    if len(out) > limit:
        raise TooLargeError
    whole = decompressor.decompressobj()
    whole.decompress(body)
    if body and not whole.eof:
        raise EOFError("it ends too early")
    return out


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
