"""Trailers to HTTP/2 destinations through a proxy that is itself spoken to by TLS."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.http1 import Message
from tests.protocols.recorder2 import recorder2
from tests.protocols.test_http2_faults import server
from tests.protocols.test_trailers import (
    SUM,
    arrived,
    deliver,
    large,
    trailing,
)
from tests.servers import (
    Behaviour,
    Connection,
    Gate,
    RecordingServer,
    answering,
    closing,
    never,
    refused_port,
    resetting,
    sending,
    tunnelling,
)
from tests.waiting import wait_until
from tests.worker.driver import WorkerProcess, destination, spec_of, trusting
from traffic_mirror.copies.request import Fields
from traffic_mirror.spec.model import Tls
from traffic_mirror.wire.frames import Chunk, ChunkEnd, Shown

BY_WHOM = pytest.mark.parametrize("trailers", [(), SUM], ids=["by-libcurl", "of-trailers"])


@pytest.fixture
def worker(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerProcess]:
    """A proxy's authority has to be a well-known one: this worker's certifi knows the test's."""
    (tmp_path / "certifi.py").write_text(f"def where(): return {str(authority.file)!r}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with WorkerProcess() as running:
        yield running


@pytest.fixture(scope="module")
def context(authority: Authority) -> ssl.SSLContext:
    return authority.server_context("127.0.0.1")


def early(connection: Connection, request: Message) -> None:
    """Opens a tunnel, and something is in it already."""
    connection.send(b"HTTP/1.1 200 Connected\r\n\r\nHTTP/1.1 400 no\r\n\r\n")
    connection.pause()


def opening_and(data: bytes, *, close: bool = False) -> Behaviour:
    """Opens a tunnel, waits for what comes through it, and answers that itself."""

    def behave(connection: Connection, _: Message) -> None:
        connection.send(b"HTTP/1.1 200 Connected\r\n\r\n")
        connection.socket.recv(1)
        connection.send(data)
        if close:
            connection.close()
        else:
            connection.pause()

    return behave


def huge(connection: Connection, _: Message) -> None:
    connection.send(
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: %b\r\n" % (at, b"x" * 8000) for at in range(99))
    )
    connection.pause()


@BY_WHOM
@pytest.mark.parametrize("tls", [False, True], ids=["a-plain-destination", "a-tls-destination"])
def test_trailers_arrive(
    worker: WorkerProcess, authority: Authority, context: ssl.SSLContext, tls: bool, trailers: Fields
) -> None:
    inner = authority.server_context("127.0.0.1") if tls else None
    with recorder2(inner) as recorder, RecordingServer(tunnelling, tls=context) as way:
        proxy = f"https://us%40er:pa%3Ass@127.0.0.1:{way.port}"
        to = destination(recorder.url, http_version="2", proxy=proxy, tls=trusting(authority))
        worker.set_up(spec_of(to), inspect=True)
        worker.mirror(trailing(trailers=trailers), b"hello")
        shown = worker.wait_for(Shown)[0]
        assert (shown.outcome, shown.reason, shown.http_version) == ("delivered", "2xx", "HTTP/2.0")
        got = recorder.the_only()
        assert (got.body, got.trailers) == (b"hello", [*trailers])
        assert (
            way.requests[0].head
            == (
                f"CONNECT 127.0.0.1:{recorder.port} HTTP/1.1\r\nHost: 127.0.0.1:{recorder.port}\r\n"
                "Proxy-Authorization: Basic dXNAZXI6cGE6c3M=\r\n\r\n"
            ).encode()
        )


@BY_WHOM
def test_the_tunnel_leads_where_connect_to_says(
    worker: WorkerProcess, authority: Authority, context: ssl.SSLContext, trailers: Fields
) -> None:
    inner = authority.server_context("real.test")
    with recorder2(inner) as recorder, RecordingServer(tunnelling, tls=context) as way:
        to = destination(
            "https://elsewhere.test:443",
            connect_to=f"127.0.0.1:{recorder.port}",
            tls=trusting(authority, server_name="real.test"),
            proxy=way.url,
        )
        worker.set_up(spec_of(to), inspect=True)
        worker.mirror(trailing(trailers=trailers), b"hello")
        assert worker.wait_for(Shown)[0].outcome == "delivered"
        assert recorder.the_only().pseudo[b":authority"] == b"elsewhere.test"
        assert way.requests[0].first_line == f"CONNECT 127.0.0.1:{recorder.port} HTTP/1.1".encode()


def test_by_upstream_mode_s_proxy_too(worker: WorkerProcess, context: ssl.SSLContext) -> None:
    with recorder2() as recorder, RecordingServer(tunnelling, tls=context) as way:
        worker.set_up(spec_of(destination(recorder.url, http_version="2")), parent_proxy=way.url)
        worker.mirror(trailing(), b"hello")
        arrived(recorder)
        assert len(way.requests) == 1


def test_http_1_1_where_the_destination_agrees_on_it(
    worker: WorkerProcess, authority: Authority, context: ssl.SSLContext
) -> None:
    inner = authority.server_context("127.0.0.1")
    with RecordingServer(tls=inner) as plain, RecordingServer(tunnelling, tls=context) as way:
        shown = deliver(worker, destination(plain.url, tls=trusting(authority), proxy=way.url))
        assert (shown.outcome, shown.http_version) == ("delivered", "HTTP/1.1")
        assert plain.requests[0].raw_body == b"5\r\nhello\r\n0\r\nx-sum: 5\r\n\r\n"


@pytest.mark.parametrize("tls", [False, True], ids=["a-plain-destination", "a-tls-destination"])
def test_a_streamed_body_larger_than_any_buffer(
    worker: WorkerProcess, authority: Authority, context: ssl.SSLContext, tls: bool
) -> None:
    inner = authority.server_context("127.0.0.1") if tls else None
    with recorder2(inner) as recorder, RecordingServer(tunnelling, tls=context) as way:
        worker.set_up(
            spec_of(destination(recorder.url, http_version="2", proxy=way.url, tls=trusting(authority)))
        )
        worker.mirror(trailing(trailers=()), streamed=True)
        for letter in b"0123456789":
            worker.send(Chunk("f1"), bytes([letter]) * 500_000)
        worker.send(ChunkEnd("f1", trailers=SUM))
        assert worker.wait_for_end(1) == ("delivered", "2xx")
        arrived(recorder, b"".join(bytes([letter]) * 500_000 for letter in b"0123456789"))


def test_answers_come_back_whole(worker: WorkerProcess, context: ssl.SSLContext) -> None:
    with server(large) as url, RecordingServer(tunnelling, tls=context) as way:
        deliver(worker, destination(url, http_version="2", proxy=way.url))
        assert worker.bodies(Shown) == [b"x" * 30_000]


@pytest.mark.parametrize("tls", [False, True], ids=["a-plain-destination", "a-tls-destination"])
def test_a_destination_that_reads_nothing_is_slow(
    worker: WorkerProcess, authority: Authority, context: ssl.SSLContext, tls: bool
) -> None:
    inner = authority.server_context("127.0.0.1") if tls else None
    if inner is not None:
        inner.set_alpn_protocols(["h2"])
    with RecordingServer(never, tls=inner) as deaf, RecordingServer(tunnelling, tls=context) as way:
        to = destination(
            deaf.url, http_version="2", stream_buffer=100_000, proxy=way.url, tls=trusting(authority)
        )
        worker.set_up(spec_of(to))
        worker.mirror(trailing(trailers=()), streamed=True)
        for _ in range(20):
            worker.send(Chunk("f1"), b"x" * 20_000)
        assert worker.wait_for_end(1) == ("dropped", "slow")


@BY_WHOM
@pytest.mark.parametrize("status", [301, 407, 502])
def test_a_refusal(worker: WorkerProcess, context: ssl.SSLContext, status: int, trailers: Fields) -> None:
    with RecordingServer(answering(status), tls=context) as way:
        to = destination("http://real.test:80", http_version="2", proxy=way.url)
        worker.set_up(spec_of(to), inspect=True)
        worker.mirror(trailing(trailers=trailers), b"hello")
        shown = worker.wait_for(Shown)[0]
        assert (shown.outcome, shown.reason) == ("failed", "proxy")
        assert shown.message == f"CONNECT tunnel failed, response {status}"


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (closing, "reset"),
        (resetting, "reset"),
        (never, "timeout"),
        (sending(b"220 mail.test ESMTP\r\n\r\n"), "protocol"),
        (huge, "protocol"),
        (early, "protocol"),
        (sending(b"HTTP/1.1 200 OK\r\n", close=True), "reset"),
        (sending(b"HTTP/1.1 200 OK\r\n\r\n", close=True), "reset"),
    ],
    ids=["closes", "resets", "says-nothing", "no-http", "huge", "speaks-early", "half", "then-closes"],
)
def test_a_proxy_that_is_none(
    worker: WorkerProcess, context: ssl.SSLContext, behaviour: Behaviour, reason: str
) -> None:
    with RecordingServer(behaviour, tls=context) as way:
        to = destination("http://real.test:80", http_version="2", proxy=way.url, timeout=1.0)
        shown = deliver(worker, to)
        assert (shown.outcome, shown.reason) == ("failed", reason)
        worker.wait_for_endings(1)


