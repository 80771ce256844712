"""Large bodies on their way to the worker: whole, in order and counted, whatever becomes of it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from tests import processes
from tests.clients import Client, request
from tests.e2e.stage import Stage, stage
from tests.faults.crowd import visit_until
from tests.protocols.test_streams import chunked
from tests.waiting import wait_until
from traffic_mirror.wire.codec import encode
from traffic_mirror.wire.frames import Taken
from traffic_mirror.wire.ring import RING_FD

MIB = 1024 * 1024
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="shared memory and /proc are Linux's")

SPEC = """
version: 1
destinations:
  one: {url: $one, timeout: 60s}
  two: {url: $two, timeout: 60s}
apis:
  - name: all
    traffic_mirror:
      - {name: both, path: /both/*, destinations: [one, two]}
      - {name: one, path: /one/*, destinations: [one]}
"""


@pytest.fixture
def on(tmp_path: Path) -> Iterator[Stage]:
    with stage(tmp_path, SPEC, behaviours={"one": None, "two": None}) as running:
        yield running


def bodies(count: int) -> dict[str, bytes]:
    """Bodies of up to 12 MiB, small ones among them, by a name for each."""
    draw = random.Random(7)
    sizes = [draw.choice((100, MIB - 1, MIB, 3 * MIB + 1, 12 * MIB)) for _ in range(count)]
    return {f"n{number}n": draw.randbytes(size) for number, size in enumerate(sizes)}


def upload(on: Stage, rule: str, sent: dict[str, bytes]) -> list[int]:
    """The statuses that four clients got who uploaded these."""

    def one(names: list[str]) -> list[int]:
        with Client(on.proxy.port, timeout=60) as client:
            return [
                client.exchange(request(f"/{rule}/{name}", method="POST", body=sent[name])).status
                for name in names
            ]

    names = list(sent)
    with ThreadPoolExecutor(4) as pool:
        return [status for answers in pool.map(one, [names[at::4] for at in range(4)]) for status in answers]


def arrived(on: Stage, server: str) -> dict[str, str]:
    """The digest of each body that a server got, by its name."""
    return {
        got.target.rpartition(b"/")[2].decode(): sha256(got.body).hexdigest()
        for got in on.servers[server].requests
    }


def digests(sent: dict[str, bytes]) -> dict[str, str]:
    return {name: sha256(body).hexdigest() for name, body in sent.items()}


def shared_memory(pid: int) -> list[int]:
    """The bytes in use of each piece of memory that a process shares, or has shared, with another."""
    found = {}
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
            if "memfd:traffic-mirror" in str(link.readlink()):
                file = link.stat()
                found[file.st_ino] = file.st_blocks * 512
    return list(found.values())


def test_they_arrive_byte_for_byte(on: Stage) -> None:
    sent = bodies(24)
    assert upload(on, "both", sent) == [200] * 24
    on.wait_until_ended("both", "one", {("delivered", "2xx"): 24})
    on.wait_until_ended("both", "two", {("delivered", "2xx"): 24})
    assert arrived(on, "one") == arrived(on, "two") == digests(sent)


@LINUX
def test_they_cross_in_memory_that_is_given_back_to_the_system(on: Stage) -> None:
    body = b"x" * 12 * MIB
    assert shared_memory(on.proxy.process.pid) == [0]
    assert upload(on, "one", {"large": body}) == [200]
    on.wait_until_ended("one", "one", {("delivered", "2xx"): 1})
    assert shared_memory(on.proxy.process.pid) == [len(body)]
    assert shared_memory(on.proxy.worker) == [len(body)]
    wait_until(lambda: shared_memory(on.proxy.process.pid) == [0], 20, "the memory to be given back")


@LINUX
def test_a_worker_that_dies_among_them_loses_only_what_it_held(on: Stage) -> None:
    """The next one has memory of its own, and nothing of the old one is left."""
    sent = bodies(24)
    old = on.proxy.worker
    os.kill(old, signal.SIGSTOP)  # so that some are on their way when it dies
    with ThreadPoolExecutor(1) as pool:
        uploading = pool.submit(upload, on, "one", sent)
        wait_until(lambda: sum(shared_memory(on.proxy.process.pid)) >= 12 * MIB, 15, "some bodies to wait")
        os.kill(old, signal.SIGKILL)
        assert uploading.result(60) == [200] * 24
    visit_until(on.proxy.port, "/one", lambda: arrived(on, "one"))  # by another worker
    assert processes.children(on.proxy.process.pid) != [old]
    again = {f"again-{name}": body for name, body in sent.items()}
    assert upload(on, "one", again) == [200] * 24
    wait_until(lambda: digests(again).items() <= arrived(on, "one").items(), 30, "all of the second time")
    right = {**digests(sent), **digests(again)}
    got = {name: digest for name, digest in arrived(on, "one").items() if name in right}
    assert got.items() <= right.items(), "no body is another's or cut"
    assert len(shared_memory(on.proxy.process.pid)) == 1


@LINUX
def test_where_no_memory_can_be_shared_all_goes_by_the_pipe(tmp_path: Path) -> None:
    """Files may be no larger here than a mebibyte, those in memory among them."""
    with stage(
        tmp_path,
        SPEC,
        behaviours={"one": None, "two": None},
        prefix=["sh", "-c", 'ulimit -f 2048; exec "$@"', "sh"],
        env={RING_FD: "987"},  # of another proxy, which has started this one
    ) as on:
        sent = bodies(8)
        assert upload(on, "both", sent) == [200] * 8
        on.wait_until_ended("both", "two", {("delivered", "2xx"): 8})
        on.wait_until_ended("both", "one", {("delivered", "2xx"): 8})
        assert arrived(on, "one") == arrived(on, "two") == digests(sent)
        assert shared_memory(on.proxy.process.pid) == []


def test_a_stop_delivers_those_that_are_crossing(tmp_path: Path) -> None:
    with stage(tmp_path, SPEC, behaviours={"one": None, "two": None}, options={"mirror_drain": "20s"}) as on:
        sent = {f"n{number}n": random.Random(number).randbytes(8 * MIB) for number in range(7)}
        worker = on.proxy.worker
        os.kill(worker, signal.SIGSTOP)
        assert upload(on, "one", sent) == [200] * 7
        on.proxy.process.send_signal(signal.SIGINT)
        os.kill(worker, signal.SIGCONT)
        assert on.proxy.process.wait(30) == 0
        assert arrived(on, "one") == digests(sent)
        assert "mirror: 7 selected = 7 delivered " in on.proxy.log


def test_pieces_of_a_stream_may_be_large(tmp_path: Path) -> None:
    """What mitmproxy had kept of a body when it began to stream it comes as one piece."""
    body = random.Random(1).randbytes(9 * MIB)
    with stage(
        tmp_path, SPEC, behaviours={"one": None, "two": None}, options={"stream_large_bodies": "5m"}
    ) as on:
        for name in ("n1n", "n2n"):
            assert on.send(chunked(f"/both/{name}", body)).status == 200
        on.wait_until_ended("both", "one", {("delivered", "2xx"): 2})
        on.wait_until_ended("both", "two", {("delivered", "2xx"): 2})
        assert arrived(on, "one") == arrived(on, "two") == digests({"n1n": body, "n2n": body})
        if sys.platform == "linux":
            assert sum(shared_memory(on.proxy.process.pid)) >= 4 * MIB, "and crosses in shared memory"


@LINUX
@pytest.mark.parametrize("count", [-1, 1])
def test_a_worker_that_gives_back_what_it_was_not_lent_is_replaced(on: Stage, count: int) -> None:
    old = on.proxy.worker
    with Path(f"/proc/{old}/fd/1").open("wb", buffering=0) as stdout:
        stdout.write(encode(Taken(count)))
    on.proxy.wait_for_log(f"found {count} bodies given back, expected at most 0")
    visit_until(on.proxy.port, "/one", lambda: arrived(on, "one"))
    assert processes.children(on.proxy.process.pid) != [old]
    sent = bodies(8)
    assert upload(on, "one", sent) == [200] * 8
    wait_until(lambda: digests(sent).items() <= arrived(on, "one").items(), 30, "all of them")
