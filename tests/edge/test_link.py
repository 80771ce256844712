"""The link to the worker: whatever the process does, it is ended, counted and started again."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import pytest

from tests.waiting import wait_until_async
from traffic_mirror.edge.link import Link, State
from traffic_mirror.spec.model import Spec
from traffic_mirror.wire.codec import encode
from traffic_mirror.wire.frames import Beat, Chunk, Ready, Setup, SpecState, ToEdge
from traffic_mirror.wire.ring import RING_FD

pytestmark = pytest.mark.usefixtures("eager_tasks")

SAYS_READY = f"sys.stdout.buffer.write({encode(Ready(1))!r}); sys.stdout.flush(); "


class Owner:
    """What the link talks to; keeps what it is told."""

    def __init__(self) -> None:
        self.frames: list[ToEdge] = []
        self.lost = 0
        self.setups = 0

    def make_setup(self) -> Setup:
        self.setups += 1
        return Setup(spec=Spec(), state=SpecState("", 0.0, True))

    def on_frame(self, frame: ToEdge, body: bytes) -> None:
        self.frames.append(frame)

    def on_lost(self) -> None:
        self.lost += 1


def python(code: str) -> Sequence[str]:
    return (sys.executable, "-c", f"import os, sys, time; {code}")


async def run(command: Sequence[str], owner: Owner, *, silence: float = 10.0) -> Link:
    link = Link(owner, asyncio.get_running_loop(), command=command, silence=silence)
    link.start()
    return link


@pytest.mark.parametrize(
    ("command", "said"),
    [
        pytest.param(("/no/such/program",), "can't be started", id="no-such-program"),
        pytest.param(python("sys.exit(3)"), "exit status 3", id="ends-at-once"),
        pytest.param(python("os.kill(os.getpid(), 9)"), "signal 9", id="killed"),
        pytest.param(python("print('hello, world'); time.sleep(60)"), "what it must not", id="garbage"),
        pytest.param(
            python("sys.stdout.buffer.write(b'\\xff' * 8); sys.stdout.flush(); time.sleep(60)"),
            "found a head of 4294967295 bytes",
            id="a-huge-frame",
        ),
        pytest.param(python("os.close(1); time.sleep(60)"), "has said nothing", id="closes-its-stdout"),
        pytest.param(python("time.sleep(60)"), "has said nothing", id="says-nothing"),
        pytest.param(
            python(SAYS_READY + "os.kill(os.getpid(), 19)"), "has said nothing", id="stops-after-ready"
        ),
    ],
)
async def test_a_worker_that_is_none_is_replaced(
    command: Sequence[str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    owner = Owner()
    link = await run(command, owner, silence=0.2)
    try:
        await wait_until_async(lambda: owner.setups >= 2, 15)
    finally:
        await link.stop(0.1)
    assert owner.lost >= 1
    assert said in caplog.text


async def test_it_waits_longer_each_time() -> None:
    owner = Owner()
    link = await run(python("sys.exit(1)"), owner)
    await wait_until_async(lambda: owner.lost >= 3)
    assert owner.setups == 3
    assert link.state is State.DOWN
    assert link.offer(Chunk("f")) == "worker_lost"
    await link.stop(0.1)
    assert link.offer(Chunk("f")) == "shutdown"


@pytest.mark.skipif(sys.platform != "linux", reason="no memory is shared")
async def test_workers_that_can_t_share_memory_work_without() -> None:
    owner = Owner()
    fails = f"os.environ[{RING_FD!r}] and sys.exit(1); "
    link = await run(python(fails + SAYS_READY + "time.sleep(60)"), owner)
    await wait_until_async(lambda: link.state is State.UP)
    assert owner.setups == 3
    await link.stop(0.1)


async def test_what_is_offered_to_one_that_reads_nothing_is_bounded() -> None:
    owner = Owner()
    link = await run(python(SAYS_READY + "time.sleep(60)"), owner)
    await wait_until_async(lambda: link.state is State.UP)
    refused = 0
    for _ in range(200):
        refused += link.offer(Chunk("f"), b"x" * (1 << 20)) == "edge_full"
    assert 100 < refused < 200
    assert link.backlog <= 66 << 20
    await link.stop(0.1)
    assert owner.lost == 1
    assert link.backlog == 0


async def test_what_an_ended_process_left_behind_does_not_keep_it_alive() -> None:
    """A grandchild holds the pipes open: the worker has ended all the same."""
    code = SAYS_READY + "os.fork() or time.sleep(4); os._exit(0)"
    owner = Owner()
    link = await run(python(code), owner)
    await wait_until_async(lambda: owner.lost >= 1, 3)
    await link.stop(0.1)


async def test_beats_are_the_link_s_own() -> None:
    owner = Owner()
    beats = encode(Beat()) * 3
    link = await run(
        python(SAYS_READY + f"sys.stdout.buffer.write({beats!r}); sys.stdout.flush(); time.sleep(60)"), owner
    )
    await wait_until_async(lambda: owner.frames)
    await link.stop(0.1)
    assert owner.frames == [Ready(1)]
