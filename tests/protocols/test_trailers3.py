"""Trailers of requests to HTTP/3 destinations, whatever the other end does."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from aioquic.h3.connection import FrameType, encode_frame

from tests import http2
from tests.certificates import Authority
from tests.protocols.recorder2 import recorder2
from tests.protocols.recorder3 import Answer, Recorder3, Served, answering, recorder3
from tests.protocols.test_http2_faults import GRPC
from tests.protocols.test_trailers import ANNOUNCED, SUM, arrived, trailing
from tests.proxies import proxy
from tests.servers import refused_datagrams
from tests.waiting import wait_until
from tests.worker.driver import WorkerProcess, destination, spec_of, trusting
from traffic_mirror.spec.model import Destination, Redact, Tls
from traffic_mirror.wire.frames import Chunk, ChunkEnd, Shown
from traffic_mirror.worker.http3 import headers_frame

MIB = 1024 * 1024


@pytest.fixture
def worker() -> Iterator[WorkerProcess]:
    with WorkerProcess() as running:
        yield running
        if running.process.poll() is None:
            assert running.stop() == 0
        assert not [line for line in running.log if line.startswith("ERROR") or "QUIC" in line]


def to(recorder: Recorder3, authority: Authority, **more: object) -> Destination:
    fields = {"http_version": "3", "tls": trusting(authority)}
    return destination(recorder.url, **{**fields, **more})  # type: ignore[arg-type]


def deliver(worker: WorkerProcess, to: Destination, body: bytes = b"hello") -> Shown:
    """Sends one copy with trailers; what became of it."""
    worker.set_up(spec_of(to), inspect=True)
    worker.mirror(trailing(), body)
    return worker.wait_for(Shown, timeout=30)[0]


@pytest.mark.parametrize("body", [b"", b"hello", os.urandom(4 * MIB)], ids=["none", "small", "large"])
def test_trailers_follow_the_body(worker: WorkerProcess, authority: Authority, body: bytes) -> None:
    with recorder3(authority) as recorder:
        shown = deliver(worker, to(recorder, authority, timeout=30.0), body)
        assert (shown.outcome, shown.reason, shown.http_version) == ("delivered", "2xx", "HTTP/3")
        arrived(recorder, body)
        got = recorder.the_only()
        assert got.pseudo == {
            b":method": b"POST",
            b":scheme": b"https",
            b":authority": recorder.url.removeprefix("https://").encode(),
            b":path": b"/x",
        }
        assert dict(got.headers).get(b"content-length") == (str(len(body)).encode() if body else None)


def test_the_head_is_what_libcurl_sends(worker: WorkerProcess, authority: Authority) -> None:
    headers = (
        (b"X-Case", b"A"),
        (b"cookie", b"a=1; b=2"),
        (b"x-empty", b""),
        (b"te", b"trailers"),
        (b"x-case", b"b"),
        (b"x-long", b"x" * 20_000),
    )
    with recorder3(authority) as recorder:
        worker.set_up(spec_of(to(recorder, authority)))
        for trailers in ((), SUM):
            worker.mirror(trailing(headers=headers, trailers=trailers), b"hello")
            worker.wait_for_endings(1 if not trailers else 2)
        one, other = recorder.heads_without_markers()
        assert one == other


def test_what_is_redacted_and_removed_is_so_in_trailers(worker: WorkerProcess, authority: Authority) -> None:
    with recorder3(authority) as recorder:
        sent = ((b"x-card", b"4111"), (b"x-gone", b"1"), *SUM)
        worker.set_up(
            spec_of(to(recorder, authority, remove_headers=("x-gone",)), redact=Redact(headers=("x-card",)))
        )
        worker.mirror(trailing(trailers=sent), b"hello")
        worker.wait_for_endings(1)
        assert recorder.the_only().trailers == [(b"x-card", b"***"), *SUM]


@pytest.mark.parametrize("size", [None, 10], ids=["of-unknown-length", "of-known-length"])
def test_a_streamed_body_that_announces_them(
    worker: WorkerProcess, authority: Authority, size: int | None
) -> None:
    length = ((b"content-length", b"%d" % size),) if size else ()
    with recorder3(authority) as recorder:
        worker.set_up(spec_of(to(recorder, authority)))
        worker.mirror(trailing(headers=(*ANNOUNCED, *length), trailers=()), streamed=True)
        worker.send(Chunk("f1"), b"first")
        wait_until(lambda: recorder.requests and recorder.requests[0].body, 10, "the first piece")
        worker.send(Chunk("f1"), b"later")
        worker.send(ChunkEnd("f1", trailers=SUM))
        assert worker.wait_for_endings(1)[1].outcome == "delivered"
        arrived(recorder, b"firstlater")


def test_a_client_that_goes_away_in_mid_body(worker: WorkerProcess, authority: Authority) -> None:
    with recorder3(authority) as recorder:
        worker.set_up(spec_of(to(recorder, authority)))
        worker.mirror(trailing(trailers=()), streamed=True)
        worker.send(Chunk("f1"), b"first")
        wait_until(lambda: recorder.requests and recorder.requests[0].body, 10, "the first piece")
        worker.send(ChunkEnd("f1", aborted="client_gone"))
        assert worker.wait_for_end(1) == ("dropped", "client_gone")
        wait_until(lambda: recorder.requests[0].reset, 10, "the destination to hear of it")
        assert not recorder.requests[0].complete
        wait_until(lambda: not sockets(worker), 10, "its socket to close")


@pytest.mark.parametrize("at_all", [False, True], ids=["silent", "deaf-after-the-handshake"])
def test_a_destination_that_takes_nothing_is_slow(
    worker: WorkerProcess, authority: Authority, at_all: bool
) -> None:
    def deafen(served: Served) -> None:
        served.datagram_received = lambda *_: None  # type: ignore[method-assign]

    with silent() as port, recorder3(authority, greeting=deafen) as deaf:
        url = deaf.url if at_all else f"https://127.0.0.1:{port}"
        slow = destination(
            url, http_version="3", stream_buffer=100_000, timeout=20.0, tls=trusting(authority)
        )
        worker.set_up(spec_of(slow))
        worker.mirror(trailing(trailers=()), streamed=True)
        for _ in range(60):
            worker.send(Chunk("f1"), b"x" * 20_000)
        assert worker.wait_for_end(1) == ("dropped", "slow")
        wait_until(lambda: not sockets(worker), 10, "its socket to close")


@pytest.mark.parametrize(
    ("names", "days", "trusts", "words"),
    [
        (("127.0.0.1",), (-1, 30), False, "certificate"),
        (("127.0.0.1",), (-30, -1), True, "certificate has expired"),
        (("127.0.0.1",), (1, 30), True, "certificate is not yet valid"),
        (("other.test",), (-1, 30), True, "no alternative certificate subject name matches"),
        (("127.0.0.2",), (-1, 30), True, "no alternative certificate subject name matches"),
    ],
    ids=["unknown-authority", "expired", "not-yet", "wrong-name", "wrong-address"],
)
def test_a_bad_certificate_fails_and_says_why(
    worker: WorkerProcess,
    authority: Authority,
    names: tuple[str, ...],
    days: tuple[int, int],
    trusts: bool,
    words: str,
) -> None:
    with recorder3(authority, *names, days=days) as recorder:
        tls = trusting(authority) if trusts else Tls()
        shown = deliver(worker, to(recorder, authority, tls=tls))
        assert (shown.outcome, shown.reason) == ("failed", "tls")
        assert words in shown.message
        assert not recorder.requests


def test_an_authority_need_not_be_the_root(worker: WorkerProcess, authority: Authority) -> None:
    with recorder3(authority, "127.0.0.1") as recorder:
        (served,) = authority.file.parent.glob("127.0.0.1-130.pem")
        assert deliver(worker, to(recorder, authority, tls=Tls(ca=served.read_bytes()))).reason == "2xx"


def test_a_server_that_asks_for_a_token_first(worker: WorkerProcess, authority: Authority) -> None:
    with recorder3(authority, retry=True) as recorder:
        deliver(worker, to(recorder, authority))
        arrived(recorder)


def test_verification_can_be_turned_off(worker: WorkerProcess, authority: Authority) -> None:
    with recorder3(authority, "other.test") as recorder:
        deliver(worker, to(recorder, authority, tls=Tls(verify=False)))
        arrived(recorder)


def test_a_server_that_agrees_on_nothing_we_speak(worker: WorkerProcess, authority: Authority) -> None:
    with recorder3(authority, alpn="other") as recorder:
        shown = deliver(worker, to(recorder, authority))
        assert (shown.outcome, shown.reason) == ("failed", "tls")


@pytest.mark.parametrize("named", ["key-of-its-own", "key-in-the-certificate"])
def test_names_and_a_certificate_of_ours(worker: WorkerProcess, authority: Authority, named: str) -> None:
    """A name that goes to another address, is expected under a third one, and wants to know who we are."""
    certificate, key = (file.read_bytes() for file in authority.issue("client.test"))
    ours = {"cert": certificate, "key": key} if named == "key-of-its-own" else {"cert": certificate + key}
    with recorder3(authority, "real.test", asks_for_certificate=True) as recorder:
        tls = trusting(authority, server_name="real.test", **ours)
        elsewhere = destination(
            "https://elsewhere.test:443", connect_to=f"127.0.0.1:{recorder.port}", tls=tls, http_version="3"
        )
        assert deliver(worker, elsewhere).outcome == "delivered"
        arrived(recorder)
        assert recorder.the_only().pseudo[b":authority"] == b"elsewhere.test"
        shown = recorder.peers[0].quic.tls._peer_certificate
        assert shown is not None
        assert "client.test" in shown.subject.rfc4514_string()


@pytest.mark.parametrize(
    ("error", "frame_type", "reason"),
    [(0x174, 6, "tls"), (0x2, 0, "protocol"), (0x100, None, "reset")],
    ids=["certificate-required", "refused", "no-error"],
)
def test_a_server_that_thinks_better_of_it(
    worker: WorkerProcess, authority: Authority, error: int, frame_type: int | None, reason: str
) -> None:
    """It closes as soon as there is a connection, before anyone has said a thing on it."""

    def think_better(served: Served) -> None:
        served.quic.close(error_code=error, frame_type=frame_type)

    with recorder3(authority, greeting=think_better) as recorder:
        shown = deliver(worker, to(recorder, authority, timeout=10.0))
        assert (shown.outcome, shown.reason) == ("failed", reason), shown.message
        assert shown.seconds < 5


@pytest.mark.parametrize("bad", [{"cert": b"none", "key": b"none"}, {"ca": b"none"}], ids=["key", "ca"])
def test_a_certificate_that_is_none_fails_the_copy(
    worker: WorkerProcess, authority: Authority, bad: dict[str, bytes]
) -> None:
    with recorder3(authority) as recorder:
        assert deliver(worker, to(recorder, authority, tls=Tls(**bad))).reason == "tls"  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_every_address_of_a_name_is_tried(worker: WorkerProcess, authority: Authority, host: str) -> None:
    with recorder3(authority, host=host) as recorder:
        one = destination(f"https://localhost:{recorder.port}", http_version="3", tls=trusting(authority))
        assert deliver(worker, one).outcome == "delivered"
        arrived(recorder)


def test_an_address_that_says_nothing_does_not_keep_from_the_next(
    worker: WorkerProcess, authority: Authority
) -> None:
    with (
        recorder3(authority) as recorder,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as mute,
    ):
        mute.bind(("::1", recorder.port))
        one = destination(f"https://localhost:{recorder.port}", http_version="3", tls=trusting(authority))
        assert deliver(worker, one).outcome == "delivered"
        arrived(recorder)
        wait_until(lambda: not sockets(worker), 10, "both sockets to close")


def test_an_address_as_host(worker: WorkerProcess, authority: Authority) -> None:
    with recorder3(authority, host="::1") as recorder:
        assert deliver(worker, to(recorder, authority)).outcome == "delivered"
        arrived(recorder)


def test_nobody_there(worker: WorkerProcess) -> None:
    with refused_datagrams() as port:
        nobody = destination(f"https://127.0.0.1:{port}", http_version="3", timeout=10.0)
        shown = deliver(worker, nobody)
    assert (shown.outcome, shown.reason) == ("failed", "connect")
    assert shown.seconds < 5


def test_no_such_name(worker: WorkerProcess) -> None:
    nowhere = destination("https://nowhere.invalid:443", http_version="3", timeout=10.0)
    assert deliver(worker, nowhere).reason == "dns"


def test_a_port_that_says_nothing(worker: WorkerProcess) -> None:
    with silent() as port:
        shown = deliver(worker, destination(f"https://127.0.0.1:{port}", http_version="3", timeout=0.7))
        assert (shown.outcome, shown.reason) == ("failed", "timeout")
        wait_until(lambda: not sockets(worker), 10, "its socket to close")


def sending(*pieces: bytes, end: bool = True) -> Answer:
    """Whatever bytes on the request's stream."""

    def answer(served: Served, stream: int) -> None:
        for piece in pieces:
            served.quic.send_stream_data(stream, piece)
        if end:
            served.quic.send_stream_data(stream, b"", end_stream=True)

    return answer


