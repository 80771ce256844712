"""A destination's TLS where it is Python's and not libcurl's: whom it trusts, who we are."""

from __future__ import annotations

import ssl
import tempfile
from typing import IO

import certifi

from traffic_mirror.spec.model import Destination, Tls


def client_context(tls: Tls, protocols: list[str]) -> ssl.SSLContext:
    """A context that checks as libcurl does, and offers `protocols` in ALPN.

    Raises OSError or ValueError for a certificate or key that is none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a CA file may end the chain before its root
    if tls.ca is None:
        context.load_verify_locations(certifi.where())
    else:
        context.load_verify_locations(cadata=tls.ca.decode("ascii", "ignore"))
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert is not None:
        _show(context, tls.cert, tls.key or tls.cert)
    context.set_alpn_protocols(protocols)
    return context


def server_name(destination: Destination) -> str:
    """What a destination is asked for by name, and its certificate has to be for."""
    return (destination.tls.server_name or destination.hostname).strip("[]")


def _show(context: ssl.SSLContext, cert: bytes, key: bytes) -> None:
    """Python reads a certificate and its key from files only. These have no name, and so no reader else."""
    with tempfile.TemporaryFile() as certificates, tempfile.TemporaryFile() as keys:
        for file, text in ((certificates, cert), (keys, key)):
            file.write(text)
            file.seek(0)
        # Without a password of ours, OpenSSL would ask for one on the terminal.
        context.load_cert_chain(_name(certificates), _name(keys), password="")


def _name(file: IO[bytes]) -> str:
    return f"/dev/fd/{file.fileno()}"
