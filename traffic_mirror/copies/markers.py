"""The header fields that say a request is a copy, of what, and since when."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import NamedTuple

from traffic_mirror.copies.request import Fields, FrozenRequest
from traffic_mirror.spec.model import Api, Markers, Spec

_HEX = frozenset("0123456789abcdef")
_TRACEPARENT = re.compile(rb"\s*[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-")


class Marking(NamedTuple):
    """The markers' names as they are sent; None for those that are turned off."""

    marker: bytes
    source: bytes | None
    timestamp: bytes | None
    id: bytes | None

    def fields(self, request: FrozenRequest) -> list[tuple[bytes, bytes]]:
        """The markers of a copy of `request`."""
        fields = [(self.marker, b"true")]
        if self.source is not None:
            fields.append((self.source, _ascii(request.host)))
        if self.timestamp is not None:
            fields.append((self.timestamp, b"%d" % request.time))
        if self.id is not None:
            fields.append((self.id, request.id.encode()))
        return fields

    def names(self) -> list[bytes]:
        """The names in use, in lower case."""
        return [name.lower() for name in self if name is not None]


def compile_marking(markers: Markers, api: Api) -> Marking:
    """The markers of an API's copies: its own, as Tyk definitions have them, or the spec's."""
    markers = api.markers or markers
    prefix = markers.prefix.encode()
    if markers.only_marker:
        return Marking(prefix, None, None, None)
    identity = prefix + b"-Id" if markers.with_id else None
    return Marking(prefix, prefix + b"-Source", prefix + b"-Timestamp", identity)


def marker_names(spec: Spec) -> frozenset[bytes]:
    """The headers that say a request is a copy already, in lower case: the spec's and its APIs' own."""
    prefixes = {spec.markers.prefix, *(api.markers.prefix for api in spec.apis if api.markers is not None)}
    return frozenset(prefix.lower().encode() for prefix in prefixes)


def make_traceparent(request_id: str, destination: str) -> bytes:
    """A W3C trace context for a copy whose client sent none: the flow's id is the trace's.

    An id that is no UUID is hashed. The span is this destination's own.
    """
    trace = request_id.replace("-", "").lower()
    if len(trace) != 32 or not _HEX.issuperset(trace) or not trace.strip("0"):
        trace = blake2b(request_id.encode(), digest_size=16).hexdigest()
    span = blake2b(f"{request_id}\0{destination}".encode(), digest_size=8).hexdigest()
    return f"00-{trace}-{span}-01".encode()


def trace_id_of(fields: Fields) -> str | None:
    """The trace that a request with these fields belongs to, by its W3C trace context."""
    for name, value in fields:
        if len(name) == 11 and name.lower() == b"traceparent" and (found := _TRACEPARENT.match(value)):
            return found[1].decode()
    return None


def _ascii(host: str) -> bytes:
    if host.isascii():
        return host.encode()
    try:
        return host.encode("idna")
    except UnicodeError:
        return host.encode("utf-8", "replace")
