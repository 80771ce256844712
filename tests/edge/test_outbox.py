"""The outbox: order kept, bounds held, large bodies in pieces and only as fast as the pipe takes them."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from collections.abc import Iterator

import pytest

from tests.waiting import wait_until_async
from traffic_mirror.edge import outbox
from traffic_mirror.edge.outbox import Outbox
from traffic_mirror.wire.codec import Decoder, WireError, encode
from traffic_mirror.wire.frames import Chunk, ToWorker
from traffic_mirror.wire.ring import RingReader, RingWriter

MIB = 1024 * 1024
needs_memory_files = pytest.mark.skipif(sys.platform != "linux", reason="no files that are memory alone")


class Pipe(asyncio.WriteTransport):
    """Keeps what is written; says it is full after `takes` bytes, as a real pipe's transport does."""

    def __init__(self, box: Outbox, takes: int = 1 << 40) -> None:
        super().__init__()
        self.box = box
        self.room = takes
        self.written: list[bytes] = []
        self.wrote = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))
        self.wrote.set()
        self.room -= len(data)
        if self.room <= 0:
            self.box.hold()

    @property
    def bytes(self) -> bytes:
        return b"".join(self.written)


def make_box() -> Outbox:
    return Outbox(asyncio.get_running_loop())


async def test_what_waits_follows_the_first_frame_in_order() -> None:
    box = make_box()
    box.push(b"one", b"BODY")
    box.push(b"two")
    pipe = Pipe(box)
    box.open(pipe, b"setup")
    assert pipe.bytes == b"setuponeBODYtwo"
    assert box.size == 0


async def test_small_frames_are_written_together() -> None:
    box = make_box()
    pipe = Pipe(box)
    box.open(pipe, b"setup")
    for number in range(100):
        box.push(b"%02d" % number)
    assert len(pipe.written) == 1, "nothing is written while more may come"
    pipe.wrote.clear()
    await asyncio.wait_for(pipe.wrote.wait(), 5)
    assert len(pipe.written) == 2
    assert pipe.bytes == b"setup" + b"".join(b"%02d" % number for number in range(100))


async def test_much_is_not_kept_waiting() -> None:
    box = make_box()
    pipe = Pipe(box)
    box.open(pipe, b"setup")
    box.push(b"head", b"x" * (outbox._WRITE - 4))
    assert len(pipe.bytes) == len(b"setup") + outbox._WRITE
    assert box.size == 0


async def test_an_urgent_frame_takes_all_that_waits_along() -> None:
    box = make_box()
    pipe = Pipe(box)
    box.open(pipe, b"setup")
    box.push(b"one")
    box.push(b"two", now=True)
    assert pipe.bytes == b"setuponetwo"


async def test_a_large_body_goes_in_pieces_and_stops_when_the_pipe_is_full() -> None:
    box = make_box()
    pipe = Pipe(box, takes=100_000)
    body = bytes(range(256)) * 8192  # 2 MiB
    box.open(pipe, b"setup")
    box.push(b"head", body, now=True)
    assert len(pipe.bytes) < 400_000
    before = box.size
    for _ in range(100):
        if not box.size:
            break
        box.release()
    assert before > 1_000_000
    assert pipe.bytes == b"setuphead" + body
    assert max(map(len, pipe.written)) <= 256 * 1024


async def test_both_bounds_hold_but_one_frame_alone_always_fits() -> None:
    box = make_box()
    assert box.has_room(outbox.MAX_BYTES * 2)
    box.push(b"x", b"y" * 1000)
    assert box.has_room(outbox.MAX_BYTES - 1001)
    assert not box.has_room(outbox.MAX_BYTES - 1000)
    for _ in range(outbox.MAX_PIECES):
        box.push(b"x")
    assert not box.has_room(0)


async def test_closing_forgets_what_was_meant_for_the_dead() -> None:
    box = make_box()
    box.push(b"lost")
    box.close()
    pipe = Pipe(box)
    box.open(pipe, b"setup")
    assert pipe.bytes == b"setup"


@pytest.fixture
def ring() -> Iterator[RingWriter]:
    ring = RingWriter(8 * MIB)
    yield ring
    ring.close()


def push(box: Outbox, name: str, body: bytes) -> None:
    frame = Chunk(name)
    box.push(encode(frame, body), body)


def read(pipe: Pipe, ring: RingWriter) -> list[tuple[str, bytes]]:
    """What a worker would read, after the setup; each body by its first byte and length."""
    decoder: Decoder[ToWorker] = Decoder(ToWorker, fetch=RingReader(os.dup(ring.fd)).take)
    frames = decoder.feed(pipe.bytes.removeprefix(b"setup"))
    return [(frame.id, body) for frame, body in frames if isinstance(frame, Chunk)]


@needs_memory_files
async def test_large_bodies_cross_in_shared_memory_and_all_stays_in_order(ring: RingWriter) -> None:
    box = make_box()
    pipe = Pipe(box)
    box.open(pipe, b"setup", ring)
    sent = [("one", b"1" * 3 * MIB), ("two", b"small"), ("three", b"3" * 2 * MIB + b"end"), ("four", b"")]
    for name, body in sent:
        push(box, name, body)
    await wait_until_async(lambda: len(read(pipe, ring)) == len(sent))
    assert read(pipe, ring) == sent
    assert len(pipe.bytes) < 1000
    assert box.size == 0
    assert box.backlog == 5 * MIB + 3
    box.give_back(2)
    assert box.backlog == 0


