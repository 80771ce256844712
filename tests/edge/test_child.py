"""A hostile worker: nothing that comes over its pipes crashes the proxy, fills its memory or its log."""

from __future__ import annotations

import asyncio
import logging
import os
import struct
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mitmproxy import ctx
from mitmproxy.addons import default_addons, view
from mitmproxy.addons.readfile import ReadFileStdin
from mitmproxy.test import taddons, tflow

from tests.waiting import wait_until_async
from traffic_mirror.edge.addon import MirrorAddon
from traffic_mirror.edge.child import MAX_BODY, MAX_HEAD, Child
from traffic_mirror.edge.endings import MAX_REASONS, KnownEndings
from traffic_mirror.edge.mirror import Mirror
from traffic_mirror.edge.worker_log import BURST, MAX_LINE, WorkerLog
from traffic_mirror.wire.codec import WireError, encode
from traffic_mirror.wire.frames import Ended, Ending, Judged, Ready, ToEdge, VerdictCount

TO_EDGE = range(20, 28)  # the tags of the frames that a worker may send
PREFIX = struct.Struct(">II")


class NoThrottle:
    def hold(self) -> None:
        pass

    def release(self) -> None:
        pass


SPEC = """
destinations: {shadow: {url: "http://shadow.test"}}
apis: [{name: api, traffic_mirror: [{name: rule, path: /, destinations: [shadow]}]}]
"""


class Victim:
    """A mirror as it is while a worker runs: with copies under way, and a view."""

    def __init__(self, mirror: Mirror) -> None:
        assert mirror.inspection is not None
        self.mirror = mirror
        self.ledger = mirror.ledger
        self.inspection = mirror.inspection
        row = self.ledger.row("api", "rule", "shadow")
        row.selected = 100
        mirror.dispatcher.books._under_way.update(dict.fromkeys(range(100), row))

    def child(self) -> Child:
        return Child(NoThrottle(), self.mirror.on_frame)


@pytest.fixture
async def victim(tmp_path: Path) -> AsyncIterator[Victim]:
    spec = tmp_path / "mirror.yaml"
    spec.write_text(SPEC)
    addon = MirrorAddon(spec)
    with taddons.context(loadcore=False) as context:
        context.master.addons.add(*default_addons(), ReadFileStdin(), view.View(), addon)
        context.configure(addon, mirror_spec=str(spec), mirror_listen="", mirror_shown="20")
        flow = tflow.tflow()
        flow.id = "f"
        shown = ctx.master.addons.get("view")
        shown.add([flow])
        made = Victim(addon.mirror())
        yield made
        if made.inspection._timer is not None:
            made.inspection._timer.cancel()


WORDS = st.one_of(
    st.sampled_from(["f", "api", "rule", "shadow", "delivered", "failed", "2xx", "pause", "reload", "match"]),
    st.text(max_size=30),
)
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), WORDS, st.binary(max_size=30)
    ),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=12,
)
# A copy that is shown, each part of which may be anything of its type.
SHOWN: list[st.SearchStrategy[Any]] = [
    st.integers(0, 2**63),
    st.just("f"),
    WORDS,
    WORDS,
    WORDS,
    st.binary(max_size=10),
    st.one_of(WORDS, st.sampled_from(["http://[::1", "http://h:99999/x", "//", "http://h/\x00", "x://"])),
    WORDS,
    st.lists(st.tuples(st.binary(max_size=5), st.binary(max_size=5)), max_size=3),
    WORDS,
    WORDS,
    WORDS,
    st.integers(-(2**31), 2**31),
    st.lists(st.tuples(st.binary(max_size=5), st.binary(max_size=5)), max_size=3),
    st.floats(),
    st.floats(),
    WORDS,
    st.one_of(st.none(), WORDS),
]
HEADS = st.one_of(
    st.tuples(st.sampled_from(TO_EDGE), st.lists(VALUES, max_size=8)).map(lambda it: [it[0], *it[1]]),
    st.tuples(*SHOWN).map(lambda it: [23, *it]),
    st.lists(st.tuples(st.integers(0, 120), WORDS, WORDS, st.floats()), max_size=5).map(lambda it: [21, it]),
    st.lists(st.tuples(WORDS, WORDS, WORDS, WORDS, st.integers()), max_size=5).map(lambda it: [22, it]),
)
FUZZ = settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def holds(victim: Victim) -> None:
    """What the ledger counts is still a ledger, and all else is small."""
    assert sum(victim.ledger.outcomes().values()) + victim.ledger.in_flight == victim.ledger.selected
    assert len(list(victim.ledger)) == 1
    assert min(victim.ledger.verdicts().values()) >= 0
    assert len(victim.inspection._waiting) <= 20