def frame(*fields: tuple[bytes, bytes]) -> bytes:
    """A head, however wrong."""
    return headers_frame(fields)


def reset(served: Served, stream: int) -> None:
    served.quic.reset_stream(stream, 0x102)


def reset_in_the_body(served: Served, stream: int) -> None:
    served.send((":status", "200"), stream=stream)
    served.h3.send_data(stream, b"half", end_stream=False)
    served.transmit()
    served.quic.reset_stream(stream, 0x102)


def closing(error: int) -> Answer:
    def answer(served: Served, stream: int) -> None:
        served.quic.close(error_code=error)

    return answer


def going_down(served: Served, stream: int) -> None:
    """Its port refuses from now on."""
    assert served._transport is not None
    served._transport.close()


FINE_HEAD = frame((b":status", b"200"))
HALF = encode_frame(FrameType.DATA, b"whole")[:-2]
CASES: dict[str, tuple[Answer, str, str]] = {
    "whole": (answering((":status", "200"), body=b"x"), "delivered", "2xx"),
    "empty": (answering((":status", "204")), "delivered", "2xx"),
    "trailers": (answering((":status", "404"), body=b"x", trailers=(("x-t", "1"),)), "delivered", "4xx"),
    "interim-first": (sending(frame((b":status", b"103")), FINE_HEAD), "delivered", "2xx"),
    "unknown-frames": (sending(encode_frame(0x21, b"x" * 9), FINE_HEAD, b"\x21\x00"), "delivered", "2xx"),
    "nothing": (sending(), "failed", "protocol"),
    "no-head": (sending(encode_frame(FrameType.DATA, b"x")), "failed", "protocol"),
    "no-status": (sending(frame((b"x", b"y"))), "failed", "protocol"),
    "no-number": (sending(frame((b":status", b"abc"))), "failed", "protocol"),
    "no-name": (sending(frame((b":status", b"200"), (b"x y", b""))), "delivered", "2xx"),
    "two-lines": (sending(frame((b":status", b"200"), (b"x", b"a\r\nb: c"))), "delivered", "2xx"),
    "a-head-that-unpacks-to-nothing": (sending(b"\x01\x03\xff\xff\xff"), "failed", "protocol"),
    "only-interim": (sending(frame((b":status", b"103"))), "failed", "protocol"),
    "half-a-frame": (sending(FINE_HEAD, HALF), "failed", "protocol"),
    "half-a-body": (
        sending(frame((b":status", b"200"), (b"content-length", b"9")), encode_frame(FrameType.DATA, b"x")),
        "failed",
        "protocol",
    ),
    "settings-of-all-things": (sending(b"\x04\x00"), "failed", "protocol"),
    "no-http3": (sending(b"HTTP/1.1 200 OK\r\n\r\n"), "failed", "protocol"),
    "reset": (reset, "failed", "protocol"),
    "reset-in-the-body": (reset_in_the_body, "failed", "protocol"),
    "goes-away": (closing(0x100), "failed", "reset"),
    "breaks-off": (closing(0x102), "failed", "protocol"),
    "goes-down": (going_down, "failed", "reset"),
    "says-nothing": (sending(end=False), "failed", "timeout"),
    "many-fields": (sending(frame((b":status", b"200"), *[(b"x", b"x" * 8000)] * 50)), "failed", "protocol"),
    "an-endless-head": (sending(b"\x01\xbf\xff\xff\xff" + b"x" * 400_000, end=False), "failed", "protocol"),
    "a-bomb": (sending(encode_frame(FrameType.HEADERS, b"\0\0" + b"\xfe" * 200_000)), "failed", "protocol"),
    "grpc-ok": (answering(*GRPC, body=b"x", trailers=(("grpc-status", "0"),)), "delivered", "grpc_0"),
    "grpc-trailers-only": (answering(*GRPC, ("grpc-status", "14")), "delivered", "grpc_14"),
    "grpc-without-status": (answering(*GRPC, body=b"x"), "failed", "protocol"),
}


