"""What libcurl is told of a destination, once per handle: where to connect, TLS, proxy, protocol. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

import certifi
import pycurl
from msgspec import structs

from traffic_mirror.spec.model import Destination, Tls
from traffic_mirror.spec.url import parse_url

Option = tuple[int, object]

# Bytes of an answer: with libcurl's 16 KiB a large one takes longer, from 128 KiB on malloc keeps memory.
_READ_AT_ONCE = 64 * 1024
_WS, _WSS = 1 << 30, 1 << 31  # CURLPROTO_WS and CURLPROTO_WSS, which pycurl does not name
# For a copy that HTTP/2 can't carry, though TLS might agree on it. It has a connection of its own: on one
# that is used again, copies that want HTTP/2 would go by HTTP/1.1 too.
WITHOUT_HTTP2: tuple[Option, ...] = (
    (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
    (pycurl.PIPEWAIT, 0),
    (pycurl.FRESH_CONNECT, 1),
    (pycurl.FORBID_REUSE, 1),
)
_SOCKS = ("socks4", "socks4a", "socks5", "socks5h")


def destination_options(destination: Destination, parent_proxy: str = "") -> list[Option]:
    """The options that stay the same for every copy to `destination`.

    A destination without a `proxy` of its own goes through `parent_proxy`, where there is one.
    """
    return [
        (pycurl.NOSIGNAL, 1),
        (pycurl.NETRC, pycurl.NETRC_IGNORED),
        (pycurl.FOLLOWLOCATION, 0),
        (pycurl.PATH_AS_IS, 1),
        (pycurl.HTTP_CONTENT_DECODING, 0),
        (pycurl.TCP_NODELAY, 1),
        (pycurl.BUFFERSIZE, _READ_AT_ONCE),
        (pycurl.USERAGENT, ""),  # pycurl would send its own where the client sent none
        (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
        (pycurl.MAXFILESIZE_LARGE, destination.max_response),
        *_address(destination),
        *_version(destination),
        *_proxy(proxy_of(destination, parent_proxy), tunnels=_tunnels(destination)),
        *(_tls(destination.tls) if destination.scheme == "https" else ()),
    ]


def connect_options(destination: Destination, parent_proxy: str = "") -> list[Option]:
    """What makes a connection and sends nothing on it, not even TLS: the way there is the same, and ends at
    a proxy that is itself spoken to by TLS."""
    proxy, to, connect_to = (
        proxy_of(destination, parent_proxy),
        _authority(destination),
        destination.connect_to,
    )
    if speaks_tls(proxy):
        url = parse_url(proxy)
        proxy, to, connect_to = "", f"{_bracketed(url.hostname)}:{url.port}", None
    plain = structs.replace(
        destination, scheme="http", http_version="1.1", url=f"http://{to}", proxy=proxy, connect_to=connect_to
    )
    return [
        *destination_options(plain),
        (pycurl.CONNECT_ONLY, 1),
        (pycurl.HTTPPROXYTUNNEL, 1),
    ]


def socket_options(options: list[Option]) -> list[Option]:
    """What changes for a WebSocket: its bytes are made and read by us, its answer is never too large."""
    url = dict(options)[pycurl.URL]
    assert isinstance(url, bytes)
    return [
        (pycurl.PROTOCOLS, _WS | _WSS),
        (pycurl.URL, url.replace(b"http", b"ws", 1)),
        (pycurl.WS_OPTIONS, pycurl.WS_RAW_MODE),
        (pycurl.UPLOAD, 1),
        (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
        (pycurl.PIPEWAIT, 0),
        (pycurl.HTTPPROXYTUNNEL, 1),
        (pycurl.MAXFILESIZE_LARGE, 0),
    ]


def proxy_of(destination: Destination, parent_proxy: str) -> str:
    """The proxy that copies to `destination` go through; empty for none.

    A parent proxy leads neither to this machine's sockets nor to HTTP/3, which is no TCP.
    """
    if destination.proxy is not None:
        return destination.proxy
    return "" if destination.unix_socket or destination.http_version == "3" else parent_proxy


def speaks_tls(proxy: str) -> bool:
    """Whether the proxy with this URL is itself spoken to by TLS."""
    return urlsplit(proxy).scheme == "https"


def connect_target(destination: Destination) -> str:
    """What a tunnel through a proxy is asked to lead to."""
    return destination.connect_to or _authority(destination)


def absolute_target(destination: Destination, parent_proxy: str) -> bytes:
    """What precedes the target in the request line: a plain HTTP proxy wants the whole URL there.

    >>> absolute_target(Destination(name="d", url="http://h:1", scheme="http", hostname="h", port=1), "")
    b''
    """
    proxy = proxy_of(destination, parent_proxy)
    if not proxy or _tunnels(destination) or proxy.split("://")[0].lower() in _SOCKS:
        return b""
    return destination.url.encode()


def _tunnels(destination: Destination) -> bool:
    """Whether an HTTP proxy is asked for a tunnel: for TLS, for HTTP/2, to go elsewhere than the URL says.

    A plain proxy would be spoken to in HTTP/1.1; and libcurl itself wants a tunnel for CONNECT_TO.
    """
    return destination.scheme == "https" or destination.http_version == "2" or bool(destination.connect_to)


def _address(destination: Destination) -> list[Option]:
    """The URL is the name that TLS checks; where that is not the host to connect to, CONNECT_TO says so."""
    host = destination.tls.server_name if destination.scheme == "https" else None
    url = f"{destination.scheme}://{host}:{destination.port}/" if host else f"{destination.url}/"
    options: list[Option] = [(pycurl.URL, url.encode())]
    if destination.unix_socket:
        options.append((pycurl.UNIX_SOCKET_PATH, destination.unix_socket.encode()))
    elif destination.connect_to:
        options.append((pycurl.CONNECT_TO, [f"::{destination.connect_to}"]))
    elif host:
        options.append((pycurl.CONNECT_TO, [f"::{_authority(destination)}"]))
    return options


def _authority(destination: Destination) -> str:
    return f"{_bracketed(destination.hostname)}:{destination.port}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _version(destination: Destination) -> list[Option]:
    tls = destination.scheme == "https"
    version = {
        "auto": pycurl.CURL_HTTP_VERSION_2TLS,
        "1.1": pycurl.CURL_HTTP_VERSION_1_1,
        "2": pycurl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE,  # with TLS this offers nothing but h2
        "3": pycurl.CURL_HTTP_VERSION_3ONLY,
    }[destination.http_version]
    # With HTTP/2 and 3 copies wait for the first connection instead of opening one each.
    multiplexed = destination.http_version in ("2", "3") or (tls and destination.http_version == "auto")
    return [(pycurl.HTTP_VERSION, version), (pycurl.PIPEWAIT, int(multiplexed))]


def _proxy(proxy: str, *, tunnels: bool) -> list[Option]:
    """An empty PROXY and a NOPROXY of our own keep the environment's proxies out."""
    if not proxy:
        return [(pycurl.PROXY, ""), (pycurl.NOPROXY, "*")]
    options: list[Option] = [
        (pycurl.PROXY, proxy),
        (pycurl.NOPROXY, ""),
        (pycurl.HEADEROPT, pycurl.HEADER_SEPARATE),
        (pycurl.PROXYHEADER, ["Proxy-Connection:"]),  # libcurl's own, which some proxies pass on
        (pycurl.HTTPPROXYTUNNEL, int(tunnels)),
    ]
    if speaks_tls(proxy):
        options += [(pycurl.PROXY_CAINFO, certifi.where()), (pycurl.PROXY_CAPATH, None)]
    return options


def _tls(tls: Tls) -> list[Option]:
    options: list[Option] = [
        (pycurl.SSL_VERIFYPEER, int(tls.verify)),
        (pycurl.SSL_VERIFYHOST, 2 if tls.verify else 0),
        (pycurl.CAPATH, None),  # some builds look through the machine's, where mitmproxy's own may be
    ]
    if tls.ca is None:
        # A file, not a blob: libcurl keeps what it read of a file for the next connection.
        options.append((pycurl.CAINFO, certifi.where()))
    else:
        options.append((pycurl.CAINFO_BLOB, tls.ca))
    if tls.cert is not None:
        options += [(pycurl.SSLCERTTYPE, "PEM"), (pycurl.SSLCERT_BLOB, tls.cert)]
        options += [(pycurl.SSLKEYTYPE, "PEM"), (pycurl.SSLKEY_BLOB, tls.key or tls.cert)]
    return options
