"""The worker's end: when asked, when its input ends, when nobody listens, and on bad input."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.processes import runs
from tests.servers import Gate, RecordingServer, answering, never
from tests.waiting import wait_until
from tests.worker.driver import WorkerProcess, destination, request, spec_of
from traffic_mirror.spec.model import CircuitBreaker
from traffic_mirror.wire.frames import Beat, Ended, Shown
from traffic_mirror.wire.ring import RING_FD


def test_a_stop_waits_for_copies_under_way() -> None:
    gate = Gate()
    with RecordingServer(gate) as server, WorkerProcess() as worker:
        worker.set_up(spec_of(destination(server.url, max_in_flight=1)))
        for _ in range(3):
            worker.mirror(request())
        server.wait_for(1)
        worker.process.stdin.flush()  # type: ignore[union-attr]
        gate.open()
        assert worker.stop() == 0
        assert Counter(e.outcome for e in worker.endings.values()) == {"delivered": 3}


def test_what_does_not_end_in_time_is_dropped() -> None:
    with RecordingServer(never) as server, WorkerProcess() as worker:
        worker.set_up(spec_of(destination(server.url, max_in_flight=2, timeout=60.0)))
        for _ in range(5):
            worker.mirror(request())
        server.wait_for(2)
        assert worker.stop(drain=0.2) == 0
        assert Counter(e[1:3] for e in worker.endings.values()) == {("dropped", "shutdown"): 5}


def test_the_end_of_input_is_a_stop() -> None:
    with RecordingServer(never) as server, WorkerProcess() as worker:
        worker.set_up(spec_of(destination(server.url, timeout=60.0)), drain=0.2)
        worker.mirror(request())
        server.wait_for(1)
        worker.close_stdin()
        assert worker.end() == 0
        assert worker.endings[1][1:3] == ("dropped", "shutdown")


def test_a_worker_nobody_listens_to_is_gone_at_once() -> None:
    with RecordingServer(never) as server, WorkerProcess() as worker:
        worker.set_up(spec_of(destination(server.url, timeout=60.0)), drain=600.0)
        worker.mirror(request())
        server.wait_for(1)
        holder = subprocess.Popen(
            [sys.executable, "-c", _HOLDER, sys.executable], stdout=subprocess.PIPE, text=True
        )
        assert holder.stdout is not None
        pid = int(holder.stdout.readline())
        holder.kill()
        holder.wait()
        holder.stdout.close()
        wait_until(lambda: not runs(pid), 10)


_HOLDER = """
import subprocess, sys, time
from traffic_mirror.wire.codec import encode
from traffic_mirror.wire.frames import Setup, SpecState
from traffic_mirror.spec.model import Spec
command = [sys.argv[1], "-m", "traffic_mirror.worker"]
worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
worker.stdin.write(encode(Setup(spec=Spec(), state=SpecState("", 0.0, True), drain=600.0)))
worker.stdin.flush()
worker.stdout.read1(1)
print(worker.pid, flush=True)
time.sleep(600)
"""


def test_ctrl_c_does_not_end_it_but_term_does() -> None:
    with RecordingServer() as server, WorkerProcess() as worker:
        worker.set_up(spec_of(destination(server.url)))
        worker.process.send_signal(signal.SIGINT)
        worker.mirror(request())
        worker.wait_for_endings(1)
        worker.process.send_signal(signal.SIGTERM)
        assert worker.end() == 0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x00\x00\x00\x00\x00\x00\x00\x00", "ERROR bad input: found a head of 0 bytes"),
        (b"GET / HTTP/1.1\r\n\r\n", "ERROR bad input: found a head of"),
        (b"\x00\x00", "ERROR the input ended within a frame, 2 bytes into it"),
    ],
    ids=["empty-head", "another-protocol", "cut-short"],
)
def test_bad_input_ends_it_with_a_message(data: bytes, message: str) -> None:
    with WorkerProcess() as worker:
        assert worker.process.stdin is not None
        worker.process.stdin.write(data)
        worker.close_stdin()
        assert worker.end() == 1
        assert worker.log[0].startswith(message)


@pytest.mark.parametrize("number", ["abc", "-1", "0", "1", "2", "987", "9" * 30])
def test_what_is_no_shared_memory_is_refused_with_a_message(number: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "traffic_mirror.worker"],
        input=b"",
        capture_output=True,
        timeout=30,
        check=False,
        env={**os.environ, RING_FD: number},
    )
    assert done.returncode == 1
    told = f"ERROR {RING_FD} is '{number}', expected the number of a file in sealed memory: "
    assert done.stderr.decode().startswith(told)
    assert done.stderr.count(b"\n") == 1


def test_a_file_for_a_pipe_is_refused_with_a_message() -> None:
    with Path(__file__).open("rb") as file:
        done = subprocess.run(
            [sys.executable, "-m", "traffic_mirror.worker"],
            stdin=file,
            capture_output=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == b"ERROR stdin is a file, expected a pipe or a socket (`cat FILE |`, `| cat`)\n"


def test_it_says_that_it_lives() -> None:
    with WorkerProcess() as worker:
        worker.set_up(spec_of())
        worker.wait_for(Beat)


def test_endings_come_in_batches_unless_a_client_waits() -> None:
    with RecordingServer() as server, WorkerProcess() as worker:
        worker.set_up(spec_of(destination(server.url, circuit_breaker=CircuitBreaker(of=10_000))))
        for _ in range(300):
            worker.mirror(request())
        worker.wait_for_endings(300)
        assert len(worker.frames(Ended)) < 100
        before = len(worker.frames(Ended))
        worker.mirror(request(), wait=True)
        worker.wait_for_endings(301)
        assert len(worker.frames(Ended)) == before + 1


def test_an_edge_that_stalls_loses_no_ending_but_what_can_be_spared() -> None:
    with RecordingServer(answering(body=b"x" * 100_000)) as server, WorkerProcess() as worker:
        worker.set_up(spec_of(destination(server.url, max_in_flight=8)), inspect=True)
        worker.stall()
        for number in range(500):
            worker.mirror(request(flow=f"f{number}"))
        server.wait_for(500, 30)
        worker.go_on()
        worker.wait_for_endings(500)
        assert worker.stop() == 0
        assert 0 < len(worker.frames(Shown)) < 500
