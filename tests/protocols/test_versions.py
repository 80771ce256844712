"""Every version of HTTP to every other: what a client sends in one, a destination gets in another."""

from __future__ import annotations

import contextlib
import io
import random
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pycurl
import pytest

from tests import http2
from tests.certificates import Authority
from tests.clients import Client
from tests.e2e.stage import MARKERS, tag
from tests.http1 import Message
from tests.protocols.asgi import AsgiServer, Asked, Headers, asgi_server
from tests.proxies import Proxy, proxy
from tests.servers import RecordingServer
from tests.waiting import wait_until

SPEC = """
version: 1
destinations:
  raw: {{url: "{raw}"}}
  plain-2: {{url: "{plain}", http_version: 2}}
  tls-1: {{url: "{secure}", http_version: 1.1, tls: {{ca_file: "{ca}"}}}}
  tls-2: {{url: "{secure}", http_version: 2, tls: {{ca_file: "{ca}"}}}}
  tls-3: {{url: "{secure}", http_version: 3, tls: {{ca_file: "{ca}"}}}}
  auto: {{url: "{secure}", tls: {{ca_file: "{ca}"}}}}
  preserving: {{url: "{secure}", http_version: 2, host: preserve, tls: {{ca_file: "{ca}"}}}}
apis:
  - name: all
    traffic_mirror:
      - {{name: all, path: /all/*, destinations: [raw, plain-2, tls-1, tls-2, tls-3, auto]}}
      - {{name: trailing, path: /trailing/*, destinations: [raw, tls-1, tls-2]}}
      - {{name: preserving, path: /preserving/*, destinations: [preserving]}}
"""
MARKER_NAMES = {name.lower() for name in MARKERS}


@dataclass(frozen=True, slots=True)
class Stage:
    """One proxy that takes HTTP/1, 2 and 3 on one port, and servers of every version behind it."""

    proxy: Proxy
    primary: AsgiServer
    plain: AsgiServer
    secure: AsgiServer
    raw: RecordingServer

    def copies(self, word: str) -> dict[str, Headers]:
        """Each version's header fields of the copies of one request, whose bodies must be all the same."""
        wait_until(
            lambda: len(self._found(self.secure, word)) >= 4 and self._found(self.plain, word),
            10,
            lambda: f"the copies of {word}: {self._found(self.secure, word)}\n{self.proxy.log}",
        )
        found = self._found(self.secure, word)
        assert sorted(asked.version for asked in found) == ["1.1", "2", "2", "3"]
        assert [asked.version for asked in self._found(self.plain, word)] == ["2"]
        assert len({(asked.method, asked.target, asked.body) for asked in found}) == 1
        return {asked.version: asked.headers for asked in found}

    def raw_copy(self, word: str) -> Message:
        """The copy that came over plain HTTP/1.1, byte for byte."""

        def found() -> list[Message]:
            return [got for got in self.raw.requests if word.encode() in got.target]

        wait_until(found, 10, lambda: self.proxy.log)
        (copy,) = found()
        return copy

    @staticmethod
    def _found(server: AsgiServer, word: str) -> list[Asked]:
        return [asked for asked in server.asked if word.encode() in asked.target]

    @contextlib.contextmanager
    def tls(self, protocol: str, name: str = "127.0.0.1") -> Iterator[ssl.SSLSocket]:
        """A client's connection that has agreed on a protocol."""
        context = ssl.create_default_context(cafile=str(self.proxy.ca))
        context.set_alpn_protocols([protocol])
        raw = socket.create_connection(("127.0.0.1", self.proxy.port), 15)
        with context.wrap_socket(raw, server_hostname=name) as secure:
            assert secure.selected_alpn_protocol() == protocol
            yield secure

    def curl(self, version: int, target: bytes, headers: Sequence[bytes], body: bytes) -> int:
        """A request by libcurl; the answer's status."""
        curl = pycurl.Curl()
        curl.setopt(pycurl.URL, f"https://127.0.0.1:{self.proxy.port}/")
        curl.setopt(pycurl.REQUEST_TARGET, target)
        curl.setopt(pycurl.HTTP_VERSION, version)
        curl.setopt(pycurl.CAINFO, str(self.proxy.ca))
        curl.setopt(pycurl.HTTPHEADER, [*headers, b"Expect:"])
        curl.setopt(pycurl.POSTFIELDS, body)
        curl.setopt(pycurl.TIMEOUT, 15)
        curl.setopt(pycurl.WRITEFUNCTION, io.BytesIO().write)
        curl.perform()
        assert curl.getinfo(pycurl.INFO_HTTP_VERSION) == (
            3 if version != pycurl.CURL_HTTP_VERSION_3ONLY else 30
        )
        status: int = curl.getinfo(pycurl.RESPONSE_CODE)
        curl.close()
        return status


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("versions")
    authority = Authority(directory)
    with contextlib.ExitStack() as running:
        primary = running.enter_context(asgi_server(authority, directory, h3=True))
        secure = running.enter_context(asgi_server(authority, directory, h3=True))
        plain = running.enter_context(asgi_server(None, directory))
        raw = running.enter_context(RecordingServer())
        spec = SPEC.format(raw=raw.url, plain=plain.url, secure=secure.url, ca=authority.file)
        options = {"ssl_insecure": "true", "keep_host_header": "true", "stream_large_bodies": "300k"}
        mode = f"reverse:{primary.url}"
        started = running.enter_context(proxy(directory / "proxy", spec, mode=mode, options=options))
        yield Stage(started, primary, plain, secure, raw)


