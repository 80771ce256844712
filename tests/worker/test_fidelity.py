"""What a destination receives is what the copy says, byte for byte: libcurl adds and mends nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.servers import RecordingServer
from tests.worker.driver import WorkerProcess, destination, request, spec_of
from traffic_mirror.copies.request import FrozenRequest
from traffic_mirror.spec.model import Markers

Pair = tuple[bytes, bytes]


def send_one(what: FrozenRequest, body: bytes = b"") -> tuple[bytes, bytes, str]:
    """The head and body that one request's copy arrived with, and where."""
    with RecordingServer() as server, WorkerProcess() as worker:
        worker.set_up(spec_of(destination(server.url)))
        worker.mirror(what, body)
        worker.wait_for_endings(1)
        (got,) = server.requests
        return got.head, got.raw_body, f"127.0.0.1:{server.port}"


def without_markers(head: bytes) -> list[bytes]:
    lines = head.split(b"\r\n")[:-2]
    return [line for line in lines if not line.lower().startswith(Markers().prefix.lower().encode())]


HEADS: dict[str, tuple[bytes, list[Pair], bytes]] = {
    "nothing-but-the-host": (b"GET", [], b""),
    "case-order-and-duplicates": (
        b"GET",
        [(b"x-B", b"1"), (b"X-a", b"2"), (b"X-B", b"3"), (b"x-B", b"")],
        b"",
    ),
    "an-empty-value": (b"GET", [(b"X-Empty", b""), (b"Accept", b"")], b""),
    "bytes-beyond-ascii": (b"GET", [(b"X-Name", b"J\xc3\xb6rg \xff")], b""),
    "what-libcurl-would-set": (
        b"POST",
        [
            (b"Accept", b"a/b"),
            (b"User-Agent", b"me"),
            (b"Accept-Encoding", b"br"),
            (b"Content-Type", b"text/x"),
            (b"Content-Length", b"3"),
        ],
        b"abc",
    ),
    "a-body-of-no-type": (b"POST", [(b"Content-Length", b"3")], b"a\0b"),
    "a-get-with-a-body": (b"GET", [(b"Content-Length", b"1")], b"x"),
    "an-empty-post": (b"POST", [(b"Content-Length", b"0")], b""),
    "a-large-body": (b"PUT", [(b"Content-Length", b"3000000")], b"x" * 3_000_000),
    "a-delete": (b"DELETE", [(b"X", b"1")], b""),
}


@pytest.mark.parametrize(("method", "headers", "body"), HEADS.values(), ids=HEADS)
def test_the_head_is_the_copys(method: bytes, headers: list[Pair], body: bytes) -> None:
    head, raw_body, host = send_one(request(b"/x", method, headers), body)
    assert without_markers(head) == [
        method + b" /x HTTP/1.1",
        b"Host: " + host.encode(),
        *(name + b": " + value if value else name + b":" for name, value in headers),
    ]
    assert raw_body == body


def test_a_body_of_a_head_request_is_left_out_and_not_announced() -> None:
    head, _, _ = send_one(request(b"/x", b"HEAD", [(b"Content-Length", b"3"), (b"X", b"1")]), b"abc")
    assert without_markers(head)[2:] == [b"X: 1"]


@pytest.mark.parametrize(
    "target",
    [
        b"/a/../b",
        b"//",
        b"/%2F",
        b"/a b",
        b"/\xff\xc3\xb6",
        b"/x?",
        b"/?a=1&a=2&b",
        b"/{t}[1-3]",
        b"/a#b",
        b"/%zz",
    ],
)
def test_the_target_is_the_clients(target: bytes) -> None:
    head, _, _ = send_one(request(target))
    assert head.startswith(b"GET " + target + b" HTTP/1.1\r\n")


token = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-_", min_size=1, max_size=12).map(str.encode)
value = st.binary(max_size=30).map(lambda raw: bytes(b for b in raw if b >= 0x20 and b != 0x7F).strip())
ours = st.tuples(token.map(b"X-".__add__), value).filter(lambda field: b"raffic" not in field[0])


@settings(max_examples=5, deadline=None)
@given(st.lists(st.lists(ours, max_size=8), min_size=1, max_size=40))
def test_any_fields_arrive(many: list[list[Pair]]) -> None:
    with RecordingServer() as server, WorkerProcess() as worker:
        worker.set_up(spec_of(destination(server.url, max_in_flight=1)))
        for headers in many:
            worker.mirror(request(headers=headers))
        worker.wait_for_endings(len(many))
        for headers, got in zip(many, server.requests, strict=True):
            sent = [
                (name, value) for name, value in headers if not name.lower().startswith(b"x-traffic-mirror")
            ]
            arrived = [f for f in got.headers[1:] if not f[0].lower().startswith(b"x-traffic-mirror")]
            assert arrived == sent


@pytest.mark.parametrize("bad", [b"a\r\nb", b"a\nb", b"a\0b"])
def test_what_would_be_another_request_is_not_sent(bad: bytes) -> None:
    with RecordingServer() as server, WorkerProcess() as worker:
        worker.set_up(spec_of(destination(server.url)))
        worker.mirror(request(headers=[(b"X-Bad", bad)]))
        worker.mirror(request(b"/" + bad))
        assert [e[1:3] for e in worker.wait_for_endings(2).values()] == [("skipped", "unsendable")] * 2
        assert not server.connections
