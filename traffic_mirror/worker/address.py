"""Where the page listens: `host:port` parsed and bound, and which Host headers mean it. Stdlib only."""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import NamedTuple

_HOST = re.compile(r"(?:\[(?P<address>[^\]]*)\]|(?P<name>[^:\[\]]*))(?::\d*)?")


class Address(NamedTuple):
    """A host (a name or an address, without brackets) and a port; 0 lets the system choose one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """`127.0.0.1:9464`, `localhost:9464`, `[::1]:0`, `:9464` (loopback); anything else is a ValueError.

    >>> parse_address("[::1]:80")
    Address(host='::1', port=80)
    """
    host, colon, port = text.strip().rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not port.isdecimal() or int(port) > 65535 or (":" in host and not bracketed):
        raise ValueError(f"found {text!r}, expected host:port, as in 127.0.0.1:9464 or [::1]:9464")
    return Address(host.strip("[]") or "127.0.0.1", int(port))


def bind(address: Address) -> socket.socket:
    """A socket that listens there. Raises OSError where that is taken or not ours."""
    family, kind, protocol, _, where = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(where)
        sock.listen(128)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host.

    >>> is_loopback("127.9.9.9"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_own_host(header: str, listen: Address) -> bool:
    """Whether a Host header names this server and no other site's name that now points here (DNS rebinding).

    Names of loopback, the name or address listened on, and, where that is every address, any address
    and the machine's name.
    """
    found = _HOST.fullmatch(header.strip().lower())
    if found is None:
        return False
    host = found["address"] or found["name"]
    if is_loopback(host) or host == listen.host.lower():
        return True
    if listen.host not in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == socket.gethostname().lower()
    return True