def own(headers: Headers) -> Headers:
    """A copy's fields without the markers and the Host."""
    return [(name, value) for name, value in headers if name not in MARKER_NAMES and name != b"host"]


def names(headers: Headers) -> list[bytes]:
    return [name for name, _ in headers]


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_http1_clients(stage: Stage, version: bytes) -> None:
    word = tag()
    fields = [
        b"Host: shop.test",
        b"X-Up: One",
        b"x-dup: 1",
        b"X-Dup: 2",
        b"Cookie: a=1; b=2",
        b"Content-Length: 5",
    ]
    head = f"POST /all/{word}/../x%2Fy?q=1&q=2 HTTP/".encode() + version
    with stage.tls("http/1.1") as secure:
        secure.sendall(b"\r\n".join([head, *fields, b"", b"hello"]))
        assert secure.recv(100).split(b" ")[1] == b"200"
    for headers in stage.copies(word).values():
        assert sorted(own(headers)) == sorted(
            [
                (b"x-up", b"One"),
                (b"x-dup", b"1"),
                (b"x-dup", b"2"),
                (b"cookie", b"a=1; b=2"),
                (b"content-length", b"5"),
            ]
        )
        assert [v for n, v in headers if n == b"host"] == [stage.secure.url.removeprefix("https://").encode()]
    copy = stage.raw_copy(word)
    assert copy.first_line == f"POST /all/{word}/../x%2Fy?q=1&q=2 HTTP/1.1".encode()
    lines = [b"%b: %b" % field for field in copy.headers if field[0] not in (*MARKERS, b"Host")]
    assert lines == fields[1:]
    assert copy.body == b"hello"


@pytest.mark.parametrize(
    "version",
    [
        pytest.param(pycurl.CURL_HTTP_VERSION_2_0, id="2"),
        pytest.param(pycurl.CURL_HTTP_VERSION_3ONLY, id="3"),
    ],
)
def test_http2_and_3_clients(stage: Stage, version: int) -> None:
    word, body = tag(), bytes(range(256)) * 400
    headers = [
        b"User-Agent: t",
        b"X-Up: One",
        b"X-Dup: 1",
        b"X-Dup: 2",
        b"Accept:",
        b"Content-Type: a/b",
        b"Cookie: a=1",
    ]
    assert stage.curl(version, f"/all/{word}//b/../c?".encode(), headers, body) == 200
    expected = [
        (b"content-length", b"%d" % len(body)), (b"content-type", b"a/b"), (b"cookie", b"a=1"),
        (b"user-agent", b"t"), (b"x-dup", b"1"), (b"x-dup", b"2"), (b"x-up", b"One"),
    ]  # fmt: skip
    for headers_of_copy in stage.copies(word).values():
        assert sorted(own(headers_of_copy)) == expected
    copy = stage.raw_copy(word)
    assert copy.target == f"/all/{word}//b/../c?".encode()
    assert sorted((n, v) for n, v in copy.headers if n not in (*MARKERS, b"Host")) == expected
    assert copy.body == body


