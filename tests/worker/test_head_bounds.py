"""A head that libcurl would not send is skipped, and says nothing about its destination."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.nginx import nginx
from tests.protocols.asgi import AsgiServer, asgi_server
from tests.protocols.recorder2 import recorder2
from tests.servers import RecordingServer
from tests.worker.driver import WorkerProcess, destination, request, spec_of
from traffic_mirror.spec.model import CircuitBreaker, Tls
from traffic_mirror.wire.frames import Chunk, ChunkEnd, Shown

UNSENDABLE, DELIVERED = ("skipped", "unsendable"), ("delivered", "2xx")
HTTP2_BOUND = 65536


def large(size: int) -> list[tuple[bytes, bytes]]:
    """Fields of so many bytes of values, none of them too long by itself."""
    return [(b"x-%d" % at, b"v" * min(50_000, size - at)) for at in range(0, size, 50_000)]


def test_http2_s_bound_is_libcurl_s(worker: WorkerProcess) -> None:
    """Nothing that libcurl would send is left out, and what is left out makes it fail no copy."""
    with recorder2() as server:
        worker.set_up(spec_of(destination(server.url, http_version="2")), inspect=True)
        assert worker.wait_for_end(worker.mirror(request(headers=[(b"x", b"v")]))[0]) == DELIVERED
        head = server.the_only().head
        most = HTTP2_BOUND - 17 - sum(12 + len(name) + len(value) for name, value in head)
        server.requests.clear()
        longest = [(b"x", b"v" * (most + 1))]
        assert worker.wait_for_end(worker.mirror(request(headers=longest))[0]) == DELIVERED
        assert (b"x", b"v" * (most + 1)) in server.the_only().headers
        longer = [(b"x", b"v" * (most + 2))]
        assert worker.wait_for_end(worker.mirror(request(headers=longer))[0]) == UNSENDABLE
        assert worker.wait_for(Shown, 3)[-1].message == (
            "found a head of 65537 bytes, libcurl sends 65536 at most over HTTP/2"
        )


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_a_mebibyte_is_too_much_for_every_version(worker: WorkerProcess, version: str) -> None:
    with RecordingServer() as one, recorder2() as two:
        worker.set_up(spec_of(destination((one if version == "1.1" else two).url, http_version=version)))
        assert worker.wait_for_end(worker.mirror(request(headers=large(1_050_000)))[0]) == UNSENDABLE
        if version == "1.1":
            assert worker.wait_for_end(worker.mirror(request(headers=large(1_000_000)))[0]) == DELIVERED
            assert sum(len(value) for _, value in one.requests[0].headers) > 1_000_000


@pytest.mark.parametrize("streamed", [False, True], ids=["buffered", "streamed"])
def test_it_does_not_count_against_its_destination(worker: WorkerProcess, streamed: bool) -> None:
    with recorder2() as server:
        breaker = CircuitBreaker(of=2)
        worker.set_up(spec_of(destination(server.url, http_version="2", circuit_breaker=breaker)))
        for number in range(5):
            flow = f"large-{number}"
            sent = request(method=b"POST", headers=large(100_000), flow=flow)
            (copy,) = worker.mirror(sent, streamed=streamed)
            if streamed:
                worker.send(Chunk(flow), b"x")
                worker.send(ChunkEnd(flow))
            assert worker.wait_for_end(copy) == UNSENDABLE
        assert worker.wait_for_end(worker.mirror(request())[0]) == DELIVERED


@pytest.mark.parametrize("streamed", [False, True], ids=["buffered", "streamed"])
def test_where_tls_agrees_on_the_version_it_goes_by_http1(
    worker: WorkerProcess, tmp_path: Path, streamed: bool
) -> None:
    """This server would rather speak HTTP/2, and can't: only a copy that does not offer it arrives."""
    authority = Authority(tmp_path)
    context = authority.server_context("127.0.0.1")
    context.set_alpn_protocols(["h2", "http/1.1"])
    with RecordingServer(tls=context) as server:
        tls = Tls(ca=authority.file.read_bytes())
        worker.set_up(spec_of(destination(server.url, tls=tls, timeout=3.0)))
        for number in range(3):
            flow = f"large-{number}"
            sent = request(method=b"POST", headers=large(100_000), flow=flow)
            (copy,) = worker.mirror(sent, b"" if streamed else b"body", streamed=streamed)
            if streamed:
                worker.send(Chunk(flow), b"body")
                worker.send(ChunkEnd(flow))
            assert worker.wait_for_end(copy) == DELIVERED
        assert [got.body for got in server.requests] == [b"body"] * 3
        assert worker.wait_for_end(worker.mirror(request())[0])[0] == "failed"


