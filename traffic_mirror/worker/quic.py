"""QUIC connections to one destination, each for a single request: how they are made, what they carry.

Heavy to import, since aioquic is: who has no use for it should not.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence

import pycurl
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted, QuicEvent, StreamDataReceived
from aioquic.quic.packet import QuicErrorCode
from aioquic.tls import AlertDescription
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from traffic_mirror.spec.model import Destination, Tls
from traffic_mirror.worker.places import Address, Place, Unconnected
from traffic_mirror.worker.tls import server_name
from traffic_mirror.worker.vouching import Trust

logging.getLogger("quic").disabled = True  # aioquic's words on what a destination does are no news of ours

_HTTP3 = "h3"
_NO_ERROR = 0x100  # H3_NO_ERROR
_CANCELLED = 0x10C  # H3_REQUEST_CANCELLED
_BEFORE_THE_NEXT = 0.25  # seconds that an address has before the next one is tried too (RFC 8305)
_IDLE = 60.0  # seconds without a sign of life
_BETWEEN_SIGNS = 5.0  # so that a client's pause does not end the connection
# Bytes that aioquic holds, or keeps room for, until what precedes them comes.
_MOST_MISSING = 16 * 1024 * 1024
HTTP3_ERROR = 95  # CURLE_HTTP3
_QUIC_CONNECT_ERROR = 96  # CURLE_QUIC_CONNECT_ERROR
_LARGEST_ALERT = 0xFF


class Connection(QuicConnection):
    """What aioquic knows of a connection and does not tell."""

    @property
    def ended(self) -> ConnectionTerminated | None:
        """How it ended, as soon as either side says so; aioquic tells that only once the other can know."""
        return self._close_event

    @property
    def received(self) -> int:
        """Bytes of all streams up to the last that came, those included that are still missing."""
        return self._local_max_data.used

    def unacknowledged(self, stream: int) -> int:
        """Bytes of a stream that the other side has not said to have."""
        known = self._streams.get(stream)
        return len(known.sender._buffer) if known else 0  # noqa: SLF001 - aioquic bounds nothing itself

    def shown(self) -> tuple[x509.Certificate, list[x509.Certificate]]:
        """The other side's certificate, and what it sent with it."""
        certificate = self.tls._peer_certificate  # noqa: SLF001 - as mitmproxy does
        assert certificate is not None
        return certificate, self.tls._peer_certificate_chain  # noqa: SLF001


