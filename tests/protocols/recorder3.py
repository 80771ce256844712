"""An HTTP/3 server that keeps each request as it came, and answers as a test wants it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import QuicServer, serve
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted, QuicEvent, StreamReset

from tests.certificates import Authority
from tests.protocols.recorder2 import Recorded, Recorder
from tests.waiting import wait_until

Answer = Callable[["Served", int], None]
When = Callable[[Recorded], bool]
Greeting = Callable[["Served"], None]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """`greeting` follows the handshake; `answer` a request, once it is complete or earlier `when` says so."""

    answer: Answer
    when: When
    greeting: Greeting


class Served(QuicConnectionProtocol):
    """One client's connection, as an answer sees it."""

    def __init__(self, recorder: Recorder3, behaviour: Behaviour, quic: QuicConnection) -> None:
        super().__init__(quic)
        self.h3 = H3Connection(quic)
        self.quic = quic
        self._behaviour = behaviour
        self._open: dict[int, Recorded] = {}
        self._answered: set[int] = set()
        recorder.peers.append(self)
        self._recorder = recorder

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, HandshakeCompleted):
            self._behaviour.greeting(self)
        if isinstance(event, StreamReset | ConnectionTerminated):
            for got in self._open.values():
                got.reset = not got.complete
        for said in self.h3.handle_event(event):
            if isinstance(said, HeadersReceived):
                self._take_fields(said)
            elif isinstance(said, DataReceived):
                self._open[said.stream_id].body += said.data
            if isinstance(said, HeadersReceived | DataReceived):
                self._go_on(said.stream_id, ended=said.stream_ended)

    def send(self, *fields: tuple[str, str], stream: int, end: bool = False) -> None:
        self.h3.send_headers(stream, [(n.encode(), v.encode()) for n, v in fields], end_stream=end)

    def _take_fields(self, said: HeadersReceived) -> None:
        if said.stream_id in self._open:
            self._open[said.stream_id].trailers = list(said.headers)
        else:
            self._open[said.stream_id] = got = Recorded(list(said.headers))
            self._recorder.requests.append(got)

    def _go_on(self, stream: int, *, ended: bool) -> None:
        got = self._open[stream]
        got.complete = ended
        if stream not in self._answered and (ended or self._behaviour.when(got)):
            self._answered.add(stream)
            self._behaviour.answer(self, stream)


@dataclass(slots=True)
class Recorder3(Recorder):
    """A recorder that runs, and whom it has or had connections with."""

    host: str = "127.0.0.1"
    peers: list[Served] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://{self.host}:{self.port}"


def answering(
    *fields: tuple[str, str], body: bytes = b"", trailers: tuple[tuple[str, str], ...] = ()
) -> Answer:
    """Always the same answer."""

    def answer(served: Served, stream: int) -> None:
        served.send(*fields, stream=stream, end=not body and not trailers)
        if body:
            served.h3.send_data(stream, body, end_stream=not trailers)
        if trailers:
            served.send(*trailers, stream=stream, end=True)

    return answer


FINE = answering((":status", "200"), ("content-length", "0"))


@contextlib.contextmanager
def recorder3(
    authority: Authority,
    *names: str,
    answer: Answer = FINE,
    when: When = lambda _: False,
    host: str = "127.0.0.1",
    days: tuple[int, int] = (-1, 30),
    asks_for_certificate: bool = False,
    greeting: Greeting = lambda _: None,
    alpn: str = "h3",
    retry: bool = False,
) -> Iterator[Recorder3]:
    """Starts one on loopback with a certificate for `names`. It answers once a request is complete, or
    earlier where `when` says so."""
    certificate, key = authority.issue(*(names or ("127.0.0.1", "localhost", "::1")), days=days)
    configuration = QuicConfiguration(is_client=False, alpn_protocols=[alpn])
    configuration.load_cert_chain(certificate, key)
    recorder = Recorder3(0, "https", host=f"[{host}]" if ":" in host else host)

    behaviour = Behaviour(answer, when, greeting)

    def made(quic: QuicConnection, stream_handler: object) -> Served:
        if asks_for_certificate:
            _ask(quic)
        return Served(recorder, behaviour, quic)

    loop = asyncio.new_event_loop()

    async def start() -> QuicServer:
        server = await serve(host, 0, configuration=configuration, create_protocol=made, retry=retry)
        assert server._transport is not None
        recorder.port = server._transport.get_extra_info("sockname")[1]
        return server

    def run() -> None:
        server = loop.run_until_complete(start())
        loop.run_forever()
        if server._transport is not None and not server._transport.is_closing():
            server.close()  # type: ignore[no-untyped-call]
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        wait_until(lambda: recorder.port, message="an HTTP/3 server")
        yield recorder
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        assert not thread.is_alive()


def _ask(quic: QuicConnection) -> None:
    """Makes a server want a client's certificate, as aioquic's own tests do."""
    begin = quic._initialize

    def initialize(peer: bytes) -> None:
        begin(peer)
        quic.tls._request_client_certificate = True

    quic._initialize = initialize  # type: ignore[assignment,method-assign]
