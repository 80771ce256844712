"""One destination's copies, each sent by who can: libcurl, or for trailers by HTTP/2 and 3 we ourselves.

libcurl sends a request's trailers in HTTP/1.1 only. For the few copies that have some it still makes the
connection, by whatever name, proxy or socket, and what follows on it is ours: TLS, then HTTP/2. To HTTP/3
destinations it still finds the addresses, and all else is ours.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Buffer, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import pycurl

from traffic_mirror.copies import Copy
from traffic_mirror.spec.model import Destination
from traffic_mirror.worker.curl_options import proxy_of, speaks_tls
from traffic_mirror.worker.exchange import Exchange
from traffic_mirror.worker.grpc import is_call
from traffic_mirror.worker.head_bounds import fits_http2
from traffic_mirror.worker.places import Place, Unconnected
from traffic_mirror.worker.sender import Done, Sender, Sent, Transfer
from traffic_mirror.worker.tls import client_context, server_name
from traffic_mirror.worker.tunnel import SECONDS_TO_PART, TlsProxy
from traffic_mirror.worker.upload import Feed

if TYPE_CHECKING:
    from traffic_mirror.worker.exchange3 import Exchange3
    from traffic_mirror.worker.quic import Dialler, Line
    from traffic_mirror.worker.websocket import Conversation

_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE)
_SECONDS_OF_HTTP1 = 60.0  # how long a destination is taken to speak no HTTP/2 still


class _Socket(socket.socket):
    """A connection whose end is only found in reading it: asyncio takes a write that fails for the end, and
    then reads no more of what the destination said before it closed (its answer to an upload, often)."""

    def send(self, data: Buffer, flags: int = 0, /) -> int:
        try:
            return super().send(data, flags)
        except (BrokenPipeError, ConnectionResetError):
            return memoryview(data).nbytes

    def sendmsg(self, buffers: Iterable[Buffer], *more: Any) -> int:
        pieces = list(buffers)
        try:
            return super().sendmsg(pieces, *more)
        except (BrokenPipeError, ConnectionResetError):
            return sum(memoryview(piece).nbytes for piece in pieces)


class Journey:
    """A copy with trailers on its way: libcurl connects, then there is TLS, then the exchange.

    To HTTP/3 libcurl only finds the `places` to connect to, then there is QUIC.
    """

    __slots__ = (
        "began",
        "copy",
        "deadline",
        "done",
        "exchange",
        "feed",
        "keep",
        "places",
        "sockets",
        "task",
        "transfer",
    )

    def __init__(self, copy: Copy, began: float, seconds: float, keep: int, done: Done, feed: Feed) -> None:
        self.copy = copy
        self.began = began
        self.deadline = began + seconds
        self.keep = keep
        self.done = done
        self.feed = feed
        self.sockets: list[socket.socket] = []
        self.transfer: Transfer | None = None
        self.task: asyncio.Task[None] | None = None
        self.exchange: Exchange | Exchange3 | None = None
        self.places: list[Place] = []

    def open(self, _: int, address: pycurl.CurlSockAddr) -> socket.socket | int:
        """Makes a socket for libcurl, which connects a copy of it."""
        try:
            opened = _Socket(address.family, address.socktype, address.protocol)
        except OSError:
            return pycurl.SOCKET_BAD
        self.sockets.append(opened)
        return opened

    def note_place(self, _: int, address: pycurl.CurlSockAddr) -> int:
        """Keeps an address that libcurl would connect to, and lets it go on to the next."""
        self.places.append(Place(address.family, address.addr))
        return pycurl.SOCKET_BAD

    def take_socket(self, local_port: int) -> socket.socket:
        """The one of them that was connected; the others close."""
        connected = [opened for opened in self.sockets if _is_from(opened, local_port)]
        if not connected:
            raise OSError("the connection closed")
        self.sockets.remove(connected[0])
        self.close_sockets()
        connected[0].setblocking(False)
        return connected[0]

    def close_sockets(self) -> None:
        """Those that became no connection."""
        for opened in self.sockets:
            opened.close()
        self.sockets.clear()


class TrailerSender:
    """A `Sender` that carries trailers to HTTP/2 and 3 destinations too; its promises are the same."""

    def __init__(self, destination: Destination, parent_proxy: str = "") -> None:
        self._destination = destination
        self._libcurl = Sender(destination, parent_proxy)
        self._secure = destination.scheme == "https"
        proxy = proxy_of(destination, parent_proxy)
        self._proxy = TlsProxy(proxy, destination) if speaks_tls(proxy) else None
        version = destination.http_version
        self._speaks = version in ("2", "3") or (version == "auto" and self._secure)
        self._by_quic = version == "3"
        self._context: ssl.SSLContext | None = None
        self._dialler: Dialler | None = None
        self._http1_until = 0.0

    def why_unsendable(self, copy: Copy, *, websocket: bool) -> str:
        """Why `copy` would not be sent, whatever the destination does; empty where it would."""
        return self._libcurl.why_unsendable(copy, websocket=websocket)

    @property
    def closable(self) -> bool:
        """Whether closing takes no time."""
        return self._libcurl.closable

    async def close(self) -> None:
        """Closes every connection."""
        await self._libcurl.close()

    def start(
        self,
        copy: Copy,
        seconds: float,
        keep: int,
        done: Done,
        feed: Feed | None = None,
        conversation: Conversation | None = None,
    ) -> Transfer | Journey:
        """Begins to send `copy`, as `Sender.start` does."""
        if feed is None or conversation is not None or not self._takes(copy, feed):
            return self._libcurl.start(copy, seconds, keep, done, feed, conversation)
        began = asyncio.get_running_loop().time()
        journey = Journey(copy, began, seconds, keep, done, feed)
        opening, then = (
            (journey.note_place, self._found) if self._by_quic else (journey.open, self._connected)
        )
        journey.transfer = self._libcurl.connect(seconds, opening, partial(then, journey))
        return journey

    def cancel(self, under_way: Transfer | Journey) -> Sent:
        """Ends what is under way, its connection with it; what had arrived comes back."""
        if isinstance(under_way, Transfer):
            return self._libcurl.cancel(under_way)
        sent = Sent(pycurl.E_ABORTED_BY_CALLBACK, "given up")
        sent.seconds = asyncio.get_running_loop().time() - under_way.began
        if under_way.exchange is not None:
            return under_way.exchange.abort()
        if under_way.task is not None:
            under_way.task.cancel()
        elif under_way.transfer is not None:
            sent = self._libcurl.cancel(under_way.transfer)
        under_way.close_sockets()
        return sent

    def _takes(self, copy: Copy, feed: Feed) -> bool:
        """Whether a copy is sent by HTTP/2 or 3 of our own: it has trailers or, while it still comes, may.

        A gRPC call has none unless it says so. By QUIC we are so much slower than libcurl that it takes an
        announcement.
        """
        if not self._speaks or not (self._by_quic or fits_http2(copy)):
            return False
        if feed.ended:
            return bool(feed.trailers)
        if not feed.may_trail:
            return False
        if any(name.lower() == b"trailer" for name, _ in copy.headers):
            return True
        return not (self._by_quic or is_call(copy.headers) or self._found_http1())

    def _found_http1(self) -> bool:
        """Whether TLS agreed on HTTP/1.1 a short while ago: then a try costs a connection for nothing."""
        return asyncio.get_running_loop().time() < self._http1_until

    def _connected(self, journey: Journey, sent: Sent) -> None:
        connecting, journey.transfer = journey.transfer, None
        if sent.code or connecting is None:
            journey.close_sockets()
            journey.done(sent)
            return
        journey.task = asyncio.get_running_loop().create_task(self._go_on(journey, sent.local_port))

    async def _go_on(self, journey: Journey, local_port: int) -> None:
        """The rest of the way once libcurl has connected; ends with `done`, now or by the exchange."""
        left = journey.deadline - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(left):
                exchange = await self._secured(journey, local_port)
        except TimeoutError:
            self._fail(journey, pycurl.E_OPERATION_TIMEDOUT, "SSL connection timeout")
        except Unconnected as error:
            self._fail(journey, error.code, str(error), error.os_error)
        except ssl.SSLCertVerificationError as error:
            problem = f"SSL certificate problem: {error.verify_message}"
            self._fail(journey, pycurl.E_PEER_FAILED_VERIFICATION, problem)
        except (OSError, ValueError) as error:
            ours = isinstance(error, OSError) and error.errno in _OUT_OF_FILES
            code = pycurl.E_COULDNT_CONNECT if ours else pycurl.E_SSL_CONNECT_ERROR
            self._fail(journey, code, f"TLS connect error: {error}")
        else:
            self._speak(journey, exchange)
        finally:
            journey.close_sockets()

    def _found(self, journey: Journey, sent: Sent) -> None:
        """libcurl has named the addresses and, as it was meant to, could open no socket; or it found none."""
        journey.transfer = None
        if journey.places:
            journey.task = asyncio.get_running_loop().create_task(self._dial(journey))
        else:
            journey.done(sent)

    async def _dial(self, journey: Journey) -> None:
        """The rest of the way to HTTP/3; ends with `done`, now or by the exchange."""
        left = journey.deadline - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(left):
                if self._dialler is None:
                    self._dialler = await asyncio.to_thread(_dialler_to, self._destination)
                line = await self._dialler.dial(journey.places)
        except TimeoutError:
            self._fail(journey, pycurl.E_OPERATION_TIMEDOUT, "QUIC connection timeout")
        except Unconnected as error:
            self._fail(journey, error.code, str(error), error.os_error)
        except ValueError as error:
            self._fail(journey, pycurl.E_SSL_CONNECT_ERROR, f"TLS connect error: {error}")
        else:
            self._speak_http3(journey, line)

    def _speak_http3(self, journey: Journey, line: Line) -> None:
        from traffic_mirror.worker.exchange3 import Exchange3  # noqa: PLC0415 - aioquic takes half a second

        journey.task = None
        limit = self._destination.max_response
        journey.exchange = exchange = Exchange3(
            line, journey.copy, journey.feed, journey.keep, limit, journey.began, journey.done
        )
        exchange.begin()

    async def _secured(self, journey: Journey, local_port: int) -> Exchange:
        """The connection, with TLS where the destination wants it."""
        to = self._destination
        connected = journey.take_socket(local_port)
        if self._secure and self._context is None:
            offered = ["h2"] if to.http_version == "2" else ["h2", "http/1.1"]
            self._context = client_context(to.tls, offered)
        exchange = Exchange(
            journey.copy, journey.feed, journey.keep, to.max_response, journey.began, journey.done
        )
        name = server_name(to)
        if self._proxy is not None:
            try:
                await self._proxy.lead(connected, exchange, self._context, name)
            except BaseException:
                exchange.abort()
                raise
            return exchange
        await asyncio.get_running_loop().create_connection(
            lambda: exchange,
            sock=connected,
            ssl=self._context,
            server_hostname=name if self._secure else None,
            ssl_handshake_timeout=to.timeout if self._secure else None,
            ssl_shutdown_timeout=SECONDS_TO_PART if self._secure else None,
        )
        return exchange

    def _speak(self, journey: Journey, exchange: Exchange) -> None:
        """Begins the exchange; where TLS agreed on HTTP/1.1, libcurl does, anew."""
        journey.task = None
        if self._destination.http_version == "2" or exchange.agreed == "h2":
            journey.exchange = exchange
            exchange.begin()
            return
        exchange.abort()
        now = asyncio.get_running_loop().time()
        self._http1_until = now + _SECONDS_OF_HTTP1
        left = journey.deadline - now
        journey.transfer = self._libcurl.start(
            journey.copy, left, journey.keep, journey.done, journey.feed, http2=False
        )

    def _fail(self, journey: Journey, code: int, message: str, os_error: int = 0) -> None:
        journey.task = None
        sent = Sent(code, message)
        sent.os_error = os_error
        sent.seconds = asyncio.get_running_loop().time() - journey.began
        journey.done(sent)


def _dialler_to(destination: Destination) -> Dialler:
    from traffic_mirror.worker.quic import Dialler  # noqa: PLC0415 - aioquic takes half a second

    return Dialler(destination)


def _is_from(opened: socket.socket, local_port: int) -> bool:
    """Whether a socket is the one connected from `local_port`; a unix socket has none, and no rival."""
    return opened.family == socket.AF_UNIX or opened.getsockname()[1] == local_port
