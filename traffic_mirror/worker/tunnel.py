"""A way through a proxy that is itself spoken to by TLS: TLS to it, a CONNECT, and what is spoken inside."""

from __future__ import annotations

import asyncio
import socket
import ssl

import h11
import pycurl

from traffic_mirror.spec.model import Destination, Tls
from traffic_mirror.spec.url import parse_url
from traffic_mirror.worker.curl_options import connect_target
from traffic_mirror.worker.messages import MOST_OF_HEADS, TOO_LARGE
from traffic_mirror.worker.places import Unconnected
from traffic_mirror.worker.tls import client_context

SECONDS_TO_PART = 1.0  # how long the other end may take to close TLS
_HEAD_TOO_LARGE = 431  # what h11 would answer a client


class TlsProxy:
    """The proxy at the URL `proxy`, as a way to `destination`."""

    def __init__(self, proxy: str, destination: Destination) -> None:
        url = parse_url(proxy)
        self._name = url.hostname
        self._timeout = destination.timeout
        self._target = connect_target(destination)
        self._authorization = url.authorization
        self._context: ssl.SSLContext | None = None

    async def lead(
        self, connected: socket.socket, inside: asyncio.Protocol, context: ssl.SSLContext | None, name: str
    ) -> None:
        """Leads `inside` to the destination, on a socket that is connected to the proxy; with a `context` by
        TLS to `name`.

        Raises Unconnected, OSError or ValueError, and then `inside` may have been told of a connection's end.
        """
        if self._context is None:
            self._context = client_context(Tls(), ["http/1.1"])
        opening = _Opening(self._request())
        outer, _ = await asyncio.get_running_loop().create_connection(
            lambda: opening,
            sock=connected,
            ssl=self._context,
            server_hostname=self._name,
            ssl_handshake_timeout=self._timeout,
            ssl_shutdown_timeout=SECONDS_TO_PART,
        )
        try:
            early = await opening.answered
            if context is not None:
                await self._secure(_Way(outer), inside, context, name, early)
                return
            outer.set_protocol(inside)
            inside.connection_made(outer)
            if early:
                inside.data_received(early)
            outer.resume_reading()
        except BaseException:
            outer.abort()
            raise

    async def _secure(
        self, way: _Way, inside: asyncio.Protocol, context: ssl.SSLContext, name: str, early: bytes
    ) -> None:
        if early:
            raise Unconnected(pycurl.E_SSL_CONNECT_ERROR, "the destination spoke before TLS did")
        transport = await asyncio.get_running_loop().start_tls(
            way,
            inside,
            context,
            server_hostname=name,
            ssl_handshake_timeout=self._timeout,
            ssl_shutdown_timeout=SECONDS_TO_PART,
        )
        if transport is None:  # what asyncio makes of a connection that is lost in this very moment
            raise ConnectionResetError("the connection closed")
        inside.connection_made(transport)

    def _request(self) -> h11.Request:
        headers = [("Host", self._target)]
        if self._authorization is not None:
            headers.append(("Proxy-Authorization", self._authorization))
        return h11.Request(method="CONNECT", target=self._target, headers=headers)


class _Opening(asyncio.Protocol):
    """Asks for a tunnel. `answered` is done once it is open, with what came through it already."""

    def __init__(self, request: h11.Request) -> None:
        self.answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.answered.add_done_callback(_know)  # who waited may have gone
        self._request = request
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_OF_HEADS)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write((self._h11.send(self._request) or b"") + (self._h11.send(h11.EndOfMessage()) or b""))

    def data_received(self, data: bytes) -> None:
        if self.answered.done():
            return
        try:
            self._h11.receive_data(data)
            event = self._h11.next_event()
            while isinstance(event, h11.InformationalResponse):
                event = self._h11.next_event()
        except h11.RemoteProtocolError as error:
            self._fail(*_wrong(error))
            return
        if isinstance(event, h11.Response):
            self._take(event)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None:
            self._fail(pycurl.E_GOT_NOTHING, "Proxy CONNECT aborted")
        else:
            self._fail(pycurl.E_RECV_ERROR, str(exc))

    def _take(self, answer: h11.Response) -> None:
        if not 200 <= answer.status_code < 300:
            self._fail(pycurl.E_RECV_ERROR, f"CONNECT tunnel failed, response {answer.status_code}")
            return
        assert self._transport is not None
        self._transport.pause_reading()  # what follows is not for this protocol
        self.answered.set_result(bytes(self._h11.trailing_data[0]))

    def _fail(self, code: int, message: str) -> None:
        if not self.answered.done():
            self.answered.set_exception(Unconnected(code, message))


class _Way(asyncio.Transport):
    """A TLS connection as a transport for the TLS inside it.

    asyncio's own breaks off with an error of its own where that TLS fails, in Python before 3.12.2
    (https://github.com/python/cpython/issues/113214).
    """

    _start_tls_compatible = True

    def __init__(self, outer: asyncio.Transport) -> None:
        super().__init__()
        self._outer = outer

    def _force_close(self, _: Exception | None) -> None:
        self._outer.abort()

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._outer.get_extra_info(name, default)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._outer.get_protocol()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._outer.set_protocol(protocol)

    def is_reading(self) -> bool:
        return self._outer.is_reading()

    def pause_reading(self) -> None:
        self._outer.pause_reading()

    def resume_reading(self) -> None:
        self._outer.resume_reading()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._outer.write(data)

    def get_write_buffer_size(self) -> int:
        return self._outer.get_write_buffer_size()

    def is_closing(self) -> bool:
        return self._outer.is_closing()

    def close(self) -> None:
        if not self._outer.is_closing():
            self._outer.close()

    def abort(self) -> None:
        self._outer.abort()


def _know(answered: asyncio.Future[bytes]) -> None:
    """Takes note of an error, that asyncio does not tell it to the log."""
    if not answered.cancelled():
        answered.exception()


def _wrong(error: h11.RemoteProtocolError) -> tuple[int, str]:
    """What libcurl calls an answer that is none."""
    if error.error_status_hint == _HEAD_TOO_LARGE:
        return TOO_LARGE, f"Too large response headers: more than {MOST_OF_HEADS} bytes"
    return pycurl.E_FTP_WEIRD_SERVER_REPLY, "Invalid response header"
