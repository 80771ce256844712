"""A law: whatever request HTTP/1.1 or HTTP/2 can express arrives unchanged, but for what the spec asks.

One proxy and its recording servers see every example. What the proxy itself refuses is no example.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import h2.config
import h2.connection
import h2.events
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from tests.certificates import Authority
from tests.clients import Client
from tests.e2e.stage import MARKERS
from tests.http1 import Message
from tests.protocols.recorder2 import Fields, Recorded, Recorder, recorder2
from tests.proxies import Proxy, proxy
from tests.servers import RecordingServer, answering
from tests.waiting import wait_until

SPEC = """
version: 1
destinations: {{one: {{url: "{one}"}}, two: {{url: "{two}", http_version: 2}}}}
apis: [{{name: all, traffic_mirror: [{{name: any, path: "^", destinations: [one, two]}}]}}]
"""
TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
# What is said to the next hop, framing, what frames, and what asks for another protocol.
NOT_OURS = {
    "connection", "keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate",
    "proxy-authentication-info", "te", "trailer", "transfer-encoding", "upgrade", "expect", "http2-settings",
    "content-length", "host", "cookie",
}  # fmt: skip
MARKERS_IN_LOWER_CASE = frozenset(name.lower() for name in MARKERS)
VISIBLE = bytes(range(0x21, 0x7F)) + bytes(range(0x80, 0x100))

names = st.text(TOKEN, min_size=1, max_size=20).filter(
    lambda name: name.lower() not in NOT_OURS and not name.lower().startswith("x-traffic-mirror")
)
inner = (
    st.lists(st.sampled_from(VISIBLE + b" \t"), max_size=30).map(bytes).map(lambda value: value.strip(b" \t"))
)
fields = st.lists(st.tuples(names.map(str.encode), inner), max_size=12)
methods = st.one_of(
    st.sampled_from([b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE"]),
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ-", min_size=1, max_size=12).map(str.encode),
).filter(lambda method: method != b"PRI" and not b"CONNECT".startswith(method))  # libcurl: docs/protocols.md
paths = st.lists(st.sampled_from(VISIBLE.replace(b"#", b"")), max_size=60).map(
    lambda rest: b"/" + bytes(rest)
)
ascii_paths = st.lists(st.sampled_from(bytes(range(0x21, 0x7F)).replace(b"#", b"")), max_size=60).map(
    lambda rest: b"/" + bytes(rest)
)
cookies = st.lists(st.sampled_from([b"a=1", b"b=2", b"c="]), max_size=3)
bodies = st.one_of(st.none(), st.binary(max_size=3000))
LAW = settings(
    max_examples=150, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)  # fmt: skip


@dataclass(slots=True)
class Stage:
    """One proxy for all examples; each example asks for what arrived since the last one.

    Its destinations are spoken to in HTTP/1.1 (`one`) and in HTTP/2 (`two`).
    """

    proxy: Proxy
    primary: RecordingServer
    one: RecordingServer
    two: Recorder

    def send(self, data: bytes, method: bytes) -> bool:
        """Sends a request as it stands; False where the proxy refuses it."""
        with Client(self.proxy.port) as client:
            client.send(data)
            return client.receive(method).status == 200

    def copies(self) -> tuple[Message, Recorded]:
        """The one copy that came to each destination."""
        wait_until(lambda: len(self.one.requests), 10, lambda: self.proxy.log[-2000:])
        (one,) = self.one.requests
        two = self.two.the_only()
        self.one.forget()
        self.two.requests.clear()
        self.primary.forget()
        return one, two

    def check_two(self, copy: Recorded, method: bytes, path: bytes, headers: Fields, body: bytes) -> None:
        """What HTTP/2 asks for: names in lower case, an `:authority` and no Host."""
        assert copy.pseudo == {
            b":method": method,
            b":scheme": b"http",
            b":path": path,
            b":authority": self.two.url.removeprefix("http://").encode(),
        }
        assert copy.body == body
        got = [field for field in copy.headers if field[0] not in MARKERS_IN_LOWER_CASE]
        assert got == [(name.lower(), value) for name, value in headers]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("law")
    with RecordingServer(answering()) as primary, RecordingServer(answering()) as one, recorder2() as two:
        spec = SPEC.format(one=one.url, two=two.url)
        # What mitmproxy would refuse as doubtful is what a mirror has to carry: let it pass.
        options = {"validate_inbound_headers": "false"}
        with proxy(directory, spec, mode=f"reverse:{primary.url}", options=options) as running:
            yield Stage(running, primary, one, two)


def without_ours(message: Message) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in message.headers if name not in (*MARKERS, b"Host")]


@LAW
@given(method=methods, path=paths, headers=fields, cookies=cookies, body=bodies, chunked=st.booleans())
@example(method=b"GET", path=b"/?", headers=[(b"x", b"")], cookies=[], body=None, chunked=False)
@example(
    method=b"GET",
    path=b"//a/../%2f?a=1&a=1?",
    headers=[(b"A", b"1"), (b"a", b"2")],
    cookies=[b"a=1; b=2", b"c="],
    body=b"",
    chunked=False,
)
@example(
    method=b"HEAD",
    path=b"/\xff",
    headers=[(b"accept", b""), (b"User-Agent", b"")],
    cookies=[b"a"],
    body=None,
    chunked=True,
)
def test_http1(
    stage: Stage,
    method: bytes,
    path: bytes,
    headers: list[tuple[bytes, bytes]],
    cookies: list[bytes],
    body: bytes | None,
    chunked: bool,
) -> None:
    crumbs = [(b"Cookie", cookie) for cookie in cookies]
    fields = [(b"Host", b"own.test"), *headers, *crumbs]
    lines = [b"%b %b HTTP/1.1" % (method, path), *(b"%b: %b" % field for field in fields)]
    sent = body or b""
    if body is None:
        data = b"\r\n".join([*lines, b"", b""])
        length = []
    elif chunked:
        framed = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
        data = b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", framed])
        length = [(b"Content-Length", b"%d" % len(body))]
    else:
        data = b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", body])
        length = [(b"Content-Length", b"%d" % len(body))]
    assume(not (method == b"HEAD" and body))  # a body that means nothing, and that libcurl does not send
    assume(stage.send(data, method))
    one, two = stage.copies()
    assert (one.method, one.target, one.body) == (method, path, sent)
    assert without_ours(one) == headers + crumbs + length
    stage.check_two(two, method, path, headers + crumbs + length, sent)


@pytest.fixture(scope="module")
def over2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, ssl.SSLContext]]:
    directory = tmp_path_factory.mktemp("law2")
    authority = Authority(directory)
    tls = authority.server_context("127.0.0.1")
    with (
        RecordingServer(answering(), tls=tls) as primary,
        RecordingServer(answering()) as one,
        recorder2() as two,
    ):
        spec = SPEC.format(one=one.url, two=two.url)
        options = {"validate_inbound_headers": "false", "ssl_insecure": "true"}
        with proxy(directory / "p", spec, mode=f"reverse:{primary.url}", options=options) as running:
            context = ssl.create_default_context(cafile=str(running.ca))
            context.set_alpn_protocols(["h2"])
            yield Stage(running, primary, one, two), context


@LAW
@given(
    method=methods,
    path=ascii_paths,
    headers=st.lists(st.tuples(names.map(lambda name: name.lower().encode()), inner), max_size=12),
    cookies=cookies,
    body=bodies,
)
def test_http2(
    over2: tuple[Stage, ssl.SSLContext],
    method: bytes,
    path: bytes,
    headers: list[tuple[bytes, bytes]],
    cookies: list[bytes],
    body: bytes | None,
) -> None:
    stage, context = over2
    assume(not (method == b"HEAD" and body))
    pseudo = [(b":method", method), (b":scheme", b"https"), (b":authority", b"own.test"), (b":path", path)]
    crumbs = [(b"cookie", cookie) for cookie in cookies]
    assume(exchange2(stage.proxy.port, context, [*pseudo, *headers, *crumbs], body))
    one, two = stage.copies()
    joined = [(b"cookie", b"; ".join(cookies))] if cookies else []
    length = [(b"Content-Length", b"%d" % len(body))] if body else []
    assert (one.method, one.target, one.body) == (method, path, body or b"")
    assert without_ours(one) == headers + joined + length
    stage.check_two(two, method, path, headers + joined + length, body or b"")


def exchange2(
    port: int, context: ssl.SSLContext, sent: list[tuple[bytes, bytes]], body: bytes | None
) -> bool:
    """Sends one request over HTTP/2, its fields as they stand; False where the proxy refuses it."""
    config = h2.config.H2Configuration(
        client_side=True,
        header_encoding=None,
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
    )
    connection = h2.connection.H2Connection(config)
    connection.initiate_connection()
    connection.send_headers(1, sent, end_stream=body is None)
    if body is not None:
        connection.send_data(1, body, end_stream=True)
    with (
        socket.create_connection(("127.0.0.1", port), 15) as raw,
        context.wrap_socket(raw, server_hostname="127.0.0.1") as secure,
        contextlib.suppress(ConnectionError),
    ):
        secure.sendall(connection.data_to_send())
        while data := secure.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    return dict(event.headers or ())[b":status"] == b"200"
                if isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
                    return False
            secure.sendall(connection.data_to_send())
    return False
