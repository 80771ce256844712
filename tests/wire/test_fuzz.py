"""Frames that were cut, doubled, swapped or made up: each is a frame or a WireError, and ends."""

from __future__ import annotations

import contextlib
import struct
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.wire.test_codec import TO_EDGE, TO_WORKER
from traffic_mirror.wire.codec import Decoder, WireError, encode
from traffic_mirror.wire.frames import ToEdge, ToWorker

CORPUS = [encode(frame, body) + body for frame in (*TO_WORKER, *TO_EDGE) for body in (b"", b"body")]
HOSTILE = [
    b"",
    b"\x00" * 8,
    b"\xff" * 8,
    struct.pack(">II", 4, 0) + b"\xdd\xff\xff\xff",  # an array of four billion, and then nothing
    struct.pack(">II", 6, 0) + b"\x92\x15\xdd\xff\xff\xff",
    struct.pack(">II", 6, 0) + b"\x92\x15\xdf\xff\xff\xff",
    struct.pack(">II", 5000, 0) + b"\x91" * 5000,  # five thousand arrays in one another
    struct.pack(">II", 5001, 0) + b"\x92\x15" + b"\x91" * 4999,
    struct.pack(">II", 7, 0) + b"\x92\x18\xc9\xff\xff\xff\xff",  # an extension of four gigabytes
    struct.pack(">II", 5, 0) + b"\x93\x14\x01\xa1\xff",  # text that is none
]
# Linear work takes a fraction of this; what does not end takes all of it.
FUZZ = settings(
    max_examples=500, deadline=timedelta(seconds=10), suppress_health_check=[HealthCheck.too_slow]
)


def feed(kind: Any, *pieces: bytes) -> None:
    decoder: Decoder[Any] = Decoder(kind, max_head=1 << 20, max_body=1 << 20)
    with contextlib.suppress(WireError):
        for piece in pieces:
            for frame, body in decoder.feed(piece):
                assert isinstance(frame, msgspec.Struct)
                assert isinstance(body, bytes)
    assert decoder.pending <= sum(map(len, pieces))


@pytest.mark.parametrize("kind", [ToWorker, ToEdge], ids=["to-worker", "to-edge"])
@FUZZ
@given(data=st.data())
def test_any_change_to_a_stream_of_frames(kind: Any, data: st.DataObject) -> None:
    stream = b"".join(data.draw(st.lists(st.sampled_from(CORPUS), min_size=1, max_size=4)))
    for _ in range(data.draw(st.integers(1, 5))):
        start = data.draw(st.integers(0, len(stream)))
        end = data.draw(st.integers(start, min(len(stream), start + 20)))
        put = data.draw(
            st.one_of(st.binary(max_size=10), st.just(stream[start:end] * 2), st.sampled_from(HOSTILE))
        )
        stream = stream[:start] + put + stream[end:]
    cut = data.draw(st.integers(0, len(stream)))
    feed(kind, stream[:cut], stream[cut:])


@FUZZ
@given(st.lists(st.binary(max_size=64), max_size=6))
@example(HOSTILE)
def test_any_pieces(pieces: list[bytes]) -> None:
    feed(ToWorker, *pieces)
    feed(ToEdge, *pieces)


@pytest.mark.parametrize("data", HOSTILE, ids=repr)
def test_a_hostile_frame(data: bytes) -> None:
    feed(ToWorker, data)
    feed(ToEdge, data)


def test_a_frame_that_never_ends_holds_no_more_than_it_brought() -> None:
    decoder = Decoder[Any](ToEdge)
    for _ in range(100):
        assert decoder.feed(struct.pack(">II", 1 << 20, 1 << 20)[: 8 - decoder.pending] or b"x") == []
    assert decoder.pending < 200
