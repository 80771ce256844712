"""Trailers of requests to HTTP/2 destinations, on every way there and whatever the other end does."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import struct
from collections.abc import Iterator
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest
from hyperframe.frame import GoAwayFrame

from tests import http2
from tests.certificates import Authority
from tests.protocols.recorder2 import Recorder, recorder2
from tests.protocols.test_http2_faults import Answer, answering, server
from tests.proxies import proxy
from tests.servers import RecordingServer, never, refused_port, tunnelling
from tests.servers import answering as http_answering
from tests.waiting import wait_until
from tests.worker.driver import WorkerProcess, destination, request, spec_of, trusting
from traffic_mirror.copies.request import Fields, FrozenRequest
from traffic_mirror.spec.model import Destination, Tls
from traffic_mirror.wire.frames import Chunk, ChunkEnd, Shown

SUM = ((b"x-sum", b"5"),)
ANNOUNCED = ((b"trailer", b"x-sum"),)
CHUNKED = ((b"Transfer-Encoding", b"chunked"),)


def trailing(**more: object) -> FrozenRequest:
    """A request of an HTTP/2 client, with trailers."""
    fields = {"method": b"POST", "headers": ANNOUNCED, "trailers": SUM, "http_version": "HTTP/2.0"}
    return request(**{**fields, **more})  # type: ignore[arg-type]


def deliver(worker: WorkerProcess, to: Destination, body: bytes = b"hello") -> Shown:
    """Sends one copy with trailers; what became of it."""
    worker.set_up(spec_of(to), inspect=True)
    worker.mirror(trailing(), body)
    return worker.wait_for(Shown)[0]


def arrived(recorder: Recorder, body: bytes = b"hello", announced: Fields = ANNOUNCED) -> None:
    got = recorder.the_only()
    assert (got.body, got.trailers) == (body, list(SUM))
    assert [field for field in got.headers if field[0] == b"trailer"] == list(announced)


@pytest.mark.parametrize("version", ["auto", "2"])
def test_with_tls(worker: WorkerProcess, authority: Authority, version: str) -> None:
    with recorder2(authority.server_context("127.0.0.1")) as recorder:
        to = destination(recorder.url, http_version=version, tls=trusting(authority))
        shown = deliver(worker, to)
        assert (shown.outcome, shown.reason, shown.http_version) == ("delivered", "2xx", "HTTP/2.0")
        arrived(recorder)


@pytest.mark.parametrize(
    "body", [b"", b"hello", b"x" * 1_000_000], ids=["none", "small", "beyond-the-window"]
)
def test_with_prior_knowledge(worker: WorkerProcess, body: bytes) -> None:
    with recorder2() as recorder:
        to = destination(recorder.url, http_version="2")
        assert deliver(worker, to, body).outcome == "delivered"
        arrived(recorder, body)
        assert recorder.the_only().pseudo == {
            b":method": b"POST",
            b":scheme": b"http",
            b":authority": recorder.url.removeprefix("http://").encode(),
            b":path": b"/x",
        }
        length = str(len(body)).encode() if body else None
        assert dict(recorder.the_only().headers).get(b"content-length") == length


def test_the_head_is_what_libcurl_sends(worker: WorkerProcess) -> None:
    headers = (
        (b"X-Case", b"A"),
        (b"cookie", b"a=1; b=2"),
        (b"x-empty", b""),
        (b"te", b"trailers"),
        (b"x-case", b"b"),
    )
    with recorder2() as recorder:
        worker.set_up(spec_of(destination(recorder.url, http_version="2")))
        for trailers in ((), SUM):
            worker.mirror(trailing(headers=headers, trailers=trailers), b"hello")
            worker.wait_for_endings(1 if not trailers else 2)
        one, other = recorder.heads_without_markers()
        assert one == other


def test_http_1_1_where_tls_agrees_on_it(worker: WorkerProcess, authority: Authority) -> None:
    with RecordingServer(tls=authority.server_context("127.0.0.1")) as plain:
        shown = deliver(worker, destination(plain.url, tls=trusting(authority)))
        assert (shown.outcome, shown.http_version) == ("delivered", "HTTP/1.1")
        assert plain.requests[0].raw_body == b"5\r\nhello\r\n0\r\nx-sum: 5\r\n\r\n"


@pytest.mark.parametrize("announced", [ANNOUNCED, ()], ids=["announced", "unannounced"])
@pytest.mark.parametrize("length", [(), ((b"content-length", b"10"),)], ids=["in-frames", "known-length"])
def test_a_streamed_body(worker: WorkerProcess, length: Fields, announced: Fields) -> None:
    with recorder2() as recorder:
        worker.set_up(spec_of(destination(recorder.url, http_version="2")))
        worker.mirror(trailing(headers=(*announced, *length), trailers=()), streamed=True)
        worker.send(Chunk("f1"), b"first")
        wait_until(lambda: recorder.requests and recorder.requests[0].body, 10, "the first piece")
        worker.send(Chunk("f1"), b"later")
        worker.send(ChunkEnd("f1", trailers=SUM))
        assert worker.wait_for_endings(1)[1].outcome == "delivered"
        arrived(recorder, b"firstlater", announced)
        assert [field for field in recorder.requests[0].headers if field[0] == b"content-length"] == [*length]


def test_with_trailers_the_body_of_a_head_request_travels_too(worker: WorkerProcess) -> None:
    def no_more(connection: h2.connection.H2Connection, stream: int) -> None:
        connection.send_headers(stream, [(":status", "200"), ("content-length", "9")], end_stream=True)

    with recorder2() as recorder:
        worker.set_up(spec_of(destination(recorder.url, http_version="2")))
        worker.mirror(trailing(method=b"HEAD"), b"hello")
        assert worker.wait_for_end(1) == ("delivered", "2xx")
        arrived(recorder)
    with server(no_more) as url:
        worker.set_up(spec_of(destination(url, http_version="2")))
        worker.mirror(trailing(method=b"HEAD", flow="f2"), b"hello")
        assert worker.wait_for_end(2) == ("delivered", "2xx")


def stream(worker: WorkerProcess, what: FrozenRequest, trailers: Fields = ()) -> None:
    """Sends a streamed request, to its end."""
    worker.mirror(what, streamed=True)
    worker.send(Chunk(what.id), b"hello")
    worker.send(ChunkEnd(what.id, trailers=trailers))


def test_the_head_of_a_streamed_body_is_what_libcurl_sends(worker: WorkerProcess) -> None:
    """Which it sends for a client of HTTP/1.1, that has no trailers."""
    headers = ((b"x-case", b"A"), (b"content-length", b"5"), (b"x-empty", b""), (b"x-case", b"b"))
    with recorder2() as recorder:
        worker.set_up(spec_of(destination(recorder.url, http_version="2")))
        for count, version in enumerate(("HTTP/2.0", "HTTP/1.1"), 1):
            stream(worker, trailing(headers=headers, trailers=(), http_version=version))
            worker.wait_for_endings(count)
        one, other = recorder.heads_without_markers()
        assert one == other


@pytest.mark.parametrize(
    ("headers", "version", "connections"),
    [
        ((), "HTTP/2.0", 2),
        ((), "HTTP/1.1", 1),
        (((b"content-type", b"application/grpc+proto"),), "HTTP/2.0", 1),
    ],
    ids=["trailers-may-come", "none-of-http-1", "none-of-grpc"],
)
def test_streamed_bodies_that_have_no_trailers_share_a_connection(
    worker: WorkerProcess, headers: Fields, version: str, connections: int
) -> None:
    with recorder2() as recorder:
        worker.set_up(spec_of(destination(recorder.url, http_version="2")))
        for count in (1, 2):
            stream(worker, trailing(headers=headers, trailers=(), http_version=version, flow=f"f{count}"))
            assert worker.wait_for_endings(count)[count].outcome == "delivered"
        assert recorder.connections == connections


def test_a_streamed_body_goes_in_chunks_where_tls_agrees_on_http_1_1(
    worker: WorkerProcess, authority: Authority
) -> None:
    with RecordingServer(tls=authority.server_context("127.0.0.1")) as plain:
        worker.set_up(spec_of(destination(plain.url, tls=trusting(authority))))
        for count in (1, 2, 3, 4):
            stream(worker, trailing(headers=(), trailers=(), flow=f"f{count}"), SUM)
            assert worker.wait_for_endings(count)[count].outcome == "delivered"
        for got in plain.requests:
            assert got.raw_body == b"5\r\nhello\r\n0\r\nx-sum: 5\r\n\r\n"
        assert plain.connections == 3, "one to ask, one for the first, one for all others"


def test_a_streamed_body_whose_destination_is_silent_times_out_after_its_end(worker: WorkerProcess) -> None:
    with RecordingServer(never) as deaf:
        worker.set_up(spec_of(destination(deaf.url, http_version="2", timeout=0.5)), inspect=True)
        stream(worker, trailing(headers=(), trailers=()))
        shown = worker.wait_for(Shown)[0]
        assert (shown.reason, shown.message) == ("timeout", "no answer within 0.5 s of the body's end")


def test_a_streamed_body_and_nobody_there(worker: WorkerProcess) -> None:
    with refused_port() as port:
        worker.set_up(spec_of(destination(f"http://127.0.0.1:{port}", http_version="2")))
        stream(worker, trailing(headers=(), trailers=()))
        assert worker.wait_for_end(1) == ("failed", "connect")


def test_an_early_answer_ends_a_streamed_copy_and_no_other(worker: WorkerProcess) -> None:
    def refuse(connection: h2.connection.H2Connection, stream: int) -> None:
        connection.send_headers(stream, [(":status", "413")], end_stream=True)

    with server(refuse, early=True) as early, recorder2() as recorder:
        worker.set_up(
            spec_of(
                destination(early, "early", http_version="2"),
                destination(recorder.url, "whole", http_version="2"),
            )
        )
        worker.mirror(trailing(headers=(), trailers=()), destinations=2, streamed=True)
        worker.send(Chunk("f1"), b"first")
        assert worker.wait_for_end(1) == ("delivered", "4xx")
        worker.send(Chunk("f1"), b"later")
        worker.send(ChunkEnd("f1", trailers=SUM))
        assert worker.wait_for_end(2) == ("delivered", "2xx")
        arrived(recorder, b"firstlater", ())


def test_settings_are_acknowledged_to_a_destination_that_takes_no_more_requests(
    worker: WorkerProcess,
) -> None:
    """Else it counts with other windows than we do, and both wait."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        to = destination(f"http://127.0.0.1:{listener.getsockname()[1]}", http_version="2")
        worker.set_up(spec_of(to))
        worker.mirror(trailing(headers=(), trailers=()), streamed=True)
        sock, _ = listener.accept()
        with sock:
            sock.settimeout(5)
            connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
            connection.initiate_connection()
            while not connection.open_inbound_streams:
                connection.receive_data(sock.recv(65536))
            connection._prepare_for_sending([GoAwayFrame(last_stream_id=1)])
            sock.sendall(connection.data_to_send())
            events: list[h2.events.Event] = []
            while not any(isinstance(event, h2.events.SettingsAcknowledged) for event in events):
                events = connection.receive_data(sock.recv(65536))


