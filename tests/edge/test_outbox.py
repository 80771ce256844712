"""The outbox: order kept, bounds held, large bodies in pieces and only as fast as the pipe takes them."""

from __future__ import annotations

import asyncio

from traffic_mirror.edge import outbox
from traffic_mirror.edge.outbox import Outbox


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