@pytest.mark.parametrize(("answer", "outcome", "reason"), CASES.values(), ids=CASES)
def test_an_answer(
    worker: WorkerProcess, authority: Authority, answer: Answer, outcome: str, reason: str
) -> None:
    with recorder3(authority, answer=answer) as recorder:
        shown = deliver(worker, to(recorder, authority, timeout=3.0))
        assert (shown.outcome, shown.reason) == (outcome, reason), shown.message
        wait_until(lambda: not sockets(worker), 10, "its socket to close")


def leaving_out(served: Served, stream: int) -> None:
    """Its data's first byte never comes, and room for all that follows would have to be kept."""
    sender = served.quic._get_or_create_stream_for_send(stream).sender
    sender.write(bytes(40 * MIB))
    sender._pending.subtract(0, 40 * MIB)
    for at in range(MIB // 2, 40 * MIB, MIB // 2):
        sender._pending.add(at, at + 1)


def test_no_room_is_kept_for_what_never_comes(worker: WorkerProcess, authority: Authority) -> None:
    with recorder3(authority, answer=leaving_out) as recorder:
        shown = deliver(worker, to(recorder, authority, timeout=20.0))
        assert (shown.outcome, shown.reason) == ("failed", "protocol")
        assert "leaves out" in shown.message


@pytest.mark.parametrize("way", ["dialling", "sending"])
def test_a_worker_that_stops_meanwhile(worker: WorkerProcess, authority: Authority, way: str) -> None:
    with recorder3(authority, answer=lambda *_: None) as recorder, silent() as port:
        mute = destination(f"https://127.0.0.1:{port}", http_version="3")
        worker.set_up(spec_of(mute if way == "dialling" else to(recorder, authority)))
        worker.mirror(trailing(), b"hello")
        wait_until(lambda: recorder.requests or (way == "dialling" and sockets(worker)), 10, "the copy")
        assert worker.stop(drain=0.1) == 0
        assert worker.wait_for_end(1) == ("dropped", "shutdown")


def test_what_an_answer_says_is_kept(worker: WorkerProcess, authority: Authority) -> None:
    answer = answering((":status", "201"), ("x-a", "1"), body=b"made", trailers=(("x-t", "2"),))
    with recorder3(authority, answer=answer) as recorder:
        shown = deliver(worker, to(recorder, authority))
        assert (shown.status, shown.response_headers) == (201, ((b"x-a", b"1"), (b"x-t", b"2")))
        assert worker.bodies(Shown) == [b"made"]
        assert 0 < shown.first_byte <= shown.seconds < 5


@pytest.mark.parametrize(
    ("limit", "body"),
    [(1 << 20, b"x" * 300_000), (20_000, b"(a body of more bytes than")],
    ids=["whole", "over-the-limit"],
)
def test_answers_are_read_within_bounds(
    worker: WorkerProcess, authority: Authority, limit: int, body: bytes
) -> None:
    with recorder3(authority, answer=answering((":status", "200"), body=b"x" * 300_000)) as recorder:
        shown = deliver(worker, to(recorder, authority, max_response=limit))
        assert (shown.outcome, shown.reason) == ("delivered", "2xx")
        assert worker.bodies(Shown)[0].startswith(body)


def test_an_answer_before_the_upload_s_end(worker: WorkerProcess, authority: Authority) -> None:
    with recorder3(
        authority, answer=answering((":status", "413"), body=b"no"), when=lambda got: bool(got.body)
    ) as recorder:
        worker.set_up(spec_of(to(recorder, authority)))
        worker.mirror(trailing(trailers=()), streamed=True)
        worker.send(Chunk("f1"), b"first")
        assert worker.wait_for_end(1) == ("delivered", "4xx")


def test_an_answer_with_a_request_to_send_no_more(worker: WorkerProcess, authority: Authority) -> None:
    """As nginx does: it stops the upload, then answers (RFC 9114, section 4.1)."""

    def answer(served: Served, stream: int) -> None:
        served.quic.stop_stream(stream, 0x100)
        served.transmit()
        answering((":status", "413"), body=b"no")(served, stream)

    with recorder3(authority, answer=answer, when=lambda got: bool(got.body)) as recorder:
        worker.set_up(spec_of(to(recorder, authority, timeout=20.0)))
        worker.mirror(trailing(headers=ANNOUNCED), b"x" * MIB)
        assert worker.wait_for_end(1) == ("delivered", "4xx")


def test_others_stay_with_libcurl(worker: WorkerProcess, authority: Authority) -> None:
    """It uses a connection again."""
    with recorder3(authority) as recorder:
        worker.set_up(spec_of(to(recorder, authority)))
        for number in range(1, 3):
            worker.mirror(trailing(headers=(), trailers=()), b"hello")
            worker.wait_for_endings(number)
        assert len(recorder.requests) == 2
        assert len(recorder.peers) == 1
        assert "aioquic" not in maps(worker)


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """A UDP port that takes datagrams and does nothing with them."""
    with socket.socket(type=socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        yield mute.getsockname()[1]


def sockets(worker: WorkerProcess) -> list[str]:
    """The UDP sockets that a worker has (Linux)."""
    inodes = {
        line.split()[9]
        for table in ("udp", "udp6")
        for line in Path(f"/proc/{worker.process.pid}/net/{table}").read_text().splitlines()[1:]
    }
    open_ = []
    for link in Path(f"/proc/{worker.process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            open_.append(str(link.readlink()).removeprefix("socket:[").removesuffix("]"))
    return [inode for inode in open_ if inode in inodes]


def maps(worker: WorkerProcess) -> str:
    """The libraries that a worker has loaded (Linux)."""
    return Path(f"/proc/{worker.process.pid}/maps").read_text()


@pytest.mark.parametrize("streamed", ["64k", "1"], ids=["buffered", "streamed"])
def test_from_a_client_through_the_proxy(authority: Authority, tmp_path: Path, streamed: str) -> None:
    context = authority.server_context("127.0.0.1")
    with recorder2(context) as primary, recorder3(authority) as copied:
        spec = f"""
version: 1
destinations:
  three: {{url: "{copied.url}", http_version: 3, tls: {{ca_file: "{authority.file}"}}}}
apis: [{{name: all, traffic_mirror: [{{name: any, path: "^/", destinations: [three]}}]}}]
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
                assert http2.exchange(connection, [*fields, *ANNOUNCED], b"hello", SUM) == 200
            arrived(copied)
