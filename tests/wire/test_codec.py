"""Frames survive the pipe however it cuts them, and what is no frame is refused."""

from __future__ import annotations

import contextlib
import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traffic_mirror.copies.request import FrozenRequest
from traffic_mirror.ledger import Count
from traffic_mirror.spec.model import Api, Destination, Rule, Spec
from traffic_mirror.wire import frames
from traffic_mirror.wire.codec import Decoder, WireError, announce_shared, encode

REQUEST = FrozenRequest(
    id="f1",
    method=b"GET",
    scheme="http",
    host="api.test",
    port=80,
    authority=b"api.test",
    target=b"/a/../b c\xff?",
    http_version="HTTP/1.1",
    headers=((b"X-A", b"1"), (b"x-a", b"\xff")),
    body=None,
    time=1.5,
)
SPEC = Spec(
    destinations=(Destination(name="d", url="http://h:1", scheme="http", hostname="h", port=1),),
    apis=(Api(name="a", rules=(Rule(name="r", path="/", destinations=(0,)),)),),
)
STATE = frames.SpecState(file="mirror.yaml", loaded_at=1.0, ok=True)
TO_WORKER: list[frames.ToWorker] = [
    STATE,
    frames.Setup(spec=SPEC, state=STATE, base=(Count("a", "r", "d", "failed", "dns", 2),)),
    frames.Mirror(request=REQUEST, api=0, rule=0, copies=((1, 0),)),
    frames.Chunk(id="f1"),
    frames.ChunkEnd(id="f1", aborted="client"),
    frames.Primary(id="f1", status=200, seconds=0.1, headers=((b"a", b"b"),)),
    frames.Tally(counts=(Count("a", "r", "d", "skipped", "loop", 1),)),
    frames.Socket(id="f1", text=True),
    frames.Stop(drain=1.0),
]
TO_EDGE: list[frames.ToEdge] = [
    frames.Ready(pid=1, listen="127.0.0.1:9464"),
    frames.Ended(endings=(frames.Ending(1, "delivered", "2xx", 0.1),)),
    frames.Judged(verdicts=(frames.VerdictCount("a", "r", "d", "match", 3),)),
    frames.Statistics(),
    frames.Control(action="pause"),
    frames.Beat(),
    frames.Taken(count=2),
]


def _name(value: object) -> str:
    return type(value).__name__


@pytest.mark.parametrize("frame", TO_WORKER, ids=_name)
def test_frames_to_the_worker_arrive_as_sent(frame: frames.ToWorker) -> None:
    assert Decoder[frames.ToWorker](frames.ToWorker).feed(encode(frame, b"body") + b"body") == [
        (frame, b"body")
    ]


@pytest.mark.parametrize("frame", TO_EDGE, ids=_name)
def test_frames_to_the_edge_arrive_as_sent(frame: frames.ToEdge) -> None:
    assert Decoder[frames.ToEdge](frames.ToEdge).feed(encode(frame)) == [(frame, b"")]


@given(
    bodies=st.lists(st.binary(max_size=300), max_size=6),
    cuts=st.lists(st.integers(0, 2000), max_size=20),
)
def test_cuts_do_not_matter(bodies: list[bytes], cuts: list[int]) -> None:
    sent = [(TO_WORKER[i % len(TO_WORKER)], body) for i, body in enumerate(bodies)]
    stream = b"".join(encode(frame, body) + body for frame, body in sent)
    decoder = Decoder[frames.ToWorker](frames.ToWorker)
    got = []
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for start, end in itertools.pairwise(edges):
        got += decoder.feed(stream[start:end])
    assert got == sent
    assert decoder.pending == 0


def test_one_byte_at_a_time() -> None:
    decoder = Decoder[frames.ToWorker](frames.ToWorker)
    got = []
    for byte in encode(TO_WORKER[1], b"xyz") + b"xyz":
        got += decoder.feed(bytes([byte]))
    assert got == [(TO_WORKER[1], b"xyz")]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (struct.pack(">II", 0, 0), "found a head of 0 bytes, expected 1 to 100"),
        (struct.pack(">II", 101, 0), "found a head of 101 bytes, expected 1 to 100"),
        (struct.pack(">II", 1, 51), "found a body of 51 bytes, expected at most 50"),
        (struct.pack(">II", 1, 0) + b"\xc1", "no frame"),
        (struct.pack(">II", 1, 0) + b"\x01", "no frame"),
        (struct.pack(">II", 3, 0) + b"\x91\xcc\xff", "no frame"),
    ],
    ids=["empty-head", "head-over", "body-over", "no-msgpack", "no-array", "unknown-tag"],
)
def test_what_is_no_frame_is_refused(data: bytes, message: str) -> None:
    decoder = Decoder[frames.ToWorker](frames.ToWorker, max_head=100, max_body=50)
    with pytest.raises(WireError, match=message):
        decoder.feed(data)


@given(st.binary(max_size=400))
def test_any_bytes_are_frames_or_a_wire_error(data: bytes) -> None:
    decoder = Decoder[frames.ToWorker](frames.ToWorker)
    with contextlib.suppress(WireError):
        decoder.feed(struct.pack(">II", max(1, len(data)), 0) + data)


@given(
    bodies=st.lists(st.tuples(st.booleans(), st.binary(max_size=300)), max_size=6),
    cuts=st.lists(st.integers(0, 2000), max_size=20),
)
def test_bodies_in_shared_memory_come_in_order_with_the_others(
    bodies: list[tuple[bool, bytes]], cuts: list[int]
) -> None:
    memory = b"".join(body for _, body in bodies)
    stream, expected, at = b"", [], 0
    for number, (is_shared, body) in enumerate(bodies):
        frame = TO_WORKER[number % len(TO_WORKER)]
        announced = encode(frame, body)
        stream += announce_shared(announced, at) if is_shared and body else announced + body
        expected.append((frame, body))
        at += len(body)
    decoder: Decoder[frames.ToWorker] = Decoder(
        frames.ToWorker, fetch=lambda place, size: memory[place : place + size]
    )
    got: list[tuple[frames.ToWorker, bytes]] = []
    for start, stop in itertools.pairwise(
        sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    ):
        got += decoder.feed(stream[start:stop])
    assert got == expected
    assert decoder.pending == 0


def test_a_body_in_memory_that_is_not_shared_is_refused() -> None:
    stream = announce_shared(encode(TO_WORKER[2], b"body"), 0)
    with pytest.raises(WireError, match="found a body of 2147483652 bytes, expected at most"):
        Decoder[frames.ToWorker](frames.ToWorker).feed(stream)


def test_a_body_in_shared_memory_has_the_same_bound() -> None:
    stream = announce_shared(encode(TO_WORKER[2], b"body"), 0)
    decoder: Decoder[frames.ToWorker] = Decoder(frames.ToWorker, max_body=3, fetch=lambda *_: b"body")
    with pytest.raises(WireError, match="found a body of 4 bytes, expected at most 3"):
        decoder.feed(stream)