@needs_memory_files
async def test_a_large_body_is_copied_over_several_turns_of_the_loop(ring: RingWriter) -> None:
    box = make_box()
    pipe = Pipe(box)
    box.open(pipe, b"setup", ring)
    push(box, "one", b"x" * 4 * MIB)
    turns = 0
    while pipe.bytes == b"setup":
        await asyncio.sleep(0)
        turns += 1
        assert turns < 10
    assert turns >= 3
    assert read(pipe, ring) == [("one", b"x" * 4 * MIB)]


@needs_memory_files
async def test_a_body_that_was_crossing_when_the_pipe_filled_goes_on_when_it_takes_bytes(
    ring: RingWriter,
) -> None:
    box = make_box()
    pipe = Pipe(box)
    box.open(pipe, b"setup", ring)
    push(box, "one", b"x" * 4 * MIB)
    box.hold()
    for _ in range(20):
        await asyncio.sleep(0)
    push(box, "two", b"small")
    push(box, "three", b"y" * 2 * MIB)
    assert pipe.bytes == b"setup"
    box.release()
    await wait_until_async(lambda: len(read(pipe, ring)) == 3)
    assert read(pipe, ring) == [("one", b"x" * 4 * MIB), ("two", b"small"), ("three", b"y" * 2 * MIB)]
    assert box.size == 0


@needs_memory_files
async def test_what_finds_no_room_in_shared_memory_goes_by_the_pipe(ring: RingWriter) -> None:
    box = make_box()
    pipe = Pipe(box)
    box.open(pipe, b"setup", ring)
    sent = [(str(number), bytes([number]) * 3 * MIB) for number in range(4)]
    for name, body in sent:
        push(box, name, body)
    await wait_until_async(lambda: len(read(pipe, ring)) == len(sent))
    assert read(pipe, ring) == sent
    assert 6 * MIB < len(pipe.bytes) < 6 * MIB + 1000
    assert box.backlog == ring.used == 6 * MIB


@needs_memory_files
@pytest.mark.parametrize("granted", [0, 1])
async def test_what_the_system_has_no_memory_for_goes_by_the_pipe(
    ring: RingWriter, monkeypatch: pytest.MonkeyPatch, granted: int
) -> None:
    """To write to memory that can't be had would end the proxy."""
    given: list[int] = []
    allocate = os.posix_fallocate

    def refuse(fd: int, offset: int, size: int) -> None:
        if len(given) >= granted:
            raise OSError(errno.ENOSPC, "No space left on device")
        given.append(size)
        allocate(fd, offset, size)

    box = make_box()
    pipe = Pipe(box)
    box.open(pipe, b"setup", ring)
    sent = [("one", b"1" * 3 * MIB), ("two", b"small"), ("three", b"3" * 2 * MIB + b"end"), ("four", b"")]
    monkeypatch.setattr(os, "posix_fallocate", refuse)
    for name, body in sent:
        push(box, name, body)
    await wait_until_async(lambda: len(read(pipe, ring)) == len(sent))
    assert read(pipe, ring) == sent
    assert len(pipe.bytes) > 5 * MIB
    assert (box.size, box.backlog, ring.used, len(given)) == (0, 0, 0, granted)
    monkeypatch.undo()
    push(box, "five", b"5" * 2 * MIB)
    await wait_until_async(lambda: len(read(pipe, ring)) == 5)
    assert ring.used == box.backlog == 2 * MIB, "and the next one finds some again"


@needs_memory_files
async def test_what_lies_in_shared_memory_counts_towards_the_bound(ring: RingWriter) -> None:
    box = make_box()
    box.open(Pipe(box), b"setup", ring)
    push(box, "one", b"x" * 6 * MIB)
    assert box.has_room(outbox.MAX_BYTES - 6 * MIB - 1000)
    assert not box.has_room(outbox.MAX_BYTES - 6 * MIB)


@needs_memory_files
async def test_shared_memory_goes_back_to_the_system_once_it_has_not_been_used_for_a_while(
    ring: RingWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_IDLE", 0.05)
    box = make_box()
    pipe = Pipe(box)
    box.open(pipe, b"setup", ring)
    push(box, "one", b"x" * 2 * MIB)
    await wait_until_async(lambda: len(pipe.written) > 1)
    timer = box._shrinking
    await wait_until_async(lambda: box._shrinking is not timer)
    # What is lent is kept, however long.
    assert read(pipe, ring) == [("one", b"x" * 2 * MIB)]
    box.give_back(1)
    await wait_until_async(lambda: os.fstat(ring.fd).st_blocks == 0)


@needs_memory_files
async def test_a_body_that_was_crossing_when_the_worker_died_is_forgotten(ring: RingWriter) -> None:
    box = make_box()
    pipe = Pipe(box)
    box.open(pipe, b"setup", ring)
    push(box, "one", b"x" * 4 * MIB)
    box.close()
    another = Pipe(box)
    box.open(another, b"setup")
    for _ in range(10):
        await asyncio.sleep(0)
    assert (pipe.bytes, another.bytes, box.backlog) == (b"setup", b"setup", 0)


async def test_a_worker_can_give_back_nothing_where_nothing_is_shared() -> None:
    box = make_box()
    box.open(Pipe(box), b"setup")
    with pytest.raises(WireError, match="found 1 bodies given back, and no memory is shared"):
        box.give_back(1)