@pytest.mark.parametrize(
    ("names", "days", "words"),
    [(("other.test",), (-1, 30), "127.0.0.1"), (("127.0.0.1",), (-30, -1), "expired")],
    ids=["wrong-name", "expired"],
)
@pytest.mark.parametrize("whose", ["the-proxy-s", "the-destination-s"])
def test_a_bad_certificate(
    worker: WorkerProcess,
    authority: Authority,
    context: ssl.SSLContext,
    whose: str,
    names: tuple[str, ...],
    days: tuple[int, int],
    words: str,
) -> None:
    bad = authority.server_context(*names, days=days)
    inner, outer = (context, bad) if whose == "the-proxy-s" else (bad, context)
    with recorder2(inner) as recorder, RecordingServer(tunnelling, tls=outer) as way:
        to = destination(recorder.url, http_version="2", proxy=way.url, tls=trusting(authority))
        shown = deliver(worker, to)
        assert (shown.outcome, shown.reason) == ("failed", "tls")
        assert words in shown.message
        assert not recorder.requests


def test_a_proxy_of_an_unknown_authority(worker: WorkerProcess, tmp_path: Path) -> None:
    """What the destination's `tls` says holds for the destination."""
    stranger = Authority(tmp_path, "Stranger")
    with RecordingServer(tunnelling, tls=stranger.server_context("127.0.0.1")) as way:
        to = destination("http://real.test:80", http_version="2", proxy=way.url, tls=Tls(verify=False))
        assert deliver(worker, to).reason == "tls"


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (opening_and(b"", close=True), "tls"),
        (opening_and(b"220 mail.test\r\n"), "tls"),
        (opening_and(b""), "timeout"),
        (early, "tls"),
    ],
    ids=["closes", "no-tls", "says-nothing", "speaks-early"],
)
def test_no_tls_at_the_tunnel_s_end(
    worker: WorkerProcess, context: ssl.SSLContext, behaviour: Behaviour, reason: str
) -> None:
    with RecordingServer(behaviour, tls=context) as way:
        to = destination("https://real.test:443", http_version="2", proxy=way.url, timeout=1.0)
        shown = deliver(worker, to)
        assert (shown.outcome, shown.reason) == ("failed", reason)
        worker.wait_for_endings(1)


