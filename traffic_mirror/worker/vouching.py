"""Whether a server's certificate vouches for it, asked as libcurl asks, where the TLS is neither's own."""

from __future__ import annotations

import ipaddress

import certifi
import service_identity
from cryptography import x509
from OpenSSL import crypto
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address

from traffic_mirror.spec.model import Tls

_FOR_SERVERS = frozenset(
    (x509.oid.ExtendedKeyUsageOID.SERVER_AUTH, x509.oid.ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
)


class Trust:
    """Whom a destination's `tls` trusts, and `name`, a host or an address, as who.

    Raises ValueError for a CA that is none.
    """

    def __init__(self, tls: Tls, name: str) -> None:
        self._name = name
        self._store: crypto.X509Store | None = None
        if not tls.verify:
            return
        self._store = crypto.X509Store()
        self._store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)  # a CA file may end before the root
        if tls.ca is None:
            self._store.load_locations(certifi.where())
            return
        for authority in x509.load_pem_x509_certificates(tls.ca):
            self._store.add_cert(crypto.X509.from_cryptography(authority))

    def doubt(self, certificate: x509.Certificate, chain: list[x509.Certificate]) -> str:
        """Why a server with `certificate`, and `chain` above it, is not trusted; empty where it is."""
        if self._store is None:
            return ""
        return self._doubt_of_chain(self._store, certificate, chain) or self._doubt_of_name(certificate)

    def _doubt_of_chain(
        self, store: crypto.X509Store, certificate: x509.Certificate, chain: list[x509.Certificate]
    ) -> str:
        context = crypto.X509StoreContext(
            store,
            crypto.X509.from_cryptography(certificate),
            [crypto.X509.from_cryptography(above) for above in chain],
        )
        try:
            context.verify_certificate()
        except crypto.X509StoreContextError as error:
            return f"SSL certificate problem: {error}"
        if not _is_for_servers(certificate):
            return "SSL certificate problem: unsuitable certificate purpose"
        return ""

    def _doubt_of_name(self, certificate: x509.Certificate) -> str:
        try:
            if _is_address(self._name):
                verify_certificate_ip_address(certificate, self._name)
            else:
                verify_certificate_hostname(certificate, self._name)
        except (service_identity.VerificationError, service_identity.CertificateError):
            return f"SSL: no alternative certificate subject name matches target host name '{self._name}'"
        return ""


def _is_for_servers(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return not _FOR_SERVERS.isdisjoint(usage)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
