"""One destination's copies, each sent by who can: libcurl, or for trailers by HTTP/2 the `h2` library.

libcurl sends a request's trailers in HTTP/1.1 only. For the few copies that have some it still makes the
connection, by whatever name, proxy or socket, and what follows on it is ours: TLS, then HTTP/2.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from functools import partial
from typing import TYPE_CHECKING

import pycurl

from traffic_mirror.copies import Copy, may_carry_trailers
from traffic_mirror.spec.model import Destination
from traffic_mirror.worker.curl_options import proxy_of, speaks_tls
from traffic_mirror.worker.exchange import Exchange
from traffic_mirror.worker.grpc import is_call
from traffic_mirror.worker.head_bounds import fits_http2
from traffic_mirror.worker.sender import Done, Sender, Sent, Transfer
from traffic_mirror.worker.tls import client_context
from traffic_mirror.worker.tunnel import SECONDS_TO_PART, NoWayError, TlsProxy
from traffic_mirror.worker.upload import Feed

if TYPE_CHECKING:
    from traffic_mirror.worker.websocket import Conversation

_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE)


class Journey:
    """A copy with trailers on its way: libcurl connects, then there is TLS, then the exchange."""

    __slots__ = (
        "began",
        "copy",
        "deadline",
        "done",
        "exchange",
        "feed",
        "keep",
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
        self.exchange: Exchange | None = None

    def open(self, _: int, address: pycurl.CurlSockAddr) -> socket.socket | int:
        """Makes a socket for libcurl, which connects a copy of it."""
        try:
            opened = socket.socket(address.family, address.socktype, address.protocol)
        except OSError:
            return pycurl.SOCKET_BAD
        self.sockets.append(opened)
        return opened

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
    """A `Sender` that carries trailers to HTTP/2 destinations too; its promises are the same."""

    def __init__(self, destination: Destination, parent_proxy: str = "") -> None:
        self._destination = destination
        self._libcurl = Sender(destination, parent_proxy)
        self._secure = destination.scheme == "https"
        proxy = proxy_of(destination, parent_proxy)
        self._proxy = TlsProxy(proxy, destination) if speaks_tls(proxy) else None
        self.carries = may_carry_trailers(destination)
        """Whether trailers may arrive."""
        version = destination.http_version
        self._speaks = self.carries and (version == "2" or (version == "auto" and self._secure))
        self._context: ssl.SSLContext | None = None

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
        journey.transfer = self._libcurl.connect(seconds, journey.open, partial(self._connected, journey))
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
        """Whether a copy is sent by HTTP/2 of our own: one that has trailers or, while it still comes, may
        have some. A gRPC call has none unless it says so."""
        if not self._speaks or not fits_http2(copy):
            return False
        if feed.ended:
            return bool(feed.trailers)
        return feed.may_trail and (
            not is_call(copy.headers) or any(name.lower() == b"trailer" for name, _ in copy.headers)
        )

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
        except NoWayError as error:
            self._fail(journey, error.code, str(error))
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
        name = (to.tls.server_name or to.hostname).strip("[]")
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
        left = journey.deadline - asyncio.get_running_loop().time()
        journey.transfer = self._libcurl.start(
            journey.copy, left, journey.keep, journey.done, journey.feed, http2=False
        )

    def _fail(self, journey: Journey, code: int, message: str) -> None:
        journey.task = None
        sent = Sent(code, message)
        sent.seconds = asyncio.get_running_loop().time() - journey.began
        journey.done(sent)


def _is_from(opened: socket.socket, local_port: int) -> bool:
    """Whether a socket is the one connected from `local_port`; a unix socket has none, and no rival."""
    return opened.family == socket.AF_UNIX or opened.getsockname()[1] == local_port