class Line(asyncio.DatagramProtocol):
    """One connection, on a socket that is its own and connected.

    `lead_to` says who takes its events and, once, its end.
    """

    def __init__(self, quic: Connection, address: Address, trust: Trust) -> None:
        self.quic = quic
        self._address = address
        self._trust = trust
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.DatagramTransport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._signs: asyncio.TimerHandle | None = None
        self._delivered = 0
        self._take: Callable[[QuicEvent], None] | None = None
        self._fill: Callable[[], None] | None = None
        self._lost: Callable[[Unconnected], None] | None = None
        self._end: Unconnected | None = None
        self.secured: asyncio.Future[None] = self._loop.create_future()
        self.secured.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

    def lead_to(
        self,
        take: Callable[[QuicEvent], None],
        fill: Callable[[], None],
        lost: Callable[[Unconnected], None],
    ) -> None:
        """Calls `take` with each event, `fill` before it sends, `lost` when the connection ends by itself."""
        if self._end is not None:
            lost(self._end)
            return
        self._take, self._fill, self._lost = take, fill, lost
        self._signs = self._loop.call_later(_BETWEEN_SIGNS, self._give_sign)

    def flush(self) -> None:
        """Sends what waits, as far as congestion allows."""
        if self._fill is not None:
            self._fill()
        if self._transport is None:
            return
        try:
            datagrams = self.quic.datagrams_to_send(self._loop.time())
        except Exception as error:  # noqa: BLE001 - as below
            self._lose(self._broken(error))
            return
        for data, _ in datagrams:
            if (transport := self._transport) is not None:  # which the system may end at any of them
                transport.sendto(data)
        if self._transport is not None:
            self._set_timer()

    def close(self, *, well: bool) -> None:
        """Tells the other side, and closes the socket."""
        if self._transport is None:
            return
        self.quic.close(error_code=_NO_ERROR if well else _CANCELLED)
        transport = self._part()
        with contextlib.suppress(Exception):  # its state may be what a destination has made of it
            for data, _ in self.quic.datagrams_to_send(self._loop.time()):
                transport.sendto(data)
        transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is asyncio's: the handshake begins."""
        assert isinstance(transport, asyncio.DatagramTransport)
        self._transport = transport
        self.quic.connect(self._address, self._loop.time())
        self.flush()

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - the only one there is
        """Takes what one datagram brings, then sends what that calls for."""
        if self._transport is not None:
            self._go_on(lambda: self.quic.receive_datagram(data, self._address, self._loop.time()))

    def error_received(self, exc: Exception) -> None:
        """The system says that nobody is there, or that there is no way."""
        code = pycurl.E_RECV_ERROR if self.secured.done() else pycurl.E_COULDNT_CONNECT
        os_error = exc.errno if isinstance(exc, OSError) else None
        self._lose(Unconnected(code, str(exc), os_error or 0))

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed, mostly by us."""
        self._lose(Unconnected(pycurl.E_RECV_ERROR, str(exc or "the socket closed")))

    def _go_on(self, step: Callable[[], None]) -> None:
        """Takes a step of the connection's, and deals with what comes of it."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 - aioquic lets through what its own parts raise
            self._lose(self._broken(error))
            return
        while self._transport is not None and (event := self.quic.next_event()) is not None:
            self._note(event)
        if self.quic.ended is not None:
            self._fill = None
        self.flush()
        if self.quic.ended is not None:
            self._lose(self._why(self.quic.ended))
        elif self.quic.received - self._delivered > _MOST_MISSING:
            self._lose(Unconnected(HTTP3_ERROR, "the destination leaves out what precedes its data"))

    def _note(self, event: QuicEvent) -> None:
        if isinstance(event, StreamDataReceived):
            self._delivered += len(event.data)
        if isinstance(event, HandshakeCompleted):
            self._secure(event)
        elif self._take is not None:
            self._take(event)

    def _secure(self, event: HandshakeCompleted) -> None:
        """Nothing of ours, not even our certificate, was sent so far."""
        try:
            doubt = self._trust.doubt(*self.quic.shown())
        except Exception as error:  # noqa: BLE001 - a certificate may be anything
            doubt = f"SSL certificate problem: {error}"
        if event.alpn_protocol != _HTTP3:
            self.quic.close(error_code=_alert(AlertDescription.no_application_protocol))
            self._fail(Unconnected(pycurl.E_SSL_CONNECT_ERROR, "TLS did not agree on HTTP/3"))
        elif doubt:
            self.quic.close(error_code=_alert(AlertDescription.bad_certificate))
            self._fail(Unconnected(pycurl.E_PEER_FAILED_VERIFICATION, doubt))
        elif not self.secured.done():
            self.secured.set_result(None)

    def _give_sign(self) -> None:
        self.quic.send_ping(0)
        self._signs = self._loop.call_later(_BETWEEN_SIGNS, self._give_sign)
        self.flush()

    def _set_timer(self) -> None:
        at = self.quic.get_timer()
        if self._timer is not None:
            if self._timer.when() == at:
                return
            self._timer.cancel()
        self._timer = None if at is None else self._loop.call_at(at, self._ring, at)

    def _ring(self, at: float) -> None:
        self._timer = None
        self._go_on(lambda: self.quic.handle_timer(max(at, self._loop.time())))

    def _lose(self, why: Unconnected) -> None:
        """The connection is over; nobody is told who has closed it."""
        if self._transport is None:
            return
        self.close(well=False)
        self._end = why
        if not self._fail(why) and self._lost is not None:
            self._lost(why)

    def _fail(self, why: Unconnected) -> bool:
        """Whether it was still being made."""
        if self.secured.done():
            return False
        self.secured.set_exception(why)
        return True

    def _part(self) -> asyncio.DatagramTransport:
        transport, self._transport = self._transport, None
        assert transport is not None
        self._take = self._fill = None
        for timer in (self._timer, self._signs):
            if timer is not None:
                timer.cancel()
        return transport

    def _broken(self, error: Exception) -> Unconnected:
        code = HTTP3_ERROR if self.secured.done() else pycurl.E_SSL_CONNECT_ERROR
        return Unconnected(code, f"not QUIC as it should be: {type(error).__name__}: {error}")

    def _why(self, ended: ConnectionTerminated) -> Unconnected:
        """What an end says, as libcurl would."""
        alert = ended.error_code - QuicErrorCode.CRYPTO_ERROR
        if ended.frame_type is not None and 0 <= alert <= _LARGEST_ALERT:
            return Unconnected(pycurl.E_SSL_CONNECT_ERROR, f"TLS connect error: {_said(ended, alert)}")
        said = ended.reason_phrase or f"error {ended.error_code:#x}"
        if not self.secured.done():
            return Unconnected(_QUIC_CONNECT_ERROR, f"QUIC connect error: {said}")
        if said == "Idle timeout":
            return Unconnected(pycurl.E_OPERATION_TIMEDOUT, "the destination no longer says anything")
        if ended.error_code in (_NO_ERROR, QuicErrorCode.NO_ERROR):
            return Unconnected(pycurl.E_GOT_NOTHING, "the connection closed")
        return Unconnected(HTTP3_ERROR, f"the destination went away: {said}")


