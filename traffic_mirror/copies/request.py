"""The request as the client sent it, frozen once and shared by all its copies."""

from __future__ import annotations

import msgspec

Fields = tuple[tuple[bytes, bytes], ...]


class FrozenRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A client's request, byte for byte, but for proxy credentials, which are left out already.

    `host` is the host the client asked for, without a port (SNI or Host header in transparent modes);
    `authority` the Host header or `:authority` as sent. `target` is the raw path with its query,
    as in the request line. `headers` keeps order, case and duplicates. `time` is when the request
    began, in unix seconds. `body` is None where it was not kept (streamed or too large).
    """

    id: str
    method: bytes
    scheme: str
    host: str
    port: int
    authority: bytes
    target: bytes
    http_version: str
    headers: Fields
    body: bytes | None
    time: float
    client: str = ""
    trailers: Fields = ()

    @property
    def multiplexed(self) -> bool:
        """Whether it came by HTTP/2 or 3: mitmproxy has the trailers of no other requests."""
        return self.http_version.startswith(("HTTP/2", "HTTP/3"))


def host_of(authority: bytes) -> str:
    """The host of a Host header or `:authority`: in lower case, without port and brackets."""
    text = authority.decode("utf-8", "replace").lower()
    return text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0]
