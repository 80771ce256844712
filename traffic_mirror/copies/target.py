"""A copy's request target: the client's own, byte for byte, below a destination's base path and query."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote_from_bytes, unquote_to_bytes

from traffic_mirror.spec.model import Api, Destination

_MASKED = b"***"
_VISIBLE = "".join(map(chr, range(0x20, 0x7F)))
_TYK_SLASH = re.compile(rb"/|%2[fF]")


class Rewrite(NamedTuple):
    """How targets become a destination's. `strip` is how many segments of the listen path are cut off.

    `masked` are query keys whose values are masked. Paths and queries are raw.
    """

    base_path: bytes
    base_query: bytes
    strip: int
    slash: re.Pattern[bytes]
    masked: frozenset[str]

    @property
    def changes_nothing(self) -> bool:
        """Whether every target stays as it is."""
        return not (self.base_path or self.base_query or self.strip or self.masked)

    def apply(self, target: bytes) -> bytes:
        """The copy's target; only `*` is left alone, wherever it goes."""
        target = origin_form(target)
        if target == b"*":
            return target
        path, mark, query = target.partition(b"?")
        if self.strip:
            path = _strip(path, self.strip, self.slash)
        if self.masked:
            query = _mask(query, self.masked)
        if self.base_query:
            query = self.base_query + b"&" + query if query else self.base_query
            mark = b"?"
        return self.base_path + path + mark + query


def compile_rewrite(api: Api, destination: Destination, masked: frozenset[str]) -> Rewrite:
    """The rewriting of targets of one API for one destination."""
    listen = api.listen_path.removesuffix("/")
    return Rewrite(
        base_path=destination.base_path.encode(),
        base_query=destination.base_query.encode(),
        strip=_segments(listen) if api.strip_listen_path else 0,
        slash=re.compile(rb"/") if api.tyk is None else _TYK_SLASH,
        masked=masked,
    )


def mask_query(target: bytes, masked: frozenset[str]) -> bytes:
    """A target with the values of its query's `masked` keys hidden, otherwise as it is."""
    path, mark, query = target.partition(b"?")
    return path + mark + _mask(query, masked)


def origin_form(target: bytes) -> bytes:
    """The path and query of a target: of `http://host/x?y` it is `/x?y`; other forms stay as they are."""
    if target[:1] == b"/" or b"://" not in target[:32]:
        return target
    rest = target.partition(b"://")[2]
    for place, byte in enumerate(rest):
        if byte in b"/?":
            return rest[place:] if byte == 0x2F else b"/" + rest[place:]
    return b"/"


def shown(url: str, target: bytes) -> str:
    """A copy's URL for people: as it is sent, bytes that are no ASCII escaped."""
    return url + (target.decode("ascii") if target.isascii() else quote_from_bytes(target, safe=_VISIBLE))


def _mask(query: bytes, masked: frozenset[str]) -> bytes:
    return b"&".join(_mask_pair(pair, masked) for pair in query.split(b"&"))


def _mask_pair(pair: bytes, masked: frozenset[str]) -> bytes:
    if _is_masked(pair, masked):
        return pair.partition(b"=")[0] + b"=" + _MASKED
    parts = pair.split(b";")  # some servers take it for a separator, so nothing after it is safe
    for place, part in enumerate(parts):
        if place and _is_masked(part, masked):
            return b";".join((*parts[:place], part.partition(b"=")[0] + b"=" + _MASKED))
    return pair


def _is_masked(pair: bytes, masked: frozenset[str]) -> bool:
    key, equals, _ = pair.partition(b"=")
    return bool(equals) and unquote_to_bytes(key.replace(b"+", b" ")).decode("utf-8", "replace") in masked


def _strip(path: bytes, segments: int, slash: re.Pattern[bytes]) -> bytes:
    """The path after its first segments; `/` where nothing is left."""
    place = 0
    for found in slash.finditer(path, 1):
        segments -= 1
        if not segments:
            place = found.start()
            return b"/" + path[found.end() :] if path[place : place + 1] == b"%" else path[place:]
    return b"/"


def _segments(listen: str) -> int:
    """How many segments a listen path has; a variable is one, whatever its expression holds."""
    depth = count = 0
    for character in listen:
        depth += (character == "{") - (character == "}")
        count += character == "/" and depth == 0
    return count