def test_nobody_there(worker: WorkerProcess) -> None:
    with refused_port() as port:
        to = destination("http://real.test:80", http_version="2", proxy=f"https://127.0.0.1:{port}")
        shown = deliver(worker, to)
        assert (shown.reason, f"127.0.0.1:{port}" in shown.message) == ("connect", True)


def test_no_connection_is_left_open(
    worker: WorkerProcess, authority: Authority, context: ssl.SSLContext
) -> None:
    """Of copies that were delivered, refused, that failed or were given up on the way."""
    inner = authority.server_context("127.0.0.1")
    bad = authority.server_context("other.test")
    files = Path(f"/proc/{worker.process.pid}/fd")
    gate = Gate(answering(407))
    with (
        recorder2(inner) as good,
        recorder2(bad) as wrong,
        RecordingServer(tunnelling, tls=context) as way,
        RecordingServer(answering(407), tls=context) as refusing,
        RecordingServer(gate, tls=context) as holding,
    ):
        worker.set_up(
            spec_of(
                destination(good.url, "good", http_version="2", tls=trusting(authority), proxy=way.url),
                destination(wrong.url, "wrong", http_version="2", tls=trusting(authority), proxy=way.url),
                destination(good.url, "refused", http_version="2", proxy=refusing.url),
                destination(good.url, "held", http_version="2", proxy=holding.url),
            )
        )
        worker.wait_for_endings(0)
        before = len(list(files.iterdir())) if files.is_dir() else 0
        for number in range(5):
            flow = f"f{number}"
            held = worker.mirror(trailing(trailers=(), flow=flow), destinations=4, streamed=True)[3]
            worker.send(Chunk(flow), b"hello")
            wait_until(lambda count=number + 1: len(holding.requests) == count, 10, "a CONNECT")  # type: ignore[misc]
            worker.send(ChunkEnd(flow, aborted="client_gone"))
            assert worker.wait_for_end(held) == ("dropped", "client_gone")
        for number in range(5, 10):
            worker.mirror(trailing(flow=f"f{number}"), b"hello", destinations=3)
        worker.wait_for_endings(4 * 5 + 3 * 5)
        if files.is_dir():
            wait_until(lambda: len(list(files.iterdir())) <= before, 10, lambda: f"{list(files.iterdir())}")
        assert not [line for line in worker.log if "Traceback" in line or "ERROR" in line]