@FUZZ
@given(st.lists(st.tuples(HEADS, st.binary(max_size=50)), max_size=6))
@example([([21, [[1, "stolen", "2xx", 0.0]]], b"")])
@example([([21, [[1, "failed", "x" * 1000, 0.0]]], b"")])
@example([([22, [["a", "b", "c", "match", 1]]], b"")])  # of a rule that may be long gone: no row comes of it
@example([([22, [["api", "rule", "shadow", "match", -5]]], b"")])
@example([([20, 1, "evil.test/\x1b[2J:80"], b"")])
async def test_any_frames(victim: Victim, frames: list[tuple[list[Any], bytes]]) -> None:
    child = victim.child()
    encoder = msgspec.msgpack.Encoder()
    for head, body in frames:
        try:
            encoded = encoder.encode(head)
        except (UnicodeEncodeError, OverflowError):
            continue
        child.pipe_data_received(1, PREFIX.pack(len(encoded), len(body)) + encoded + body)
    victim.inspection.close()
    holds(victim)


@FUZZ
@given(st.lists(st.binary(max_size=200), max_size=5))
async def test_any_bytes(victim: Victim, pieces: list[bytes]) -> None:
    child = victim.child()
    for piece in pieces:
        child.pipe_data_received(1, piece)
        child.pipe_data_received(2, piece)
    child.connection_lost(None)
    holds(victim)


@pytest.mark.parametrize(("head", "body"), [(MAX_HEAD + 1, 0), (1, MAX_BODY + 1)])
async def test_a_frame_over_its_bound_is_not_waited_for(
    victim: Victim, head: int, body: int, caplog: pytest.LogCaptureFixture
) -> None:
    child = victim.child()
    child.pipe_data_received(1, PREFIX.pack(head, body) + b"x")
    child.pipe_data_received(1, encode(Ready(1, "127.0.0.1:80")))
    assert caplog.text.count("is killed") == 1
    assert victim.mirror.page.listen == "", "nothing that follows is read"


@pytest.mark.parametrize(
    "frame",
    [
        Ended((Ending(1, "vanished", "2xx"),)),
        Ended((Ending(1, "failed", "a b"),)),
        Ended((Ending(1, "failed", "e\u0301"),)),
        Ended((Ending(1, "failed", ""),)),
        Judged((VerdictCount("api", "rule", "shadow", "maybe", 1),)),
        Judged((VerdictCount("api", "rule", "shadow", "match", 2**62),)),
        Ready(1, "evil.test/x:80"),
    ],
    ids=repr,
)
async def test_what_no_worker_says_ends_it(
    victim: Victim, frame: ToEdge, caplog: pytest.LogCaptureFixture
) -> None:
    victim.child().pipe_data_received(1, encode(frame))
    assert "what it must not" in caplog.text
    holds(victim)


def test_the_reasons_that_copies_may_end_for_are_few() -> None:
    known = KnownEndings()
    for number in range(MAX_REASONS):
        assert known.check("failed", f"r{number}") == ("failed", f"r{number}")
    with pytest.raises(WireError, match="found the ending 'failed', 'one_more'"):
        known.check("failed", "one_more")
    assert known.check("failed", "r1")


def test_a_flood_of_lines_is_cut_short_and_confessed(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    caplog.set_level(logging.DEBUG, "traffic_mirror")
    log = WorkerLog(lambda: now[0])
    log.feed(b"INFO again\n" * 10_000)
    assert len(caplog.records) == BURST
    now[0] += 1.0
    log.feed(b"ERROR now\n")
    assert [record.getMessage() for record in caplog.records[-2:]] == [
        f"mirror: {10_000 - BURST} more lines of the worker's log are not shown",
        "mirror: now",
    ]


def test_a_line_can_not_draw_on_a_terminal_and_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "traffic_mirror")
    log = WorkerLog(lambda: 0.0)
    log.feed(b"WARNING \x1b[2J\x9b\r\x00gone\n" + b"x" * 100_000)
    log.feed(b"\xff\n")
    log.close()
    first, second = (record.getMessage() for record in caplog.records)
    assert first == "mirror: \\x1b[2J\ufffd\\x0d\\x00gone"
    assert second == "mirror: worker: " + "x" * MAX_LINE


def test_last_words_without_an_end_are_passed_on(caplog: pytest.LogCaptureFixture) -> None:
    log = WorkerLog(lambda: 0.0)
    log.feed(b"Traceback (most recent")
    log.close()
    assert "mirror: worker: Traceback (most recent" in caplog.text


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")
async def test_one_that_lacks_files_for_a_start_keeps_none_open() -> None:
    """Whichever of them is the first too many: the shared memory, the socket, a pipe of the process's."""
    import resource

    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async def start(spare: int) -> str:
        child = Child(NoThrottle(), lambda *_: None)
        resource.setrlimit(resource.RLIMIT_NOFILE, (first_free() + spare, hard))
        try:
            await child.start((sys.executable, "-c", ""), os.environ)
        except OSError as error:
            return str(error)
        else:
            return ""
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            if child.pid is not None:
                await asyncio.wait_for(child.ended.wait(), 10)
            child.retire()
            await asyncio.sleep(0)

    def first_free() -> int:
        fd = os.open("/dev/null", os.O_RDONLY)
        os.close(fd)
        return fd

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert await start(50) == ""
    before = open_files()
    ends = [await start(spare) for spare in range(12)]
    await wait_until_async(
        lambda: open_files() == before, message=lambda: f"{open_files()}, not {before}: {ends}"
    )
    assert "Too many open files" in ends[0]
    assert ends[-1] == ""
