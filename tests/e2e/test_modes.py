"""Every way traffic comes to a mirror: regular, reverse, upstream, transparent; HTTPS and HTTP/2."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests import http2
from tests.certificates import Authority
from tests.clients import Client, curl, exchange, request
from tests.e2e.stage import MARKERS, tag, without_markers
from tests.http1 import Message
from tests.namespaces import ADDRESS, namespace
from tests.proxies import Proxy, proxy
from tests.servers import RecordingServer
from tests.waiting import wait_until

SPEC = """
version: 1
destinations:
  shadow: {{url: "{shadow}", tls: {{ca_file: "{ca}"}}}}
apis:
  - {{name: all, hosts: {hosts}, traffic_mirror: [{{name: any, path: "^/", destinations: [shadow]}}]}}
"""


def the_one(server: RecordingServer, word: str, log: Proxy) -> Message:
    """The only request with this word in its target."""

    def found() -> list[Message]:
        return [got for got in server.requests if word.encode() in got.target]

    wait_until(found, 10, lambda: f"a request for {word}:\n{log.log}")
    (request,) = found()
    return request


@dataclass(frozen=True, slots=True)
class Secure:
    """A regular proxy; the primary and the shadow both speak TLS."""

    proxy: Proxy
    primary: RecordingServer
    shadow: RecordingServer

    def pair(self, word: str) -> tuple[Message, Message]:
        """The original and its copy."""
        return the_one(self.primary, word, self.proxy), the_one(self.shadow, word, self.proxy)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    directory = tmp_path_factory.mktemp("secure")
    authority = Authority(directory)
    context = authority.server_context("127.0.0.1", "localhost")
    with RecordingServer(tls=context) as primary, RecordingServer(tls=context) as shadow:
        spec = SPEC.format(shadow=shadow.url, ca=authority.file, hosts='["127.0.0.1", localhost]')
        options = {"ssl_insecure": "true"}
        with proxy(directory / "proxy", spec, options=options) as running:
            yield Secure(running, primary, shadow)


def test_regular_mode_takes_the_host_from_the_url(secure: Secure) -> None:
    word = tag()
    with RecordingServer() as primary:
        answer = exchange(secure.proxy.port, request(f"{primary.url}/{word}?q=1", host="other.test"))
        assert answer.status == 200
        assert the_one(primary, word, secure.proxy).target == f"/{word}?q=1".encode()
        copy = the_one(secure.shadow, word, secure.proxy)
    assert copy.target == f"/{word}?q=1".encode()
    assert copy.header("X-Traffic-Mirror-Source") == b"127.0.0.1"


def test_https_is_opened_copied_and_sent_on_encrypted(secure: Secure) -> None:
    word, port = tag(), secure.primary.port
    context = ssl.create_default_context(cafile=str(secure.proxy.ca))
    with Client(secure.proxy.port) as client:
        client.send(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        assert client.receive(b"HEAD").status == 200
        client.start_tls(context, "127.0.0.1")
        headers = [("X-One", "1"), ("x-two", "2")]
        data = request(f"/{word}", method="POST", host=f"127.0.0.1:{port}", headers=headers, body=b"secret")
        assert client.exchange(data).status == 200
    original, copy = secure.pair(word)
    assert without_markers(copy) == [(b"X-One", b"1"), (b"x-two", b"2"), (b"Content-Length", b"6")]
    assert original.body == copy.body == b"secret"


@pytest.mark.needs("curl-http2")
def test_curl_over_http2_is_copied(secure: Secure, tmp_path: Path) -> None:
    word = tag()
    body = tmp_path / "body"
    body.write_bytes(bytes(range(256)) * 4096)
    said = curl(
        "--http2", "--proxy", f"http://127.0.0.1:{secure.proxy.port}", "--cacert", str(secure.proxy.ca),
        "--data-binary", f"@{body}", "--header", "X-Case: Kept-In-Value", "--output", "/dev/null",
        "--write-out", "%{http_version} %{response_code}", f"{secure.primary.url}/{word}/a%2Fb?x=1&x=2",
    )  # fmt: skip
    assert said == "2 200"
    _, copy = secure.pair(word)
    assert copy.target == f"/{word}/a%2Fb?x=1&x=2".encode()
    assert copy.body == body.read_bytes()
    assert copy.header("x-case") == b"Kept-In-Value"


def test_http2_fields_become_one_http1_request(secure: Secure) -> None:
    word, authority = tag(), f"127.0.0.1:{secure.primary.port}"
    fields = [
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", authority.encode()),
        (b":path", f"/{word}/../a b//c?".encode()),
        (b"cookie", b"a=1"),
        (b"x-dup", b"1"),
        (b"cookie", b"b=2"),
        (b"x-dup", b"2"),
        (b"content-length", b"5"),
    ]
    with http2.connect(secure.proxy.port, authority, ca=secure.proxy.ca) as connection:
        assert http2.exchange(connection, fields, b"hello") == 200
    _, copy = secure.pair(word)
    assert copy.target == f"/{word}/../a b//c?".encode()
    assert copy.header("host") == f"127.0.0.1:{secure.shadow.port}".encode()
    assert copy.header("cookie") == b"a=1; b=2"
    assert copy.all("x-dup") == [b"1", b"2"]
    assert copy.body == b"hello"
    assert {name for name, _ in copy.headers if name.startswith(b"X-")} == set(MARKERS)


def test_reverse_mode_speaks_https_to_its_clients(tmp_path: Path) -> None:
    word = tag()
    with RecordingServer() as primary, RecordingServer() as shadow:
        spec = SPEC.format(shadow=shadow.url, ca=Authority(tmp_path).file, hosts="[shop.example.test]")
        with proxy(
            tmp_path / "proxy", spec, mode=f"reverse:{primary.url}", options={"keep_host_header": "true"}
        ) as running:
            context = ssl.create_default_context(cafile=str(running.ca))
            with Client(running.port) as client:
                client.start_tls(context, "shop.example.test")
                assert client.exchange(request(f"/{word}", host="shop.example.test")).status == 200
            assert the_one(primary, word, running).header("host") == b"shop.example.test"
            copy = the_one(shadow, word, running)
    assert copy.header("X-Traffic-Mirror-Source") == b"shop.example.test"


def test_upstream_mode_sends_originals_and_copies_through_the_parent(tmp_path: Path) -> None:
    word = tag()
    with RecordingServer() as parent:
        spec = SPEC.format(
            shadow="http://shadow.example.test:8000", ca=Authority(tmp_path).file, hosts="[api.example.test]"
        )
        options = {"upstream_auth": "user:password"}
        with proxy(tmp_path / "proxy", spec, mode=f"upstream:{parent.url}", options=options) as running:
            assert exchange(running.port, request(f"http://api.example.test/{word}")).status == 200
            wait_until(lambda: len(parent.requests) == 2, message=lambda: running.log)
    targets = {request.target: request for request in parent.requests}
    original = targets[f"http://api.example.test/{word}".encode()]
    copy = targets[f"http://shadow.example.test:8000/{word}".encode()]
    assert original.header("X-Traffic-Mirror") is None
    assert copy.header("X-Traffic-Mirror") == b"true"
    assert copy.header("host") == b"shadow.example.test:8000"
    assert len(copy.all("proxy-authorization")) == 1, "the parent asks for it, and gets it once"


@pytest.mark.needs("netns", "curl-http2")
def test_transparent_mode_takes_redirected_connections(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    plain, encrypted = tag(), tag()
    with namespace() as inside, TemporaryDirectory() as for_everyone:
        context = authority.server_context("api.example.test")
        with (
            RecordingServer(listener=inside.listener(80)) as http,
            RecordingServer(listener=inside.listener(443), tls=context) as https,
            RecordingServer(listener=inside.listener(9000)) as shadow,
        ):
            spec = SPEC.format(shadow=f"http://{ADDRESS}:9000", ca=authority.file, hosts='["*.example.test"]')
            options = {"ssl_insecure": "true"}
            with proxy(
                tmp_path / "proxy", spec, mode="transparent", options=options, prefix=inside.prefix
            ) as running:
                ca = shutil.copy(running.ca, for_everyone)
                Path(for_everyone).chmod(0o755)
                resolve = []
                for port in (80, 443):
                    inside.redirect(port, to=running.port)
                    resolve += ["--resolve", f"api.example.test:{port}:{ADDRESS}"]
                for url in (f"http://api.example.test/{plain}", f"https://api.example.test/{encrypted}"):
                    curl(
                        *resolve, "--cacert", ca, "--fail", "--output", "/dev/null", url,
                        prefix=inside.prefix_as_nobody,
                    )  # fmt: skip
                for word, primary in ((plain, http), (encrypted, https)):
                    assert the_one(primary, word, running).header("host") == b"api.example.test"
                    copy = the_one(shadow, word, running)
                    assert copy.target == f"/{word}".encode()
                    assert copy.header("X-Traffic-Mirror-Source") == b"api.example.test"