def test_an_answer_is_read_of_a_destination_that_has_closed(worker: WorkerProcess) -> None:
    """The worker finds more of the body to send, then the answer, in one turn."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        to = destination(f"http://127.0.0.1:{listener.getsockname()[1]}", http_version="2")
        worker.set_up(spec_of(to))
        worker.mirror(trailing(headers=(), trailers=()), streamed=True)
        sock, _ = listener.accept()
        with sock:
            connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
            connection.initiate_connection()
            while not connection.open_inbound_streams:
                connection.receive_data(sock.recv(65536))
            worker.process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, worker.process.pid, os.WSTOPPED | os.WNOWAIT)
            worker.send(Chunk("f1"), b"first")
            connection.send_headers(1, [(":status", "413")], end_stream=True)
            sock.sendall(connection.data_to_send())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        worker.process.send_signal(signal.SIGCONT)
        assert worker.wait_for_end(1) == ("delivered", "4xx")


def test_a_client_that_goes_away_in_mid_body(worker: WorkerProcess) -> None:
    with recorder2() as recorder:
        worker.set_up(spec_of(destination(recorder.url, http_version="2")))
        worker.mirror(trailing(trailers=()), streamed=True)
        worker.send(Chunk("f1"), b"first")
        wait_until(lambda: recorder.requests and recorder.requests[0].body, 10, "the first piece")
        worker.send(ChunkEnd("f1", aborted="client_gone"))
        assert worker.wait_for_end(1) == ("dropped", "client_gone")
        assert not recorder.requests[0].complete


@pytest.mark.parametrize("announced", [ANNOUNCED, ()], ids=["announced", "unannounced"])
@pytest.mark.parametrize(
    "length", [(), ((b"content-length", b"9999999"),)], ids=["in-frames", "known-length"]
)
def test_a_destination_that_reads_nothing_is_slow(
    worker: WorkerProcess, length: Fields, announced: Fields
) -> None:
    with RecordingServer(never) as deaf:
        worker.set_up(spec_of(destination(deaf.url, http_version="2", stream_buffer=100_000)))
        worker.mirror(trailing(headers=(*announced, *length), trailers=()), streamed=True)
        for _ in range(20):
            worker.send(Chunk("f1"), b"x" * 20_000)
        assert worker.wait_for_end(1) == ("dropped", "slow")


@pytest.mark.parametrize(
    ("names", "days", "trusts", "words"),
    [
        (("127.0.0.1",), (-1, 30), False, "certificate"),
        (("127.0.0.1",), (-30, -1), True, "expired"),
        (("other.test",), (-1, 30), True, "127.0.0.1"),
    ],
    ids=["unknown-authority", "expired", "wrong-name"],
)
def test_a_bad_certificate_fails_and_says_why(
    worker: WorkerProcess,
    authority: Authority,
    names: tuple[str, ...],
    days: tuple[int, int],
    trusts: bool,
    words: str,
) -> None:
    with recorder2(authority.server_context(*names, days=days)) as recorder:
        tls = trusting(authority) if trusts else Tls()
        shown = deliver(worker, destination(recorder.url, http_version="2", tls=tls))
        assert (shown.outcome, shown.reason) == ("failed", "tls")
        assert words in shown.message
        assert not recorder.requests


def test_verification_can_be_turned_off(worker: WorkerProcess, authority: Authority) -> None:
    with recorder2(authority.server_context("other.test")) as recorder:
        deliver(worker, destination(recorder.url, tls=Tls(verify=False)))
        arrived(recorder)


@pytest.mark.parametrize("named", ["key-of-its-own", "key-in-the-certificate"])
def test_names_and_a_certificate_of_ours(worker: WorkerProcess, authority: Authority, named: str) -> None:
    """A name that goes to another address, is asked for under a third one, and wants to know who we are."""
    asked: list[str | None] = []
    context = authority.server_context("real.test")
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    certificate, key = (file.read_bytes() for file in authority.issue("client.test"))
    ours = {"cert": certificate, "key": key} if named == "key-of-its-own" else {"cert": certificate + key}
    with recorder2(context) as recorder:
        tls = trusting(authority, server_name="real.test", **ours)
        to = destination("https://elsewhere.test:443", connect_to=f"127.0.0.1:{recorder.port}", tls=tls)
        assert deliver(worker, to).outcome == "delivered"
        arrived(recorder)
        assert asked == ["real.test"]
        assert recorder.the_only().pseudo[b":authority"] == b"elsewhere.test"


def test_a_key_that_is_none_fails_the_copy(worker: WorkerProcess, authority: Authority) -> None:
    with recorder2(authority.server_context("127.0.0.1")) as recorder:
        to = destination(recorder.url, tls=trusting(authority, cert=b"none", key=b"none"))
        assert deliver(worker, to).reason == "tls"


@pytest.mark.parametrize("tls", [False, True], ids=["a-plain-destination", "a-tls-destination"])
def test_through_a_proxy(worker: WorkerProcess, authority: Authority, tls: bool) -> None:
    context = authority.server_context("127.0.0.1") if tls else None
    with recorder2(context) as recorder, RecordingServer(tunnelling) as way:
        to = destination(recorder.url, http_version="2", proxy=way.url, tls=trusting(authority))
        assert deliver(worker, to).outcome == "delivered"
        arrived(recorder)
        assert way.requests[0].first_line == f"CONNECT 127.0.0.1:{recorder.port} HTTP/1.1".encode()


@pytest.mark.parametrize("trailers", [(), SUM], ids=["by-libcurl", "of-trailers"])
def test_a_proxy_that_refuses(worker: WorkerProcess, trailers: Fields) -> None:
    with RecordingServer(http_answering(407)) as way:
        to = destination("http://real.test:80", http_version="2", proxy=way.url)
        worker.set_up(spec_of(to), inspect=True)
        worker.mirror(trailing(trailers=trailers), b"hello")
        shown = worker.wait_for(Shown)[0]
        assert (shown.outcome, shown.reason) == ("failed", "proxy")


def test_a_unix_socket(worker: WorkerProcess, tmp_path: Path) -> None:
    with recorder2(unix=tmp_path / "app.sock") as recorder:
        to = destination("http://localhost:80", unix_socket=str(tmp_path / "app.sock"), http_version="2")
        assert deliver(worker, to).outcome == "delivered"
        arrived(recorder)


def test_nobody_there(worker: WorkerProcess) -> None:
    with refused_port() as port:
        shown = deliver(worker, destination(f"http://127.0.0.1:{port}", http_version="2"))
    assert (shown.outcome, shown.reason) == ("failed", "connect")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_destination_that_says_nothing(worker: WorkerProcess, scheme: str) -> None:
    with silent() as port:
        shown = deliver(worker, destination(f"{scheme}://127.0.0.1:{port}", http_version="2", timeout=0.5))
        assert (shown.outcome, shown.reason) == ("failed", "timeout")


def large(connection: h2.connection.H2Connection, stream: int) -> None:
    connection.send_headers(stream, [(":status", "200")])
    for _ in range(3):
        connection.send_data(stream, b"x" * 10_000)
    connection.end_stream(stream)


@pytest.mark.parametrize(
    ("answer", "limit", "body"),
    [
        (large, 1 << 20, b"x" * 30_000),
        (large, 20_000, b"(a body of more bytes than"),
        (answering((":status", "200"), body=b"ok"), 9, b"ok"),
    ],
    ids=["whole", "over-the-limit", "small"],
)
def test_answers_are_read_within_bounds(
    worker: WorkerProcess, answer: Answer, limit: int, body: bytes
) -> None:
    with server(answer) as url:
        to = destination(url, http_version="2", max_response=limit)
        worker.set_up(spec_of(to), inspect=True)
        worker.mirror(trailing(), b"hello")
        shown = worker.wait_for(Shown)[0]
        assert (shown.outcome, shown.reason) == ("delivered", "2xx")
        assert worker.bodies(Shown)[0].startswith(body)


@pytest.mark.parametrize(
    ("streamed", "announced"),
    [("64k", ANNOUNCED), ("1", ANNOUNCED), ("1", ())],
    ids=["buffered", "streamed", "streamed-unannounced"],
)
def test_from_a_client_through_the_proxy(
    authority: Authority, tmp_path: Path, streamed: str, announced: Fields
) -> None:
    context = authority.server_context("127.0.0.1")
    with recorder2(context) as primary, recorder2(context) as two, recorder2() as plain:
        spec = f"""
version: 1
destinations:
  tls: {{url: "{two.url}", tls: {{ca_file: "{authority.file}"}}}}
  plain: {{url: "{plain.url}", http_version: 2}}
apis: [{{name: all, traffic_mirror: [{{name: any, path: "^/", destinations: [tls, plain]}}]}}]
"""
        options = {"ssl_insecure": "true", "stream_large_bodies": streamed}
        with proxy(tmp_path / "proxy", spec, mode="regular", options=options) as running:
            name = primary.url.removeprefix("https://")
            fields = [
                (b":method", b"POST"),
                (b":scheme", b"https"),
                (b":authority", name.encode()),
                (b":path", b"/a"),
            ]
            with http2.connect(running.port, name, ca=running.ca) as connection:
                assert http2.exchange(connection, [*fields, *announced], b"hello", SUM) == 200
            for recorder in (primary, two, plain):
                arrived(recorder, announced=announced)


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """A port that takes connections and does nothing with them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]