class Dialler:
    """Makes connections to `destination`. Raises ValueError for a CA, certificate or key that is none."""

    def __init__(self, destination: Destination) -> None:
        tls = destination.tls
        name = server_name(destination)
        self._trust = Trust(tls, name)
        self._configuration = QuicConfiguration(
            alpn_protocols=[_HTTP3],
            idle_timeout=_IDLE,
            server_name=name,
            verify_mode=ssl.CERT_NONE,  # `Trust` asks: aioquic knows no partial chains, and says less
        )
        if tls.cert is not None:
            _show(self._configuration, tls, tls.cert)

    async def dial(self, places: Sequence[Place]) -> Line:
        """The first connection that stands, of those to each of `places`. Raises Unconnected."""
        waiting = deque(places)
        pending: set[asyncio.Task[Line]] = set()
        failures: list[Unconnected] = []
        try:
            while waiting or pending:
                if waiting:
                    pending.add(asyncio.create_task(self._try(waiting.popleft())))
                done, _ = await asyncio.wait(
                    pending,
                    timeout=_BEFORE_THE_NEXT if waiting else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for task in done:
                    pending.discard(task)
                    if (failure := _failure(task)) is None:
                        return task.result()
                    failures.append(failure)
        finally:
            for task in pending:
                _drop(task)
        # What TLS says tells more than that another address has nobody.
        raise min(reversed(failures), key=lambda failure: failure.code == pycurl.E_COULDNT_CONNECT)

    async def _try(self, place: Place) -> Line:
        quic = Connection(configuration=self._configuration)
        try:
            opened = _connected(place)
        except OSError as error:
            raise Unconnected(pycurl.E_COULDNT_CONNECT, str(error), error.errno or 0) from error
        _, line = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: Line(quic, place.address, self._trust), sock=opened
        )
        try:
            await line.secured
        except BaseException:
            line.close(well=False)
            raise
        return line


def _connected(place: Place) -> socket.socket:
    opened = socket.socket(place.family, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        opened.connect(place.address)
    except OSError:
        opened.close()
        raise
    return opened


def _failure(task: asyncio.Task[Line]) -> Unconnected | None:
    error = task.exception()
    if error is None or isinstance(error, Unconnected):
        return error
    raise error


def _drop(task: asyncio.Task[Line]) -> None:
    """Ends an attempt that is not wanted, and the connection that it may have made by now."""
    task.add_done_callback(_hang_up)
    task.cancel()


def _hang_up(task: asyncio.Task[Line]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close(well=True)


def _show(configuration: QuicConfiguration, tls: Tls, cert: bytes) -> None:
    ours = x509.load_pem_x509_certificates(cert)
    configuration.certificate, configuration.certificate_chain = ours[0], ours[1:]
    try:
        configuration.private_key = load_pem_private_key(tls.key or cert, None)
    except TypeError as error:  # it has a password
        raise ValueError(str(error)) from error


def _alert(description: AlertDescription) -> int:
    return int(QuicErrorCode.CRYPTO_ERROR) + int(description)


def _said(ended: ConnectionTerminated, alert: int) -> str:
    if ended.reason_phrase:
        return ended.reason_phrase
    try:
        return AlertDescription(alert).name.replace("_", " ")
    except ValueError:
        return f"alert {alert}"