@pytest.mark.parametrize("how", ["known-length", "chunked"])
def test_a_streamed_body_reaches_every_version(stage: Stage, how: str) -> None:
    word, body = tag(), random.Random(how).randbytes(1_000_000)
    head = f"POST /all/{word} HTTP/1.1\r\nHost: shop.test\r\n".encode()
    if how == "chunked":
        head += b"Transfer-Encoding: chunked\r\n\r\n"
        framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        head += b"Content-Length: %d\r\n\r\n" % len(body)
        framed = body
    with stage.tls("http/1.1") as secure:
        secure.sendall(head + framed)
        assert secure.recv(100).split(b" ")[1] == b"200"
    length = [(b"content-length", b"%d" % len(body))] if how == "known-length" else []
    encoding = [(b"transfer-encoding", b"chunked")] if how == "chunked" else []
    for version, headers in stage.copies(word).items():
        assert own(headers) == length + (encoding if version == "1.1" else [])
    assert stage.raw_copy(word).body == body
    asked = [asked for asked in (*stage.secure.asked, *stage.plain.asked) if word.encode() in asked.target]
    assert {one.body for one in asked} == {body}
    assert "Streaming request" in stage.proxy.log


def test_split_cookies_are_one_field_everywhere(stage: Stage) -> None:
    word = tag()
    fields = [
        (b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"shop.test"),
        (b":path", f"/all/{word}".encode()), (b"cookie", b"a=1"), (b"x-a", b"1"), (b"cookie", b"b=2"),
    ]  # fmt: skip
    with stage.tls("h2") as connection:
        assert http2.exchange(connection, fields) == 200
    for headers in stage.copies(word).values():
        assert sorted(own(headers)) == [(b"cookie", b"a=1; b=2"), (b"x-a", b"1")]
    assert stage.raw_copy(word).header("cookie") == b"a=1; b=2"


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
def test_the_client_s_authority_is_preserved_where_that_is_asked_for(stage: Stage, protocol: str) -> None:
    word = tag()
    with stage.tls(protocol, "127.0.0.1") as connection:
        if protocol == "h2":
            pseudo = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"shop.test:99")]
            assert http2.exchange(connection, [*pseudo, (b":path", f"/preserving/{word}".encode())]) == 200
        else:
            connection.sendall(f"GET /preserving/{word} HTTP/1.1\r\nHost: shop.test:99\r\n\r\n".encode())
            assert connection.recv(100).split(b" ")[1] == b"200"
    assert stage.secure.the(word).all(b"host") == [b"shop.test:99"]
    assert stage.secure.the(word).all(b"x-traffic-mirror-source") == [b"shop.test"]


def test_trailers_follow_where_a_destination_can_have_them(stage: Stage) -> None:
    """To HTTP/3, where hypercorn takes them for a request, test_trailers3.py has them."""
    word = tag()
    fields = [
        (b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"shop.test"),
        (b":path", f"/trailing/{word}".encode()), (b"trailer", b"x-sum"),
    ]  # fmt: skip
    with stage.tls("h2") as connection:
        assert http2.exchange(connection, fields, b"hello", [(b"x-sum", b"5")]) == 200
    copy = stage.raw_copy(word)
    assert copy.raw_body == b"5\r\nhello\r\n0\r\nx-sum: 5\r\n\r\n"
    assert copy.header("trailer") == b"x-sum"
    assert copy.header("content-length") is None
    found = wait_until(lambda: [got for got in [stage._found(stage.secure, word)] if len(got) == 2])[0]
    assert sorted(asked.version for asked in found) == ["1.1", "2"]
    assert all(b"trailer" in names(asked.headers) for asked in found)


def test_a_plain_client_is_as_good(tmp_path: Path) -> None:
    """HTTP/1.0 without a Host, answered by a close."""
    with RecordingServer() as primary, RecordingServer() as raw:
        spec = f"""
version: 1
apis: [{{name: all, traffic_mirror: [{{name: any, path: "^/", destinations: ["{raw.url}"]}}]}}]
"""
        with proxy(tmp_path, spec, mode=f"reverse:{primary.url}") as running, Client(running.port) as client:
            client.send(b"GET /old HTTP/1.0\r\nX-A: 1\r\n\r\n")
            assert client.receive().status == 200
            (copy,) = raw.wait_for(1)
    assert copy.first_line == b"GET /old HTTP/1.1"
    assert copy.header("host") == raw.url.removeprefix("http://").encode()
    assert copy.header("x-a") == b"1"
