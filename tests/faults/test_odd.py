"""Odd clients and a poor machine: what the primary answers is what they get, and the sum stays exact."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import processes
from tests.clients import Client, exchange, request
from tests.e2e.stage import Stage, stage, tag
from tests.faults.crowd import visit
from tests.faults.record import memory_mib, note
from tests.servers import never
from tests.waiting import wait_until

SPEC = """
version: 1
destinations:
  shadow: {url: $shadow, timeout: 5s, circuit_breaker: {of: 1000}}
  mute: {url: $mute, timeout: 2s, circuit_breaker: {of: 1000}}
apis:
  - name: all
    traffic_mirror:
      - {name: mute, path: /mute/*, destinations: [shadow, mute]}
      - {name: any, path: "^/", compare: true, destinations: [shadow]}
"""
SERVERS = {"shadow": None, "mute": never}
FULL_DISK = "/dev/full"


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("odd")
    options = {"stream_large_bodies": "100k"}
    if Path(FULL_DISK).exists():
        options |= {"mirror_results": FULL_DISK, "mirror_failed": FULL_DISK}
    with stage(directory, SPEC, behaviours=SERVERS, options=options) as running:
        yield running


def settled(on: Stage) -> dict[str, Any]:
    """The summary once nothing is under way."""
    wait_until(lambda: on.proxy.summary()["in_flight"] == 0)
    return on.proxy.summary()


@pytest.mark.parametrize("size", [10_000, 250_000, 1_000_000])
def test_a_huge_header_travels(on: Stage, size: int) -> None:
    word = tag()
    assert on.send(request(f"/{word}", headers=[("X-Big", "v" * size)])).status == 200
    (copy,) = on.received("shadow", word)
    assert len(copy.header("x-big") or b"") == size


def test_thousands_of_headers_travel(on: Stage) -> None:
    word = tag()
    fields = [(f"X-{number}", "v") for number in range(5000)]
    assert on.send(request(f"/{word}", headers=fields)).status == 200
    (copy,) = on.received("shadow", word)
    assert len(copy.headers) >= 5000


def test_pipelined_requests_are_each_answered_and_copied(on: Stage) -> None:
    word = tag()
    with Client(on.proxy.port) as client:
        client.send(b"".join(request(f"/{word}/{number}") for number in range(200)))
        assert [client.receive().status for _ in range(200)] == [200] * 200
    on.received("shadow", word, 200)


def test_a_client_that_expects_to_be_asked_on_is(on: Stage) -> None:
    word = tag()
    with Client(on.proxy.port) as client:
        head = [("Expect", "100-continue"), ("Content-Length", "5")]
        client.send(request(f"/{word}", method="POST", headers=head))
        assert client.receive(b"POST").status == 100
        client.send(b"hello")
        assert client.receive(b"POST").status == 200
    (copy,) = on.received("shadow", word)
    assert (copy.body, copy.header("expect")) == (b"hello", None)


ABORTED = {
    "after the head": b"GET /gone HTTP/1.1\r\nHost: x\r\n\r\n",
    "within the head": b"GET /gone HTTP/1.1\r\nHo",
    "within a body": b"POST /gone HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\nxx",
    "within a streamed body": b"POST /gone HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n"
    + b"x" * 150_000,
    "within chunks": b"POST /gone HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nxx",
}


# Of these the mirror selects a copy: the request is whole, or its body has begun to pass.
SELECTED = ("after the head", "within a streamed body")


def test_clients_that_go_away_leave_nothing_behind(on: Stage) -> None:
    """Five hundred of them, wherever they stop; what was selected ends, and memory stays."""
    selected = settled(on)["selected"]
    before = memory_mib(on.proxy.process.pid)
    for _ in range(100):
        for data in ABORTED.values():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", on.proxy.port)) as sock:
                sock.sendall(data)
    assert visit(on.proxy.port, "/after", 100) == [200] * 100
    on.received("shadow", "/after/", 100)
    summary = on.proxy.settled(selected + 100 + 100 * len(SELECTED))
    assert summary["selected"] == sum(summary["outcomes"].values())
    assert memory_mib(on.proxy.process.pid) - before < 96
    note("client", "500 clients that go away, wherever they stop", clients=100, exact=True)


ODD = {
    "nul-in-the-method": b"G\x00T /odd HTTP/1.1\r\nHost: x\r\n\r\n",
    "bytes-in-the-path": b"GET /odd/\xff\xfe\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
    "no-host": b"GET /odd HTTP/1.0\r\n\r\n",
    "two-hosts": b"GET /odd HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "a-host-of-bytes": b"GET /odd HTTP/1.1\r\nHost: \xff\xff\r\n\r\n",
    "a-bare-cr": b"GET /odd HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n",
    "many-cookies": b"GET /odd HTTP/1.1\r\nHost: x\r\nCookie: " + b"a=b; " * 2000 + b"\r\n\r\n",
    "trace": b"TRACE /odd HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("data", ODD.values(), ids=ODD)
def test_an_odd_request_is_answered_and_counted(on: Stage, data: bytes) -> None:
    before = settled(on)["selected"]
    with Client(on.proxy.port) as client:
        client.send(data)
        assert client.receive(data.split(b" ")[0]).status == 200
    assert exchange(on.proxy.port, request("/fine")).status == 200
    on.proxy.settled(before + 2)


@pytest.mark.skipif(not Path(FULL_DISK).exists(), reason=f"needs {FULL_DISK}")
def test_a_full_disk_is_said_and_hurts_nobody(on: Stage) -> None:
    """All of the above ran with it: results and failed copies that can't be written."""
    assert visit(on.proxy.port, "/mute", 20) == [200] * 20
    settled(on)
    wait_until(lambda: on.proxy.log.count("No space left on device") >= 2, message=lambda: on.proxy.log)
    log = on.proxy.log
    assert "results /dev/full: " in log
    assert "/dev/full: a failed copy can't be kept: No space left on device" in log
    assert log.count("a failed copy can't be kept") == 1
    assert on.proxy.summary()["worker_restarts"] == 0
    note("disk", "results and failed copies on a full disk", clients=20, exact=True)


def test_it_said_no_more_than_it_should(on: Stage) -> None:
    """Nothing that a client sent made the mirror fail; at the end the sum is exact."""
    assert on.proxy.interrupt() == 0
    lines = on.proxy.log.splitlines()
    assert "traffic_mirror" not in on.proxy.log, "no traceback of ours"
    line = next(line for line in lines if " selected = " in line)
    selected, _, parts = line.partition("mirror: ")[2].partition(" selected = ")
    assert int(selected) == sum(int(part.split()[0]) for part in parts.split(" + "))
    assert "in flight" not in line


@pytest.mark.skipif(sys.platform == "win32", reason="needs ulimit")
def test_few_files_cost_copies_and_no_client(tmp_path: Path) -> None:
    """64 files for the worker, 100 copies that hold one each: some can't connect, and then it goes on."""
    few = ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh"]
    with stage(tmp_path, SPEC, behaviours=SERVERS, prefix=few) as on:
        worker = on.proxy.worker
        assert visit(on.proxy.port, "/mute", 100) == [200] * 100
        wait_until(
            lambda: ended(on, "mute") == 100, 20, lambda: f"{on.proxy.summary()}\n{on.proxy.log[-2000:]}"
        )
        rest = on.ended("mute", "mute")
        assert set(rest) <= {("failed", "timeout"), ("failed", "no_socket"), ("dropped", "deadline")}
        assert rest["failed", "no_socket"]
        before = on.ended("any", "shadow").get(("delivered", "2xx"), 0)
        assert visit(on.proxy.port, "/x", 20) == [200] * 20
        wait_until(
            lambda: on.ended("any", "shadow").get(("delivered", "2xx"), 0) == before + 20,
            message=lambda: f"twenty copies more than {before}: {on.ended('any', 'shadow')}",
        )
        assert on.proxy.worker == worker
        assert processes.runs(worker)
    note("files", "64 files for a hundred copies under way", clients=120, exact=True)


def ended(on: Stage, destination: str) -> int:
    """How many copies to it have ended; the page may take no connections for a moment."""
    with contextlib.suppress(OSError):
        return sum(on.ended("mute", destination).values())
    return 0
