"""What libcurl's errors mean in our words: the reason of a failed copy. A table, and nothing else."""

from __future__ import annotations

import errno

import pycurl

_BY_CODE = {
    pycurl.E_COULDNT_RESOLVE_HOST: "dns",
    pycurl.E_COULDNT_RESOLVE_PROXY: "dns",
    pycurl.E_COULDNT_CONNECT: "connect",
    pycurl.E_INTERFACE_FAILED: "connect",
    96: "connect",  # CURLE_QUIC_CONNECT_ERROR
    97: "proxy",  # CURLE_PROXY
    pycurl.E_OPERATION_TIMEDOUT: "timeout",
    pycurl.E_SSL_CONNECT_ERROR: "tls",
    pycurl.E_PEER_FAILED_VERIFICATION: "tls",
    pycurl.E_SSL_CERTPROBLEM: "tls",
    pycurl.E_SSL_CIPHER: "tls",
    pycurl.E_SSL_CACERT_BADFILE: "tls",
    pycurl.E_SSL_CRL_BADFILE: "tls",
    pycurl.E_SSL_ISSUER_ERROR: "tls",
    pycurl.E_SSL_INVALIDCERTSTATUS: "tls",
    pycurl.E_SSL_SHUTDOWN_FAILED: "tls",
    pycurl.E_SSL_PINNEDPUBKEYNOTMATCH: "tls",
    pycurl.E_USE_SSL_FAILED: "tls",
    pycurl.E_SSL_ENGINE_NOTFOUND: "tls",
    pycurl.E_SSL_ENGINE_SETFAILED: "tls",
    101: "tls",  # CURLE_ECH_REQUIRED
    pycurl.E_GOT_NOTHING: "reset",
    pycurl.E_RECV_ERROR: "reset",
    pycurl.E_SEND_ERROR: "reset",
    pycurl.E_PARTIAL_FILE: "reset",
    pycurl.E_SEND_FAIL_REWIND: "reset",
    pycurl.E_HTTP_RETURNED_ERROR: "websocket_refused",  # an upgrade's only: no status is an error else
    pycurl.E_UNSUPPORTED_PROTOCOL: "protocol",  # an answer that is not HTTP counts as HTTP/0.9
    pycurl.E_FTP_WEIRD_SERVER_REPLY: "protocol",  # CURLE_WEIRD_SERVER_REPLY today
    pycurl.E_HTTP2: "protocol",
    92: "protocol",  # CURLE_HTTP2_STREAM
    95: "protocol",  # CURLE_HTTP3
    pycurl.E_BAD_CONTENT_ENCODING: "protocol",
    100: "protocol",  # CURLE_TOO_LARGE: a header line
}

# libcurl calls these receive errors too, but the connection was fine and the answer was not.
_BY_MESSAGE = (
    ("chunk", "protocol"),
    ("hexadecimal", "protocol"),
    ("Too large response headers", "protocol"),
    ("Invalid status line", "protocol"),
    ("SSL", "tls"),
)

# UDP has no connect that a port could refuse: with QUIC the first datagram fails.
_BROKEN = frozenset({pycurl.E_SEND_ERROR, pycurl.E_RECV_ERROR})
_BEFORE_IT_BEGAN = "Failed to connect to "

NO_SOCKET = "no_socket"  # nothing that the destination did: the worker's machine lacks files or ports
# The well-known authorities' (certifi's) is the only file that libcurl reads: a spec's `ca_file` is a blob.
_UNREAD_FILE = "trust anchors from file"

# 0: libcurl could not even open a socket, and keeps no error of that.
_LACKS = frozenset({0, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.EADDRNOTAVAIL})


def reason_of(code: int, message: str, os_error: int) -> str:
    """The `failed` reason of a transfer that ended with libcurl's `code`: `other` when it is in no table.

    `os_error` is the system's error of the last attempt to connect; 0 where it came to none.
    """
    if message.startswith("CONNECT tunnel failed"):
        return "proxy"
    if code == pycurl.E_OUT_OF_MEMORY or (code == pycurl.E_COULDNT_CONNECT and os_error in _LACKS):
        return NO_SOCKET
    if code == pycurl.E_SSL_CACERT_BADFILE and _UNREAD_FILE in message:
        return NO_SOCKET
    if code in _BROKEN and message.startswith(_BEFORE_IT_BEGAN):
        return "connect"
    if code == pycurl.E_RECV_ERROR:
        for part, reason in _BY_MESSAGE:
            if part in message:
                return reason
    return _BY_CODE.get(code, "other")
