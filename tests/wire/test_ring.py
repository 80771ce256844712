"""The memory that edge and worker share: what is lent never overlaps, and nobody can shrink it."""

from __future__ import annotations

import errno
import os
import sys
from collections import deque
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traffic_mirror.wire.codec import WireError
from traffic_mirror.wire.ring import RingReader, RingWriter

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="no files that are memory alone")

SIZE = 64 * 1024


@pytest.fixture
def ring() -> Iterator[RingWriter]:
    ring = RingWriter(SIZE)
    yield ring
    ring.close()


def reader_of(ring: RingWriter) -> RingReader:
    return RingReader(os.dup(ring.fd))


def memory_of(ring: RingWriter) -> int:
    return os.fstat(ring.fd).st_blocks * 512


# More than zero: a body that is to be lent. Zero: the oldest is given back.
@given(st.lists(st.integers(0, SIZE // 2), max_size=60))
def test_what_is_lent_arrives_and_overlaps_nothing(sizes: list[int]) -> None:
    ring = RingWriter(SIZE)
    reader = reader_of(ring)
    lent: deque[tuple[int, bytes]] = deque()
    try:
        for number, size in enumerate(sizes):
            if size:
                body = bytes([number % 251 + 1]) * size
                at = ring.reserve(size)
                if at is not None:
                    ring.write(at, body)
                    lent.append((at, body))
                else:
                    assert lent, "an empty ring has room for half of it"
            elif lent:
                at, body = lent.popleft()
                assert reader.take(at, len(body)) == body
                ring.give_back(1)
            assert ring.used == sum(len(body) for _, body in lent)
        for at, body in lent:
            assert reader.take(at, len(body)) == body
        ring.give_back(len(lent))
        assert ring.reserve(SIZE) == 0
    finally:
        ring.close()


def test_it_goes_round(ring: RingWriter) -> None:
    third = SIZE // 3
    places = []
    for _ in range(9):
        at = ring.reserve(third)
        assert at is not None
        places.append(at)
        if len(places) > 1:
            ring.give_back(1)
    assert max(places) + third <= SIZE
    assert len(set(places)) == 3


def test_a_full_one_lends_nothing(ring: RingWriter) -> None:
    assert ring.reserve(SIZE + 1) is None
    assert ring.reserve(SIZE) == 0
    assert ring.reserve(1) is None
    ring.give_back(1)
    assert ring.reserve(1) == 0


def test_one_that_has_wrapped_lends_up_to_its_oldest_body(ring: RingWriter) -> None:
    assert [ring.reserve(SIZE // 2), ring.reserve(SIZE // 2)] == [0, SIZE // 2]
    ring.give_back(1)
    assert ring.reserve(SIZE // 4) == 0
    assert ring.reserve(SIZE // 4 + 1) is None
    assert ring.reserve(SIZE // 4) == SIZE // 4
    assert ring.reserve(1) is None


@pytest.mark.parametrize("count", [-1, 2])
def test_no_more_is_given_back_than_was_lent(ring: RingWriter, count: int) -> None:
    ring.reserve(10)
    with pytest.raises(WireError, match=f"found {count} bodies given back, expected at most 1"):
        ring.give_back(count)


def test_nothing_is_taken_from_beyond_it(ring: RingWriter) -> None:
    with pytest.raises(WireError, match=f"found a body at {SIZE - 1} \\+ 2, expected it within {SIZE} bytes"):
        reader_of(ring).take(SIZE - 1, 2)


def test_its_size_is_final(ring: RingWriter) -> None:
    """Who reads beyond a file that was cut off is ended by the system."""
    for size in (SIZE - 1, SIZE + 1):
        with pytest.raises(PermissionError):
            os.ftruncate(ring.fd, size)


def test_memory_is_used_when_it_is_written_and_given_back(ring: RingWriter) -> None:
    assert memory_of(ring) == 0
    ring.write(0, b"x" * SIZE)
    assert memory_of(ring) == SIZE
    ring.shrink()
    assert memory_of(ring) == 0
    ring.write(0, b"again")
    assert reader_of(ring).take(0, 5) == b"again"


def test_what_is_taken_back_makes_room(ring: RingWriter) -> None:
    places = [ring.reserve(SIZE // 4) for _ in range(4)]
    assert None not in places
    ring.take_back(SIZE // 4)
    ring.take_back(SIZE // 4 * 3)
    assert ring.used == SIZE // 2
    assert ring.reserve(SIZE // 4) == SIZE // 4 * 3
    ring.give_back(3)
    assert (ring.used, ring.reserve(SIZE)) == (0, 0)


def test_memory_is_asked_for_before_it_is_touched(ring: RingWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who touches a page that can't be had is ended by the system."""
    ring.write(0, b"x" * 100)

    def refuse(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    ring.write(0, b"y" * 100)
    with pytest.raises(OSError, match="No space left"):
        ring.write(100, b"x" * (SIZE // 2))
    ring.shrink()
    with pytest.raises(OSError, match="No space left"):
        ring.write(0, b"y")
    assert memory_of(ring) == 0


def test_a_python_without_such_files_has_no_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")
    with pytest.raises(OSError, match="no files here that are memory alone"):
        RingWriter(SIZE)


def test_what_is_no_ring_is_refused_and_left_open() -> None:
    plain = os.memfd_create("no ring", os.MFD_ALLOW_SEALING)
    ours, theirs = os.pipe()
    try:
        os.ftruncate(plain, SIZE)
        for fd, why in ((plain, "it can be shrunk"), (ours, "Invalid argument")):
            with pytest.raises(OSError, match=why):
                RingReader(fd)
            os.fstat(fd)
    finally:
        for fd in (plain, ours, theirs):
            os.close(fd)


def test_a_worker_is_told_of_a_file_that_is_none() -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        RingReader(987)
