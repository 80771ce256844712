"""A request that a person asks about: its method, URL and header lines, read as the proxy would."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain

from traffic_mirror.copies.headers import check_text
from traffic_mirror.copies.request import FrozenRequest, host_of

ID = "<flow id>"

_PORTS = {"http": 80, "https": 443}
_URL = re.compile(
    r"(?P<scheme>https?)://(?:[^/?#@]*@)?(?P<authority>(?:\[[^\]/?#@]+\]|[^\[\]/?#@]+?)(?::(?P<port>\d*))?)"
    r"(?P<target>[/?][^#]*)?(?:#.*)?",
    re.IGNORECASE | re.DOTALL,
)


def read_request(method: str, url: str, lines: Sequence[str] = ()) -> FrozenRequest:
    """The request that a client would send; ValueError says what is wrong with how it is written.

    A Host among the header lines comes before the URL's.
    """
    parts = _URL.fullmatch(url)
    if parts is None:
        raise ValueError(f"found the URL {url!r}, expected a whole one such as http://api.test/users/42")
    scheme = parts["scheme"].lower()
    headers = tuple(_field(line) for line in lines)
    authority = next((value for name, value in headers if name.lower() == b"host"), None)
    if authority is None:
        authority = parts["authority"].encode()
        headers = ((b"Host", authority), *headers)
    target = parts["target"] or "/"
    request = FrozenRequest(
        id=ID,
        method=method.upper().encode(),
        scheme=scheme,
        host=host_of(authority),
        port=int(parts["port"] or _PORTS[scheme]),
        authority=authority,
        target=(target if target.startswith("/") else "/" + target).encode(),
        http_version="HTTP/1.1",
        headers=headers,
        body=b"",
        time=0.0,
    )
    check_text((request.method, request.target, *chain.from_iterable(headers)))
    return request


def _field(line: str) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(":")
    if not colon or not name.strip():
        raise ValueError(f"found the header {line!r}, expected 'Name: value'")
    return name.strip().encode(), value.strip().encode()