@pytest.mark.needs("nginx")
def test_other_copies_stay_with_http2(worker: WorkerProcess, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    answer = """large_client_header_buffers 4 64k; location / { return 200 "$server_protocol"; }"""
    with nginx(tmp_path, authority, answer, options="ssl http2") as url:
        worker.set_up(spec_of(destination(url, tls=Tls(ca=authority.file.read_bytes()))), inspect=True)
        sent = [request(), request(headers=large(100_000)), request(), request(headers=large(100_000))]
        for copy in (worker.mirror(what)[0] for what in sent):
            assert worker.wait_for_end(copy) == DELIVERED
        versions = [shown.http_version for shown in worker.wait_for(Shown, 4)]
        assert versions == ["HTTP/2.0", "HTTP/1.1", "HTTP/2.0", "HTTP/1.1"]


@pytest.mark.parametrize("method", [b"C", b"CON", b"CONNEC"])
def test_a_method_that_libcurl_takes_for_connect(worker: WorkerProcess, method: bytes) -> None:
    """Over HTTP/2 it would lose its path, and have it as its authority."""
    with RecordingServer() as one, recorder2() as two:
        to = [destination(one.url, "one"), destination(two.url, "two", http_version="2")]
        worker.set_up(spec_of(*to))
        first, second = worker.mirror(request(b"/path", method), destinations=2)
        assert worker.wait_for_end(first) == DELIVERED
        assert worker.wait_for_end(second) == UNSENDABLE
        assert (one.requests[0].method, one.requests[0].target) == (method, b"/path")
        other = worker.mirror(request(b"/path", method + b"X"), destinations=2)[1]
        assert worker.wait_for_end(other) == DELIVERED
        assert two.the_only().pseudo[b":path"] == b"/path"


@pytest.fixture
def over_http3(worker: WorkerProcess, tmp_path: Path) -> Iterator[AsgiServer]:
    """A server that the worker's only destination reaches by HTTP/3."""
    authority = Authority(tmp_path)
    with asgi_server(authority, tmp_path, h3=True) as server:
        tls = Tls(ca=authority.file.read_bytes())
        worker.set_up(spec_of(destination(server.url, http_version="3", tls=tls)))
        yield server


def test_a_large_head_goes_by_http3(worker: WorkerProcess, over_http3: AsgiServer) -> None:
    fields = large(300_000)
    assert worker.wait_for_end(worker.mirror(request(b"/large", headers=fields))[0]) == DELIVERED
    asked = over_http3.the("large")
    assert asked.version == "3"
    assert [field for field in asked.headers if field in fields] == fields


@pytest.mark.parametrize("method", [b"C", b"CON", b"CONNEC"])
def test_a_method_that_libcurl_takes_for_connect_is_not_sent_by_http3(
    worker: WorkerProcess, over_http3: AsgiServer, method: bytes
) -> None:
    """Without a path the server would close the connection that other copies share."""
    assert worker.wait_for_end(worker.mirror(request(b"/path", method))[0]) == UNSENDABLE
    assert worker.wait_for_end(worker.mirror(request(b"/path", method + b"X"))[0]) == DELIVERED
    assert over_http3.the("path").method == (method + b"X").decode()


@pytest.mark.parametrize("streamed", [False, True], ids=["buffered", "streamed"])
def test_where_tls_agrees_on_http2_alone_a_large_head_fails(
    worker: WorkerProcess, tmp_path: Path, streamed: bool
) -> None:
    """A server that takes no HTTP/1.1 can't be sent it, and says so in the handshake."""
    authority = Authority(tmp_path)
    with recorder2(authority.server_context("127.0.0.1")) as server:
        tls = Tls(ca=authority.file.read_bytes())
        worker.set_up(spec_of(destination(server.url, tls=tls, timeout=3.0)))
        assert worker.wait_for_end(worker.mirror(request())[0]) == DELIVERED
        (copy,) = worker.mirror(request(headers=large(100_000), flow="large"), streamed=streamed)
        if streamed:
            worker.send(Chunk("large"), b"x")
            worker.send(ChunkEnd("large"))
        assert worker.wait_for_end(copy)[0] == "failed"
        assert worker.wait_for_end(worker.mirror(request())[0]) == DELIVERED
