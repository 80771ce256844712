"""Request targets: the path that rules are matched against, and the query's keys and values."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from traffic_mirror.copies.target import origin_form


def read_path(target: bytes, *, slashes: bool = False) -> bytes:
    """The path of a request target, percent-decoded, without its query, as UTF-8.

    An escaped slash stays escaped (as `%2F`) unless `slashes` are asked for, too. Bytes that are no UTF-8
    become U+FFFD. Dots and double slashes stay as they are. `*` and `host:port` are their own paths.
    """
    if target[:1] != b"/":
        target = origin_form(target)
    path = target.partition(b"?")[0]
    if b"%" in path:
        path = unquote_to_bytes(path if slashes else _keep_slashes(path))
    if not path.isascii():
        path = path.decode("utf-8", "replace").encode()
    return path


def has_escaped_slash(target: bytes) -> bool:
    """Whether decoding slashes makes a difference."""
    return b"%2" in target and (b"%2F" in target or b"%2f" in target)


def read_query(target: bytes) -> Iterator[tuple[str, bytes]]:
    """The query's pairs in order, decoded as forms are (`+` is a space); values as UTF-8."""
    for pair in target.partition(b"?")[2].split(b"&"):
        if pair:
            key, _, value = pair.replace(b"+", b" ").partition(b"=")
            yield unquote_to_bytes(key).decode("utf-8", "replace"), clean(unquote_to_bytes(value))


def clean(text: bytes) -> bytes:
    """The bytes as UTF-8, each byte that is none replaced by U+FFFD."""
    return text if text.isascii() else text.decode("utf-8", "replace").encode()


def _keep_slashes(path: bytes) -> bytes:
    return path.replace(b"%2F", b"%252F").replace(b"%2f", b"%252F") if has_escaped_slash(path) else path
