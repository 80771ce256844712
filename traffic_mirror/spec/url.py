"""The URLs of destinations and proxies, taken apart without changing what is in them."""

from __future__ import annotations

import ipaddress
import re
from base64 import b64encode
from collections.abc import Iterator
from typing import Literal, NamedTuple
from urllib.parse import quote, unquote_to_bytes

_PARTS = re.compile(
    r"(?P<scheme>[A-Za-z0-9+]+)://(?:(?P<user_info>[^/?#]*)@)?(?P<authority>[^/?#]*)"
    r"(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?(?P<fragment>#.*)?\Z",
    re.DOTALL,
)
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{1,5}))?\Z")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)\Z")
_UNSAFE = re.compile(r"[\x00-\x20\x7f\"<>\\^`{|}]")
_SAFE = "".join(map(chr, range(0x21, 0x7F)))
_PORTS = {"http": 80, "https": 443}


class Url(NamedTuple):
    """A destination's URL, taken apart.

    `authorization` is its user info as Basic. `shown` has neither user info nor query; their values are
    `private`.
    """

    scheme: Literal["http", "https"]
    origin: str
    hostname: str
    port: int
    base_path: str
    base_query: str
    unix_socket: str | None
    authorization: str | None
    shown: str
    private: tuple[str, ...] = ()


def parse_url(url: str) -> Url:
    """A destination's URL: http, https or http+unix. Raises ValueError, which quotes nothing of it."""
    parts = _split(url)
    scheme = parts["scheme"].lower()
    if parts["fragment"] is not None:
        raise ValueError("a URL has no fragment here")
    if scheme == "http+unix":
        return _unix(parts)
    if scheme not in _PORTS:
        raise ValueError("the scheme is not http, https or http+unix")
    host, port = split_authority(parts["authority"])
    authority = host if port is None or port == _PORTS[scheme] else f"{host}:{port}"
    base_path = quote(parts["path"] or "", safe=_SAFE).rstrip("/")
    origin = f"{scheme}://{authority}"
    return Url(
        scheme="https" if scheme == "https" else "http",
        origin=origin,
        hostname=host.strip("[]"),
        port=_PORTS[scheme] if port is None else port,
        base_path=base_path,
        base_query=quote(parts["query"] or "", safe=_SAFE),
        unix_socket=None,
        authorization=_basic(parts["user_info"]),
        shown=origin + base_path,
        private=tuple(filter(None, _private(parts))),
    )


def check_proxy(url: str) -> None:
    """Raises ValueError with what is wrong with a proxy's URL."""
    parts = _split(url)
    if (parts["path"] or "/") != "/" or parts["query"] is not None or parts["fragment"] is not None:
        raise ValueError("a proxy's URL has no path")
    split_authority(parts["authority"])


def split_authority(authority: str) -> tuple[str, int | None]:
    """Host (IPv6 in brackets, names in lower case, IDNA) and port. Raises ValueError with what is wrong."""
    match = _AUTHORITY.match(authority)
    if match is None:
        raise ValueError("the host and port are not host:port")
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 1 <= port <= 65535:
        raise ValueError("the port is not from 1 to 65535")
    return parse_host(match["host"]), port


def parse_host(host: str) -> str:
    """A host in lower case and IDNA, IPv6 in brackets. Raises ValueError with what is wrong."""
    if host.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(host[1:-1])}]"
        except ValueError:
            raise ValueError("the address in brackets is not IPv6") from None
    if not host:
        raise ValueError("the host is missing")
    try:
        name = host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        raise ValueError("the host name is not valid") from None
    labels = name.removesuffix(".").split(".")
    if len(name) > 253 or not all(map(_LABEL.match, labels)):
        raise ValueError("the host name is not valid")
    if re.fullmatch(r"[0-9.]+", name):
        try:
            ipaddress.IPv4Address(name)
        except ValueError:
            raise ValueError("the address is not IPv4") from None
    return name.lower()


def _split(url: str) -> re.Match[str]:
    if _UNSAFE.search(url):
        raise ValueError("a URL has no spaces, control characters, quotes or braces")
    match = _PARTS.match(url)
    if match is None:
        raise ValueError("not a URL")
    return match


def _unix(parts: re.Match[str]) -> Url:
    if parts["authority"] or parts["user_info"] or not parts["path"] or parts["path"] == "/":
        raise ValueError("a unix socket's URL is http+unix:///path/to/socket")
    path = unquote_to_bytes(parts["path"]).decode("utf-8", "surrogateescape")
    return Url(
        scheme="http",
        origin="http://localhost",
        hostname="localhost",
        port=80,
        base_path="",
        base_query=quote(parts["query"] or "", safe=_SAFE),
        unix_socket=path,
        authorization=None,
        shown=f"http+unix://{parts['path']}",
        private=tuple(filter(None, _private(parts))),
    )


def _private(parts: re.Match[str]) -> Iterator[str]:
    """The values of user info and query, as they are written."""
    yield from (parts["user_info"] or "").split(":", 1)
    for pair in (parts["query"] or "").split("&"):
        yield pair.partition("=")[2]


def _basic(user_info: str | None) -> str | None:
    if user_info is None:
        return None
    user, _, password = user_info.partition(":")
    pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
    return f"Basic {b64encode(pair).decode()}"
